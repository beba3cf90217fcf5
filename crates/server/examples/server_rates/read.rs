//! A store of a million events: from start to ready, and read to its end by one client.

use std::{path::Path, time::Instant};

use gesta_server::proto::event_store::client::streams::read_resp::Content;
use gesta_store::{EventData, EventStore, EventType, ExpectedRevision, StreamName, Ticket};

use crate::{
    client::{self, EVENT_BYTES},
    program::Program,
    row::{Hold, Report},
    samples::median,
};

const EVENTS: usize = 1_000_000;
const COMMIT: usize = 1000;
const STREAMS: usize = 10_000;
const STARTS: usize = 5;
const READS: usize = 5;
const READY_MS_MAX: f64 = 300.0;
const RATE_MIN: f64 = 250_000.0;
const MICROS_MAX: f64 = 4.0;

pub(crate) fn measure(dir: &Path, report: &mut Report) {
    let dir = tempfile::tempdir_in(dir).unwrap();
    fill(dir.path());
    // The first one comes after a store that was closed, the others after servers that were killed.
    let starts = (0..STARTS).map(|_| Program::start(dir.path()).ready_after.as_secs_f64() * 1e3);
    let starts: Vec<f64> = starts.collect();
    let what = format!("start to ready with {EVENTS} events");
    report.judge(&what, median(starts), "ms", Hold::AtMost(READY_MS_MAX));
    let program = Program::start(dir.path());
    let runtime = client::runtime();
    runtime.block_on(read_all(&program));
    let cpu = program.cpu();
    let rates = (0..READS).map(|_| {
        let begun = Instant::now();
        let events = runtime.block_on(read_all(&program));
        assert_eq!(events, EVENTS, "a read brings every event");
        events as f64 / begun.elapsed().as_secs_f64()
    });
    let rates: Vec<f64> = rates.collect();
    let micros = (program.cpu() - cpu).as_secs_f64() * 1e6 / (EVENTS * READS) as f64;
    report.judge("read $all, one client", median(rates), "events/s", Hold::AtLeast(RATE_MIN));
    report.judge("  processor of the server an event", micros, "µs", Hold::AtMost(MICROS_MAX));
}

fn fill(dir: &Path) {
    let store = EventStore::open(dir).unwrap();
    let kind = EventType::new("OrderPlaced").unwrap();
    let commits = (0..EVENTS / COMMIT).map(|number| {
        let stream = StreamName::new(format!("order-{}", number % STREAMS)).unwrap();
        let events = (0..COMMIT).map(|_| EventData::json(kind.clone(), vec![b'7'; EVENT_BYTES]));
        store.append(stream, ExpectedRevision::Any, events)
    });
    commits.for_each(|commit: Ticket| drop(commit.wait().unwrap()));
    store.close().unwrap();
}

/// Events that came.
async fn read_all(program: &Program) -> usize {
    let mut client = client::connect(program.address).await;
    let mut answers = client.read(client::read_all()).await.unwrap().into_inner();
    let (mut events, mut bytes) = (0, 0);
    while let Some(answer) = answers.message().await.unwrap() {
        if let Some(Content::Event(event)) = answer.content {
            events += 1;
            bytes += event.event.unwrap().data.len();
        }
    }
    assert_eq!(bytes, events * EVENT_BYTES, "events come whole");
    events
}
