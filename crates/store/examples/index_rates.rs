//! How fast and how large is the index: `cargo run --release -p gesta-store --example index_rates [events] [streams]`.
//!
//! Inserts events of ten types with one tag each over many streams, sealing as the log would, then asks. Not a test: it prints.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use gesta_store::{
    EventType, Position, Query, QueryItem, Revision, StreamFilter, Tag,
    disk::FileDisk,
    index::{Index, IndexedEvent, Step, TagList, Term, Towards},
    limits,
};
use uuid::Uuid;

const TYPES: [&str; 10] =
    ["Opened", "Placed", "Paid", "Packed", "Shipped", "Returned", "Refunded", "Closed", "Noted", "Moved"];
const ROUNDS: u64 = 100_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let events = arguments.next().unwrap_or(2_000_000);
    let streams = arguments.next().unwrap_or(200_000);
    let dir = tempfile::tempdir().unwrap();
    let id = Uuid::from_u128(1);
    println!("{events} events, {streams} streams, 10 types, 1 tag an event ({} tags)", streams / 10);

    let (index, _) = Index::open(Arc::new(FileDisk::new(dir.path())), id).unwrap();
    let empty = resident();
    let few = limits::SEGMENT_EVENTS - 1024;
    fill(&index, few, streams, 1024);
    println!(
        "memory                {:>10.0} bytes/event in the open part",
        (resident() - empty) * 1_048_576.0 / few as f64
    );
    let (index, _) = Index::open(Arc::new(FileDisk::new(dir.path())), id).unwrap();
    let (inserting, maintaining) = fill(&index, events, streams, limits::SEGMENT_EVENTS);
    println!("insert                {inserting:>10.0} ns/event");
    println!("build and merge       {maintaining:>10.0} ns/event");
    let start = Timer::start();
    while index.maintain(Position(u64::MAX - 1)).unwrap() != Step::Idle {}
    println!("settle                {:>10.0} ms", start.elapsed().as_secs_f64() * 1e3);
    ask(&index, events, streams);
    let info = index.info();
    println!("\nruns {} pending {} open events {}", info.runs, info.pending, info.open_events);
    println!("bytes an event        {:>10.1}", info.bytes as f64 / (events - info.open_events) as f64);
    drop(index);

    let (rss, start) = (resident(), Instant::now());
    let (index, opened) = Index::open(Arc::new(FileDisk::new(dir.path())), id).unwrap();
    println!("open                  {:>10.1} ms, covered {}", start.elapsed().as_secs_f64() * 1e3, opened.covered);
    println!("resident              {:>10.1} MiB more ({:.1} in all)", resident() - rss, resident());
    index.stream_last("order-1", opened.covered).unwrap();
}

/// Streams come scattered over the log.
fn stream_of(n: u64, streams: u64) -> u64 {
    (n.wrapping_mul(0x9e37_79b9) ^ 0x55) % streams
}

/// Fills the index; nanoseconds an event for inserting, and for writing and merging runs.
fn fill(index: &Index, events: u64, streams: u64, batch_events: u64) -> (f64, f64) {
    let (mut inserting, mut maintaining) = (0.0, 0.0);
    let mut revisions = vec![0_u64; streams as usize];
    let segment = limits::SEGMENT_EVENTS;
    let mut batch: Vec<(String, Revision, Tag)> = Vec::new();
    for start in (0..events).step_by(batch_events as usize) {
        let end = events.min(start + batch_events);
        batch.clear();
        batch.extend((start..end).map(|n| {
            let stream = stream_of(n, streams);
            let revision = Revision(revisions[stream as usize]);
            revisions[stream as usize] += 1;
            (format!("order-{stream}"), revision, Tag::new(format!("/customers/{}", stream / 10)).unwrap())
        }));
        let timer = Timer::start();
        index.insert(batch.iter().enumerate().map(|(n, (stream, revision, tag))| IndexedEvent {
            position: Position(start + n as u64),
            revision: *revision,
            stream,
            event_type: TYPES[(revision.0 % 10) as usize],
            tags: TagList::Proposed(std::slice::from_ref(tag)),
            correlation: None,
        }));
        inserting += timer.elapsed().as_secs_f64();
        if end.is_multiple_of(segment) {
            index.seal(Position(end));
            let timer = Timer::start();
            while index.maintain(Position(u64::MAX - 1)).unwrap() != Step::Idle {}
            maintaining += timer.elapsed().as_secs_f64();
        }
    }
    (inserting * 1e9 / events as f64, maintaining * 1e9 / events as f64)
}

