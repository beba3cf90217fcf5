//! Who waits for which time: an index in memory over all instances that are not at rest, made from their records when a process starts.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use gesta_store::Timestamp;

/// What an instance waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// For nothing but events.
    Idle,
    /// For a time of the wall clock.
    Until(Timestamp),
    /// To try again, at a time by `Clock::elapsed`, what failed so often for this reason.
    Retry { at: Duration, tries: u32, reason: String },
    /// For somebody who looks.
    Parked(String),
}

/// All instances that wait for something else than events.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: HashMap<Box<str>, Rest>,
    timers: BTreeSet<(Timestamp, Box<str>)>,
    retries: BTreeSet<(Duration, Box<str>)>,
    parked: BTreeSet<Box<str>>,
}

impl Agenda {
    /// What an instance waits for from now on.
    pub(crate) fn set(&mut self, name: &str, rest: Rest) {
        if self.entries.get(name) == Some(&rest) {
            return;
        }
        let key: Box<str> = name.into();
        match self.entries.remove(name) {
            Some(Rest::Until(time)) => drop(self.timers.remove(&(time, key.clone()))),
            Some(Rest::Retry { at, .. }) => drop(self.retries.remove(&(at, key.clone()))),
            Some(Rest::Parked(_)) => drop(self.parked.remove(&key)),
            Some(Rest::Idle) | None => {}
        }
        match &rest {
            Rest::Idle => return,
            Rest::Until(time) => drop(self.timers.insert((*time, key.clone()))),
            Rest::Retry { at, .. } => drop(self.retries.insert((*at, key.clone()))),
            Rest::Parked(_) => drop(self.parked.insert(key.clone())),
        }
        self.entries.insert(key, rest);
    }

    /// What an instance waits for.
    pub(crate) fn get(&self, name: &str) -> Option<&Rest> {
        self.entries.get(name)
    }

    /// The instances whose time has come, those that waited longest first, at most `max`.
    pub(crate) fn due(&self, now: Timestamp, elapsed: Duration, max: usize) -> Vec<Box<str>> {
        let retries = self.retries.iter().take_while(|(at, _)| *at <= elapsed).map(|(_, name)| name);
        let timers = self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, name)| name);
        retries.chain(timers).take(max).cloned().collect()
    }

    /// When the next one's time comes, by `Clock::elapsed`.
    pub(crate) fn next_due(&self, now: Timestamp, elapsed: Duration) -> Option<Duration> {
        let timer = self.timers.first().map(|(at, _)| {
            let nanos = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0);
            elapsed.saturating_add(Duration::from_nanos(nanos))
        });
        let retry = self.retries.first().map(|(at, _)| *at);
        timer.into_iter().chain(retry).min()
    }

    /// How many wait to try again, for a time, and for somebody who looks.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [self.retries.len(), self.timers.len(), self.parked.len()]
    }

    /// All of them.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(|name| &**name)
    }

    /// The parked ones, and why they are.
    pub(crate) fn parked(&self) -> Vec<(String, String)> {
        let reason = |name: &str| match self.entries.get(name) {
            Some(Rest::Parked(reason)) => reason.clone(),
            Some(Rest::Idle | Rest::Until(_) | Rest::Retry { .. }) | None => String::new(),
        };
        self.parked.iter().map(|name| (name.to_string(), reason(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_found_by_time_and_an_instance_waits_for_one_thing() {
        let mut agenda = Agenda::default();
        let retry = |at| Rest::Retry { at: Duration::from_secs(at), tries: 1, reason: "r".into() };
        agenda.set("a", Rest::Until(Timestamp(30)));
        agenda.set("b", Rest::Until(Timestamp(20)));
        agenda.set("c", retry(5));
        agenda.set("d", Rest::Parked("broken".into()));
        assert_eq!(agenda.counts(), [1, 2, 1]);
        assert_eq!(agenda.due(Timestamp(20), Duration::from_secs(4), 9), ["b".into()]);
        assert_eq!(agenda.due(Timestamp(30), Duration::from_secs(5), 9), ["c".into(), "b".into(), "a".into()]);
        assert_eq!(agenda.due(Timestamp(30), Duration::from_secs(5), 2).len(), 2);
        assert_eq!(agenda.next_due(Timestamp(10), Duration::ZERO), Some(Duration::from_nanos(10)));
        agenda.set("b", Rest::Idle);
        agenda.set("a", retry(9));
        assert_eq!(agenda.next_due(Timestamp(10), Duration::ZERO), Some(Duration::from_secs(5)));
        assert_eq!(agenda.counts(), [2, 0, 1]);
        assert_eq!(agenda.parked(), [("d".into(), "broken".into())]);
        assert_eq!((agenda.get("b"), agenda.get("a")), (None, Some(&retry(9))));
    }
}
