//! How fast do consumers of a group share a log: `cargo run --release -p gesta-store --example group_rates [events] [consumers] [batch] [strategy]`.
//!
//! Fills a store in a temporary directory, then lets the consumers, a thread each, take and ack everything, with each strategy. Not a test: it
//! prints.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use gesta_store::{
    Append, ConsumerOptions, EventData, EventStore, ExpectedRevision, GroupName, GroupSettings, Source, Strategy,
    StreamName, Ticket,
};

const STREAMS: u64 = 10_000;
const PAYLOAD: &str = r#"{"customer":"c-4711","amount":1250,"currency":"EUR","note":"paid at the counter, in cash"}"#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, or: u64| arguments.get(place).map_or(or, |text| text.parse().unwrap());
    let (events, consumers, batch) = (number(0, 1_000_000), number(1, 8), number(2, 100) as usize);
    let only = arguments.get(3).map_or("", |name| name);
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    fill(&store, events);
    println!("{events} events in {STREAMS} streams, {consumers} consumers, batches of {batch}\n");
    println!("{:<20} {:>16} {:>14} {:>14}", "strategy", "buffers, batch", "events/s", "of a read");
    let reading = read(&store, events);
    println!("{:<20} {:>16} {reading:>14.0} {:>13.0}%", "(plain read)", "-", 100.0);
    let key_ordered = GroupSettings::default().strategy;
    for (name, strategy) in
        [("RoundRobin", Strategy::RoundRobin), ("Pinned", Strategy::Pinned), ("KeyOrdered (stream)", key_ordered)]
    {
        if !name.starts_with(only) {
            continue;
        }
        for (buffer, read_batch) in [(500, 20), (8192, 1024)] {
            let group = GroupName::on_all(&format!("{name}-{buffer}")).unwrap();
            let settings = GroupSettings {
                history_buffer: buffer,
                live_buffer: buffer,
                read_batch,
                strategy: strategy.clone(),
                ..GroupSettings::default()
            };
            store.groups().create(&group, Source::All, settings).unwrap();
            let rate = consume(&store, &group, events, consumers, batch);
            let buffers = format!("{buffer}, {read_batch}");
            println!("{name:<20} {buffers:>16} {rate:>14.0} {:>13.0}%", rate / reading * 100.0);
        }
    }
}

fn fill(store: &EventStore, events: u64) {
    let event = || EventData::json("Paid".try_into().unwrap(), PAYLOAD);
    let mut tickets: Vec<Ticket> = Vec::new();
    for first in (0..events).step_by(1000) {
        let append = (first..events.min(first + 1000)).fold(Append::new(), |append, number| {
            let stream = StreamName::new(format!("account-{}", number.wrapping_mul(0x9e37_79b9) % STREAMS)).unwrap();
            append.stream(stream, ExpectedRevision::Any, [event()])
        });
        tickets.push(store.commit(append));
        if tickets.len() == 16 {
            tickets.drain(..).for_each(|ticket| drop(ticket.wait().unwrap()));
        }
    }
    tickets.drain(..).for_each(|ticket| drop(ticket.wait().unwrap()));
    store.settle().unwrap();
}

fn read(store: &EventStore, events: u64) -> f64 {
    let start = Instant::now();
    let mut read = store.read_all(gesta_store::ReadOptions::default()).unwrap();
    let mut seen = 0;
    while let Some(batch) = read.next_batch().unwrap() {
        seen += batch.iter().map(|event| u64::from(!event.data.is_empty())).sum::<u64>();
    }
    assert_eq!(seen, events);
    events as f64 / start.elapsed().as_secs_f64()
}

fn consume(store: &EventStore, group: &GroupName, events: u64, consumers: u64, batch: usize) -> f64 {
    let acked = AtomicU64::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for number in 0..consumers {
            let options = ConsumerOptions { name: format!("consumer-{number}"), slots: 2 * batch };
            let consumer = store.groups().connect(group, &options).unwrap();
            let acked = &acked;
            scope.spawn(move || {
                while acked.load(Ordering::Relaxed) < events {
                    let messages = consumer.next(batch, Some(Duration::from_millis(20))).unwrap();
                    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
                    consumer.ack(&ids).unwrap();
                    acked.fetch_add(ids.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    let elapsed = start.elapsed();
    store.groups().flush(group).unwrap();
    let info = store.groups().info(group).unwrap();
    assert_eq!(acked.into_inner(), events, "every event once");
    assert!(info.checkpoint.0 >= events, "{info:?}");
    events as f64 / elapsed.as_secs_f64()
}
