//! Reads that find everything in the page cache: the whole log, a stream of fifty, the events of a rare type.

use std::time::Instant;

use gesta::{EventRef, EventStore, Query, QueryItem, Read, ReadOptions};

use super::{
    row::{Hold, Row},
    samples::{each, median},
    workload::{LEDGER_EVENTS, Workload},
};
use crate::exit::{Exit, Failure, Outcome};

/// How often whole scans are done; the first one, which brings the log into the page cache, is not counted.
const SCANS: usize = 5;
/// Events of a store in which a stream of fifty is held to its bound: in a larger one it lies farther apart than processor caches and TLBs reach.
const STREAMS_HELD_AMONG: u64 = 1_000_000;
/// How many streams of fifty are read.
const STREAM_READS: usize = 2_000;

/// Measures them.
pub(super) fn rows(store: &EventStore, workload: &Workload) -> Outcome<Vec<Row>> {
    let options = ReadOptions::default;
    let all = scans(|| Ok(store.read_all(options())?))?;
    let rare = Query::of(QueryItem::default().event_type(workload.rare()));
    let by_type = scans(|| Ok(store.read_query(rare.clone(), options())?))?;
    let mut rows = vec![
        Row::new("read all, one thread", all, "events/s").hold(Hold::AtLeast(10e6)),
        Row::new("read by type, one event in 100", by_type, "events/s").hold(Hold::AtLeast(2e6)),
    ];
    rows.extend(streams(store, workload)?);
    Ok(rows)
}

/// Streams whose events are spread over the whole log.
fn streams(store: &EventStore, workload: &Workload) -> Outcome<Vec<Row>> {
    let ledgers: Vec<_> = workload.ledgers().collect();
    let chosen: Vec<_> = ledgers.iter().cycle().take(STREAM_READS.max(ledgers.len())).collect();
    let read = |ledger: &&gesta::StreamName| {
        let found = deliver(store.read_stream((*ledger).clone(), ReadOptions::default())?)?;
        if found != LEDGER_EVENTS {
            return Err(Failure::new(
                Exit::Integrity,
                format!("stream has another length, stream={ledger} found={found}"),
            ));
        }
        Ok(())
    };
    each(&chosen[..ledgers.len()], read)?; // into the page cache
    let latencies = each(&chosen, read)?;
    let p50 = Row::new("stream of 50, spread out, p50", latencies.micros_at(0.5), "µs");
    let p50 = if workload.events() <= STREAMS_HELD_AMONG { p50.hold(Hold::AtMost(25.0)) } else { p50 };
    Ok(vec![p50, Row::new("stream of 50, spread out, p99", latencies.micros_at(0.99), "µs")])
}

/// Events a second of a read, the median of several.
#[allow(clippy::cast_precision_loss)] // three digits are shown
fn scans(open: impl Fn() -> Outcome<Read>) -> Outcome<f64> {
    let mut rates = Vec::new();
    deliver(open()?)?;
    for _ in 0..SCANS {
        let begun = Instant::now();
        let events = deliver(open()?)?;
        rates.push(events as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(median(rates))
}

/// Reads to the end and looks at the header of every event.
fn deliver(mut read: Read) -> Outcome<u64> {
    let (mut events, mut seen) = (0, 0);
    while let Some(batch) = read.next_batch()? {
        seen = batch.iter().fold(seen, |seen: u64, event| seen.wrapping_add(look(&event)));
        events += batch.len() as u64;
    }
    std::hint::black_box(seen);
    Ok(events)
}

/// Touches what a reader decides by: nothing of the header is left undecoded.
fn look(event: &EventRef<'_>) -> u64 {
    let lengths = event.stream.len() + event.event_type.len() + event.data.len() + event.metadata.len();
    let first = event.stream.as_bytes().first().map_or(0, |byte| u64::from(*byte));
    lengths as u64 ^ first ^ event.revision.0 ^ event.position.0 ^ event.recorded_at.0.cast_unsigned()
}
