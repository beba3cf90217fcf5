//! Recording in bulk the way an importer does: commits of a thousand events, each commit one stream's. The filling of the store (`fill.rs`)
//! spreads every commit over some thousand streams instead, which costs two look-ups an event more.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gesta::{Append, EventData, EventStore, ExpectedRevision};

use super::{
    process,
    row::{Hold, Row},
};
use crate::{
    exit::{Failure, Outcome},
    pipeline::Pipeline,
};

/// Events of a commit.
const COMMIT_EVENTS: u64 = 1000;
/// Commits: enough to fill some segments, so that their index is part of the figure.
const COMMITS: u64 = 600;
/// Streams they go to, in turn.
const STREAMS: u64 = 100;
/// Bytes of data of an event.
const DATA_BYTES: usize = 256;

/// Measures in a store of its own inside `dir`.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(super) fn rows(dir: &Path) -> Outcome<Vec<Row>> {
    let store = EventStore::open(dir.join("bulk"))?;
    let making = made()?;
    let (begun, cpu) = (Instant::now(), process::cpu());
    let answered = |(), outcome: gesta::Outcome| outcome.map(drop).map_err(Failure::from);
    let mut pipeline = Pipeline::new(&store);
    for number in 0..COMMITS {
        pipeline.send(commit(number)?, (), DATA_BYTES * 1000, answered)?;
    }
    pipeline.finish(answered)?;
    let busy = begun.elapsed();
    store.settle()?;
    let cpu = cpu.zip(process::cpu()).map(|(before, after)| (after - before).saturating_sub(making));
    store.close()?;
    let events = (COMMITS * COMMIT_EVENTS) as f64;
    let rate = Row::new("bulk, commits of 1 000 to one stream", events / busy.as_secs_f64(), "events/s");
    let mut rows = vec![rate.hold(Hold::AtLeast(400_000.0))];
    let per_event = |cpu: Duration| cpu.as_secs_f64() * 1e6 / events;
    rows.extend(cpu.map(|cpu| {
        Row::new("bulk to one stream, CPU an event, all included", per_event(cpu), "µs").hold(Hold::AtMost(2.0))
    }));
    Ok(rows)
}

fn commit(number: u64) -> Outcome<Append> {
    let event = EventData::json("Imported".try_into()?, vec![b'x'; DATA_BYTES]);
    let events = (0..COMMIT_EVENTS).map(|_| EventData { data: vec![b'x'; DATA_BYTES].into(), ..event.clone() });
    let stream = format!("import-{}", number % STREAMS);
    Ok(Append::to(stream.as_str().try_into()?, ExpectedRevision::Any, events))
}

/// Processor time that making the requests takes.
fn made() -> Outcome<Duration> {
    let before = process::cpu();
    for number in 0..COMMITS {
        std::hint::black_box(commit(number)?);
    }
    Ok(before.zip(process::cpu()).map_or(Duration::ZERO, |(before, after)| after - before))
}
