//! Recording all events in commits of a thousand, in a process of its own, so that its processor time and memory are those of a
//! store that is filled and nothing else. When its rows are printed, the process goes on appending until it is killed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gesta::EventStore;

use super::{
    EVENTS_FULL,
    append::closed_loop,
    bulk,
    growth::{self, STAGES, Stage},
    process,
    raw_disk::RawDisk,
    row::{Hold, Row},
    samples::{Latencies, median},
    workload::{Placed, Workload},
};
use crate::{
    exit::{Exit, Failure, Outcome},
    pipeline::Pipeline,
    shell::Shell,
};

/// Events of a commit.
const COMMIT_EVENTS: u64 = 1000;
/// Events appended one by one at each stage.
const SINGLES: u64 = 300;
/// Bytes of the raw disk's writes: the store syncs so many at once when it is kept busy.
const GROUP_BYTES: usize = 4 << 20;
/// How long each way to the raw disk is measured.
const RAW_LENGTH: Duration = Duration::from_millis(700);
/// Clients that append when the process is killed.
const TAIL_CLIENTS: usize = 32;
/// How long they go on if nobody kills it.
const TAIL_LENGTH: Duration = Duration::from_secs(60);

/// Fills a store in `dir`, prints the rows and a blank line, and appends until it is killed.
pub(super) fn run(dir: &Path, workload: &Workload, shell: &mut Shell) -> Outcome<Exit> {
    let mut rows = bulk::rows(dir.parent().unwrap_or(dir))?;
    let store = EventStore::open(dir)?;
    let mut filling = Filling { store: &store, workload, filled: 0, bytes: 0, busy: Duration::ZERO, cpu: None };
    let mut stages = [Stage::default(); 3];
    for (stage, percent) in stages.iter_mut().zip(STAGES) {
        filling.stage(stage, workload.events() * percent / 100)?;
    }
    rows.extend(filling.rows(dir)?);
    rows.extend(memory_rows(workload.events()));
    rows.extend(growth::rows(&stages));
    rows.iter().try_for_each(|row| shell.json(row))?;
    shell.line("")?;
    shell.flush()?;
    closed_loop(&store, TAIL_CLIENTS, TAIL_LENGTH)?;
    Ok(Exit::Ok)
}

/// A store being filled.
struct Filling<'a> {
    store: &'a EventStore,
    workload: &'a Workload,
    /// Events recorded.
    filled: u64,
    /// Bytes of their names and data.
    bytes: u64,
    /// Time spent on bulk, from the first event sent to the last one answered, of each stage.
    busy: Duration,
    /// Processor time spent on it, without making the events; unknown if the system does not tell.
    cpu: Option<f64>,
}

