//! How long messages were in the hands of consumers before they were answered: of the newest answers, of each consumer and of all together.
//!
//! Kept only where the settings ask for it: else nothing is measured. Bounded, and what is kept says how it is now, not how it was on the average
//! since the group was loaded.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::words::ConsumerId;
use crate::limits;

/// The times of the newest answers, in microseconds; more than an hour is an hour and some minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latencies(VecDeque<u32>);

impl Latencies {
    fn add(&mut self, micros: u32) {
        if self.0.len() == limits::GROUP_LATENCIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(micros);
    }

    /// From the shortest to the longest.
    pub(crate) fn sorted_micros(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted
    }
}

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Measured {
    all: Latencies,
    by: BTreeMap<ConsumerId, Latencies>,
}

impl Measured {
    pub(super) fn add(&mut self, consumer: ConsumerId, time: Duration) {
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.all.add(micros);
        self.by.entry(consumer).or_default().add(micros);
    }

    pub(super) fn forget(&mut self, consumer: ConsumerId) {
        self.by.remove(&consumer);
    }

    pub(super) fn all(&self) -> Latencies {
        self.all.clone()
    }

    pub(super) fn of(&self, consumer: ConsumerId) -> Latencies {
        self.by.get(&consumer).cloned().unwrap_or_default()
    }
}
