//! Which groups there are: the changes in the config stream, folded. The log is the reference (I7); what is kept here is how far it was read
//! and what it said.

use std::collections::BTreeMap;

use super::{
    backing::Backing,
    documents::{Action, CONFIG_STREAM, Change, config_stream},
};
use crate::{
    error::Result,
    index::Term,
    limits,
    position::{ExpectedRevision, Position, Revision, Timestamp},
    read::Source,
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

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    groups: BTreeMap<GroupName, GroupConfig>,
    /// The revision of the config stream that is read next.
    next: u64,
}

impl Catalog {
    /// Reads what was recorded since the last time.
    pub(super) fn refresh(&mut self, backing: &Backing) -> Result<()> {
        let to = backing.to();
        let term = Term::Stream(CONFIG_STREAM);
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
                self.next += 1;
            }
        }
    }

    fn apply(&mut self, change: Change) {
        let Change { action, group, source, settings, at } = change;
        let created = match (action, self.groups.get(&group)) {
            (Action::Deleted, _) => {
                self.groups.remove(&group);
                return;
            }
            (Action::Updated, Some(before)) => before.created,
            (Action::Created | Action::Updated, _) => at,
        };
        let config = GroupConfig { name: group.clone(), source, settings, created, updated: at };
        self.groups.insert(group, config);
    }

    pub(super) fn get(&self, group: &GroupName) -> Option<&GroupConfig> {
        self.groups.get(group)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &GroupConfig> {
        self.groups.values()
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// How far the config stream was read.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What the next change expects of the config stream: that nobody changed it since it was read.
    pub(super) fn expected(&self) -> (crate::name::StreamName, ExpectedRevision) {
        let expected = match self.next.checked_sub(1) {
            Some(last) => ExpectedRevision::Exact(Revision(last)),
            None => ExpectedRevision::NoStream,
        };
        (config_stream(), expected)
    }
}
