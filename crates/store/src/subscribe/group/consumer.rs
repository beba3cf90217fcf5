//! One of those who share the messages of a group.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    catalog::GroupConfig,
    guarded::Purpose,
    live::{Driven, LiveGroup, Patience},
    message::Message,
    waiters::Place,
};
use crate::{
    limits,
    order::Parker,
    subscribe::{GroupError, GroupName, MessageId, Nack, group_settings::setting, group_state::ConsumerId},
};

/// How a consumer takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// What it is called, in [`GroupInfo`](super::GroupInfo) and with messages that are parked on its account.
    pub name: String,
    /// Most messages it may have at once: those it has taken and not answered, and those that lie ready for it. At least as many as it takes at a time,
    /// and twice as many if it is not to wait for the next while it acks the last; every one of them is kept from others.
    pub slots: usize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self { name: String::new(), slots: 10 }
    }
}

impl ConsumerOptions {
    pub(super) fn check(&self) -> Result<(), GroupError> {
        let max = limits::GROUP_SLOTS_MAX;
        if !(1..=max).contains(&self.slots) {
            return Err(setting("slots", self.slots, format!("1..={max}")));
        }
        let (bytes, max) = (self.name.len(), limits::GROUP_NAME_BYTES_MAX);
        if bytes > max {
            return Err(setting("name", format!("{bytes} bytes"), format!("at most {max} bytes")));
        }
        Ok(())
    }
}

/// A consumer of a group. Dropping it gives what it has not answered to others, at once.
///
/// All methods take `&self`: messages may be taken on one thread, or in one task, and answered in others.
#[derive(Debug)]
pub struct Consumer {
    group: Arc<LiveGroup>,
    id: ConsumerId,
}

impl Consumer {
    pub(super) fn connect(group: Arc<LiveGroup>, options: &ConsumerOptions) -> Result<Self, GroupError> {
        let id = group.connect(&options.name, options.slots)?;
        Ok(Self { group, id })
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        self.group.name()
    }

    /// What the group was when the consumer connected, which is what it is as long as he is connected.
    #[must_use]
    pub fn config(&self) -> &GroupConfig {
        self.group.config()
    }

