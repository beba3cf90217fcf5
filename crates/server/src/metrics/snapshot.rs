//! Everything that is counted, read once for a scrape.

use gesta_store::{GroupInfo, Measures, StoreInfo};

use super::{Metrics, process};
use crate::{calls::CountedCalls, connections::Counted, limits::GROUPS_METERED_MAX};

/// What a scrape sees.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) measures: Measures,
    /// `None`, if the store could not be asked.
    pub(super) info: Option<StoreInfo>,
    pub(super) groups: Vec<GroupInfo>,
    pub(super) calls: Vec<CountedCalls>,
    pub(super) open_calls: u64,
    pub(super) traffic: Counted,
    pub(super) resident_bytes: Option<u64>,
    pub(super) is_refusing: bool,
    pub(super) is_stopping: bool,
}

impl Snapshot {
    pub(super) fn take(metrics: &Metrics) -> Self {
        let Metrics { store, calls, traffic, stopping } = metrics;
        let groups = store.groups();
        let configs = groups.list().unwrap_or_default();
        // A group that is deleted meanwhile is left out.
        let standing = configs.iter().take(GROUPS_METERED_MAX).filter_map(|config| groups.watch(&config.name).ok());
        Self {
            measures: store.measures(),
            info: store.info().ok(),
            groups: standing.collect(),
            calls: calls.counted(),
            open_calls: calls.open(),
            traffic: traffic.counted(),
            resident_bytes: process::resident_bytes(),
            is_refusing: store.refusing_appends().is_some(),
            is_stopping: stopping.is_told(),
        }
    }
}
