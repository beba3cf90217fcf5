//! Durable appends of one event each, with 1 to 128 clients that wait for their answers, beside the bare disk and the model.
//!
//! The machine is noisy, so short slices of the bare disk (both ways) and of the store take turns, several times; what is compared
//! are the medians.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use gesta::{EventStore, ExpectedRevision};

use super::{
    model::{self, Parts},
    process,
    raw_disk::{Measured, RawDisk},
    row::{Hold, Row},
    samples::{Latencies, median},
    workload::{EVENT_BYTES, Workload, single},
};
use crate::{
    exit::{Exit, Failure, Outcome},
    pipeline::Pipeline,
};

/// Clients that wait for their answers.
const CLIENTS: [usize; 4] = [1, 8, 32, 128];
/// How often slices take turns.
const ROUNDS: usize = 7;
/// How long a slice is.
const SLICE: Duration = Duration::from_millis(250);
/// How long a slice of the bare disk is that only the model asks for.
const SLICE_SHORT: Duration = Duration::from_millis(100);
/// Commits of the client that waits for none of them.
const COMMITS_UNDER_WAY: u64 = 50_000;

/// What slices of one number of clients came to.
#[derive(Debug, Default)]
struct Turns {
    /// Rates of the store.
    store: Vec<f64>,
    latencies: Latencies,
    /// Of each way to the disk: its rates, and how long its syncs took.
    raw: Vec<(Vec<f64>, Latencies)>,
    /// Seconds of the syncs of half the bytes.
    half: Vec<f64>,
}

impl Turns {
    fn rate(&self) -> f64 {
        median(self.store.clone())
    }

    /// Rate and latencies of the better way to the disk.
    fn better_raw(&self) -> Option<(f64, &Latencies)> {
        let ways = self.raw.iter().map(|(rates, latencies)| (median(rates.clone()), latencies));
        ways.max_by(|left, right| left.0.total_cmp(&right.0))
    }
}

/// Measures all of it in a new store in `dir`.
pub(super) fn rows(dir: &Path) -> Outcome<Vec<Row>> {
    let mut disks = RawDisk::all(dir)?;
    let store = EventStore::open(dir.join("append"))?;
    store.settle()?;
    let mut rows = Vec::new();
    let (under_way, commit) = commits_under_way(&store)?;
    rows.push(under_way);
    let mut alone = None;
    for clients in CLIENTS {
        let group_bytes = if clients == 1 { EVENT_BYTES } else { clients * commit.bytes };
        let turns = take_turns(&store, &mut disks, clients, group_bytes)?;
        if clients == 1 {
            rows.extend(rows_of_raw(&disks, &turns));
        }
        rows.extend(rows_of(clients, &turns, *alone.get_or_insert(turns.rate())));
        rows.extend(row_of_model(clients, &turns, &commit));
    }
    store.close()?;
    Ok(rows)
}

/// What a commit of one event costs.
#[derive(Clone, Copy, Debug)]
struct CommitCost {
    /// Seconds of processor time, if the system tells.
    cpu: f64,
    /// Bytes in the log.
    bytes: usize,
}

/// One client that keeps a thousand commits under way: what a commit costs when nobody is woken for it.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // three digits are shown; a commit is small
fn commits_under_way(store: &EventStore) -> Outcome<(Row, CommitCost)> {
    let log_bytes = store.info()?.log_bytes;
    let (begun, cpu) = (Instant::now(), process::cpu());
    let mut pipeline = Pipeline::new(store);
    let answered = |(), outcome: gesta::Outcome| outcome.map(drop).map_err(Failure::from);
    for n in 0..COMMITS_UNDER_WAY {
        pipeline.send(Workload::commit([single(0, n)]), (), EVENT_BYTES, answered)?;
    }
    pipeline.finish(answered)?;
    let rate = COMMITS_UNDER_WAY as f64 / begun.elapsed().as_secs_f64();
    let cpu = cpu.zip(process::cpu()).map_or(0.0, |(before, after)| (after - before).as_secs_f64());
    let bytes = (store.info()?.log_bytes - log_bytes) / COMMITS_UNDER_WAY;
    let cost = CommitCost { cpu: cpu / COMMITS_UNDER_WAY as f64, bytes: bytes as usize };
    Ok((Row::new("append, client that does not wait", rate, "events/s"), cost))
}

