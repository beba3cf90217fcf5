//! What a store has done since it was opened, in numbers, for whoever watches over it.
//!
//! `Meters` count while the store runs, with relaxed additions: one for a group of appends, not one for each, and one for a batch of a read.
//! [`Measures`] is what they show at a moment. Nothing is decided by them, and nothing of them is kept: after an opening they begin at zero.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    append::{AppendError, Outcome},
    commit::Rejection,
};

/// Buckets of a distribution: up to 2^25, which is half a minute in microseconds and more appends than a queue holds.
const BUCKETS: usize = 26;

/// What a store has done since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measures {
    /// Commits recorded.
    pub commits: u64,
    /// Events recorded.
    pub events: u64,
    /// Appends that were recognised as recorded before.
    pub repeats: u64,
    /// Appends refused because a stream was not where it was expected, or a condition did not hold.
    pub conflicts: u64,
    /// Appends refused for any other reason the rules have.
    pub refusals: u64,
    /// Appends that could not be decided or not be made durable.
    pub failures: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Appends answered together, after one sync.
    pub group_appends: Distribution,
    /// How long writing and syncing a group took, in microseconds.
    pub sync_micros: Distribution,
    /// Events handed out by reads and subscriptions.
    pub events_read: u64,
    /// Bytes of their names and payloads.
    pub bytes_read: u64,
    /// Subscriptions that are open.
    pub subscriptions: u64,
    /// Appends that wait for their turn.
    pub queued_appends: u64,
    /// Parts of the index that wait to be written.
    pub index_backlog: u64,
}

/// How often which values were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How often a value was at most 1, 2, 4, … and more than the bound before it. Those above the last bound are in `count` only.
    pub buckets: [u64; BUCKETS],
    /// All values together.
    pub sum: u64,
    /// How many they were.
    pub count: u64,
}

impl Distribution {
    /// The bounds of the buckets with what is in them.
    pub fn bounded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets.iter().enumerate().map(|(power, &count)| (1 << power, count))
    }
}

/// A distribution that counts.
#[derive(Debug, Default)]
pub struct Meter {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    count: AtomicU64,
}

impl Meter {
    /// Counts a value.
    pub fn meet(&self, value: u64) {
        let power = value.max(1).next_power_of_two().trailing_zeros() as usize;
        if let Some(bucket) = self.buckets.get(power).filter(|_| value <= 1 << (BUCKETS - 1)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn shown(&self) -> Distribution {
        Distribution {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Relaxed)),
            sum: self.sum.load(Relaxed),
            count: self.count.load(Relaxed),
        }
    }
}

/// The numbers as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    commits: AtomicU64,
    events: AtomicU64,
    repeats: AtomicU64,
    conflicts: AtomicU64,
    refusals: AtomicU64,
    failures: AtomicU64,
    log_bytes: AtomicU64,
    group_appends: Meter,
    sync_micros: Meter,
    events_read: AtomicU64,
    bytes_read: AtomicU64,
    subscriptions: AtomicU64,
}

impl Meters {
    /// A group of so many bytes was written and synced.
    pub(crate) fn synced(&self, bytes: u64, took: Duration) {
        self.log_bytes.fetch_add(bytes, Relaxed);
        self.sync_micros.meet(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The appends of a group are about to be answered.
    pub(crate) fn answered<'a>(&self, outcomes: impl Iterator<Item = &'a Outcome>) {
        let [mut appends, mut commits, mut events, mut repeats, mut conflicts, mut refusals, mut failures] = [0; 7];
        for outcome in outcomes {
            appends += 1;
            match outcome {
                Ok(appended) if appended.idempotent => repeats += 1,
                Ok(appended) => {
                    commits += 1;
                    if let (Some(first), Some(last)) = (appended.first_position, appended.last_position) {
                        events += last.0 - first.0 + 1;
                    }
                }
                Err(AppendError::Rejected(Rejection::WrongRevision { .. } | Rejection::ConditionFailed { .. })) => {
                    conflicts += 1;
                }
                Err(AppendError::Rejected(_)) => refusals += 1,
                Err(AppendError::Failed(_)) => failures += 1,
            }
        }
        self.group_appends.meet(appends);
        self.commits.fetch_add(commits, Relaxed);
        self.events.fetch_add(events, Relaxed);
        self.repeats.fetch_add(repeats, Relaxed);
        self.conflicts.fetch_add(conflicts, Relaxed);
        self.refusals.fetch_add(refusals, Relaxed);
        self.failures.fetch_add(failures, Relaxed);
    }

    /// A batch was handed out.
    pub(crate) fn handed_out(&self, events: usize, bytes: usize) {
        self.events_read.fetch_add(events as u64, Relaxed);
        self.bytes_read.fetch_add(bytes as u64, Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn shown(&self) -> Measures {
        Measures {
            commits: self.commits.load(Relaxed),
            events: self.events.load(Relaxed),
            repeats: self.repeats.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            refusals: self.refusals.load(Relaxed),
            failures: self.failures.load(Relaxed),
            log_bytes: self.log_bytes.load(Relaxed),
            group_appends: self.group_appends.shown(),
            sync_micros: self.sync_micros.shown(),
            events_read: self.events_read.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed),
            subscriptions: self.subscriptions.load(Relaxed),
            ..Measures::default()
        }
    }
}

/// Counts as an open subscription until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenSubscription(Arc<Meters>);

impl OpenSubscription {
    pub(crate) fn counted(meters: &Arc<Meters>) -> Self {
        meters.subscriptions.fetch_add(1, Relaxed);
        Self(Arc::clone(meters))
    }

    /// Where what it is handed is counted.
    pub(crate) fn meters(&self) -> &Meters {
        &self.0
    }
}

impl Drop for OpenSubscription {
    fn drop(&mut self) {
        self.0.subscriptions.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_of_the_first_bound_it_does_not_exceed() {
        let meter = Meter::default();
        for value in [0, 1, 2, 3, 4, 5, 1 << 25, (1 << 25) + 1] {
            meter.meet(value);
        }
        let shown = meter.shown();
        let met: Vec<_> = shown.bounded().filter(|&(_, count)| count > 0).collect();
        assert_eq!(met, [(1, 2), (2, 1), (4, 2), (8, 1), (1 << 25, 1)]);
        assert_eq!((shown.count, shown.sum), (8, 15 + (1 << 26) + 1));
    }
}
