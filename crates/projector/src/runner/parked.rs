//! The keys that are parked, and when each is tried again: a copy of what the database knows.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::ledger::ParkedEvent;

/// Most events that wait at once. What is behind them is worth less and less, and each is a row: more than this is no longer an exception.
pub(super) const PARKED_EVENTS_MAX: u64 = 100_000;

#[derive(Debug, Default)]
pub(super) struct ParkedKeys {
    keys: HashMap<String, Option<Duration>>,
    due: BTreeSet<(Duration, String)>,
    /// Events under all of them.
    pub(super) events: u64,
}

impl ParkedKeys {
    /// From what the database has, in order. What was not tried too often is tried `now`.
    pub(super) fn load(events: &[ParkedEvent], attempts_max: u32, now: Duration) -> Self {
        let mut parked = Self { events: events.len() as u64, ..Self::default() };
        for event in events {
            if !parked.contains(&event.key) {
                parked.set(&event.key, (event.attempts < attempts_max).then_some(now));
            }
        }
        parked
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Parks a key, or changes when it is tried again; `None`: when somebody says so.
    pub(super) fn set(&mut self, key: &str, due: Option<Duration>) {
        self.remove(key);
        self.keys.insert(key.to_owned(), due);
        self.due.extend(due.map(|due| (due, key.to_owned())));
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Some(Some(due)) = self.keys.remove(key) {
            self.due.remove(&(due, key.to_owned()));
        }
    }

    /// Has all of them tried `now`.
    pub(super) fn set_all(&mut self, now: Duration) {
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        keys.iter().for_each(|key| self.set(key, Some(now)));
    }

    /// When the first of them is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// One that is due.
    pub(super) fn due(&self, now: Duration) -> Option<String> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, key)| key.clone())
    }
}
