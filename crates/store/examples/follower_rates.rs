//! What followers cost and how fast they are: `cargo run --release -p gesta-store --example follower_rates [idle|delivery|catch-up|behind]`.
//!
//! On a directory of its own, in the system's place for such, and gone afterwards: (a) processor time and latency of an append with no idle
//! subscription, with four and with ten thousand; (b) from durable append to delivery; (c) catching up, against plain reads; (d) latency of an append while
//! somebody catches up from ten million events behind, against nobody. Not a test: it prints.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use gesta_store::{
    Delivery, EventData, EventStore, ExpectedRevision, Options, Query, QueryItem, Read, ReadOptions, Source,
    StreamFilter, StreamName, SubscribeOptions, Subscription, Tag,
};

const IDLE: usize = 10_000;
/// Appends one after the other, in a round with and a round without idle subscriptions.
const APPENDS: usize = 500;
const ROUNDS: usize = 5;
/// Commits of a thousand events in a round.
const BULK_COMMITS: usize = 40;
/// Events of the log that is caught up with.
const EVENTS: u64 = 1_000_000;
/// Events a follower is behind.
const BEHIND_EVENTS: u64 = 10_000_000;
/// How long clients append with it and without it, and how often.
const SLICE: Duration = Duration::from_secs(1);
const SLICES: usize = 9;