impl Filling<'_> {
    /// Fills up to `end` events, the last few one by one, and looks around.
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    fn stage(&mut self, stage: &mut Stage, end: u64) -> Outcome<()> {
        let bulk = end.saturating_sub(self.filled + SINGLES);
        let cost = self.workload.cost().as_secs_f64() * bulk as f64;
        let (begun, cpu) = (Instant::now(), process::cpu());
        self.bulk(bulk)?;
        let busy = begun.elapsed();
        // What maintenance has yet to do for these events belongs to them.
        self.store.settle()?;
        let cpu = cpu.zip(process::cpu()).map(|(before, after)| (after - before).as_secs_f64() - cost);
        self.busy += busy;
        self.cpu = cpu.map(|cpu| self.cpu.unwrap_or(0.0) + cpu);
        stage.bulk_rate = bulk as f64 / busy.as_secs_f64();
        stage.bulk_cpu = cpu.unwrap_or(0.0) * 1e6 / bulk as f64;
        stage.append = self.one_by_one(end)?;
        stage.look_up(self.store, self.workload, self.filled)
    }

    fn bulk(&mut self, events: u64) -> Outcome<()> {
        let answered = |(), outcome: gesta::Outcome| outcome.map(drop).map_err(Failure::from);
        let mut pipeline = Pipeline::new(self.store);
        let end = self.filled + events;
        while self.filled < end {
            let count = COMMIT_EVENTS.min(end - self.filled);
            let placed: Vec<Placed> = (self.filled..self.filled + count).map(|n| self.workload.event(n)).collect();
            let bytes: u64 = placed.iter().map(Workload::bytes).sum();
            let queued = usize::try_from(bytes).unwrap_or(usize::MAX);
            pipeline.send(Workload::commit(placed), (), queued, answered)?;
            self.filled += count;
            self.bytes += bytes;
        }
        pipeline.finish(answered)
    }

    /// Microseconds until an event was durable, in the middle.
    fn one_by_one(&mut self, end: u64) -> Outcome<f64> {
        let mut latencies = Latencies::default();
        while self.filled < end {
            let placed = self.workload.event(self.filled);
            self.bytes += Workload::bytes(&placed);
            let sent = Instant::now();
            self.store.commit(Workload::commit([placed])).wait()?;
            latencies.record(sent.elapsed());
            self.filled += 1;
        }
        Ok(latencies.micros_at(0.5))
    }

    #[allow(clippy::cast_precision_loss)] // three digits are shown
    fn rows(&self, dir: &Path) -> Outcome<Vec<Row>> {
        let events = (self.filled - SINGLES * STAGES.len() as u64) as f64;
        self.store.settle()?;
        let info = self.store.info()?;
        let log = info.log_bytes as f64 / self.filled as f64;
        let rate = Row::new("bulk, commits over 1 000 streams", events / self.busy.as_secs_f64(), "events/s");
        let mut rows = vec![rate.beside(raw_bytes_per_second(dir)? / log)];
        rows.extend(
            self.cpu.map(|cpu| Row::new("bulk over streams, CPU an event, all included", cpu * 1e6 / events, "µs")),
        );
        let payload = self.bytes as f64 / self.filled as f64;
        // The open segment has no index file yet.
        let index = info.index_bytes as f64 / sealed_events(dir)?.max(1) as f64;
        let beyond = Row::new("bytes an event beyond names and data", log - payload + index, "B");
        rows.extend([
            Row::new("bytes an event, names and data", payload, "B"),
            Row::new("bytes an event, index", index, "B"),
            beyond.hold(Hold::AtMost(100.0)),
        ]);
        Ok(rows)
    }
}

/// Bytes a second the better way to the disk makes durable, in writes as large as a busy store's. The median of several slices.
#[allow(clippy::cast_precision_loss)] // three digits are shown
fn raw_bytes_per_second(dir: &Path) -> Outcome<f64> {
    let parent = dir.parent().unwrap_or(dir);
    let mut best: f64 = 0.0;
    for mut disk in RawDisk::all(parent)? {
        let slices = (0..3).map(|_| Ok(disk.measure(GROUP_BYTES, RAW_LENGTH / 3)?.per_second()));
        best = best.max(median(slices.collect::<Outcome<_>>()?));
    }
    Ok(best * GROUP_BYTES as f64)
}

/// Events in sealed segments: a segment is named by its first position, and the last one is open.
fn sealed_events(dir: &Path) -> Outcome<u64> {
    let log = dir.join("log");
    let failed = |error| Failure::io(format_args!("listing {}", log.display()), &error);
    let mut sealed = 0;
    for entry in std::fs::read_dir(&log).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        sealed = sealed.max(first.unwrap_or(0));
    }
    Ok(sealed)
}

/// Memory of the process that filled the store, now that it rests.
fn memory_rows(events: u64) -> Vec<Row> {
    let row = |what: &str, mib: f64| Row::new(format!("memory when filled, {what}"), mib, "MiB");
    let rows = process::memory().map(|memory| {
        [
            row("heap and stacks", memory.anonymous).hold(Hold::AtMost(256.0)).in_store_of(events, EVENTS_FULL),
            // Pages of files that were read: the system takes them back when it wants them.
            row("mapped files too", memory.resident),
            row("peak", memory.peak),
        ]
    });
    rows.into_iter().flatten().collect()
}
