//! When an append may go to the store: not before the store's queue has room for it.
//!
//! `EventStore::commit` hands back a ticket at once, unless its bounded queue is full: then it makes the calling thread wait, and a thread
//! of the runtime must not. So no more appends are let in, over all connections, than that queue takes, by count and by bytes; who is over
//! waits here as a task, which costs no thread. A permit is held until the verdict is there, which is longer than the proposal is queued.

use std::sync::Arc;

use gesta_store::{Append, EventStore, Outcome, Ticket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    limits::{APPEND_KIB_IN_FLIGHT_MAX, APPENDS_IN_FLIGHT_MAX},
    security::{Guard, Security},
};

/// Bytes from which on an append is hashed away from the runtime's threads: at 1 GB/s this takes a quarter of a millisecond.
const LARGE_BYTES: usize = 256 << 10;

/// The door of all appends to the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admission {
    store: EventStore,
    security: Security,
    appends: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

/// An append on its way. It holds its place until it is dropped.
#[derive(Debug)]
pub struct Admitted {
    ticket: Ticket,
    /// Who is to have seen it before it is told, if it changes lists or users.
    watcher: Option<Arc<Guard>>,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Admission {
    /// The door to `store`. There must be one for each store only.
    #[must_use]
    pub fn to(store: EventStore, security: Security) -> Self {
        Self {
            store,
            security,
            appends: Arc::new(Semaphore::new(APPENDS_IN_FLIGHT_MAX)),
            kib: Arc::new(Semaphore::new(APPEND_KIB_IN_FLIGHT_MAX)),
        }
    }

    /// Hands an append of about `bytes` to the store as soon as there is room. The order of calls is the order of proposals for a caller
    /// that awaits one before it begins the next.
    pub async fn admit(&self, append: Append, bytes: usize) -> Admitted {
        // Rounded up, so that small ones are counted too; never more than there is, so that a large one is admitted alone.
        let kib = (bytes >> 10).saturating_add(2).min(APPEND_KIB_IN_FLIGHT_MAX);
        let kib = u32::try_from(kib).expect("bounded by the queue of the store, which is less than 4 TiB");
        let watcher = self.security.watcher_of(&append);
        let permits = [take(&self.appends, 1).await, take(&self.kib, kib).await];
        let ticket = if bytes < LARGE_BYTES {
            self.store.commit(append)
        } else {
            let store = self.store.clone();
            let committed = tokio::task::spawn_blocking(move || store.commit(append)).await;
            committed.expect("committing does not panic, and its task is not aborted")
        };
        Admitted { ticket, watcher, _permits: permits }
    }

    /// Hands an append to the store and waits for the verdict.
    ///
    /// # Errors
    /// The verdict, if it is refused; an error, if it could not be decided or made durable.
    pub async fn commit(&self, append: Append, bytes: usize) -> Outcome {
        self.admit(append, bytes).await.outcome().await
    }
}

impl Admitted {
    /// The verdict, when what it changed of access lists and users holds for everybody.
    pub async fn outcome(self) -> Outcome {
        let Self { ticket, watcher, _permits } = self;
        let outcome = ticket.await;
        if let (Some(watcher), Ok(appended)) = (&watcher, &outcome) {
            watcher.seen(appended).await;
        }
        outcome
    }
}

async fn take(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    let taken = Arc::clone(semaphore).acquire_many_owned(permits).await;
    taken.expect("nobody closes the semaphore")
}
