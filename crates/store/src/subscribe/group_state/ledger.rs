//! How far a group has come, how much of that is durable, and when the rest is to be written.

use std::{collections::BTreeMap, time::Duration};

use super::{
    intervals::Intervals,
    outstanding::Slot,
    rules::Rules,
    words::{Progress, Reach},
};
use crate::{
    limits,
    position::{Position, Revision},
};

/// Positions a checkpoint may move without any settled message before that alone is written: a group none of whose events come
/// need not read the log again after a restart. The progress documents of all groups there may be move it less far, so they do not feed each other.
pub(super) const UNMATCHED_POSITIONS: u64 = 2 * limits::GROUPS_MAX as u64;
/// How long the first repetition of a failed write waits; each further one waits twice as long.
const WRITE_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long the repetition of a failed write waits at most.
const WRITE_AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);

/// A write that is under way.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) parks: Vec<Slot>,
    pub(super) checkpoint: Position,
    pub(super) hides_before: Option<Revision>,
    /// Settled messages it makes durable.
    settled: u64,
}

/// The progress of a group.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Everything below was offered, or does not match.
    pub(super) considered: Position,
    pub(super) reach: Reach,
    pub(super) last_offered: Option<Position>,
    pub(super) epoch: u64,
    /// What was settled above the checkpoint in an earlier life, and may lie beyond `considered`.
    pub(super) settled_before: Intervals,
    /// Retry counts of an earlier life for messages that were not offered again yet.
    pub(super) retries_before: BTreeMap<Position, u32>,
    /// The checkpoint that is durable.
    pub(super) written: Position,
    /// Settled since the last write was begun.
    settled: u64,
    /// Whether there is something else a write would tell: retry counts, and which replays were asked for or are over.
    touched: bool,
    pub(super) writing: Option<Writing>,
    last_write: Duration,
    failures: u32,
    not_before: Duration,
}

/// What of the rest of the state decides whether a write is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwritten {
    /// Whether messages are to be parked.
    pub(super) parks: bool,
    pub(super) checkpoint: Position,
}

impl Ledger {
    pub(super) fn new(progress: Progress, now: Duration) -> Self {
        Self {
            considered: progress.checkpoint,
            reach: Reach::History,
            last_offered: None,
            epoch: progress.epoch,
            settled_before: progress.settled,
            retries_before: progress.retries.into_iter().collect(),
            written: progress.checkpoint,
            settled: 0,
            touched: false,
            writing: None,
            last_write: now,
            failures: 0,
            not_before: Duration::ZERO,
        }
    }

    pub(super) fn settle(&mut self, count: u64) {
        self.settled += count;
    }

    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// When a write is due; `None` while one is under way, or when nothing but more messages makes one due.
    pub(super) fn due_at(&self, rules: &Rules, unwritten: Unwritten) -> Option<Duration> {
        if self.writing.is_some() {
            return None;
        }
        let by_count = rules.max_checkpoint_count > 0 && self.settled >= rules.max_checkpoint_count;
        let by_time = self.settled >= rules.min_checkpoint_count.max(1) && !rules.checkpoint_after.is_zero();
        let at = if unwritten.parks || by_count {
            Duration::ZERO
        } else if by_time || self.moved_far(unwritten.checkpoint) {
            self.last_write.saturating_add(rules.checkpoint_after)
        } else {
            return None;
        };
        Some(at.max(self.not_before))
    }

    /// Whether a write would tell anything.
    pub(super) fn has_news(&self, unwritten: Unwritten) -> bool {
        unwritten.parks || self.settled > 0 || self.touched || self.moved_far(unwritten.checkpoint)
    }

    fn moved_far(&self, checkpoint: Position) -> bool {
        checkpoint.0.saturating_sub(self.written.0) >= UNMATCHED_POSITIONS
    }

    pub(super) fn begin(&mut self, parks: Vec<Slot>, checkpoint: Position, hides_before: Option<Revision>) {
        let settled = std::mem::take(&mut self.settled);
        self.touched = false;
        self.writing = Some(Writing { parks, checkpoint, hides_before, settled });
    }

    pub(super) fn done(&mut self, writing: &Writing, now: Duration) {
        self.written = writing.checkpoint;
        self.last_write = now;
        self.failures = 0;
        self.not_before = Duration::ZERO;
    }

    pub(super) fn failed(&mut self, writing: &Writing, now: Duration) {
        self.settled += writing.settled;
        self.touched = true;
        let wait = WRITE_AGAIN_AFTER.saturating_mul(1 << self.failures.min(16)).min(WRITE_AGAIN_AFTER_MAX);
        self.failures += 1;
        self.not_before = now.saturating_add(wait);
    }
}
