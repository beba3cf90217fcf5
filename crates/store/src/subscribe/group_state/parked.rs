//! The parked messages that are neither worked off nor discarded, and which of them are being replayed.
//!
//! The truth is the group's stream of parked messages and the `resolved` of its progress; this is the index over what is left of
//! them. A position is parked once: where a crash left two entries of it, the later one counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{intervals::Intervals, words::ParkedEntry};
use crate::position::{Position, Revision};

/// How far the replay of a parked message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody asked for it.
    Parked,
    /// Its body is to be loaded.
    Wanted,
    /// It is an outstanding message.
    Outstanding,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub(super) revision: Revision,
    pub(super) key: Option<u64>,
    pub(super) stage: Stage,
}

impl Parked {
    fn entry(&self, position: Position) -> ParkedEntry {
        ParkedEntry { position, revision: self.revision, key: self.key }
    }
}

/// The unresolved parked messages.
#[derive(Debug)]
pub(super) struct ParkedIndex {
    by_position: BTreeMap<Position, Parked>,
    wanted: BTreeSet<Position>,
    /// The revisions of `by_position`: what is not among them is resolved.
    unresolved: Intervals,
    /// The revisions of those that are wanted or outstanding.
    replaying: Intervals,
    /// The revision after the last entry that is known.
    end: Revision,
    /// Entries before this one are hidden already.
    hidden_before: Revision,
}

impl ParkedIndex {
    /// From the entries that can be read, without those that are resolved.
    pub(super) fn new(mut entries: Vec<ParkedEntry>, resolved: &Intervals) -> Self {
        entries.sort_by_key(|entry| entry.revision);
        let hidden_before = entries.first().map_or(Revision::START, |entry| entry.revision);
        let after_last = entries.last().map_or(0, |entry| entry.revision.0 + 1);
        let end = Revision(resolved.last().map_or(after_last, |last| after_last.max(last.saturating_add(1))));
        let mut index = Self {
            by_position: BTreeMap::new(),
            wanted: BTreeSet::new(),
            unresolved: Intervals::default(),
            replaying: Intervals::default(),
            end,
            hidden_before,
        };
        entries.retain(|entry| !resolved.contains(entry.revision.0));
        entries.into_iter().for_each(|entry| index.insert(entry, Stage::Parked));
        index
    }

    /// Adds an entry. It takes the place of an earlier one of the same position, which is resolved by that.
    pub(super) fn insert(&mut self, entry: ParkedEntry, stage: Stage) {
        let ParkedEntry { position, revision, key } = entry;
        self.resolve(position);
        self.by_position.insert(position, Parked { revision, key, stage: Stage::Parked });
        self.unresolved.insert(revision.0, revision.0);
        self.end = self.end.max(revision.next());
        self.set_stage(position, stage);
    }

    /// Forgets an entry that was worked off, discarded or parked anew.
    pub(super) fn resolve(&mut self, position: Position) -> Option<Parked> {
        let parked = self.by_position.remove(&position)?;
        self.wanted.remove(&position);
        self.unresolved.remove(parked.revision.0);
        self.replaying.remove(parked.revision.0);
        Some(parked)
    }

    pub(super) fn set_stage(&mut self, position: Position, stage: Stage) {
        if let Some(parked) = self.by_position.get_mut(&position) {
            parked.stage = stage;
            let revision = parked.revision.0;
            match stage {
                Stage::Parked => self.replaying.remove(revision),
                Stage::Wanted | Stage::Outstanding => self.replaying.insert(revision, revision),
            }
            if stage == Stage::Wanted {
                self.wanted.insert(position);
            } else {
                self.wanted.remove(&position);
            }
        }
    }

    /// Notes by which key a message is replayed; the key it was parked by.
    pub(super) fn set_key(&mut self, position: Position, key: Option<u64>) -> Option<u64> {
        self.by_position.get_mut(&position).and_then(|parked| std::mem::replace(&mut parked.key, key))
    }

    pub(super) fn get(&self, position: Position) -> Option<&Parked> {
        self.by_position.get(&position)
    }

    pub(super) fn len(&self) -> usize {
        self.by_position.len()
    }

    pub(super) fn wanted_len(&self) -> usize {
        self.wanted.len()
    }

    /// Entries in the order of the source, beginning at a position.
    pub(super) fn iter_from(&self, from: Position) -> impl Iterator<Item = (ParkedEntry, Stage)> {
        self.by_position.range(from..).map(|(&position, parked)| (parked.entry(position), parked.stage))
    }

    /// The first entries that are to be loaded.
    pub(super) fn wanted(&self, max: usize) -> Vec<ParkedEntry> {
        let entry = |position: &Position| self.by_position.get(position).map(|parked| parked.entry(*position));
        self.wanted.iter().take(max).filter_map(entry).collect()
    }

    /// Revisions that are resolved and not hidden, without the prefix that can be hidden now: at most `max` intervals.
    pub(super) fn resolved(&self, max: usize) -> Intervals {
        let ends = self.unresolved.iter().map(|(_, last)| last + 1);
        let starts = self.unresolved.iter().map(|(first, _)| first).skip(1).chain([self.end.0]);
        ends.zip(starts).take(max).filter(|(first, next)| first < next).map(|(first, next)| (first, next - 1)).collect()
    }

    /// Revisions that are being replayed.
    pub(super) fn replaying(&self) -> &Intervals {
        &self.replaying
    }

    /// Before which revision everything is resolved, if that is further than what is hidden.
    pub(super) fn can_hide_before(&self) -> Option<Revision> {
        let before = self.unresolved.first().map_or(self.end, Revision);
        (before > self.hidden_before).then_some(before)
    }

    pub(super) fn hid_before(&mut self, before: Revision) {
        self.hidden_before = before;
    }
}
