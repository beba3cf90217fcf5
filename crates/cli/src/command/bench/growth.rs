//! How the same append and the same look-ups do as the log grows: at a tenth of the events, at half, and at all of them.
//!
//! An append must not care how long the log is; look-ups may take as much longer as a few more index runs make them.

use gesta::{AppendCondition, EventStore, Query, QueryItem, ReadOptions, StreamFilter};

use super::{
    row::{Hold, Row},
    samples::{each, micros_each},
    workload::Workload,
};
use crate::exit::Outcome;

/// Shares of the events, in percent, at which the store is looked at.
pub(super) const STAGES: [u64; 3] = [10, 50, 100];

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
    /// Microseconds to read a stream of ten.
    stream: f64,
    /// Microseconds to look up whether a boundary condition holds over the whole log.
    condition: f64,
}

impl Stage {
    /// Asks a store that has `filled` events of the workload.
    pub(super) fn look_up(&mut self, store: &EventStore, workload: &Workload, filled: u64) -> Outcome<()> {
        let orders = workload.orders(filled, LOOK_UPS);
        self.stream = each(&orders, |order| {
            let mut read = store.read_stream(order.clone(), ReadOptions::default())?;
            while let Some(batch) = read.next_batch()? {
                std::hint::black_box(batch.iter().last());
            }
            Ok(())
        })?
        .micros_at(0.5);
        let conditions = conditions(workload, filled, LOOK_UPS);
        self.condition = micros_each(&conditions, |condition| {
            std::hint::black_box(store.first_match(&condition.none_matching, condition.after)?);
            Ok(())
        })?;
        Ok(())
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
pub(super) fn rows(stages: &[Stage; 3]) -> Vec<Row> {
    type Figure = fn(&Stage) -> f64;
    // An append is as fast as the disk at that moment, so its bound leaves room for a noisy one.
    let figures: [(&str, &str, Figure, Hold); 5] = [
        ("bulk", "events/s", |stage| stage.bulk_rate, Hold::RatioAtLeast(0.7)),
        ("bulk CPU", "µs", |stage| stage.bulk_cpu, Hold::RatioAtMost(1.3)),
        ("append p50", "µs", |stage| stage.append, Hold::RatioAtMost(1.5)),
        ("stream of 10", "µs", |stage| stage.stream, Hold::RatioAtMost(2.0)),
        ("far condition", "µs", |stage| stage.condition, Hold::RatioAtMost(2.0)),
    ];
    let [first, later @ ..] = stages;
    let row = |(what, unit, figure, hold): (&'static str, &'static str, Figure, Hold)| {
        later.iter().zip(&STAGES[1..]).map(move |(stage, percent)| {
            let what = format!("{what}, at {percent} % beside 10 %");
            Row::new(what, figure(stage), unit).beside(figure(first)).hold(hold)
        })
    };
    figures.into_iter().flat_map(row).collect()
}
