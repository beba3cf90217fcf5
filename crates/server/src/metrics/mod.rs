//! `/metrics`: what the server and its store do, for Prometheus.
//!
//! Nothing is added up here: whoever does something counts it, and a scrape reads the counts. [`table`] is the list of what is served, in the order in
//! which it is served and documented (`docs/operations.md`); a metric that is not in it does not exist.

mod exposition;
pub mod process;
mod snapshot;
pub mod table;

use std::sync::Arc;

use gesta_store::EventStore;

use crate::{calls::Calls, connections::Traffic, stopping::Stopping};
use snapshot::Snapshot;

/// The media type of what a scrape gets.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the metrics come from. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) store: EventStore,
    pub(crate) calls: Arc<Calls>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) stopping: Stopping,
}

impl Metrics {
    /// All of them as text. Asks the index and may read from disk: not for a thread of the runtime.
    pub(crate) fn page(&self) -> String {
        let snapshot = Snapshot::take(self);
        let mut page = exposition::Page::default();
        for metric in table::METRICS {
            page.metric(metric, (metric.read)(&snapshot));
        }
        page.into_text()
    }
}
