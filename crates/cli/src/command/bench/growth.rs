//! How the same append and the same look-ups do as the log grows: at a tenth of the events, at half, and at all of them.
//!
//! An append must not care how long the log is; look-ups may take as much longer as a few more index runs make them.

use gesta::{AppendCondition, EventStore, Query, QueryItem, ReadOptions, StreamFilter, StreamName};

use super::{
    row::{Hold, Row},
    samples::{each, micros_each},
    workload::Workload,
};
use crate::exit::Outcome;

/// Shares of the events, in percent, at which the store is looked at.
pub(super) const STAGES: [u64; 3] = [10, 50, 100];

/// Neighbouring runs that maintenance merges into one.
const MERGED_AT_ONCE: f64 = 8.0;

/// Look-ups of each kind.
const LOOK_UPS: u64 = 2_000;

/// What a store of some size did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    /// Events a second, since the stage before.
    pub(super) bulk_rate: f64,
    /// Microseconds of processor time an event took since the stage before.
    pub(super) bulk_cpu: f64,
    /// Microseconds until one event was durable.
    pub(super) append: f64,
    /// Microseconds to read a stream of ten for the first time: most of a large log is not in the page cache yet, for it was written past it.
    stream_first: f64,
    /// Microseconds to read a stream of ten again.
    stream: f64,
    /// Index files.
    runs: u64,
    /// Log files, the open one too: each sealed one made an index run.
    segments: u64,
    /// Microseconds to look up whether a boundary condition holds over the whole log.
    condition: f64,
}

impl Stage {
    /// Asks a store that has `filled` events of the workload.
    pub(super) fn look_up(&mut self, store: &EventStore, workload: &Workload, filled: u64) -> Outcome<()> {
        let orders = workload.orders(filled, LOOK_UPS);
        let read = |order: &StreamName| {
            let mut read = store.read_stream(order.clone(), ReadOptions::default())?;
            while let Some(batch) = read.next_batch()? {
                std::hint::black_box(batch.iter().last());
            }
            Ok(())
        };
        self.stream_first = each(&orders, read)?.micros_at(0.5);
        self.stream = each(&orders, read)?.micros_at(0.5);
        let conditions = conditions(workload, filled, LOOK_UPS);
        self.condition = micros_each(&conditions, |condition| {
            std::hint::black_box(store.first_match(&condition.none_matching, condition.after)?);
            Ok(())
        })?;
        let info = store.info()?;
        (self.runs, self.segments) = (info.index_runs, info.segments);
        Ok(())
    }

    /// Places an index look-up may have to ask: the files and the open part.
    #[allow(clippy::cast_precision_loss)] // a few dozen
    fn parts(&self) -> f64 {
        (self.runs + 1) as f64
    }

    /// Runs there may be: fewer than `MERGED_AT_ONCE` of each generation.
    #[allow(clippy::cast_precision_loss)] // a few thousand
    fn runs_at_most(&self) -> f64 {
        let generations = (self.segments.max(1) as f64).log(MERGED_AT_ONCE).floor() + 1.0;
        generations * (MERGED_AT_ONCE - 1.0)
    }
}

/// Conditions over the whole log that look everywhere and hold: no ledger entry of an account was ever flagged.
pub(super) fn conditions(workload: &Workload, filled: u64, count: u64) -> Vec<AppendCondition> {
    let of_account = |account| {
        let item = QueryItem::default().stream(StreamFilter::Category(workload.ledger_category()));
        AppendCondition { none_matching: Query::of(item.event_type(workload.rare()).tag(account)), after: None }
    };
    workload.accounts(filled, count).into_iter().map(of_account).collect()
}

/// The stages beside the first one.
///
/// Look-ups may take as many times longer as there are more index parts to ask, and the number of parts is what must grow with the
/// logarithm of the events: a handful of each generation of merged runs.
pub(super) fn rows(stages: &[Stage; 3]) -> Vec<Row> {
    let [first, later @ ..] = stages;
    let mut rows = Vec::new();
    for (stage, percent) in later.iter().zip(&STAGES[1..]) {
        let parts = f64::max(2.0, stage.parts() / first.parts());
        // In a small store the first stage is all in memory, which files are not measured by.
        let look_ups = (first.runs > 0).then_some(Hold::RatioAtMost(parts));
        // An append is as fast as the disk at that moment, so its bounds leave room for a noisy one.
        let figures = [
            ("bulk", "events/s", stage.bulk_rate, first.bulk_rate, Some(Hold::RatioAtLeast(0.7))),
            ("bulk CPU", "µs", stage.bulk_cpu, first.bulk_cpu, Some(Hold::RatioAtMost(1.3))),
            ("append p50", "µs", stage.append, first.append, Some(Hold::RatioAtMost(1.5))),
            ("stream of 10, first time", "µs", stage.stream_first, first.stream_first, None),
            ("stream of 10", "µs", stage.stream, first.stream, look_ups),
            ("far condition", "µs", stage.condition, first.condition, look_ups),
        ];
        rows.extend(figures.map(|(what, unit, measured, beside, hold)| {
            let row = Row::new(format!("{what}, at {percent} % beside 10 %"), measured, unit).beside(beside);
            match hold {
                Some(hold) => row.hold(hold),
                None => row,
            }
        }));
        let runs = Row::new(format!("index runs, at {percent} %"), stage.runs as f64, "runs");
        rows.push(runs.hold(Hold::AtMost(stage.runs_at_most())));
    }
    rows
}
