//! What an instance has decided and not written down yet: records in their order, and the events of the domain that belong to them. It becomes one
//! commit: all of it is in the log, or nothing is, and then the instance is read anew and decides again.
//!
//! - The ledger of an instance is ahead of the log by what is here; nothing outside of the instance is.
//! - What can be noticed outside of the log, a call, is made when nothing is here; what reads the log, a decision, when no event is.
//! - Nothing is here when the instance comes to rest.

use gesta_store::{Append, EventData, ExpectedRevision, StreamName};

use super::{
    calls::Facts,
    record::{Obstacle, Record},
};

/// Records that are put into one commit. A record is some hundred bytes, and may bring events with it: what does not fit is written record by record.
const NOTES_MAX: usize = 64;

/// What is to be written next.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Records, ready to be recorded.
    notes: Vec<EventData>,
    /// Events of the domain, ready to be recorded.
    facts: Facts,
    /// What the last record is about.
    about: Option<Obstacle>,
}

impl Draft {
    /// Adds a record, and the events that belong to it.
    pub(crate) fn put(&mut self, record: &Record, note: EventData, facts: Facts) {
        self.about = about(record);
        self.notes.push(note);
        self.facts.extend(facts);
    }

    /// Forgets what was written.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Whether it is to be written before anything is added.
    pub(crate) fn is_full(&self) -> bool {
        self.notes.len() >= NOTES_MAX
    }

    /// Whether there are events that a decision might have to know.
    pub(crate) fn has_facts(&self) -> bool {
        !self.facts.is_empty()
    }

    /// Its records.
    pub(crate) fn notes(&self) -> &[EventData] {
        &self.notes
    }

    /// What the last record is about, of those that can be in the way of an instance.
    pub(crate) fn about(&self) -> Option<&Obstacle> {
        self.about.as_ref()
    }

    /// Whether there is anything that is not about this.
    pub(crate) fn has_more_than(&self, obstacle: &Obstacle) -> bool {
        self.notes.len() > 1 || self.notes.len() == 1 && self.about.as_ref() != Some(obstacle)
    }

    /// All of it, as one commit.
    pub(crate) fn append(&self, stream: &StreamName, expected: ExpectedRevision) -> Append {
        let append = Append::to(stream.clone(), expected, self.notes.iter().cloned());
        let facts = self.facts.iter().cloned();
        facts.fold(append, |append, (stream, fact)| append.stream(stream, ExpectedRevision::Any, [fact]))
    }
}

fn about(record: &Record) -> Option<Obstacle> {
    match record {
        Record::Heard(heard) => Some(Obstacle::Event(heard.cause)),
        Record::Outcome(outcome) => Some(Obstacle::Effect(outcome.effect.clone())),
        Record::Received(_) | Record::Parked(_) | Record::Resumed(_) => None,
    }
}
