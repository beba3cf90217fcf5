//! The events of one instance, in order, and its state: what it has taken of them.

use std::collections::{BTreeSet, VecDeque};

use gesta_store::{AsOf, ErrorKind, EventRef, EventStore, From, Position, ReadOptions, Revision, Timestamp};
use uuid::Uuid;

use super::{Effect, Hearing, Process};
use crate::{
    error::{Error, Result, guarded},
    event::{Place, Reading, read},
    model::Unreadable,
    scope::Scope,
};

/// Events read at a time: an instance has few, and its newest one is nearly always the only one to be read.
const READ_AT_ONCE: u64 = 64;

/// The events of an instance that it has not taken yet, and its state.
pub(crate) struct Inbox<P: Process> {
    scope: Scope,
    state: P,
    /// Every event of the scope below is in the state, or ahead.
    read_to: Position,
    ahead: VecDeque<Incoming<P::Event>>,
}

/// An event with its place.
pub(crate) struct Incoming<E> {
    pub(crate) event: E,
    pub(crate) position: Position,
    pub(crate) recorded_at: Timestamp,
    pub(crate) id: Uuid,
    pub(crate) metadata: Vec<u8>,
    revision: Revision,
    stream: Box<str>,
}

/// Why there is no next event: one cannot be read, or the store not be asked.
pub(crate) struct Unread {
    pub(crate) at: Option<Position>,
    pub(crate) error: Error,
}

impl<E> Incoming<E> {
    fn of(event: E, raw: &EventRef<'_>) -> Self {
        Self {
            event,
            position: raw.position,
            recorded_at: raw.recorded_at,
            id: raw.id,
            metadata: raw.metadata.to_vec(),
            revision: raw.revision,
            stream: raw.stream.into(),
        }
    }

    fn place(&self) -> Place<'_> {
        let Self { position, revision, recorded_at, id, ref stream, ref metadata, .. } = *self;
        Place { position, revision, recorded_at, id, stream, metadata }
    }
}

impl<P: Process> Inbox<P> {
    pub(crate) fn new(scope: Scope) -> Self {
        Self { scope, state: P::default(), read_to: Position::START, ahead: VecDeque::new() }
    }

    /// The next event, without taking it; `None` when there is none.
    pub(crate) fn next(
        &mut self,
        store: &EventStore,
        without: &BTreeSet<Position>,
    ) -> Result<Option<&Incoming<P::Event>>, Unread> {
        if self.ahead.is_empty() {
            self.read_on(store, without)?;
        }
        Ok(self.ahead.front())
    }

    fn read_on(&mut self, store: &EventStore, without: &BTreeSet<Position>) -> Result<(), Unread> {
        let head = store.head().position();
        while self.ahead.is_empty() && self.read_to < head {
            let asked = self.read_part(store, without, head);
            if let Err(unread) = asked {
                // What came before it is first.
                return if self.ahead.is_empty() { Err(unread) } else { Ok(()) };
            }
        }
        Ok(())
    }

    fn read_part(&mut self, store: &EventStore, without: &BTreeSet<Position>, head: Position) -> Result<(), Unread> {
        let failed = |error: gesta_store::Error| Unread { at: None, error: error.into() };
        let before = self.read_to.0.checked_sub(1).map(Position);
        if store.first_match(&self.scope.condition(), before).map_err(failed)?.is_none() {
            self.read_to = head;
            return Ok(());
        }
        let options = ReadOptions {
            from: From::Position(self.read_to),
            as_of: head.0.checked_sub(1).map(|last| AsOf::Position(Position(last))),
            limit: Some(READ_AT_ONCE),
            ..ReadOptions::default()
        };
        let mut reading = match store.read(self.scope.source(), options) {
            // Deleted: no events.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.read_to = head;
                return Ok(());
            }
            reading => reading.map_err(failed)?,
        };
        let mut seen = 0;
        while let Some(batch) = reading.next_batch().map_err(failed)? {
            for raw in batch.iter() {
                seen += 1;
                self.take_in(&raw, without)?;
                self.read_to = raw.position.next();
            }
        }
        if seen < READ_AT_ONCE {
            self.read_to = head;
        }
        Ok(())
    }

    fn take_in(&mut self, raw: &EventRef<'_>, without: &BTreeSet<Position>) -> Result<(), Unread> {
        if !self.scope.admits(raw) || without.contains(&raw.position) {
            return Ok(());
        }
        match read::<P::Event>(raw) {
            Ok(Reading::Fact(event)) => self.ahead.push_back(Incoming::of(event, raw)),
            Ok(Reading::Ignored) => {}
            Err(defect) => match P::UNREADABLE {
                Unreadable::Skip => {}
                Unreadable::Fail | Unreadable::Park => {
                    self.read_to = raw.position;
                    return Err(Unread { at: Some(raw.position), error: defect.of(raw, P::name()) });
                }
            },
        }
        Ok(())
    }

    /// Where the next event is, of which [`next`](Inbox::next) has told.
    pub(crate) fn next_position(&self) -> Position {
        self.ahead.front().map_or(self.read_to, |incoming| incoming.position)
    }

    /// Takes the next event into the state. After a panic the state is worth nothing.
    pub(crate) fn apply(&mut self) -> Result<Option<Incoming<P::Event>>> {
        let Some(incoming) = self.ahead.pop_front() else { return Ok(None) };
        let doing = || format!("{}::apply position={}", P::name(), incoming.position);
        guarded(doing, || self.state.apply(&incoming.event, &incoming.place()))?;
        Ok(Some(incoming))
    }

    /// What is to be done at an event that was just taken.
    pub(crate) fn react(&self, instance: &str, incoming: &Incoming<P::Event>) -> Result<Vec<Effect<P>>> {
        let doing = || format!("{}::react position={}", P::name(), incoming.position);
        guarded(doing, || self.state.react(&incoming.event, &Hearing { instance, place: incoming.place() }))
    }
}
