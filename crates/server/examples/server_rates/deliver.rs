//! From an append to a client that is subscribed: how much later than the answer to the append an event is there.

use std::{path::Path, time::Instant};

use gesta_server::proto::event_store::client::streams::read_resp::Content;

use crate::{
    client,
    program::Program,
    row::{Hold, Report},
    samples::Latencies,
};

const APPENDS: usize = 2000;
/// In microseconds.
const BEYOND_MAX: f64 = 1000.0;

pub(crate) fn measure(dir: &Path, report: &mut Report) {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let program = Program::start(dir.path());
    let (mut appends, mut deliveries, mut beyond) = client::runtime().block_on(rounds(&program));
    report.tell("append while a client is subscribed, p50", appends.micros_at(0.5), "µs");
    report.tell("from the append's beginning to delivery, p50", deliveries.micros_at(0.5), "µs");
    report.judge("delivery beyond the append, p50", beyond.micros_at(0.5), "µs", Hold::AtMost(BEYOND_MAX));
    report.tell("delivery beyond the append, p99", beyond.micros_at(0.99), "µs");
}

/// One append after the other: how long it took, how long until it was delivered, and what lies between; 0 when it was delivered first.
async fn rounds(program: &Program) -> (Latencies, Latencies, Latencies) {
    let (mut writer, mut reader) = (client::connect(program.address).await, client::connect(program.address).await);
    let mut heard = reader.read(client::subscribe_all()).await.unwrap().into_inner();
    let (sender, mut deliveries) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(message) = heard.message().await.unwrap() {
            let is_wanted = matches!(message.content, Some(Content::Event(_) | Content::CaughtUp(_)));
            // Whoever measures is gone when it has seen enough.
            if is_wanted && sender.send(Instant::now()).await.is_err() {
                return;
            }
        }
    });
    deliveries.recv().await.expect("it catches up at once");
    let mut measured = (Latencies::default(), Latencies::default(), Latencies::default());
    for _ in 0..APPENDS {
        let begun = Instant::now();
        writer.append(tokio_stream::iter(client::append("order-1", 1))).await.unwrap();
        let answered = Instant::now();
        let delivered = deliveries.recv().await.expect("it is delivered");
        measured.0.record(answered - begun);
        measured.1.record(delivered - begun);
        measured.2.record(delivered.saturating_duration_since(answered));
    }
    measured
}
