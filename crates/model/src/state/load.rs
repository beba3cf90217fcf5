//! Loading a state: from the cache, by summaries, by folding.

use std::{sync::Arc, time::Duration};

use gesta_store::{AsOf, Direction, ErrorKind, EventStore, From, Position, ReadOptions, Revision, StreamName};

use super::{
    Base, Reader, State,
    cache::{Known, Slot},
};
use crate::{
    error::{Error, Result},
    fold::{Folded, Part, fold},
    model::Model,
    parked::PARKED_MAX,
    scope::Scope,
};

/// A state and how it came about.
pub(crate) struct Loaded<M> {
    pub(crate) known: Known<M>,
    pub(crate) base: Base,
    pub(crate) events: u64,
    /// Whether it is not what was known before.
    changed: bool,
}

/// At which head a decision wants its states.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum AtHead {
    /// At this one, by the cache, unless that is further.
    Cached(Position),
    /// At this one, whatever is cached.
    AsOf(Position),
}

/// The state at exactly a head; `None` if the cache is further and was to be used.
pub(crate) fn load_exactly<M: Model>(
    reader: &Reader,
    key: &M::Key,
    head: AtHead,
) -> Result<Option<(State<M>, Arc<Scope>)>> {
    let slot = reader.cache.slot::<M>(key)?;
    let loaded = match head {
        AtHead::Cached(head) => {
            let mut known = slot.lock();
            if known.as_ref().is_some_and(|known| known.head > head) {
                return Ok(None);
            }
            advance(reader, key, head, &slot, &mut known)?
        }
        AtHead::AsOf(head) => load_as_of(reader, key, &slot, head)?,
    };
    Ok(Some((State::of(loaded.known), Arc::clone(&slot.scope))))
}

/// The state at `head` or later, whichever the cache has.
pub(crate) fn load_latest<M: Model>(
    reader: &Reader,
    key: &M::Key,
    slot: &Arc<Slot<M>>,
    head: Position,
) -> Result<Loaded<M>> {
    let mut known = slot.lock();
    if let Some(known) = known.as_ref().filter(|known| known.head > head) {
        return Ok(Loaded::cached(known.clone()));
    }
    advance(reader, key, head, slot, &mut known)
}

/// Brings a slot to `head`. Whoever else wants it waits for its lock meanwhile, and finds it done.
fn advance<M: Model>(
    reader: &Reader,
    key: &M::Key,
    head: Position,
    slot: &Arc<Slot<M>>,
    held: &mut Option<Known<M>>,
) -> Result<Loaded<M>> {
    let (store, scope) = (&reader.store, &*slot.scope);
    let checked_at = reader.options.clock.elapsed();
    // If it fails, or code of the application panics, nothing half done stays.
    let before = held.take();
    let weighed = before.as_ref().map(|known| known.bytes);
    let mut loaded = match before.map(|known| onto(store, scope, known, head)).transpose()?.flatten() {
        Some(loaded) => loaded,
        None if scope.is_steady(store)? => from_far(reader, key, scope, head)?,
        None => {
            let mut loaded = from_nothing::<M>(store, scope, head)?;
            loaded.known.checked_at = checked_at;
            return Ok(loaded); // not kept
        }
    };
    loaded.known.checked_at = checked_at;
    if loaded.events > 0 {
        loaded.known.folding += reader.options.clock.elapsed().saturating_sub(checked_at);
        if let Some(kept) = reader.kept::<M>() {
            kept.save(store, scope, &mut loaded.known);
        }
    }
    if loaded.changed || !matches!(loaded.base, Base::Cached(_)) {
        loaded.known.bytes = loaded.known.weight();
    }
    *held = Some(loaded.known.clone());
    if weighed != Some(loaded.known.bytes) {
        reader.cache.weigh::<M>(key, slot, loaded.known.bytes);
    }
    Ok(loaded)
}