fn ask(index: &Index, events: u64, streams: u64) {
    let to = Position(events);
    let name = |n: u64| format!("order-{}", n.wrapping_mul(0x9e37_79b9) % streams);
    let known: Vec<String> = (0..ROUNDS).map(name).collect();
    let unknown: Vec<String> = (0..ROUNDS).map(|n| format!("order-x{n}")).collect();
    each("stream_last, known", &known, |name| index.stream_last(name, to).unwrap());
    each("stream_last, never seen", &unknown, |name| index.stream_last(name, to).unwrap());
    each("nth of a stream", &known, |name| index.nth(Term::Stream(name), 3, to).unwrap());
    let ordinals: Vec<u64> = (0..ROUNDS).map(|n| n.wrapping_mul(7_919_777) % events).collect();
    each("nth of the category", &ordinals, |&n| index.nth(Term::Category("order"), n, to).unwrap());
    each("rank in the category", &ordinals, |&n| index.rank(Term::Category("order"), Position(n), to).unwrap());

    let tag = |n: u64| Tag::new(format!("/customers/{}", n % (streams / 10))).unwrap();
    let of_tag: Vec<Query> = (0..ROUNDS).map(|n| Query::of(QueryItem::default().tag(tag(n)))).collect();
    let rare = |n: u64| {
        let item = QueryItem::default().tag(tag(n)).event_type(EventType::new("Never").unwrap());
        Query::of(item)
    };
    let never: Vec<Query> = (0..ROUNDS).map(rare).collect();
    let near = Position(events - 20);
    each("first_match, near the head", &of_tag, |query| index.first_match(query, near, to).unwrap());
    each("first_match, tag, whole log", &of_tag, |query| index.first_match(query, Position(0), to).unwrap());
    each("first_match, none, whole log", &never, |query| index.first_match(query, Position(0), to).unwrap());
    let both: Vec<Query> = (0..1_000)
        .map(|n| Query::of(QueryItem::default().tag(tag(n)).event_type(EventType::new("Moved").unwrap())))
        .collect();
    each("tag and type, all matches", &both, |query| count(index, query, to));

    let by_type = Query::of(QueryItem::default().event_type(EventType::new("Paid").unwrap()));
    let timer = Timer::start();
    let found = count(index, &by_type, to);
    let rate = found as f64 / timer.elapsed().as_secs_f64() / 1e6;
    println!("by type               {rate:>10.1} M matches/s ({found} found)");
    let wide = Query::of(QueryItem::default().stream(StreamFilter::Pattern("*-1*7".into())));
    let timer = Timer::start();
    let found = count(index, &wide, to);
    println!("by a wide pattern     {:>10.1} ms ({found} found)", timer.elapsed().as_secs_f64() * 1e3);
    let timer = Timer::start();
    let listed = index.streams("order-1", None, 1_000, to).unwrap().len();
    println!("list {listed} streams     {:>10.1} ms", timer.elapsed().as_secs_f64() * 1e3);
}

fn count(index: &Index, query: &Query, to: Position) -> usize {
    let mut matches = index.matches(query, Position(0)..to, Towards::Newer);
    let (mut chunk, mut found) = (Vec::new(), 0);
    loop {
        chunk.clear();
        let more = matches.next_chunk(1024, &mut chunk).unwrap();
        found += chunk.len();
        if !more {
            return found;
        }
    }
}

fn each<T, A>(what: &str, items: &[T], ask: impl Fn(&T) -> A) {
    let timer = Timer::start();
    for item in items {
        black_box(ask(item));
    }
    println!("{what:<30}{:>6.0} ns", timer.elapsed().as_secs_f64() * 1e9 / items.len() as f64);
}

/// Time this thread was on a processor, so that a busy machine does not blur the figures; wall time where the system does not tell.
struct Timer {
    wall: Instant,
    cpu: Option<u64>,
}

impl Timer {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: on_cpu() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, on_cpu()) {
            (Some(start), Some(end)) => Duration::from_nanos(end - start),
            _ => self.wall.elapsed(),
        }
    }
}

fn on_cpu() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Resident memory in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
