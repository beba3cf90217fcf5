//! A consumer as a call has it: shared by what brings messages and what takes answers, and given up with the last of them.
//!
//! **Invariant:** the runtime's threads do not wait. Whatever drives the group (taking, answering, leaving) is for threads made for waiting: it may
//! read from disk, or stand in the store's queue.

use std::{
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use gesta_store::{Consumer, ConsumerOptions, EventStore, GroupError, GroupName, Message, MessageId, Nack, WakeUp};
use tokio::{runtime::Handle, sync::Notify};

use super::Connections;
use crate::{
    convert::group_info::Peer,
    fault::Fault,
    security::{Rights, Sight},
};

/// How a group is looked after at the latest when something is due: a clock that is read twice may be a little behind itself.
const DUE_AT_LEAST: Duration = Duration::from_millis(1);

/// Who wants to be a consumer.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) group: GroupName,
    pub(super) options: ConsumerOptions,
    pub(super) peer: Peer,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Taken when the seat is given up.
    consumer: Option<Consumer>,
    connections: Connections,
}

/// Why a consumer gets nothing more.
#[derive(Debug)]
pub(crate) enum Unseated {
    /// The group says so.
    Group(GroupError),
    /// What the consumer may see could not be found out.
    Server(Fault),
}

/// Messages, each with how much of it its consumer may see, which is not nothing.
pub(crate) type Seen = Vec<(Message, Sight)>;

/// Why a message is parked that came to a consumer who may not see it.
const WITHHELD: &str = "only administrators may see it";
const SEATED: &str = "a seat has its consumer until it is dropped";

impl Seat {
    /// Connects to a group. Waits.
    ///
    /// # Errors
    /// As [`gesta_store::ConsumerGroups::connect`].
    pub(super) fn take(store: &EventStore, guest: Guest, connections: Connections) -> Result<Self, GroupError> {
        let Guest { group, options, peer } = guest;
        let consumer = store.groups().connect(&group, &options)?;
        connections.enter(group, consumer.number(), peer);
        Ok(Self { consumer: Some(consumer), connections })
    }

    /// Gives the seat up, and waits until what its consumer had is with the group again.
    pub(crate) fn leave(mut self) {
        drop(self.rise());
    }

    fn rise(&mut self) -> Option<Consumer> {
        let consumer = self.consumer.take()?;
        self.connections.leave(consumer.group(), consumer.number());
        Some(consumer)
    }

    fn consumer(&self) -> &Consumer {
        self.consumer.as_ref().expect(SEATED)
    }

    /// The group.
    pub(crate) fn group(&self) -> &GroupName {
        self.consumer().group()
    }

    /// Whether links are followed.
    pub(crate) fn resolves_links(&self) -> bool {
        self.consumer().config().settings.resolve_links
    }

    /// What is there for the client, at most `max`; `None`: nothing. Of what is not for its eyes nothing is left, and more may be behind it: it is
    /// parked, since it must not be lost to the group, of which others may see it, and who they are, or will be, nobody knows. Waits.
    ///
    /// # Errors
    /// Why there is nothing more to come.
    pub(crate) fn next(&self, max: usize, rights: &Rights) -> Result<Option<Seen>, Unseated> {
        let messages = self.consumer().try_next(max).map_err(Unseated::Group)?;
        if messages.is_empty() {
            return Ok(None);
        }
        let mut seen = Vec::with_capacity(messages.len());
        let mut withheld = Vec::new();
        for message in messages {
            match rights.sight(&message.event).map_err(|refusal| Unseated::Server(refusal.into()))? {
                Sight::Nothing => withheld.push(message.id),
                sight @ (Sight::Whole | Sight::LinkAlone) => seen.push((message, sight)),
            }
        }
        if !withheld.is_empty() {
            let parked = self.consumer().nack(&withheld, Nack::Park, WITHHELD);
            unless_late(parked).map_err(Unseated::Group)?;
        }
        Ok(Some(seen))
    }

    /// The messages were worked off. Waits.
    ///
    /// # Errors
    /// As [`Consumer::ack`].
    pub(crate) fn ack(&self, ids: &[MessageId]) -> Result<(), GroupError> {
        self.consumer().ack(ids)
    }

    /// The messages could not be worked off. Waits.
    ///
    /// # Errors
    /// As [`Consumer::nack`].
    pub(crate) fn nack(&self, ids: &[MessageId], nack: Nack, reason: &str) -> Result<(), GroupError> {
        self.consumer().nack(ids, nack, reason)
    }

    /// Has the bell rung when there may be messages.
    pub(crate) fn wake_up(&self, bell: &Arc<Bell>) -> WakeUp {
        self.consumer().wake_up(bell.waker())
    }

    /// Waits until the group has something to do though nothing happens; for ever, if there is no such time.
    pub(crate) async fn due(&self) {
        match self.consumer().due_in() {
            Some(due) => tokio::time::sleep(due.max(DUE_AT_LEAST)).await,
            None => std::future::pending().await,
        }
    }
}

/// The same, where those the client does not have any more are passed over: they went to others meanwhile.
pub(crate) fn unless_late(answered: Result<(), GroupError>) -> Result<(), GroupError> {
    match answered {
        Err(GroupError::NotInFlight { .. }) => Ok(()),
        other => other,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(consumer) = self.rise() else { return };
        // Leaving writes what is settled.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(consumer))),
            Err(_) => drop(consumer),
        }
    }
}

/// Rings for a task that waits for messages; a ring nobody heard yet is kept.
#[derive(Debug, Default)]
pub(crate) struct Bell(Notify);

impl Bell {
    /// What rings it.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Waits for a ring.
    pub(crate) async fn rung(&self) {
        self.0.notified().await;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
