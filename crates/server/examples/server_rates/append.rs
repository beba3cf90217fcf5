//! Appends of one event by 1 to 128 clients, each waiting for its answer before it sends the next: a call for each, or one open call a client. Beside them the
//! same append in this process, and the same calls to a service that does nothing.
//!
//! All take turns in slices, so that what else the machine does hits them alike.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use gesta_store::{EventData, EventStore, EventType, ExpectedRevision, StreamName};

use crate::{
    appender::{Appender, Way},
    client::{self, EVENT_BYTES},
    floor::Bare,
    program::Program,
    row::{Hold, Report},
    samples::{Latencies, median},
};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];
const SLICE: Duration = Duration::from_millis(500);
const SLICES: usize = 7;
/// What the p50 over gRPC may be above the one in the process, in microseconds.
const BEYOND_MAX: f64 = 300.0;
const SCALING_MIN: f64 = 10.0;

/// What one number of clients did, one way.
#[derive(Default)]
struct Measured {
    latencies: Latencies,
    rates: Vec<f64>,
    /// Processor time of the server and appends, over all slices.
    cpu: Duration,
    appends: usize,
    /// The rates of the same calls to a service that does nothing.
    bare: Vec<f64>,
}

pub(crate) fn unary(dir: &Path, report: &mut Report) {
    measure(Way::Unary, dir, report);
}

pub(crate) fn open_call(dir: &Path, report: &mut Report) {
    measure(Way::OpenCall, dir, report);
}

fn measure(way: Way, dir: &Path, report: &mut Report) {
    let (inside, served) = (tempfile::tempdir_in(dir).unwrap(), tempfile::tempdir_in(dir).unwrap());
    let store = EventStore::open(inside.path()).unwrap();
    let (program, bare) = (Program::start(served.path()), Bare::start());
    let runtime = client::runtime();
    let mut clients = runtime.block_on(connect(way, program.address));
    let mut bare_clients = runtime.block_on(connect(way, bare.address));
    let mut in_process = Latencies::default();
    let mut measured = <[Measured; CLIENTS.len()]>::default();
    for _ in 0..SLICES {
        in_process.add(append_in_process(&store));
        for (count, measured) in CLIENTS.into_iter().zip(&mut measured) {
            let cpu = program.cpu();
            let (rate, latencies) = runtime.block_on(append_with(&mut clients, count));
            measured.rates.push(rate);
            measured.cpu += program.cpu() - cpu;
            measured.appends += latencies.len();
            measured.latencies.add(latencies);
            let (rate, _) = runtime.block_on(append_with(&mut bare_clients, count));
            measured.bare.push(rate);
        }
    }
    let direct = in_process.micros_at(0.5);
    report.tell("append in process, 1 thread, p50", direct, "µs");
    tell(report, way.name(), direct, measured);
}

async fn connect(way: Way, address: SocketAddr) -> Vec<Appender> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS[CLIENTS.len() - 1] {
        clients.push(way.connect(address).await);
    }
    clients
}

fn tell(report: &mut Report, way: &str, direct: f64, measured: [Measured; CLIENTS.len()]) {
    let mut single_rate = 0.0;
    for (count, mut measured) in CLIENTS.into_iter().zip(measured) {
        let rate = median(measured.rates);
        let p50 = measured.latencies.micros_at(0.5);
        let cpu = measured.cpu.as_secs_f64() * 1e6 / measured.appends as f64;
        report.tell(&format!("{way}, {count} clients, p50"), p50, "µs");
        if count == 1 {
            single_rate = rate;
            report.judge("  the same beyond the append in process", p50 - direct, "µs", Hold::AtMost(BEYOND_MAX));
        }
        report.tell(&format!("{way}, {count} clients, p99"), measured.latencies.micros_at(0.99), "µs");
        report.tell(&format!("{way}, {count} clients"), rate, "events/s");
        if count == 32 {
            report.judge("  the same beside one client", rate / single_rate, "×", Hold::AtLeast(SCALING_MIN));
        }
        report.tell("  the same calls to a service that does nothing", median(measured.bare), "calls/s");
        report.tell("  processor of the server each", cpu, "µs");
    }
}

fn append_in_process(store: &EventStore) -> Latencies {
    let (stream, kind) = (StreamName::new("order-0").unwrap(), EventType::new("OrderPlaced").unwrap());
    let mut latencies = Latencies::default();
    let end = Instant::now() + SLICE;
    while Instant::now() < end {
        let event = EventData::json(kind.clone(), vec![b'7'; EVENT_BYTES]);
        let begun = Instant::now();
        store.append(stream.clone(), ExpectedRevision::Any, [event]).wait().unwrap();
        latencies.record(begun.elapsed());
    }
    latencies
}

/// The first `count` clients send, each, one append after the other, into a stream of its own. Comes back with appends a second, too.
async fn append_with(clients: &mut Vec<Appender>, count: usize) -> (f64, Latencies) {
    let begun = Instant::now();
    let tasks = clients.drain(..count).enumerate().map(|(number, mut client)| {
        tokio::spawn(async move {
            let stream = format!("order-{number}");
            let mut latencies = Latencies::default();
            while begun.elapsed() < SLICE {
                let sent = Instant::now();
                client.append(&stream).await;
                latencies.record(sent.elapsed());
            }
            (client, latencies)
        })
    });
    let mut all = Latencies::default();
    for (place, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        let (client, latencies) = task.await.unwrap();
        clients.insert(place, client);
        all.add(latencies);
    }
    (all.len() as f64 / begun.elapsed().as_secs_f64(), all)
}
