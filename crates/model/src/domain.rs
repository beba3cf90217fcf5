//! The front door: a store, seen through its models.

use std::{fmt, sync::Arc, time::Duration};

use gesta_store::EventStore;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    command::{self, Decide, SendError, Sending},
    error::Result,
    event::Event,
    laws::Laws,
    middleware::Receipt,
    model::{Algebraic, Model},
    options::DomainOptions,
    parked::ParkedEvent,
    process::{self, Instances, Process, Rests, Setup},
    state::{self, CacheInfo, Get, History, Reader, SnapshotOptions, Snapshots, Watch},
    tree::{LawReport, Summaries, TreeOptions, check_all_recorded, check_recorded},
};

/// A store, seen through its models: [`get`](Domain::get) asks for a state, [`send`](Domain::send) for a decision. Cheap to clone.
#[derive(Clone)]
pub struct Domain {
    reader: Arc<Reader>,
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
        Self { reader: Arc::new(Reader::new(store, options)) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.reader.store
    }

    /// Asks for the state of the instance of `M` under `key`: as it is now, unless asked otherwise.
    pub fn get<M: Model>(&self, key: impl Into<M::Key>) -> Get<'_, M> {
        Get::new(&self.reader, key.into())
    }

    /// Follows the state of the instance of `M` under `key`: as it is now, and then whenever something was recorded for it.
    pub fn watch<M: Model>(&self, key: impl Into<M::Key>) -> Watch<M> {
        Watch::new(Arc::clone(&self.reader), key.into())
    }

    /// Asks how the state of the instance of `M` under `key` came about: the state after each of its events.
    pub fn history<M: Model>(&self, key: impl Into<M::Key>) -> History<'_, M> {
        History::new(&self.reader, key.into())
    }

    /// Has snapshots of the states of `M` kept, from now on, whenever folding again would cost more than reading one.
    pub fn keep_snapshots<M: Model + Serialize + DeserializeOwned>(&self, options: SnapshotOptions) -> Snapshots {
        self.reader.keep::<M>(options)
    }

    /// Asks for a decision, and for its events to be recorded if nothing that it stands on has changed meanwhile.
    pub fn send<C: Decide>(&self, command: C) -> Sending<'_, C> {
        Sending::new(&self.reader, command, None)
    }

    /// As [`send`](Domain::send), but once for a request key, ever: sent again, it is answered with what was recorded the first time. The same key with
    /// another command, or with one that asks for something else, is an error: `RequestReused`, `RequestChanged`.
    ///
    /// A refusal, and a decision for nothing, record nothing; sent again, such a command is decided anew.
    pub fn send_once<C: Decide>(&self, request: impl Into<String>, command: C) -> Sending<'_, C> {
        Sending::new(&self.reader, command, Some(request.into()))
    }

    /// Records events without a decision: what came from outside and cannot be refused. All or none.
    ///
    /// # Errors
    /// `Unrecordable`; `Rejected` when a stream was ended for ever; what the store may fail with.
    pub fn record<E: Event>(&self, events: impl IntoIterator<Item = E>) -> Result<Receipt> {
        command::record(&self.reader, events)
    }

    /// What a command would record now. Records nothing.
    ///
    /// # Errors
    /// As [`send`](Domain::send).
    pub fn would<C: Decide>(&self, command: &C) -> Result<Vec<C::Event>, SendError<C::Refusal>> {
        command::would(&self.reader, command)
    }

    /// A process, to be started.
    pub fn process<P: Process>(&self) -> Setup<P> {
        Setup::new(Arc::clone(&self.reader))
    }

    /// The instances of a process, running or not.
    ///
    /// # Errors
    /// `Unanswerable` for a process whose name names no stream.
    pub fn instances<P: Process>(&self) -> Result<Instances<P>> {
        Instances::new(Arc::clone(&self.reader))
    }

    /// Waits until everything that follows the log on threads of its own, such as handlers, processes and projectors, has nothing left to do, for as long as
    /// nobody else records something; `false`: not in time. What waits for its time is at rest; what waits to be tried again is not.
    ///
    /// # Errors
    /// `Unanswerable` if one has stopped; what the store may fail with.
    pub fn settle(&self, all: &[&dyn Rests], timeout: Option<Duration>) -> Result<bool> {
        process::settle(self.store(), all, timeout)
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
        self.reader.accelerate(options)
    }

    /// Tries laws on the events of one instance that are recorded now: generators do not make what a log holds.
    ///
    /// # Errors
    /// As a read of its state. A law that does not hold is in the report, not an error.
    pub fn check_laws<M: Algebraic>(&self, laws: &Laws<M>, key: impl Into<M::Key>) -> Result<LawReport>
    where
        M::Event: Clone,
    {
        let store = self.store();
        check_recorded(store, laws, &key.into(), store.head().position())
    }

    /// As [`check_laws`](Domain::check_laws), on the events of every instance: each instance's own, together, in one pass over the log.
    ///
    /// # Errors
    /// As a read of a state; `Unanswerable` for a model whose instances each have a query of their own.
    pub fn check_laws_of_all<M: Algebraic>(&self, laws: &Laws<M>) -> Result<LawReport>
    where
        M::Event: Clone,
    {
        let store = self.store();
        check_all_recorded(store, laws, store.head().position())
    }

    /// The events on the path of `M` that this program cannot read, whatever `M` does with them: the first thousand, in order. Reads every event
    /// on the path.
    ///
    /// # Errors
    /// `Unanswerable` for a model whose instances each have a query of their own; as a read of the store.
    pub fn unreadable<M: Model>(&self) -> Result<Vec<ParkedEvent>> {
        state::unreadable::<M>(self.store())
    }

    /// Facts about the states that are kept.
    #[must_use]
    pub fn cache_info(&self) -> CacheInfo {
        self.reader.cache.info()
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("store", &self.reader.store).finish_non_exhaustive()
    }
}
