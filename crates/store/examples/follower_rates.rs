//! What followers cost and how fast they are: `cargo run --release -p gesta-store --example follower_rates`.
//!
//! On a directory of its own, in the system's place for such, and gone afterwards: (a) processor time and latency of an append with no idle
//! subscription, with four and with ten thousand; (b) from durable append to delivery; (c) catching up, against plain reads. Not a test: it prints.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, mpsc},
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

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open_with(dir.path(), Options::default()).unwrap();
    println!(
        "{IDLE} idle subscriptions, a quarter each on streams, tags, path patterns and stream prefixes; 256 B events\n"
    );
    idle(&store);
    delivery(&store);
    drop(store);
    let dir = tempfile::tempdir().unwrap();
    catch_up(&EventStore::open_with(dir.path(), Options::default()).unwrap());
}

fn event(number: u64) -> EventData {
    let kind = if number.is_multiple_of(100) { "Rare" } else { "Usual" };
    let tag = Tag::new(format!("/accounts/{}", number % 1000)).unwrap();
    EventData::binary(kind.try_into().unwrap(), vec![7; 256]).with_tag(tag)
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

/// (c) The same events by a read and by a subscription, in turn.
fn catch_up(store: &EventStore) {
    let mut number = 0;
    while number < EVENTS {
        let stream = StreamName::new(format!("order-{}", number % 977)).unwrap();
        let events = (number..number + 1000).map(event);
        drop(store.append(stream, ExpectedRevision::Any, events));
        number += 1000;
    }
    store.head().wait_past(gesta_store::Position(EVENTS - 1), None).unwrap();
    store.settle().unwrap();
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
