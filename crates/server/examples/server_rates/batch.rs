//! Many events on one call: batch appends of one event each, kept under way; and a hundred events in one append, either way.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use gesta_server::proto::event_store::client::streams::batch_append_resp;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt;

use crate::{
    client,
    program::Program,
    row::{Hold, Report},
};

/// How long each way is measured: some hundred ticks of the clock that counts processor time.
const SLICE: Duration = Duration::from_secs(3);
/// Requests under way on one call.
const UNDER_WAY: usize = 256;
/// The same with a hundred events each.
const LARGE_UNDER_WAY: usize = 16;
/// Clients that append with a call for each, to compare with.
const CLIENTS: usize = 128;
/// Events of a large request.
const LARGE: usize = 100;
/// How many times cheaper an append must be on a call that is open already.
const CHEAPER_MIN: f64 = 10.0;
/// Processor time of an event in batches of a hundred, in microseconds.
const LARGE_MICROS_MAX: f64 = 15.0;

/// Appends a second, and what one costs the server, in microseconds.
struct Cost {
    rate: f64,
    micros: f64,
}

pub(crate) fn measure(dir: &Path, report: &mut Report) {
    let (dir, runtime) = (tempfile::tempdir_in(dir).unwrap(), client::runtime());
    let program = &Program::start(dir.path());
    let single = runtime.block_on(called(program, 1, CLIENTS));
    report.tell(&format!("unary append, {CLIENTS} clients"), single.rate, "events/s");
    report.tell("  processor of the server each", single.micros, "µs");
    let small = runtime.block_on(streamed(program, 1, UNDER_WAY));
    report.tell(&format!("batch append, 1 call, {UNDER_WAY} under way"), small.rate, "events/s");
    report.tell("  processor of the server each", small.micros, "µs");
    let cheaper = single.micros / small.micros;
    report.judge("  the same, how many times below unary", cheaper, "×", Hold::AtLeast(CHEAPER_MIN));
    let large = runtime.block_on(streamed(program, LARGE, LARGE_UNDER_WAY));
    report.tell(&format!("batch append of {LARGE}, 1 call, {LARGE_UNDER_WAY} under way"), large.rate, "events/s");
    report.judge("  processor of the server an event", large.micros, "µs", Hold::AtMost(LARGE_MICROS_MAX));
    let unary = runtime.block_on(called(program, LARGE, LARGE_UNDER_WAY));
    report.tell(&format!("unary append of {LARGE}, {LARGE_UNDER_WAY} clients"), unary.rate, "events/s");
    report.judge("  processor of the server an event", unary.micros, "µs", Hold::AtMost(LARGE_MICROS_MAX));
}

/// One call, on which so many requests are kept under way.
async fn streamed(program: &Program, events: usize, under_way: usize) -> Cost {
    let mut client = client::connect(program.address).await;
    let (cpu, begun) = (program.cpu(), Instant::now());
    let room = Arc::new(Semaphore::new(under_way));
    let asked = Arc::clone(&room);
    let requests = async move |number: usize| {
        if begun.elapsed() > SLICE {
            return None;
        }
        asked.acquire().await.unwrap().forget();
        Some(client::batch(&format!("order-{}", number % 1000), events))
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(under_way);
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(request) = requests(number).await {
            number += 1;
            sender.send(request).await.unwrap();
        }
    });
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = client.batch_append(requests).await.unwrap().into_inner();
    let mut answered = 0;
    while let Some(answer) = answers.next().await {
        assert!(matches!(answer.unwrap().result, Some(batch_append_resp::Result::Success(_))), "it is recorded");
        answered += events;
        room.add_permits(1);
    }
    cost(program, answered, cpu, begun)
}

/// So many clients that send so many events at a time, on a call of its own.
async fn called(program: &Program, events: usize, count: usize) -> Cost {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(client::connect(program.address).await);
    }
    let (cpu, begun) = (program.cpu(), Instant::now());
    let tasks = clients.into_iter().enumerate().map(|(number, mut client)| {
        tokio::spawn(async move {
            let mut appended = 0;
            while begun.elapsed() < SLICE {
                let messages = tokio_stream::iter(client::append(&format!("order-{number}"), events));
                client.append(messages).await.unwrap();
                appended += events;
            }
            appended
        })
    });
    let mut appended = 0;
    for task in tasks.collect::<Vec<_>>() {
        appended += task.await.unwrap();
    }
    cost(program, appended, cpu, begun)
}

fn cost(program: &Program, events: usize, cpu: Duration, begun: Instant) -> Cost {
    let micros = (program.cpu() - cpu).as_secs_f64() * 1e6 / events as f64;
    Cost { rate: events as f64 / begun.elapsed().as_secs_f64(), micros }
}
