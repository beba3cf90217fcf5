//! What states are read with: a store, the states that are kept, and the faster ways there are.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use gesta_store::EventStore;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Cache,
    snapshot::{Keep, Kept, SnapshotOptions, Snapshots},
};
use crate::{
    error::Result,
    model::{Algebraic, Model},
    options::DomainOptions,
    tree::{Fast, Summaries, TreeOptions},
};

/// What states are read with.
#[doc(hidden)]
pub struct Reader {
    pub(crate) store: EventStore,
    pub(crate) options: DomainOptions,
    pub(crate) cache: Cache,
    accelerated: RwLock<HashMap<TypeId, Accelerated>>,
    /// For each model an `Arc<dyn Keep<M>>`.
    kept: RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
}

/// An algebraic model that is answered from summaries, by two names: `get` knows it only as a model.
struct Accelerated {
    /// A `Summaries<M>`.
    summaries: Box<dyn Any + Send + Sync>,
    /// An `Arc<dyn Fast<M>>`.
    fast: Box<dyn Any + Send + Sync>,
}

impl Reader {
    pub(crate) fn new(store: EventStore, options: DomainOptions) -> Self {
        let cache = Cache::new(options.cache_bytes, options.cache_idle);
        Self { store, options, cache, accelerated: RwLock::default(), kept: RwLock::default() }
    }

    /// The summaries of `M`, from now on its faster way; the first settings hold.
    pub(crate) fn accelerate<M: Algebraic<Event: Clone>>(&self, options: TreeOptions) -> Result<Summaries<M>> {
        let made = Summaries::<M>::new(self.store.clone(), options)?;
        let mut accelerated = self.accelerated.write().unwrap_or_else(PoisonError::into_inner);
        let entry = accelerated.entry(TypeId::of::<M>()).or_insert_with(|| {
            let fast: Arc<dyn Fast<M>> = Arc::new(made.clone());
            Accelerated { summaries: Box::new(made), fast: Box::new(fast) }
        });
        let summaries: Option<&Summaries<M>> = entry.summaries.downcast_ref();
        Ok(summaries.expect("an entry is of the model it is filed under").clone())
    }

    /// Has snapshots of `M` kept, from now on.
    pub(crate) fn keep<M: Model + Serialize + DeserializeOwned>(&self, options: SnapshotOptions) -> Snapshots {
        let snapshots = Snapshots::default();
        let kept: Arc<dyn Keep<M>> = Arc::new(Kept::<M>::new(options, snapshots.clone()));
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<M>(), Box::new(kept));
        snapshots
    }

    /// The snapshots of `M`, if they are kept.
    pub(crate) fn kept<M: Model>(&self) -> Option<Arc<dyn Keep<M>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(&TypeId::of::<M>())?.downcast_ref().cloned()
    }

    /// The faster way to states of `M`, if there is one.
    pub(crate) fn fast<M: Model>(&self) -> Option<Arc<dyn Fast<M>>> {
        let accelerated = self.accelerated.read().unwrap_or_else(PoisonError::into_inner);
        accelerated.get(&TypeId::of::<M>())?.fast.downcast_ref().cloned()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("store", &self.store).field("cache", &self.cache).finish_non_exhaustive()
    }
}
