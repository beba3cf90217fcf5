//! The front door: a store, seen through its models.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use gesta_store::{
    EventStore,
    clock::{Clock, SystemClock},
    entropy::Entropy,
};

use crate::{
    command::{Decide, Sending},
    error::Result,
    model::{Algebraic, Model},
    state::{Cache, CacheInfo, Get},
    tree::{Fast, Summaries, TreeOptions},
};

/// How a [`Domain`] is opened.
#[derive(Clone, Debug)]
pub struct DomainOptions {
    /// Most bytes of states kept, keys and overhead included. Default: 64 MiB.
    pub cache_bytes: u64,
    /// How long a state that nobody asks for is kept. Default: 10 minutes.
    pub cache_idle: Duration,
    /// How often a decision is made anew when it was overtaken. Default: 10.
    pub attempts: u32,
    /// What ages are measured with.
    pub clock: Arc<dyn Clock>,
    /// Where event ids and correlation ids come from.
    pub entropy: Arc<Entropy>,
}

impl Default for DomainOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            cache_idle: Duration::from_secs(600),
            attempts: 10,
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(Entropy::from_os()),
        }
    }
}

/// A store, seen through its models: [`get`](Domain::get) asks for a state, [`send`](Domain::send) for a decision. Cheap to clone.
#[derive(Clone)]
pub struct Domain {
    inner: Arc<Inner>,
}

struct Inner {
    store: EventStore,
    options: DomainOptions,
    cache: Cache,
    accelerated: RwLock<HashMap<TypeId, Accelerated>>,
}

/// An algebraic model that is answered from summaries, by two names: `get` knows it only as a model.
struct Accelerated {
    /// A `Summaries<M>`.
    summaries: Box<dyn Any + Send + Sync>,
    /// An `Arc<dyn Fast<M>>`.
    fast: Box<dyn Any + Send + Sync>,
}

impl Domain {
    /// The domain in a store.
    #[must_use]
    pub fn new(store: EventStore) -> Self {
        Self::with(store, DomainOptions::default())
    }

    /// The domain in a store, with settings.
    #[must_use]
    pub fn with(store: EventStore, options: DomainOptions) -> Self {
        let cache = Cache::new(options.cache_bytes, options.cache_idle);
        Self { inner: Arc::new(Inner { store, options, cache, accelerated: RwLock::default() }) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.inner.store
    }

    /// Asks for the state of the instance of `M` under `key`: as it is now, unless asked otherwise.
    pub fn get<M: Model>(&self, key: impl Into<M::Key>) -> Get<'_, M> {
        Get::new(self, key.into())
    }

    /// Asks for a decision, and for its events to be recorded if nothing that it stands on has changed meanwhile.
    pub fn send<C: Decide>(&self, command: C) -> Sending<'_, C> {
        Sending::new(self, command, None)
    }

    /// As [`send`](Domain::send), but once for a request key, ever: sent again, it is answered with what was recorded the first time.
    ///
    /// A refusal, and a decision for nothing, record nothing; sent again, such a command is decided anew.
    pub fn send_once<C: Decide>(&self, request: impl Into<String>, command: C) -> Sending<'_, C> {
        Sending::new(self, command, Some(request.into()))
    }

    /// What a command would record now. Records nothing.
    ///
    /// # Errors
    /// As [`send`](Domain::send).
    pub fn would<C: Decide>(&self, command: &C) -> Result<Vec<C::Event>, crate::SendError<C::Refusal>> {
        crate::command::would(self, command)
    }

    /// Has questions about an algebraic model answered from summaries, from now on, and gives access to them. Computes nothing yet.
    ///
    /// # Errors
    /// As a read of the store.
    pub fn accelerate<M: Algebraic>(&self) -> Result<Summaries<M>>
    where
        M::Event: Clone,
    {
        self.accelerate_with(TreeOptions::default())
    }

    /// As [`accelerate`](Domain::accelerate), with settings. The settings of the first call hold.
    ///
    /// # Errors
    /// As a read of the store.
    pub fn accelerate_with<M: Algebraic>(&self, options: TreeOptions) -> Result<Summaries<M>>
    where
        M::Event: Clone,
    {
        let made = Summaries::<M>::new(self.inner.store.clone(), options)?;
        let mut accelerated = self.inner.accelerated.write().unwrap_or_else(PoisonError::into_inner);
        let entry = accelerated.entry(TypeId::of::<M>()).or_insert_with(|| {
            let fast: Arc<dyn Fast<M>> = Arc::new(made.clone());
            Accelerated { summaries: Box::new(made), fast: Box::new(fast) }
        });
        let summaries: Option<&Summaries<M>> = entry.summaries.downcast_ref();
        Ok(summaries.expect("an entry is of the model it is filed under").clone())
    }

    /// The faster way to states of `M`, if there is one.
    pub(crate) fn fast<M: Model>(&self) -> Option<Arc<dyn Fast<M>>> {
        let accelerated = self.inner.accelerated.read().unwrap_or_else(PoisonError::into_inner);
        accelerated.get(&TypeId::of::<M>())?.fast.downcast_ref().cloned()
    }

    /// Facts about the states that are kept.
    #[must_use]
    pub fn cache_info(&self) -> CacheInfo {
        self.inner.cache.info()
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    pub(crate) fn options(&self) -> &DomainOptions {
        &self.inner.options
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("store", &self.inner.store).finish_non_exhaustive()
    }
}
