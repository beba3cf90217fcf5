//! When an append may go to the store: not before the store's queue has room for it.
//!
//! `EventStore::commit` hands back a ticket at once, unless its bounded queue is full: then it makes the calling thread wait, and a thread
//! of the runtime must not. So no more appends are let in, over all connections, than that queue takes, by count and by bytes as it counts them; who is over
//! waits here as a task, which costs no thread. A permit is held until the verdict is there, which is longer than the proposal is queued, and
//! no shorter when whoever waits for it gives up.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use gesta_store::{Append, EventStore, Outcome, Ticket};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

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

/// An append on its way.
#[derive(Debug)]
pub struct Admitted {
    placed: Placed,
    /// Who is to have seen it before it is told, if it changes lists or users.
    watcher: Option<Arc<Guard>>,
}

type Permits = [OwnedSemaphorePermit; 2];

/// Room in the store's queue for an append of so many bytes.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    permits: Permits,
}

/// An append that has its place until its verdict is there, whether or not anybody waits for it: a client that gives up takes nothing out of the store's
/// queue.
#[derive(Debug)]
struct Placed(Option<(Ticket, Permits)>);

impl Future for Placed {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let (ticket, _) = self.0.as_mut().expect("nobody asks again for a verdict he has");
        let outcome = ready!(Pin::new(ticket).poll(context));
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some((ticket, permits)) = self.0.take()
            && !ticket.is_answered()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                let _ = ticket.await;
                drop(permits);
            });
        }
    }
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

    /// Hands an append to the store as soon as there is room. The order of calls is the order of proposals for a caller
    /// that awaits one before it begins the next.
    pub async fn admit(&self, append: Append) -> Admitted {
        let room = self.room_for(&append).await;
        self.place(append, room).await
    }

    /// The first half of `admit`, which may be given up: waits until there is room for an append.
    pub(crate) async fn room_for(&self, append: &Append) -> Room {
        let bytes = append.bytes();
        // Never more than there is, so that one that is too large is refused by the store and does not wait for ever.
        let kib = bytes.div_ceil(1 << 10).min(APPEND_KIB_IN_FLIGHT_MAX);
        let kib = u32::try_from(kib).expect("bounded by the queue of the store, which is less than 4 TiB");
        Room { bytes, permits: [take(&self.appends, 1).await, take(&self.kib, kib).await] }
    }

    /// The second half, which must not be given up: what is on its way to its place gets there, and nothing of the same caller may come before it.
    pub(crate) async fn place(&self, append: Append, Room { bytes, permits }: Room) -> Admitted {
        let watcher = self.security.watcher_of(&append);
        let store = self.store.clone();
        let place = move || Placed(Some((store.commit(append), permits)));
        let placed = if bytes < LARGE_BYTES {
            place()
        } else {
            let placed = tokio::task::spawn_blocking(place).await;
            placed.expect("committing does not panic, and its task is not aborted")
        };
        Admitted { placed, watcher }
    }

    /// Takes all the room there is, for a test.
    #[cfg(test)]
    pub(crate) async fn fill(&self) -> impl Drop {
        take(&self.kib, u32::try_from(APPEND_KIB_IN_FLIGHT_MAX).expect("small")).await
    }

    /// Hands an append to the store and waits for the verdict.
    ///
    /// # Errors
    /// The verdict, if it is refused; an error, if it could not be decided or made durable.
    pub async fn commit(&self, append: Append) -> Outcome {
        self.admit(append).await.outcome().await
    }
}

impl Admitted {
    /// The verdict, when what it changed of access lists and users holds for everybody.
    pub async fn outcome(self) -> Outcome {
        let Self { placed, watcher } = self;
        let outcome = placed.await;
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

#[cfg(test)]
mod tests {
    use gesta_store::{EventData, ExpectedRevision, Options};

    use super::*;

    fn append(bytes: usize) -> Append {
        let event = EventData::json("T".try_into().unwrap(), vec![b'7'; bytes]);
        Append::to("s".try_into().unwrap(), ExpectedRevision::Any, [event])
    }

    /// A client that gave its appends up as soon as they were queued, by a time limit of nothing or by ending its calls, could fill the queue of a store whose
    /// disk was slow: each gave its place back while it was still queued. From then on others' appends held the runtime's threads up.
    #[tokio::test]
    async fn an_append_nobody_waits_for_has_its_place_until_it_is_decided() {
        let directory = tempfile::tempdir().unwrap();
        // Without threads: nothing is decided before somebody asks for a verdict.
        let store = EventStore::open_with(directory.path(), Options { threads: false, ..Options::default() }).unwrap();
        let admission = Admission::to(store.clone(), Security::Open);
        let free = || (admission.appends.available_permits(), admission.kib.available_permits());
        let all = free();
        for bytes in [1, LARGE_BYTES] {
            drop(admission.admit(append(bytes)).await);
            assert_eq!(free().0, all.0 - 1, "it is queued still");
            while free() != all {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(store.head().position().0, 2, "both were recorded all the same");
        admission.commit(append(1)).await.unwrap();
        assert_eq!(free(), all);
    }

    /// Names were not counted, which are in each event: of small events in streams with long names four times as much was let in as the queue takes, and
    /// of streams that were only checked any number. The queue made a thread of the runtime wait, and all connections it serves.
    #[tokio::test]
    async fn an_append_has_as_much_room_as_the_queue_counts_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = EventStore::open_with(directory.path(), Options { threads: false, ..Options::default() }).unwrap();
        let admission = Admission::to(store, Security::Open);
        let long = |number: usize| format!("{number:01000}").parse::<gesta_store::StreamName>().unwrap();
        let small = || EventData::json("T".try_into().unwrap(), "1");
        let written = Append::to(long(0), ExpectedRevision::Any, std::iter::repeat_with(small).take(1000));
        let checked = (1..=1000)
            .fold(written.clone(), |append, number| append.stream(long(number), ExpectedRevision::NoStream, []));
        for (append, least) in [(written, 1000 * 1000), (checked, 2 * 1000 * 1000)] {
            let free = admission.kib.available_permits();
            let admitted = admission.admit(append).await;
            assert!((free - admission.kib.available_permits()) << 10 >= least);
            admitted.outcome().await.unwrap();
        }
    }
}