    /// By which it is known among the consumers of the group: see [`ConsumerInfo`](super::ConsumerInfo). Never given twice until the group is
    /// loaded again.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.id.0
    }

    /// The next messages, at most `max`; waits for one at most `timeout` (for ever, if `None`). Empty when the time is over.
    ///
    /// While it waits, it also does for the group what falls due.
    ///
    /// # Errors
    /// `Dropped` when the group was changed, reset or deleted, or the consumer stopped itself: connect again. `Store` when the store was closed
    /// or takes no appends any more, or when the source cannot be read.
    pub fn next(&self, max: usize, timeout: Option<Duration>) -> Result<Vec<Message>, GroupError> {
        let ready = self.group.take(self.id, max)?;
        if !ready.is_empty() || max == 0 {
            return Ok(ready);
        }
        let deadline = timeout.map(|timeout| self.group.now().saturating_add(timeout));
        let (parker, waker) = Parker::new();
        let place = self.group.wait(Some(self.id), waker.clone());
        loop {
            // In before it looks: what happens after that wakes it.
            place.renew(waker.clone());
            self.group.drive(Purpose::Deliver(self.id), Patience::Until(deadline))?;
            let ready = self.group.take(self.id, max)?;
            let now = self.group.now();
            if !ready.is_empty() || deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(ready);
            }
            let due = self.group.next_look();
            let until = deadline.into_iter().chain(due).min();
            let woken = parker.park(until.map(|until| until.saturating_sub(now)));
            // A clock that stands still passes no deadline: the time that was waited has to do.
            if !woken && until == deadline && until.is_some() {
                return self.group.take(self.id, max);
            }
        }
    }

    /// The messages that are ready, at most `max`, without waiting; reads on a little, and does what is due.
    ///
    /// # Errors
    /// As [`Consumer::next`].
    pub fn try_next(&self, max: usize) -> Result<Vec<Message>, GroupError> {
        self.look_for(max).map(|(ready, _)| ready)
    }

    /// As `try_next`; and whether there was nothing more to be done for the group.
    pub(in crate::subscribe) fn look_for(&self, max: usize) -> Result<(Vec<Message>, Driven), GroupError> {
        let ready = self.group.take(self.id, max)?;
        if !ready.is_empty() {
            return Ok((ready, Driven::OutOfPatience));
        }
        let driven = self.group.drive(Purpose::Deliver(self.id), Patience::A_POLL)?;
        Ok((self.group.take(self.id, max)?, driven))
    }

    /// Waits until [`Consumer::try_next`] has something to give. Dropping the future ends the wait.
    ///
    /// It is not woken by time: a caller has to ask again after [`Consumer::due_in`].
    ///
    /// # Errors
    /// As [`Consumer::next`].
    pub fn ready(&self) -> MessagesReady<'_> {
        MessagesReady { consumer: self, place: None }
    }

    /// Has `waker` called, once, when [`Consumer::try_next`] may have something to give: for callers who must not look for messages on the
    /// thread that is woken, as polling [`Consumer::ready`] does. Nothing is missed by whoever comes in, looks, and then waits.
    #[must_use]
    pub fn wake_up(&self, waker: Waker) -> WakeUp {
        WakeUp(self.group.wait(Some(self.id), waker))
    }

    /// How long until whoever waits has to look for messages again though nothing woke him: until [`Consumer::next_deadline`], or for as long as
    /// a message that another consumer takes meanwhile may be kept.
    #[must_use]
    pub fn due_in(&self) -> Option<Duration> {
        self.group.next_look().map(|due| due.saturating_sub(self.group.now()))
    }

    /// When there will be something to do for the group though nothing happens, by [`Clock::elapsed`](crate::clock::Clock::elapsed): a message's time is over,
    /// a retry or a write of progress falls due. Who waits in [`Consumer::next`] sees to it himself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.group.next_deadline()
    }

    /// Changes how many messages the consumer may have at once.
    ///
    /// # Errors
    /// `Setting` out of bounds; `Dropped`.
    pub fn set_slots(&self, slots: usize) -> Result<(), GroupError> {
        ConsumerOptions { slots, ..ConsumerOptions::default() }.check()?;
        self.group.set_slots(self.id, slots)
    }

    /// These messages have been worked off. Does not wait for that to be durable: see [`ConsumerGroups::flush`](super::ConsumerGroups::flush).
    ///
    /// # Errors
    /// `NotInFlight` with those the consumer does not have; the others are settled. `Dropped`, `Store` as [`Consumer::next`].
    pub fn ack(&self, ids: &[MessageId]) -> Result<(), GroupError> {
        self.group.ack(self.id, ids)
    }

    /// These messages could not be worked off, for this reason.
    ///
    /// # Errors
    /// As [`Consumer::ack`].
    pub fn nack(&self, ids: &[MessageId], nack: Nack, reason: &str) -> Result<(), GroupError> {
        self.group.nack(self.id, ids, nack, reason)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.group.disconnect(self.id);
    }
}

/// A waker that is called when there may be messages: see [`Consumer::wake_up`]. Dropping it ends that.
#[derive(Debug)]
pub struct WakeUp(Place);

impl WakeUp {
    /// Has this waker called the next time.
    pub fn renew(&self, waker: Waker) {
        self.0.renew(waker);
    }
}

/// Waits until there are messages: see [`Consumer::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct MessagesReady<'c> {
    consumer: &'c Consumer,
    place: Option<Place>,
}

impl Future for MessagesReady<'_> {
    type Output = Result<(), GroupError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Consumer { group, id } = self.consumer;
        let waker = context.waker();
        // In before it looks, as `next` does.
        match &self.place {
            Some(place) => place.renew(waker.clone()),
            None => self.place = Some(group.wait(Some(*id), waker.clone())),
        }
        let driven = group.drive(Purpose::Deliver(*id), Patience::A_POLL)?;
        if group.has_deliveries(*id)? {
            return Poll::Ready(Ok(()));
        }
        if driven == Driven::OutOfPatience {
            waker.wake_by_ref();
        }
        Poll::Pending
    }
}
