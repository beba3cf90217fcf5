//! What the commit rules ask before they let an append through: a stream's revision, and whether a condition holds.
//!
//! Asked through the questions users can ask themselves, `stream_status` and `first_match`, which look in the same index in the same
//! way; the writer has the heads of recent streams in memory besides.

use gesta::{AppendCondition, EventStore, Position, Query, QueryItem, StreamName, StreamStatus};

use super::{
    EVENTS_FULL, growth, process,
    row::{Hold, Row},
    samples::micros_each,
    workload::Workload,
};
use crate::exit::{Exit, Failure, Outcome};

/// Questions of each kind.
const QUESTIONS: u64 = 50_000;
/// How many events behind the head a decision usually is.
const EVENTS_BEHIND: u64 = 20;
/// Streams a store of ten million events has here, and the table asks for.
const STREAMS_NEEDED: u64 = 10_000_000;

/// Measures them.
pub(super) fn rows(store: &EventStore, workload: &Workload) -> Outcome<Vec<Row>> {
    let mut rows = never_seen(store)?;
    let events = workload.events();
    let near = near_head(workload, store.head().position());
    let far = growth::conditions(workload, events, QUESTIONS);
    let figures = [("near the head", near, 3.0), ("over the whole log", far, 50.0)];
    for (what, conditions, most) in figures {
        let micros = micros_each(&conditions, |condition| {
            std::hint::black_box(store.first_match(&condition.none_matching, condition.after)?);
            Ok(())
        })?;
        let row = Row::new(format!("boundary condition {what}"), micros, "µs").hold(Hold::AtMost(most));
        rows.push(row.in_store_of(events, EVENTS_FULL));
    }
    Ok(rows)
}

/// Streams that nobody ever wrote.
#[allow(clippy::cast_precision_loss)] // a handful of reads
fn never_seen(store: &EventStore) -> Outcome<Vec<Row>> {
    let streams = store.info()?.streams;
    let name = |n| StreamName::new(format!("order-new-{n}")).map_err(Failure::from);
    let names: Vec<StreamName> = (0..QUESTIONS).map(name).collect::<Outcome<_>>()?;
    let mut micros = Ok(0.0);
    let reads = process::reads_of(|| {
        micros = micros_each(&names, |name| match store.stream_status(name)? {
            StreamStatus::Missing => Ok(()),
            status @ (StreamStatus::Live { .. }
            | StreamStatus::SoftDeleted { .. }
            | StreamStatus::Tombstoned { .. }) => Err(Failure::new(
                Exit::Integrity,
                format!("stream nobody wrote is there, stream={name} status={status:?}"),
            )),
        });
    });
    let row = Row::new("revision of a stream never seen", micros?, "µs").hold(Hold::AtMost(1.0));
    let mut rows = vec![row.in_store_of(streams, STREAMS_NEEDED)];
    rows.extend(reads.map(|reads| {
        let count = (reads.calls + reads.device_bytes) as f64;
        let row = Row::new("reads of files for 50 000 of them", count, "calls + B").hold(Hold::AtMost(0.0));
        row.in_store_of(streams, STREAMS_NEEDED)
    }));
    Ok(rows)
}

/// Conditions of decisions that have seen almost everything.
fn near_head(workload: &Workload, head: Position) -> Vec<AppendCondition> {
    let after = Some(Position(head.0.saturating_sub(EVENTS_BEHIND)));
    let of_account = |account| AppendCondition { none_matching: Query::of(QueryItem::default().tag(account)), after };
    workload.accounts(workload.events(), QUESTIONS).into_iter().map(of_account).collect()
}
