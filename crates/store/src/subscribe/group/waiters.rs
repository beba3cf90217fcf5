//! Who waits for something to happen in a group: consumers for messages, callers of `flush` for the state to be written.
//!
//! Its own lock, under which nothing else is done, so that it can be called from anywhere: the writer wakes here, through the
//! [`Wake`] of this type, whatever locks the woken will take.
//!
//! **No wake-up is lost.** Whoever waits comes in first and then looks, under the group's lock, whether there is something for him;
//! whoever changes the group lets go of its lock and then wakes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

use crate::subscribe::group_state::ConsumerId;

/// Everybody who waits. A consumer may wait more than once, on several threads.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    wakers: BTreeMap<Ticket, Waker>,
    next: u64,
}

/// A place among those who wait: whose, and which.
type Ticket = (Option<ConsumerId>, u64);

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes in: a consumer, or anybody else.
    pub(super) fn enter(self: &Arc<Self>, consumer: Option<ConsumerId>, waker: Waker) -> Place {
        let mut waiting = self.lock();
        let ticket = (consumer, waiting.next);
        waiting.next += 1;
        waiting.wakers.insert(ticket, waker);
        drop(waiting);
        Place { waiters: Arc::clone(self), ticket }
    }

    /// Wakes these consumers, as far as they wait.
    pub(super) fn wake(&self, consumers: &[ConsumerId]) {
        if consumers.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        let mut woken = Vec::new();
        for consumer in consumers {
            let places = (Some(*consumer), 0)..=(Some(*consumer), u64::MAX);
            woken.extend(waiting.wakers.extract_if(places, |_, _| true).map(|(_, waker)| waker));
        }
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        let woken = std::mem::take(&mut self.lock().wakers);
        woken.into_values().for_each(Waker::wake);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

/// A place among those who wait. Dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Place {
    waiters: Arc<Waiters>,
    ticket: Ticket,
}

impl Place {
    /// Waits on, or again, with this waker.
    pub(super) fn renew(&self, waker: Waker) {
        let before = self.waiters.lock().wakers.insert(self.ticket, waker);
        drop(before); // with no lock held: what dropping a waker does is not ours
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waker = self.waiters.lock().wakers.remove(&self.ticket);
        drop(waker); // as in `renew`
    }
}
