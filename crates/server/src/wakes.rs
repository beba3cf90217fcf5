//! Who waits for the store is woken by the runtime itself: a writer hands over all tasks that a group of appends has answered, and wakes one, which wakes
//! them, instead of waking the runtime for each.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use gesta_store::EventStore;
use tokio::sync::Notify;

/// As long as it lives, tasks that wait for the store are woken by a task of the runtime it was made on.
#[derive(Debug)]
pub(crate) struct Wakes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There are some, or there will be no more.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    woken: Vec<Waker>,
    /// Nobody is there to wake them: whoever has some wakes them himself.
    closed: bool,
}

impl Wakes {
    /// Has those that wait for `store` woken so.
    pub(crate) fn of(store: &EventStore) -> Self {
        let shared = Arc::<Shared>::default();
        tokio::spawn(wake(Waking { shared: Arc::clone(&shared), woken: VecDeque::new() }));
        let wakes = Self(Arc::clone(&shared));
        store.wake_through(move |woken| shared.add(woken));
        wakes
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on whoever has some wakes them himself; those that are there are woken here.
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.woken);
        drop(state);
        self.changed.notify_one();
        left.into_iter().for_each(Waker::wake);
    }

    fn add(&self, mut woken: Vec<Waker>) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            woken.into_iter().for_each(Waker::wake);
            return;
        }
        let told = !state.woken.is_empty();
        state.woken.append(&mut woken);
        drop(state);
        // Whoever was told and has not looked yet finds these too.
        if !told {
            self.changed.notify_one();
        }
    }
}

/// Those that the task is about to wake. When it ends, also with its runtime or because one of them panics, the others are woken, and nobody waits for it any more.
struct Waking {
    shared: Arc<Shared>,
    woken: VecDeque<Waker>,
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.shared.close();
        self.woken.drain(..).for_each(Waker::wake);
    }
}

/// Wakes those that are there, again and again, until there will be no more.
async fn wake(mut waking: Waking) {
    loop {
        waking.shared.changed.notified().await;
        let mut state = waking.shared.lock();
        let (woken, closed) = (std::mem::take(&mut state.woken), state.closed);
        drop(state);
        waking.woken = woken.into();
        while let Some(waker) = waking.woken.pop_front() {
            waker.wake();
        }
        if closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use gesta_store::{EventData, ExpectedRevision};

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Sleeper(AtomicUsize);

    impl Sleeper {
        fn woken(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn sleepers() -> (Vec<Arc<Sleeper>>, Vec<Waker>) {
        let sleepers: Vec<_> = (0..3).map(|_| Arc::<Sleeper>::default()).collect();
        let wakers = sleepers.iter().map(|sleeper| Waker::from(Arc::clone(sleeper))).collect();
        (sleepers, wakers)
    }

    #[tokio::test]
    async fn all_are_woken_by_the_runtime_and_by_whoever_has_some_when_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let wakes = Wakes::of(&EventStore::open(dir.path()).unwrap());
        let shared = Arc::clone(&wakes.0);
        let (sleepers_, wakers) = sleepers();
        shared.add(wakers);
        assert!(sleepers_.iter().all(|sleeper| sleeper.woken() == 0), "not on the thread that had them");
        while sleepers_.iter().any(|sleeper| sleeper.woken() == 0) {
            tokio::task::yield_now().await;
        }
        let (left, wakers) = sleepers();
        shared.add(wakers);
        drop(wakes);
        let (late, wakers) = sleepers();
        shared.add(wakers);
        tokio::task::yield_now().await;
        for sleeper in sleepers_.iter().chain(&left).chain(&late) {
            assert_eq!(sleeper.woken(), 1);
        }
    }

    /// Whoever waited for a task that had ended with its runtime waited for ever.
    #[test]
    fn all_are_woken_although_the_task_that_did_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = EventStore::open(dir.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let wakes = runtime.block_on(async { Wakes::of(&store) });
        let shared = Arc::clone(&wakes.0);
        let (left, wakers) = sleepers();
        shared.add(wakers);
        drop(runtime);
        let (late, wakers) = sleepers();
        shared.add(wakers);
        for sleeper in left.iter().chain(&late) {
            assert_eq!(sleeper.woken(), 1);
        }
        drop(wakes);
    }

    /// The store is there for others when a server of it has ended, with the runtime it ran on.
    #[test]
    fn a_store_answers_when_the_runtime_that_woke_for_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = EventStore::open(dir.path()).unwrap();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let wakes = runtime().block_on(async { Wakes::of(&store) });
        drop(wakes);
        runtime().block_on(async {
            let append = |number: u8| {
                let event = EventData::json("T".try_into().unwrap(), vec![b'7']);
                let stream = format!("s-{number}").as_str().try_into().unwrap();
                let ticket = store.append(stream, ExpectedRevision::Any, [event]);
                tokio::spawn(ticket)
            };
            for ticket in (0..32).map(append).collect::<Vec<_>>() {
                ticket.await.unwrap().unwrap();
            }
        });
    }
}
