//! Which groups there are: the changes in the config stream, folded. The log is the reference (I7); what is kept here is how far it was read
//! and what it said.

use std::collections::BTreeMap;

use super::{
    backing::Backing,
    documents::{Action, CONFIG_STREAM, Change, config_stream},
    writing::with_metadata,
};
use crate::{
    append::Append,
    commit::metadata::{number, with_number, with_truncate_before},
    error::Result,
    event::EventData,
    index::Term,
    limits,
    name::StreamName,
    position::{ExpectedRevision, Position, Revision, Timestamp},
    read::{Source, visible},
    subscribe::{GroupName, GroupSettings},
};

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupConfig {
    /// Its name.
    pub name: GroupName,
    /// What it follows.
    pub source: Source,
    /// How it behaves.
    pub settings: GroupSettings,
    /// When it was created.
    pub created: Timestamp,
    /// When its settings were last changed.
    pub updated: Timestamp,
}

/// Events of the config stream that may be out of date, beside as many as there are groups, before the stream is made shorter.
const OUTDATED_MAX: u64 = 64;
/// Groups that are said again at most with a change that makes it shorter.
const CARRIED_MAX: usize = 16;
/// Bytes of the events that say them, at most, if they are several: with the change, they must fit into a commit.
const CARRIED_BYTES_MAX: usize = 1 << 20;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    groups: BTreeMap<GroupName, Known>,
    /// Which group the newest event of each is about, by its revision.
    newest: BTreeMap<u64, GroupName>,
    /// The revision of the config stream that is read next.
    next: u64,
    /// Its events before are hidden: what they say is said again later.
    first: u64,
}

#[derive(Debug)]
struct Known {
    config: GroupConfig,
    /// Where it was said.
    revision: u64,
}

/// What a change carries along so that the config stream does not grow with every change there ever was.
#[derive(Debug)]
pub(super) struct Carried {
    /// Groups whose newest events are the oldest of all, as they are: said again.
    pub(super) again: Vec<EventData>,
    /// From here on there is the newest event of every group.
    pub(super) first: Revision,
}

impl Catalog {
    /// Reads what was recorded since the last time.
    pub(super) fn refresh(&mut self, backing: &Backing) -> Result<()> {
        let to = backing.to();
        let term = Term::Stream(CONFIG_STREAM);
        if self.next == 0 {
            self.first = first_counting(backing, to)?;
            self.next = self.first;
        }
        let mut positions: Vec<Position> = Vec::new();
        loop {
            positions.clear();
            backing.library.index.postings_forward(term, self.next, limits::BATCH_EVENTS, to, &mut positions)?;
            if positions.is_empty() {
                return Ok(());
            }
            for position in &positions {
                let event = backing.library.log.event(*position)?;
                self.apply(Change::read(&event.view())?);
            }
        }
    }

    /// Takes note of the next event.
    fn apply(&mut self, change: Change) {
        let revision = self.next;
        self.next += 1;
        let Change { action, group, source, settings, created, at } = change;
        let before = self.groups.remove(&group);
        if let Some(before) = &before {
            self.newest.remove(&before.revision);
        }
        let created = match (action, before) {
            (Action::Deleted, _) => return,
            (Action::Updated, Some(before)) => before.config.created,
            (Action::Created | Action::Updated, _) => created.unwrap_or(at),
        };
        let config = GroupConfig { name: group.clone(), source, settings, created, updated: at };
        self.newest.insert(revision, group.clone());
        self.groups.insert(group, Known { config, revision });
    }

    pub(super) fn get(&self, group: &GroupName) -> Option<&GroupConfig> {
        self.groups.get(group).map(|known| &known.config)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &GroupConfig> {
        self.groups.values().map(|known| &known.config)
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// How far the config stream was read.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What a change of `changed` is to carry along, if too much of the config stream is out of date. The groups at its beginning are said again
    /// behind the change; before the newest event of all others, nothing counts any more, and is hidden. That they are still so, the change makes sure: it
    /// expects the stream to be where it was read to.
    pub(super) fn carried(&self, changed: &GroupName) -> Option<Carried> {
        let visible = self.next - self.first;
        if visible <= 2 * self.groups.len() as u64 + OUTDATED_MAX {
            return None;
        }
        let mut others = self.newest.iter().filter(|(_, group)| *group != changed).peekable();
        let (mut again, mut bytes) = (Vec::new(), 0);
        while again.len() < CARRIED_MAX
            && let Some(config) = others.peek().and_then(|(_, group)| self.get(group))
        {
            let event = said_again(config);
            bytes += event.data.len();
            // One that is larger by itself goes alone: else nothing behind it could ever be hidden.
            if bytes > CARRIED_BYTES_MAX && !again.is_empty() {
                break;
            }
            again.push(event);
            others.next();
        }
        let first = Revision(others.next().map_or(self.next, |(revision, _)| *revision));
        Some(Carried { again, first })
    }

    /// Takes note that a change was recorded that carried this along.
    pub(super) fn carry(&mut self, carried: &Carried) {
        self.first = self.first.max(carried.first.0);
    }

    /// What the next change expects of the config stream: that nobody changed it since it was read.
    pub(super) fn expected(&self) -> (StreamName, ExpectedRevision) {
        let expected = match self.next.checked_sub(1) {
            Some(last) => ExpectedRevision::Exact(Revision(last)),
            None => ExpectedRevision::NoStream,
        };
        (config_stream(), expected)
    }
}

/// The event that says a group as it is.
fn said_again(config: &GroupConfig) -> EventData {
    let change = Change {
        action: Action::Updated,
        group: config.name.clone(),
        source: config.source.clone(),
        settings: config.settings.clone(),
        created: Some(config.created),
        at: config.updated,
    };
    change.event()
}

/// The key in the metadata of the config stream that says from which of its events on groups are known. `$tb` says the same to whoever reads the stream, but is
/// for anybody to set, and set by whoever deletes the stream.
const FIRST: &str = "gestaFirst";

/// Adds to a commit that groups are known by the events of the config stream from `first` on, and that the others are hidden.
pub(super) fn mark_first(append: Append, backing: &Backing, stream: &StreamName, first: Revision) -> Result<Append> {
    with_metadata(append, backing, stream, |document| {
        Some(with_number(&with_truncate_before(document, first.0), FIRST, first.0))
    })
}

/// The first event of the config stream that counts: what groups have put aside counts no more, and nothing else. No truncation, age or number that somebody sets on the
/// stream, and no deletion, makes a group be forgotten. Without the key it is the very first; what came before its time says nothing new.
fn first_counting(backing: &Backing, to: Position) -> Result<u64> {
    let document = visible::metadata_event(&backing.library, CONFIG_STREAM, to)?;
    let first = document.and_then(|event| number(event.view().data, FIRST)).unwrap_or(0);
    let count = backing.library.index.count(Term::Stream(CONFIG_STREAM), to)?;
    // More than there is: somebody else has written it.
    Ok(if first <= count { first } else { 0 })
}
