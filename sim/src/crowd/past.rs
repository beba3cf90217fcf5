//! The log as the crowd knows it: every event that was ever seen in it, groups' own documents included, and naive answers from that.
//!
//! What was seen once was durable (I1), so it must be there for ever, in the same place.

use std::ops::Range;

use gesta_store::{EventStore, From, Position, ReadOptions, Source};

use crate::{Violation, model::Event};

/// See the module's words.
#[derive(Debug, Default)]
pub struct Past {
    events: Vec<Event>,
}

impl Past {
    /// How many events were seen.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// Every event with its position.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Event)> {
        (0..).zip(&self.events)
    }

    /// Those of a range.
    pub fn range(&self, range: Range<u64>) -> impl Iterator<Item = (u64, &Event)> {
        self.iter().skip(usize::try_from(range.start).unwrap_or(usize::MAX)).take_while(move |(at, _)| *at < range.end)
    }

    /// The event at a position.
    #[must_use]
    pub fn event(&self, position: u64) -> Option<&Event> {
        self.events.get(usize::try_from(position).ok()?)
    }

    /// Looks at what was recorded since the last time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn learn(&mut self, store: &EventStore) -> Result<Range<u64>, Violation> {
        let before = self.head();
        if store.head().position().0 < before {
            let what = format!("what was seen is gone, seen={before} head={}", store.head().position());
            return Err(Violation::new("I1", what));
        }
        let failed =
            |error: gesta_store::Error| Violation::new("I1", format!("what was recorded is not read: {error}"));
        let options = ReadOptions { from: From::Position(Position(before)), ..ReadOptions::default() };
        for event in store.read_all(options).map_err(failed)? {
            let event = event.map_err(failed)?;
            if event.position.0 != self.head() {
                let what = format!("expected position {}, found {}", self.head(), event.position);
                return Err(Violation::new("I2", what));
            }
            self.events.push(Event::of(&event));
        }
        Ok(before..self.head())
    }

    /// Checks that everything that was seen is there as it was.
    ///
    /// # Errors
    /// At the first event that is not.
    pub fn check(&self, store: &EventStore) -> Result<(), Violation> {
        let failed = |error: gesta_store::Error| Violation::new("I1", error.to_string());
        let mut read = store.read_all(ReadOptions::default()).map_err(failed)?;
        for (position, event) in self.iter() {
            let Some(found) = read.next().transpose().map_err(failed)? else {
                return Err(Violation::new("I1", format!("an event that was seen is gone, position={position}")));
            };
            if let Some(what) = event.difference(&found) {
                return Err(Violation::new("I1", what));
            }
        }
        Ok(())
    }

    /// What somebody sees of an event who follows links: what it points to, if it is a link to what was recorded, and else itself.
    #[must_use]
    pub fn seen_through(&self, event: &Event) -> Option<&Event> {
        if event.event_type != "$>" {
            return None;
        }
        let (revision, stream) = std::str::from_utf8(&event.data).ok()?.split_once('@')?;
        let revision: u64 = revision.parse().ok()?;
        self.events.iter().find(|target| target.stream.as_str() == stream && target.revision.0 == revision)
    }

    /// The position of a place in a source; `None` if there is no such place (yet).
    #[must_use]
    pub fn place(&self, source: &Source, from: From) -> Option<u64> {
        let head = self.head();
        match from {
            From::Beginning => Some(0),
            From::Now => Some(head),
            From::Position(position) => (position.0 <= head).then_some(position.0),
            From::Time(time) => {
                let first = self.iter().find(|(_, event)| event.recorded_at >= time);
                Some(first.map_or(head, |(position, _)| position))
            }
            From::Revision(revision) => {
                let Source::Stream(_) = source else { return None };
                let mut places = self.iter().filter(|(_, event)| matches(source, event)).map(|(position, _)| position);
                let before = usize::try_from(revision.0).ok()?;
                let passed = places.by_ref().take(before).count();
                places.next().or((passed == before).then_some(head))
            }
        }
    }
}

/// Whether an event is of a source.
#[must_use]
pub fn matches(source: &Source, event: &Event) -> bool {
    match source {
        Source::All => true,
        Source::Query(query) => event.matches(query),
        Source::Stream(stream) => match stream.split_once('-') {
            Some(("$ce", category)) => event.stream.category() == Some(category),
            Some(("$et", event_type)) => event.event_type == event_type,
            Some(("$bc", correlation)) => event.correlation().as_deref() == Some(correlation),
            Some(_) | None => event.stream == *stream,
        },
    }
}

/// Whether an event is in a stream that groups keep for themselves, which no group here follows.
#[must_use]
pub fn is_of_groups(event: &Event) -> bool {
    let stream = event.stream.as_str();
    let described = stream.strip_prefix("$$").unwrap_or(stream);
    described == "$persistentSubscriptionConfig" || described.starts_with("$persistentsubscription-")
}
