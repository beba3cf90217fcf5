//! The obviously right index: a list of events, every question answered by looking at all of them.

use std::{collections::BTreeMap, ops::Range};

use super::{IndexedEvent, Kind, TagList, Term, Towards};
use crate::{
    name::Tag,
    position::{Position, Revision},
    query::Query,
};

/// An event as the tests make them.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) stream: String,
    pub(super) event_type: String,
    pub(super) tags: Vec<Tag>,
    pub(super) correlation: Option<String>,
    revision: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) events: Vec<Event>,
}

impl Reference {
    pub(super) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn push(&mut self, stream: &str, event_type: &str, mut tags: Vec<Tag>, correlation: Option<String>) {
        tags.sort_unstable();
        tags.dedup();
        let revision = self.events.iter().filter(|event| event.stream == stream).count() as u64;
        self.push_at(stream, event_type, tags, revision, correlation);
    }

    /// As [`Self::push`], for those who count revisions themselves; tags must be sorted.
    pub(super) fn push_at(
        &mut self,
        stream: &str,
        event_type: &str,
        tags: Vec<Tag>,
        revision: u64,
        correlation: Option<String>,
    ) {
        let (stream, event_type) = (stream.to_owned(), event_type.to_owned());
        self.events.push(Event { stream, event_type, tags, correlation, revision });
    }

    pub(super) fn indexed(&self, range: Range<u64>) -> impl Iterator<Item = IndexedEvent<'_>> {
        range.map(|position| {
            let event = &self.events[position as usize];
            IndexedEvent {
                position: Position(position),
                revision: Revision(event.revision),
                stream: &event.stream,
                event_type: &event.event_type,
                tags: TagList::Proposed(&event.tags),
                correlation: event.correlation.as_deref(),
            }
        })
    }

    fn carries(event: &Event, term: Term<'_>) -> bool {
        match term {
            Term::Stream(stream) => event.stream == stream,
            Term::Category(category) => {
                let own = event.stream.split_once('-').map(|(category, _)| category);
                own == Some(category) && !category.is_empty() && !category.starts_with("$$")
            }
            Term::Type(event_type) => event.event_type == event_type,
            Term::Tag(tag) => event.tags.iter().any(|own| own.as_str() == tag),
            Term::Correlation(id) => event.correlation.as_deref() == Some(id),
            Term::Created => event.revision == 0,
        }
    }

    /// All positions before `to` that carry the term.
    pub(super) fn positions(&self, term: Term<'_>, to: u64) -> Vec<Position> {
        let before = self.events.iter().take(to as usize).enumerate();
        before.filter(|(_, event)| Self::carries(event, term)).map(|(at, _)| Position(at as u64)).collect()
    }

    pub(super) fn matches(&self, query: &Query, range: Range<u64>, towards: Towards) -> Vec<Position> {
        let mut found: Vec<Position> = range
            .filter(|&at| {
                let event = &self.events[at as usize];
                query.matches(&event.stream, &event.event_type, event.tags.iter().map(Tag::as_str))
            })
            .map(Position)
            .collect();
        if towards == Towards::Older {
            found.reverse();
        }
        found
    }

    /// The texts of all terms of a kind before `to`, with the number of events.
    pub(super) fn terms(&self, kind: Kind, to: u64) -> BTreeMap<String, u64> {
        let mut terms = BTreeMap::new();
        for event in &self.events[..to as usize] {
            let category = event.stream.split_once('-').map(|(category, _)| category.to_owned());
            let texts: Vec<String> = match kind {
                Kind::Stream => vec![event.stream.clone()],
                Kind::Category => {
                    category.filter(|name| !name.is_empty() && !name.starts_with("$$")).into_iter().collect()
                }
                Kind::Type => vec![event.event_type.clone()],
                Kind::Tag => event.tags.iter().map(ToString::to_string).collect(),
                Kind::Correlation => event.correlation.iter().cloned().collect(),
                Kind::Created => (event.revision == 0).then(String::new).into_iter().collect(),
            };
            for text in texts {
                *terms.entry(text).or_default() += 1;
            }
        }
        terms
    }
}