fn main() {
    let only = std::env::args().nth(1);
    let is_wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let store = |dir: &tempfile::TempDir| EventStore::open_with(dir.path(), Options::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let small = store(&dir);
    if is_wanted("idle") {
        idle(&small);
    }
    if is_wanted("delivery") {
        delivery(&small);
    }
    drop(small);
    let dir = tempfile::tempdir().unwrap();
    if is_wanted("catch-up") {
        catch_up(&store(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    if is_wanted("behind") {
        behind(&store(&dir));
    }
}

fn event(number: u64) -> EventData {
    let kind = if number.is_multiple_of(100) { "Rare" } else { "Usual" };
    let tag = Tag::new(format!("/accounts/{}", number % 1000)).unwrap();
    EventData::binary(kind.try_into().unwrap(), vec![7; 256]).with_tag(tag)
}

fn small_event(number: u64) -> EventData {
    EventData { data: vec![7; 32].into(), ..event(number) }
}

fn append(store: &EventStore, number: u64) {
    let stream = StreamName::new(format!("order-{}", number % 1000)).unwrap();
    store.append(stream, ExpectedRevision::Any, [event(number)]).wait().unwrap();
}

/// Nobody's waker.
struct Silent;

impl Wake for Silent {
    fn wake(self: Arc<Self>) {}
}

fn source(number: usize) -> Source {
    let item = QueryItem::default();
    match number % 4 {
        0 => Source::Stream(StreamName::new(format!("idle-{number}")).unwrap()),
        1 => Source::Query(Query::of(item.tag(Tag::new(format!("/idle/{number}")).unwrap()))),
        2 => Source::Query(Query::of(item.path(format!("/idle/{number}/**").parse().unwrap()))),
        _ => Source::Query(Query::of(item.stream(StreamFilter::Prefix(format!("idle-{number}-").into())))),
    }
}

/// Takes what there is, so that the subscription rests at the head.
fn drain(subscription: &mut Subscription) {
    while subscription.next(Some(Duration::ZERO)).unwrap().is_some() {}
}

/// Appends one after the other: median latency and processor time of one; then commits of a thousand: processor time of an event. In microseconds.
fn appends(store: &EventStore) -> [f64; 3] {
    let (cpu, mut latencies) = (cpu_time(), Vec::with_capacity(APPENDS));
    for number in 0..APPENDS as u64 {
        let start = Instant::now();
        append(store, number);
        latencies.push(start.elapsed());
    }
    let single = (cpu_time() - cpu).as_secs_f64() * 1e6 / APPENDS as f64;
    let cpu = cpu_time();
    for number in 0..BULK_COMMITS {
        let stream = StreamName::new(format!("bulk-{number}")).unwrap();
        let events = (0..1000).map(event);
        store.append(stream, ExpectedRevision::Any, events).wait().unwrap();
    }
    let bulk = (cpu_time() - cpu).as_secs_f64() * 1e6 / (BULK_COMMITS * 1000) as f64;
    [median(&mut latencies), single, bulk]
}

/// (a) Rounds with nobody, with one of each kind and with all, in turn, so that what else the machine does hits them alike; the best of each. And with all
/// there but none waiting: what they cost by filling the processor's caches alone.
fn idle(store: &EventStore) {
    println!(
        "{IDLE} idle subscriptions, a quarter each on streams, tags, path patterns and stream prefixes; 256 B events\n"
    );
    appends(store);
    let worst = [f64::MAX; 3];
    let mut rows = [(0, 0, worst), (4, 4, worst), (IDLE, 0, worst), (IDLE, IDLE, worst)];
    let waker = Waker::from(Arc::new(Silent));
    let mut context = Context::from_waker(&waker);
    for _ in 0..ROUNDS {
        for (count, waits, best) in &mut rows {
            // No checkpoint falls due: what is measured is being passed over.
            let options = SubscribeOptions { checkpoint_events: None, ..SubscribeOptions::default() };
            let open = |number| store.subscribe(source(number), options.clone()).unwrap();
            let mut subscriptions: Vec<Subscription> = (0..*count).map(open).collect();
            subscriptions.iter_mut().for_each(drain);
            let mut waiting: Vec<Pin<Box<_>>> =
                subscriptions.iter_mut().take(*waits).map(|subscription| Box::pin(subscription.ready())).collect();
            assert!(waiting.iter_mut().all(|ready| ready.as_mut().poll(&mut context).is_pending()));
            best.iter_mut().zip(appends(store)).for_each(|(best, now)| *best = best.min(now));
            assert!(waiting.iter_mut().all(|ready| matches!(ready.as_mut().poll(&mut context), Poll::Pending)));
        }
    }
    println!(
        "{:<34}{:>14}{:>20}{:>28}",
        "append, one client", "p50 µs", "processor µs each", "µs/event in commits of 1000"
    );
    for (count, waits, [p50, single, bulk]) in rows {
        println!("{:<34}{p50:>14.1}{single:>20.1}{bulk:>28.2}", format!("  {waits} of {count} wait"));
    }
}

/// (b) A thread that waits at the head, and how long after the append began it has the event.
fn delivery(store: &EventStore) {
    println!("\n{:<34}{:>14}", "delivery at the head", "p50 µs");
    let sources =
        [("all", Source::All), ("category", Source::Stream("$ce-order".try_into().unwrap())), ("query", query())];
    for (what, source) in sources {
        let mut subscription = store.subscribe(source, SubscribeOptions::default()).unwrap();
        drain(&mut subscription);
        let (sender, arrivals) = mpsc::channel();
        let follower = std::thread::spawn(move || {
            let mut left = APPENDS;
            while left > 0 {
                if let Some(Delivery::Events(batch)) = subscription.next(None).unwrap() {
                    let now = Instant::now();
                    left = left.saturating_sub(batch.len());
                    batch.iter().for_each(|_| sender.send(now).unwrap());
                }
            }
        });
        let (mut answered, mut delivered) = (Vec::new(), Vec::new());
        for _ in 0..APPENDS {
            let start = Instant::now();
            append(store, 100);
            answered.push(start.elapsed());
            delivered.push(arrivals.recv().unwrap() - start);
        }
        follower.join().unwrap();
        let (append, delivery) = (median(&mut answered), median(&mut delivered));
        println!("{:<34}{append:>14.1}", format!("  {what}: append"));
        println!("{:<34}{delivery:>14.1}{:>14.1} more", format!("  {what}: append to delivery"), delivery - append);
    }
}

fn query() -> Source {
    Source::Query(Query::of(QueryItem::default().path("/accounts/*".parse().unwrap())))
}

fn fill(store: &EventStore, count: u64, event: fn(u64) -> EventData) {
    for number in (0..count).step_by(1000) {
        let stream = StreamName::new(format!("order-{}", number % 977)).unwrap();
        drop(store.append(stream, ExpectedRevision::Any, (number..number + 1000).map(event)));
    }
    store.head().wait_past(gesta_store::Position(count - 1), None).unwrap();
    store.settle().unwrap();
}

/// (c) The same events by a read and by a subscription, in turn.
fn catch_up(store: &EventStore) {
    fill(store, EVENTS, event);
    println!("\n{:<34}{:>14}{:>14}{:>10}", "catching up, M events/processor s", "read", "subscription", "share");
    let rare = Source::Query(Query::of(QueryItem::default().event_type("Rare".try_into().unwrap())));
    for (what, source) in [("all", Source::All), ("query, 1 in 100", rare), ("query, every one", query())] {
        let mut best = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            best.0 = best.0.max(rate(|| read(store.read(source.clone(), ReadOptions::default()).unwrap())));
            let subscription = || store.subscribe(source.clone(), SubscribeOptions::default()).unwrap();
            best.1 = best.1.max(rate(|| caught_up(subscription())));
        }
        let (read, subscription) = best;
        let share = subscription / read * 100.0;
        println!("{:<34}{read:>14.2}{subscription:>14.2}{share:>9.0}%", format!("  {what}"));
    }
}

/// By processor time, which what else the machine does changes least: both run on this thread.
fn rate(count: impl FnOnce() -> usize) -> f64 {
    let start = cpu_time();
    count() as f64 / (cpu_time() - start).as_secs_f64() / 1e6
}

fn read(mut read: Read) -> usize {
    let mut seen = 0;
    while let Some(batch) = read.next_batch().unwrap() {
        seen += batch.iter().filter(|event| !event.data.is_empty()).count();
    }
    seen
}

fn caught_up(mut subscription: Subscription) -> usize {
    let mut seen = 0;
    loop {
        match subscription.next(None).unwrap() {
            Some(Delivery::Events(batch)) => seen += batch.iter().filter(|event| !event.data.is_empty()).count(),
            Some(Delivery::CaughtUp(_)) => return seen,
            Some(_) | None => {}
        }
    }
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Processor time of this process so far: the nanoseconds its threads ran, where Linux says so.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let run = |task: std::fs::DirEntry| -> u64 {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.map(run).sum())
}

/// A follower that is always far behind, while it is let: when it has caught up it begins anew.
struct Straggler {
    runs: AtomicBool,
    ends: AtomicBool,
    events: AtomicU64,
}

impl Straggler {
    fn follow(&self, store: &EventStore, source: &Source) {
        let open = || store.subscribe(source.clone(), SubscribeOptions::default()).unwrap();
        let mut subscription = open();
        while !self.ends.load(Ordering::Relaxed) {
            if !self.runs.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(50));
                continue;
            }
            match subscription.next(Some(Duration::ZERO)).unwrap() {
                Some(Delivery::Events(batch)) => {
                    let seen = batch.iter().filter(|event| !event.data.is_empty()).count();
                    self.events.fetch_add(seen as u64, Ordering::Relaxed);
                }
                Some(Delivery::CaughtUp(_)) | None => subscription = open(),
                Some(_) => {}
            }
        }
    }
}

/// (d) Slices of a second with the follower at rest and at work, in turn; medians over the slices of each kind.
fn behind(store: &EventStore) {
    fill(store, BEHIND_EVENTS, small_event);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "\n{BEHIND_EVENTS} events behind, {SLICES} slices of {} s each way; load {}",
        SLICE.as_secs(),
        load.trim()
    );
    let head =
        ["follower", "clients", "p50 µs", "with", "p99 µs", "with", "p99 ratio", "appends/s", "with", "M events/s"];
    println!(
        "{:<18}{:>8}{:>9}{:>9}{:>9}{:>9}{:>10}{:>11}{:>9}{:>12}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7], head[8], head[9]
    );
    let rare = Source::Query(Query::of(QueryItem::default().event_type("Rare".try_into().unwrap())));
    for (what, source) in [("all", Source::All), ("query, 1 in 100", rare), ("query, every one", query())] {
        for clients in [1, 8] {
            row(store, what, &source, clients);
        }
    }
}

