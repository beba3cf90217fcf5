//! States of models kept for the next question, bounded by bytes and by idle time, whatever models they are of.
//!
//! A cached state is a *slot* with a lock of its own: whoever asks for a state that is being folded waits for that one fold. The cache only decides
//! which slots are kept; a slot that was evicted while somebody uses it is as good as any.

use std::{
    any::{Any, TypeId},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gesta_store::{Position, Revision};

use crate::{
    error::Result,
    key::Key,
    model::Model,
    parked::{PARKED_BYTES, ParkedEvent},
    scope::Scope,
};

/// Bytes an entry costs beside key and state: slot, lock, scope, and the cache's own lists and sketch (measured: about 400 with moka 0.12, and 200
/// for the names of a scope).
const ENTRY_BYTES: usize = 600;

/// What is known of one instance of a model.
pub(crate) struct Slot<M> {
    /// Which events it is made of.
    pub(crate) scope: Arc<Scope>,
    known: Mutex<Option<Known<M>>>,
}

/// A state, and what it stands on.
pub(crate) struct Known<M> {
    pub(crate) state: Arc<M>,
    /// Every event below counts.
    pub(crate) head: Position,
    /// Last revision of the stream, if the scope is one.
    pub(crate) last_revision: Option<Revision>,
    /// Events left out.
    pub(crate) skipped: u64,
    /// Events set aside; `None`: none, as nearly always.
    pub(crate) parked: Option<Arc<Vec<ParkedEvent>>>,
    /// When it was last known to be the latest, by the domain's clock.
    pub(crate) checked_at: Duration,
    /// What it was weighed as.
    pub(crate) bytes: usize,
    /// How long it took to fold what no snapshot has.
    pub(crate) folding: Duration,
}

impl<M: Model> Known<M> {
    /// What it weighs now.
    pub(crate) fn weight(&self) -> usize {
        self.state.bytes() + self.parked.as_ref().map_or(0, |parked| parked.len() * PARKED_BYTES)
    }
}

impl<M> Clone for Known<M> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), parked: self.parked.clone(), ..*self }
    }
}

impl<M> Slot<M> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Known<M>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which instance of which model.
#[derive(Clone, PartialEq, Eq, Hash)]
struct EntryKey {
    model: TypeId,
    key: Box<str>,
}

#[derive(Clone)]
struct Entry {
    slot: Arc<dyn Any + Send + Sync>,
    bytes: u32,
}

/// States of all models of a domain.
pub(crate) struct Cache {
    entries: moka::sync::Cache<EntryKey, Entry, foldhash::fast::RandomState>,
}

/// Facts about a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheInfo {
    /// States held.
    pub states: u64,
    /// What they weigh, in bytes.
    pub bytes: u64,
}

impl Cache {
    pub(crate) fn new(bytes_max: u64, idle: Duration) -> Self {
        let entries = moka::sync::Cache::builder()
            .weigher(|_: &EntryKey, entry: &Entry| entry.bytes)
            .max_capacity(bytes_max)
            .time_to_idle(idle)
            .build_with_hasher(foldhash::fast::RandomState::default());
        Self { entries }
    }

    /// The slot of an instance, empty if it is new.
    pub(crate) fn slot<M: Model>(&self, key: &M::Key) -> Result<Arc<Slot<M>>> {
        let entry_key = entry_key::<M>(key);
        let entry = match self.entries.get(&entry_key) {
            Some(entry) => entry,
            None => {
                let slot = Slot::<M> { scope: Arc::new(Scope::of::<M>(key)?), known: Mutex::new(None) };
                let bytes = weight::<M>(&entry_key.key, None);
                // Whoever comes first; single-flight is the slot's own lock.
                self.entries.get_with(entry_key, || Entry { slot: Arc::new(slot), bytes })
            }
        };
        Ok(entry.slot.downcast().expect("an entry is of the model it is filed under"))
    }

    /// Weighs a slot anew whose state has grown to `bytes`.
    pub(crate) fn weigh<M: Model>(&self, key: &M::Key, slot: &Arc<Slot<M>>, bytes: usize) {
        let entry_key = entry_key::<M>(key);
        let bytes = weight::<M>(&entry_key.key, Some(bytes));
        self.entries.insert(entry_key, Entry { slot: Arc::<Slot<M>>::clone(slot), bytes });
    }

    pub(crate) fn info(&self) -> CacheInfo {
        self.entries.run_pending_tasks();
        CacheInfo { states: self.entries.entry_count(), bytes: self.entries.weighted_size() }
    }
}

fn entry_key<M: Model>(key: &M::Key) -> EntryKey {
    let mut text = String::new();
    for index in 0..M::Key::PARTS {
        // A separator that no part of a name can hold: control characters are refused in stream names and tags.
        if index > 0 {
            text.push('\0');
        }
        key.part(index, &mut text);
    }
    EntryKey { model: TypeId::of::<M>(), key: text.into() }
}

fn weight<M>(key: &str, state_bytes: Option<usize>) -> u32 {
    let state = state_bytes.unwrap_or(0).max(size_of::<M>());
    u32::try_from(ENTRY_BYTES + key.len() + state).unwrap_or(u32::MAX)
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("states", &self.entries.entry_count()).finish_non_exhaustive()
    }
}
