//! Ten thousand subscriptions that nothing happens to: half to the whole log, half each to a stream of its own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gesta_server::proto::event_store::client::streams::{ReadResp, read_resp::Content};
use tonic::Streaming;

use crate::{
    client::{self, Streams},
    program::Program,
    row::{Hold, Report},
};

const SUBSCRIPTIONS: usize = 10_000;
const PER_CONNECTION: usize = 100;
/// Long enough for a ping on each connection.
const WATCHED: Duration = Duration::from_secs(32);
const MEMORY_MIB_MAX: f64 = 200.0;
const CPU_SHARE_MAX: f64 = 1.0;

pub(crate) fn measure(dir: &Path, report: &mut Report) {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let program = Program::start(dir.path());
    let before = program.memory();
    let held = client::runtime();
    let subscriptions = held.block_on(subscribe(&program));
    report.tell("memory of the server with nobody there", before, "MiB");
    let what = format!("memory of the server with {SUBSCRIPTIONS} idle subscriptions");
    report.judge(&what, program.memory(), "MiB", Hold::AtMost(MEMORY_MIB_MAX));
    let (cpu, begun) = (program.cpu(), Instant::now());
    held.block_on(async { tokio::time::sleep(WATCHED).await });
    let share = (program.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    report.judge("  share of one processor meanwhile", share, "%", Hold::AtMost(CPU_SHARE_MAX));
    drop(subscriptions);
}

/// Opens them all, and waits until each has caught up.
async fn subscribe(program: &Program) -> Vec<(Streams, Vec<Streaming<ReadResp>>)> {
    let mut connections = Vec::new();
    for connection in 0..SUBSCRIPTIONS / PER_CONNECTION {
        let mut client = client::connect(program.address).await;
        let mut subscriptions = Vec::with_capacity(PER_CONNECTION);
        for number in 0..PER_CONNECTION {
            let stream = format!("idle-{}", connection * PER_CONNECTION + number);
            let request = if number.is_multiple_of(2) { client::subscribe_all() } else { client::subscribe(&stream) };
            let mut subscription = client.read(request).await.unwrap().into_inner();
            while !matches!(subscription.message().await.unwrap().unwrap().content, Some(Content::CaughtUp(_))) {}
            subscriptions.push(subscription);
        }
        connections.push((client, subscriptions));
    }
    connections
}
