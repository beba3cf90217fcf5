//! Where the messages of a group come from: a place in its source, moved on when the group has room, and its wait at the head.
//!
//! The one file of groups that knows how a source is followed: the cursor of all reads (I4), and a place among the
//! [followers](crate::order) when there is nothing to read.

use std::{sync::Arc, task::Waker};

use super::{
    backing::Backing,
    documents,
    keys::{Keys, Offered},
};
use crate::{
    error::Result,
    event::RecordedEvent,
    limits,
    name::{is_virtual, system},
    order::{Following, Interest, Wait},
    position::Position,
    query::{Query, StreamFilter},
    read::{
        Batch, Direction, From, ReadOptions, Source,
        cursor::{Advance, Budget, Cursor},
        virtual_stream::term_of,
    },
};

/// See the module's words.
#[derive(Debug)]
pub(super) struct Feed {
    cursor: Cursor,
    interest: Arc<Interest>,
    exclusion: Exclusion,
    following: Option<Following>,
    checked_to: Position,
}

/// What one read came to.
#[derive(Debug)]
pub(super) struct Portion {
    pub(super) offers: Vec<Offered>,
    /// Everything below was read or did not match.
    pub(super) considered: Position,
    /// There was nothing more.
    pub(super) at_end: bool,
}

impl Feed {
    /// The feed that begins at `from`.
    pub(super) fn open(backing: &Backing, source: &Source, resolve_links: bool, from: Position) -> Result<Self> {
        let to = backing.to();
        let library = &backing.library;
        let interest = match source {
            Source::All => Interest::in_all(),
            Source::Stream(stream) => Interest::in_stream(term_of(stream)),
            Source::Query(query) => {
                Interest::in_query(query, |query| Ok(library.index.estimate(query, from..to.max(from))?.items))?
            }
        };
        let options = reading(from, resolve_links);
        Ok(Self {
            cursor: Cursor::open_or_wait(library.clone(), source, &options, to)?,
            interest: Arc::new(interest),
            exclusion: Exclusion::of(source),
            following: None,
            checked_to: from,
        })
    }

    /// Reads at most `most` events. Looks at no more than one step of the source.
    pub(super) fn read(&mut self, backing: &Backing, keys: &Keys, most: usize) -> Result<Portion> {
        if let Some(following) = self.following.take() {
            // What was not announced as a match while it waited need not be looked at.
            self.cursor.pass_to(following.end());
        }
        let to = backing.to();
        let advance = self.cursor.advance(to, Budget { events: most, bytes: limits::BATCH_BYTES })?;
        let (offers, at_end) = match advance {
            Advance::Events(batch) => (self.admitted(backing, &batch, keys)?, false),
            Advance::Nothing => (Vec::new(), false),
            Advance::End => (Vec::new(), true),
        };
        let reached = if at_end { to } else { self.cursor.checked_to() };
        self.checked_to = self.checked_to.max(reached);
        Ok(Portion { offers, considered: self.checked_to, at_end })
    }

    /// Waits at the end of what was read: `waker` is called when there is more. `false` when there is more already.
    ///
    /// # Errors
    /// `Closed` when the store is.
    pub(super) fn wait(&mut self, backing: &Backing, waker: &Waker) -> Result<bool> {
        if let Some(following) = &mut self.following {
            return Ok(following.poll(waker.clone()).is_pending());
        }
        let wait = Wait { interest: Arc::clone(&self.interest), from: self.checked_to, since: None, mark: None };
        self.following = backing.head().follow(wait, waker.clone())?;
        Ok(self.following.is_some())
    }

    fn admitted(&self, backing: &Backing, batch: &Batch, keys: &Keys) -> Result<Vec<Offered>> {
        let mut offers = Vec::with_capacity(batch.len());
        for (place, event) in batch.iter().enumerate() {
            // A link is judged by itself, not by what it points to.
            let (stream, event_type) = match batch.link(place) {
                Some(link) => (link.stream.as_str(), system::LINK),
                None => (event.stream, event.event_type),
            };
            let excluded = match batch.link(place) {
                // What is parked is a link itself: excluded is what lies there, and not what it points to.
                Some(link) if link.position != event.position => {
                    self.exclusion.excludes(backing.library.log.event(link.position)?.view().stream)
                }
                Some(_) | None => self.exclusion.excludes(event.stream),
            };
            if !excluded && keys.wants(stream, event_type)? {
                offers.extend(batch.recorded(place).map(|event| keys.offer(event)));
            }
        }
        Ok(offers)
    }
}

/// The event of `source` at `position`, as a group on it gets it; as its home stream shows it, if the source does not show it any more.
pub(super) fn event_at(
    backing: &Backing,
    source: &Source,
    resolve_links: bool,
    position: Position,
) -> Result<RecordedEvent> {
    let to = backing.to();
    let mut cursor = Cursor::open_or_wait(backing.library.clone(), source, &reading(position, resolve_links), to)?;
    let one = Budget { events: 1, bytes: limits::BATCH_BYTES };
    loop {
        match cursor.advance(to, one)? {
            Advance::Events(batch) => match batch.recorded(0) {
                Some(event) if position_in_source(&event) == position => return Ok(event),
                Some(_) | None => break,
            },
            Advance::Nothing if cursor.checked_to() <= position => {}
            Advance::Nothing | Advance::End => break,
        }
    }
    let stored = backing.library.log.event(position)?;
    let mut alone = crate::log::Batch::default();
    alone.push_event(&stored);
    let recorded = Batch::plain(alone).recorded(0);
    Ok(recorded.expect("a batch of one event has a first one"))
}

/// The place of an event in the source it was read from: that of the link it was reached by, if it was.
pub(super) fn position_in_source(event: &RecordedEvent) -> Position {
    event.link.as_ref().map_or(event.position, |link| link.position)
}

fn reading(from: Position, resolve_links: bool) -> ReadOptions {
    ReadOptions { direction: Direction::Forward, from: From::Position(from), resolve_links, ..ReadOptions::default() }
}

/// Which events of the groups' own streams are kept from a group, so that no group is fed by its own progress, nor two by each other's: all
/// of them, but for streams the source names.
#[derive(Debug)]
enum Exclusion {
    /// The source is one written stream.
    Nothing,
    AllBut(Vec<String>),
}

impl Exclusion {
    fn of(source: &Source) -> Self {
        match source {
            Source::Stream(stream) if !is_virtual(stream) => Self::Nothing,
            Source::Stream(_) | Source::All => Self::AllBut(Vec::new()),
            Source::Query(query) => Self::AllBut(named(query)),
        }
    }

    /// Whether it keeps the events in a stream from the group.
    fn excludes(&self, stream: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::AllBut(named) => documents::belongs_to_groups(stream) && !named.iter().any(|name| name == stream),
        }
    }
}

/// The streams a query names.
fn named(query: &Query) -> Vec<String> {
    let filters = query.items.iter().flat_map(|item| &item.streams);
    let exact = filters.filter_map(|filter| match filter {
        StreamFilter::Exact(name) => Some(name.to_string()),
        StreamFilter::Category(_) | StreamFilter::Prefix(_) | StreamFilter::Pattern(_) => None,
    });
    exact.collect()
}