fn row(store: &EventStore, what: &str, source: &Source, clients: usize) {
    let straggler = Straggler { runs: AtomicBool::new(false), ends: AtomicBool::new(false), events: AtomicU64::new(0) };
    let mut slices = [Vec::new(), Vec::new()];
    std::thread::scope(|threads| {
        let follower = threads.spawn(|| straggler.follow(store, source));
        for number in 0..2 * SLICES {
            straggler.runs.store(number % 2 == 1, Ordering::Relaxed);
            follower.thread().unpark();
            slices[number % 2].push(slice(store, clients));
        }
        straggler.ends.store(true, Ordering::Relaxed);
        follower.thread().unpark();
    });
    let middle = |kind: usize, figure: usize| {
        let mut figures: Vec<f64> = slices[kind].iter().map(|slice: &[f64; 3]| slice[figure]).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let mut ratios: Vec<f64> = slices[0].iter().zip(&slices[1]).map(|(rest, work)| work[1] / rest[1]).collect();
    ratios.sort_by(f64::total_cmp);
    let (ratio, rate) = (ratios[ratios.len() / 2], straggler.events.load(Ordering::Relaxed) as f64 / 1e6);
    println!(
        "{what:<18}{clients:>8}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{ratio:>10.2}{:>11.0}{:>9.0}{:>12.2}",
        middle(0, 0),
        middle(1, 0),
        middle(0, 1),
        middle(1, 1),
        middle(0, 2),
        middle(1, 2),
        rate / (SLICES as f64 * SLICE.as_secs_f64())
    );
}

/// Clients that append one event after the other: p50 and p99 in microseconds, appends a second.
fn slice(store: &EventStore, clients: usize) -> [f64; 3] {
    let client = || {
        let (start, mut latencies) = (Instant::now(), Vec::new());
        while start.elapsed() < SLICE {
            let before = Instant::now();
            append(store, 100);
            latencies.push(before.elapsed());
        }
        latencies
    };
    let mut latencies: Vec<Duration> = std::thread::scope(|threads| {
        let clients: Vec<_> = (0..clients).map(|_| threads.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    latencies.sort();
    let at = |share: usize| latencies[latencies.len() * share / 100].as_secs_f64() * 1e6;
    [at(50), at(99), latencies.len() as f64 / SLICE.as_secs_f64()]
}