/// What was recorded since something was known of a scope.
enum News {
    Nothing,
    Events,
    /// Something that may have changed what its readers see of all its events.
    Visibility,
}

/// Whether anything was recorded since that could change what is known. The hot path: two look-ups in memory for a stream, and no event read.
fn news<M>(store: &EventStore, scope: &Scope, known: &Known<M>, head: Position) -> Result<News> {
    if known.head == head {
        return Ok(News::Nothing);
    }
    let is_written = |stream: &StreamName| store.is_written_since(stream, known.head);
    let has_events = match scope.stream() {
        Some(_) if scope.metadata_stream().is_some_and(|stream| is_written(stream).unwrap_or(true)) => {
            return Ok(News::Visibility);
        }
        Some(stream) => is_written(stream)?,
        None => {
            let seen = known.head.0.checked_sub(1).map(Position);
            store.first_match(&scope.condition(), seen)?.is_some()
        }
    };
    Ok(if has_events { News::Events } else { News::Nothing })
}

/// Folds what came after a known state, which was steady then, onto it. `None`: the scope may not be steady any more.
fn onto<M: Model>(store: &EventStore, scope: &Scope, mut known: Known<M>, head: Position) -> Result<Option<Loaded<M>>> {
    let base = Base::Cached(known.head);
    match news(store, scope, &known, head)? {
        News::Visibility => return Ok(None),
        News::Nothing => {
            known.head = head;
            return Ok(Some(Loaded { known, base, events: 0, changed: false }));
        }
        News::Events => {}
    }
    let from = match (scope.stream(), known.last_revision) {
        (Some(_), Some(last)) => From::Revision(last.next()),
        (Some(_), None) => From::Beginning,
        (None, _) => From::Position(known.head),
    };
    // Shared with readers it is copied, else changed in place.
    let folded = fold(store, scope, Part { from, head, limit: None }, Arc::make_mut(&mut known.state))?;
    if scope.stream().is_some() && folded.last_revision.is_none() {
        // There is something, but nothing to be seen of it below `head`: it was ended, perhaps.
        return Ok(None);
    }
    Loaded::of(known, base, folded, head).map(Some)
}

impl<M> Loaded<M> {
    /// What a fold has made of what was known.
    fn of(known: Known<M>, base: Base, folded: Folded, head: Position) -> Result<Self> {
        let Folded { events, skipped, parked, last_revision, .. } = folded;
        let changed = events > 0 || !parked.is_empty();
        let parked = match known.parked {
            before if parked.is_empty() => before,
            None => Some(Arc::new(parked)),
            Some(before) => Some(Arc::new(before.iter().cloned().chain(parked).collect())),
        };
        if let Some(one_more) = parked.as_ref().and_then(|parked| parked.get(PARKED_MAX)) {
            return Err(one_more.reason.clone());
        }
        let last_revision = last_revision.or(known.last_revision);
        let known = Known { head, last_revision, skipped: known.skipped + skipped, parked, ..known };
        Ok(Self { known, base, events, changed })
    }

    /// What is known already.
    pub(super) fn cached(known: Known<M>) -> Self {
        Self { base: Base::Cached(known.head), known, events: 0, changed: false }
    }
}

fn nothing<M: Model>() -> Known<M> {
    Known {
        state: Arc::new(M::default()),
        head: Position::START,
        last_revision: None,
        skipped: 0,
        parked: None,
        checked_at: Duration::ZERO,
        bytes: 0,
        folding: Duration::ZERO,
    }
}

/// Folds everything below `head`: the reference.
fn from_nothing<M: Model>(store: &EventStore, scope: &Scope, head: Position) -> Result<Loaded<M>> {
    let mut known = nothing::<M>();
    let folded = fold(store, scope, Part::until(head), Arc::make_mut(&mut known.state))?;
    Loaded::of(known, Base::Nothing, folded, head)
}

