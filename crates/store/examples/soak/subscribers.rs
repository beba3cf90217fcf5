//! Subscriptions of a soak: fast ones, slow ones, some that stall for a while, and some that die and go on where they noted to be.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use gesta_store::{Delivery, EventStore, From, SubscribeOptions, Subscription};

use crate::scope::{Scope, Tally};

/// How a follower is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    Fast,
    /// Rests after each batch.
    Slow,
    /// Now and then does nothing for some seconds.
    Stalling,
    /// Now and then is gone without a word, and comes back.
    Dying,
    /// Now and then fails, if it can; else it is fast.
    Failing,
}

impl Temper {
    pub(crate) fn of(number: usize) -> Self {
        [Self::Fast, Self::Slow, Self::Dying, Self::Stalling, Self::Failing][number % 5]
    }
}

/// How long the slow ones rest after a batch.
pub(crate) const REST: Duration = Duration::from_millis(2);
/// How long those that stall do nothing.
pub(crate) const STALL: Duration = Duration::from_secs(3);
/// Deliveries between two stalls, or two deaths.
pub(crate) const CALM: u64 = 2000;
/// The end, while it is not known yet.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// Follows until everything below `end` was delivered; what was.
pub(crate) fn follow(store: &EventStore, scope: Scope, temper: Temper, end: &AtomicU64) -> Tally {
    let mut tally = Tally::default();
    let mut saved = (From::Beginning, tally);
    let mut subscription = open(store, scope, From::Beginning);
    for delivery in 1_u64.. {
        if let Some(Delivery::Events(batch)) = subscription.next(Some(Duration::from_millis(200))).unwrap() {
            // What groups write is not the soak's.
            let ours = batch.iter().filter(|event| !event.stream.starts_with('$'));
            ours.for_each(|event| tally.add(event.position.0));
        }
        let end = end.load(Ordering::Relaxed);
        if end != UNKNOWN && subscription.checked_to().0 >= end {
            break;
        }
        if delivery % 10 == 0 {
            saved = (subscription.resume_from(), tally);
        }
        match temper {
            Temper::Slow => thread::sleep(REST),
            Temper::Stalling if delivery % CALM == 0 => thread::sleep(STALL),
            Temper::Dying if delivery % CALM == 7 => {
                tally = saved.1;
                subscription = open(store, scope, saved.0);
            }
            Temper::Fast | Temper::Failing | Temper::Stalling | Temper::Dying => {}
        }
    }
    tally
}

fn open(store: &EventStore, scope: Scope, from: From) -> Subscription {
    let options = SubscribeOptions { batch_events: 256, ..SubscribeOptions::from(from) };
    store.subscribe(scope.source(), options).unwrap()
}
