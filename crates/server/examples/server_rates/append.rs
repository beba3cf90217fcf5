//! Appends: one event a call by 1 to 128 clients, beside the same append in this process; then streams of them, see [`batch`].
//!
//! All take turns in slices, so that what else the machine does hits them alike.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gesta_store::{EventData, EventStore, EventType, ExpectedRevision, StreamName};

use crate::{
    batch,
    client::{self, EVENT_BYTES, Streams},
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

/// What one number of clients did.
#[derive(Default)]
struct Measured {
    latencies: Latencies,
    rates: Vec<f64>,
    /// Processor time of the server and appends, over all slices.
    cpu: Duration,
    appends: usize,
}

pub(crate) fn measure(dir: &Path, report: &mut Report) {
    let (inside, served) = (tempfile::tempdir_in(dir).unwrap(), tempfile::tempdir_in(dir).unwrap());
    let store = EventStore::open(inside.path()).unwrap();
    let program = Program::start(served.path());
    let runtime = client::runtime();
    let clients: Vec<Streams> = runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS[CLIENTS.len() - 1] {
            clients.push(client::connect(program.address).await);
        }
        clients
    });
    let mut in_process = Latencies::default();
    let mut measured = CLIENTS.map(|count| (count, Measured::default()));
    for _ in 0..SLICES {
        in_process.add(append_in_process(&store));
        for (count, measured) in &mut measured {
            let cpu = program.cpu();
            let begun = Instant::now();
            let latencies = runtime.block_on(append_with(&clients[..*count]));
            measured.rates.push(latencies.len() as f64 / begun.elapsed().as_secs_f64());
            measured.cpu += program.cpu() - cpu;
            measured.appends += latencies.len();
            measured.latencies.add(latencies);
        }
    }
    let unary_cpu = tell(report, in_process, measured);
    batch::measure(&runtime, &program, unary_cpu, report);
}

/// Prints, and returns the processor time of an append with the most clients.
fn tell(report: &mut Report, mut in_process: Latencies, measured: [(usize, Measured); CLIENTS.len()]) -> f64 {
    let direct = in_process.micros_at(0.5);
    report.tell("append in process, 1 thread, p50", direct, "µs");
    let mut single_rate = 0.0;
    let mut cpu = 0.0;
    for (count, mut measured) in measured {
        let rate = median(measured.rates);
        let p50 = measured.latencies.micros_at(0.5);
        cpu = measured.cpu.as_secs_f64() * 1e6 / measured.appends as f64;
        report.tell(&format!("unary append, {count} clients, p50"), p50, "µs");
        if count == 1 {
            single_rate = rate;
            report.judge("  the same beyond the append in process", p50 - direct, "µs", Hold::AtMost(BEYOND_MAX));
        }
        report.tell(&format!("unary append, {count} clients, p99"), measured.latencies.micros_at(0.99), "µs");
        report.tell(&format!("unary append, {count} clients"), rate, "events/s");
        if count == 32 {
            report.judge("  the same beside one client", rate / single_rate, "×", Hold::AtLeast(SCALING_MIN));
        }
        report.tell(&format!("unary append, {count} clients, processor of the server each"), cpu, "µs");
    }
    cpu
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

/// Each client sends one append after the other, into a stream of its own.
async fn append_with(clients: &[Streams]) -> Latencies {
    let end = Instant::now() + SLICE;
    let tasks = clients.iter().cloned().enumerate().map(|(number, mut client)| {
        let stream = format!("order-{number}");
        tokio::spawn(async move {
            let mut latencies = Latencies::default();
            while Instant::now() < end {
                let messages = tokio_stream::iter(client::append(&stream, 1));
                let begun = Instant::now();
                client.append(messages).await.unwrap();
                latencies.record(begun.elapsed());
            }
            latencies
        })
    });
    let mut all = Latencies::default();
    for task in tasks.collect::<Vec<_>>() {
        all.add(task.await.unwrap());
    }
    all
}