/// Slices of the disk, in each way, and of the store, in turns.
fn take_turns(store: &EventStore, disks: &mut [RawDisk], clients: usize, group_bytes: usize) -> Outcome<Turns> {
    let mut turns = Turns { raw: vec![Default::default(); disks.len()], ..Turns::default() };
    for _ in 0..ROUNDS {
        let mut halves = Vec::new();
        for (disk, (rates, latencies)) in disks.iter_mut().zip(&mut turns.raw) {
            let measured = disk.measure(group_bytes, SLICE)?;
            rates.push(measured.per_second());
            latencies.add(&measured.latencies);
            halves.push(1.0 / disk.measure(group_bytes.div_ceil(2), SLICE_SHORT)?.per_second());
        }
        turns.half.extend(halves.into_iter().reduce(f64::min));
        let measured = closed_loop(store, clients, SLICE)?;
        turns.store.push(measured.per_second());
        turns.latencies.add(&measured.latencies);
    }
    Ok(turns)
}

/// Clients that send one event and wait for its answer, again and again for about so long.
pub(super) fn closed_loop(store: &EventStore, clients: usize, length: Duration) -> Outcome<Measured> {
    let begun = Instant::now();
    let client = |client: usize| {
        let mut latencies = Latencies::default();
        let mut n = 0;
        while begun.elapsed() < length {
            let (stream, event) = single(client, n);
            let sent = Instant::now();
            store.append(stream, ExpectedRevision::Any, [event]).wait()?;
            latencies.record(sent.elapsed());
            n += 1;
        }
        Ok::<_, Failure>(latencies)
    };
    let mut measured = Measured::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        threads.into_iter().try_for_each(|thread| {
            let panicked = |_| Failure::new(Exit::Other, "a client panicked");
            measured.latencies.add(&thread.join().map_err(panicked)??);
            Ok::<_, Failure>(())
        })
    })?;
    measured.elapsed = begun.elapsed();
    Ok(measured)
}

/// The yardsticks.
fn rows_of_raw(disks: &[RawDisk], turns: &Turns) -> Vec<Row> {
    let ways = disks.iter().zip(&turns.raw);
    let row = |(disk, (rates, _)): (&RawDisk, &(Vec<f64>, Latencies))| {
        Row::new(format!("raw {}, {EVENT_BYTES} B", disk.method().name()), median(rates.clone()), "syncs/s")
    };
    ways.map(row).collect()
}

fn rows_of(clients: usize, turns: &Turns, alone: f64) -> Vec<Row> {
    let Some((raw_rate, raw_latencies)) = turns.better_raw() else { return Vec::new() };
    let rate = Row::new(format!("append, {clients} in flight"), turns.rate(), "events/s");
    let latency = |share: f64, name: &str| {
        Row::new(format!("append, {clients} in flight, {name}"), turns.latencies.micros_at(share), "µs")
            .beside(raw_latencies.micros_at(share))
    };
    let tail = latency(0.99, "p99").hold(Hold::RatioAtMost(4.0));
    match clients {
        1 => vec![rate.beside(raw_rate).hold(Hold::RatioAtLeast(0.9)), latency(0.5, "p50"), tail],
        128 => {
            let gain = Row::new("append, 128 in flight, by 1 in flight", turns.rate(), "events/s")
                .beside(alone)
                .hold(Hold::RatioAtLeast(50.0));
            vec![rate.beside(raw_rate), gain, latency(0.5, "p50"), tail]
        }
        _ => vec![rate.beside(raw_rate), latency(0.5, "p50"), tail],
    }
}

fn row_of_model(clients: usize, turns: &Turns, commit: &CommitCost) -> Option<Row> {
    let (raw_rate, _) = turns.better_raw()?;
    let parts = Parts {
        sync_all: 1.0 / raw_rate,
        sync_half: median(turns.half.clone()),
        work: commit.cpu,
        wake_all: model::wake(clients),
        wake_half: model::wake(clients / 2),
    };
    let what = format!("append, {clients} in flight, by the model");
    Some(Row::new(what, turns.rate(), "events/s").beside(model::rate(clients, &parts)))
}
