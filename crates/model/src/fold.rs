//! The sequential fold: the reference that every faster way must equal (I7).

use std::ops::ControlFlow;

use gesta_store::{AsOf, Batch, Direction, ErrorKind, EventRef, EventStore, From, Position, ReadOptions, Revision};

use crate::{
    error::{Error, Result, guarded},
    event::{Place, Reading, read},
    model::{Model, Unreadable},
    parked::{PARKED_MAX, ParkedEvent},
    scope::Scope,
};

/// What a fold went over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folded {
    /// Events applied.
    pub(crate) events: u64,
    /// Events that could not be read and were left out.
    pub(crate) skipped: u64,
    /// Those that were set aside.
    pub(crate) parked: Vec<ParkedEvent>,
    /// Revision of the last event of the scope that was met, if the scope is one stream.
    pub(crate) last_revision: Option<Revision>,
    /// Position of the last event of the scope that was met.
    pub(crate) last_position: Option<Position>,
}

/// Which part of a scope is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where it begins.
    pub(crate) from: From,
    /// The head it ends at: only positions below count.
    pub(crate) head: Position,
    /// At most so many events.
    pub(crate) limit: Option<u64>,
}

impl Part {
    /// Everything below `head`.
    pub(crate) fn until(head: Position) -> Self {
        Self { from: From::Beginning, head, limit: None }
    }
}

/// Applies a part of the scope to `state`. After an error the state is worth nothing.
pub(crate) fn fold<M: Model>(store: &EventStore, scope: &Scope, part: Part, state: &mut M) -> Result<Folded> {
    each::<M>(store, scope, part, &mut all(|_, event, place| state.apply(event, place)))
}

/// What a fold is told when somebody has seen enough, or has not.
pub(crate) fn stop_if(enough: bool) -> ControlFlow<()> {
    if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// What sees the events of a fold, until it has seen enough.
pub(crate) type See<'s, E> = &'s mut dyn FnMut(&EventRef<'_>, &E, &Place<'_>) -> ControlFlow<()>;

/// What sees all events of a fold.
pub(crate) fn all<E>(
    mut see: impl FnMut(&EventRef<'_>, &E, &Place<'_>),
) -> impl FnMut(&EventRef<'_>, &E, &Place<'_>) -> ControlFlow<()> {
    move |recorded, event, place| {
        see(recorded, event, place);
        ControlFlow::Continue(())
    }
}

/// Calls `see` for each readable event of a part of the scope, in order, until it says that this is enough: the one way that models' events are read.
pub(crate) fn each<M: Model>(store: &EventStore, scope: &Scope, part: Part, see: See<'_, M::Event>) -> Result<Folded> {
    let mut folded = Folded::default();
    let Some(last) = part.head.0.checked_sub(1).map(Position) else { return Ok(folded) };
    let options =
        ReadOptions { from: part.from, as_of: Some(AsOf::Position(last)), limit: part.limit, ..ReadOptions::default() };
    let mut reading = match store.read(scope.source(), options) {
        // Never written, or deleted: no events.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(folded),
        reading => reading?,
    };
    while let Some(batch) = reading.next_batch()? {
        let mut at = Position::START;
        let seen =
            guarded(|| format!("{}::apply", M::name()), || see_batch::<M>(&batch, scope, see, &mut at, &mut folded))
                .map_err(|panic| with_position(panic, at))??;
        if seen.is_break() {
            break;
        }
    }
    Ok(folded)
}

/// Calls `see` for each readable event of the scope below `head`, newest first, until it says that this is enough.
pub(crate) fn each_backward<M: Model>(
    store: &EventStore,
    scope: &Scope,
    head: Position,
    see: &mut dyn FnMut(&M::Event, &Place<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let Some(last) = head.0.checked_sub(1).map(Position) else { return Ok(()) };
    // Small batches: what makes the rest irrelevant is hoped to be near.
    let options = ReadOptions {
        direction: Direction::Backward,
        as_of: Some(AsOf::Position(last)),
        batch_events: 64,
        ..ReadOptions::default()
    };
    let mut reading = match store.read(scope.source(), options) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        reading => reading?,
    };
    while let Some(batch) = reading.next_batch()? {
        let seen = guarded(
            || format!("{}::lift", M::name()),
            || {
                for event in batch.iter().filter(|event| scope.admits(event)) {
                    match read::<M::Event>(&event) {
                        Ok(Reading::Fact(fact)) => {
                            if see(&fact, &Place::of(&event)).is_break() {
                                return Ok(ControlFlow::Break(()));
                            }
                        }
                        Ok(Reading::Ignored) => {}
                        Err(defect) => match M::UNREADABLE {
                            Unreadable::Fail => return Err(defect.of(&event, M::name())),
                            Unreadable::Skip | Unreadable::Park => {}
                        },
                    }
                }
                Ok(ControlFlow::Continue(()))
            },
        )??;
        if seen.is_break() {
            break;
        }
    }
    Ok(())
}

fn see_batch<M: Model>(
    batch: &Batch,
    scope: &Scope,
    see: See<'_, M::Event>,
    at: &mut Position,
    folded: &mut Folded,
) -> Result<ControlFlow<()>> {
    for event in batch.iter().filter(|event| scope.admits(event)) {
        *at = event.position;
        folded.last_position = Some(event.position);
        folded.last_revision = scope.stream().map(|_| event.revision);
        match read::<M::Event>(&event) {
            Ok(Reading::Fact(fact)) => {
                folded.events += 1;
                if see(&event, &fact, &Place::of(&event)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(Reading::Ignored) => {}
            Err(defect) => match M::UNREADABLE {
                Unreadable::Fail => return Err(defect.of(&event, M::name())),
                Unreadable::Skip => folded.skipped += 1,
                Unreadable::Park => {
                    let reason = defect.of(&event, M::name());
                    if folded.parked.len() >= PARKED_MAX {
                        return Err(reason);
                    }
                    folded.parked.push(ParkedEvent::of(&event, reason));
                }
            },
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn with_position(error: Error, at: Position) -> Error {
    #[allow(clippy::wildcard_enum_match_arm)] // only the one that `guarded` makes is changed
    match error {
        Error::Panicked { doing, message } => Error::Panicked { doing: format!("{doing} position={at}"), message },
        other => other,
    }
}