/// From the nearest base that is not in memory: summaries, a snapshot, or nothing.
fn from_far<M: Model>(reader: &Reader, key: &M::Key, scope: &Scope, head: Position) -> Result<Loaded<M>> {
    if reader.fast::<M>().is_none()
        && let Some(kept) = reader.kept::<M>()
        && let Some(known) = kept.load(&reader.store, scope, head)
    {
        if kept.is_audited(&reader.store, scope, &known, &reader.options.entropy) {
            let folded = from_nothing::<M>(&reader.store, scope, known.head);
            let fold = folded.as_ref().map(|loaded| &*loaded.known.state).map_err(Clone::clone);
            if !kept.is_the_fold(&known, fold) {
                return from_nothing(&reader.store, scope, head);
            }
        }
        let base = Base::Snapshot(known.head);
        if let Some(loaded) = onto(&reader.store, scope, known, head)? {
            return Ok(Loaded { base, ..loaded });
        }
    }
    from_summaries(reader, key, scope, head)
}

/// By summaries, if the model has them and they are worth it; else from nothing.
fn from_summaries<M: Model>(reader: &Reader, key: &M::Key, scope: &Scope, head: Position) -> Result<Loaded<M>> {
    let Some(fast) = reader.fast::<M>() else { return from_nothing(&reader.store, scope, head) };
    match fast.state(key, scope, head)? {
        None => from_nothing(&reader.store, scope, head),
        Some(answer) => {
            let known = Known { state: Arc::new(answer.state), ..nothing() };
            let base = Base::Summaries(answer.nodes);
            Loaded::of(known, base, answer.tail, head)
        }
    }
}

/// The state at `head`, which may be long past: from a cached state that is not later, else by summaries, else from nothing. Keeps nothing.
pub(crate) fn load_as_of<M: Model>(reader: &Reader, key: &M::Key, slot: &Slot<M>, head: Position) -> Result<Loaded<M>> {
    let (store, scope) = (&reader.store, &*slot.scope);
    // Copied, so that the lock is not held over the fold.
    let known = slot.lock().clone().filter(|known| known.head <= head);
    if let Some(loaded) = known.map(|known| onto(store, scope, known, head)).transpose()?.flatten() {
        return Ok(loaded);
    }
    if scope.is_steady(store)? { from_far(reader, key, scope, head) } else { from_nothing(store, scope, head) }
}

/// The head there was when `revision` was the last of the only stream, if that can be read.
pub(super) fn head_at_revision<M: Model>(
    store: &EventStore,
    scope: &Scope,
    revision: Revision,
    head: Position,
) -> Result<Position> {
    let model = M::name();
    let Some(stream) = scope.stream() else {
        return Err(Error::Unanswerable(format!("only a model of one stream has revisions, model={model}")));
    };
    let found = one_event(store, stream, head, Direction::Forward, From::Revision(revision))?;
    if let Some((_, position)) = found.filter(|(found, _)| *found == revision) {
        return Ok(position.next());
    }
    let last = one_event(store, stream, head, Direction::Backward, From::Beginning)?;
    let last = last.map_or_else(|| "none".to_owned(), |(last, _)| last.to_string());
    Err(Error::Unanswerable(format!("revision cannot be read, model={model} revision={revision} last={last}")))
}

/// The first event of a stream below `head`, from somewhere in some direction.
fn one_event(
    store: &EventStore,
    stream: &StreamName,
    head: Position,
    direction: Direction,
    from: From,
) -> Result<Option<(Revision, Position)>> {
    let Some(last) = head.0.checked_sub(1).map(Position) else { return Ok(None) };
    let as_of = Some(AsOf::Position(last));
    let options = ReadOptions { direction, from, as_of, limit: Some(1), ..ReadOptions::default() };
    match store.read_stream(stream.clone(), options) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => Ok(read?.next().transpose()?.map(|event| (event.revision, event.position))),
    }
}
