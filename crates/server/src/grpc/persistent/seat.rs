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

use super::connections::Connections;
use crate::{convert::group_info::Peer, fault::Fault, group_fault::GroupFault};

/// See the module's words.
#[derive(Debug)]
pub(super) struct Seat {
    /// Taken when the seat is given up.
    consumer: Option<Consumer>,
    connections: Connections,
}

const SEATED: &str = "a seat has its consumer until it is dropped";

impl Seat {
    /// Connects to a group. Waits.
    ///
    /// # Errors
    /// As [`gesta_store::ConsumerGroups::connect`].
    pub(super) fn take(
        store: &EventStore,
        group: &GroupName,
        options: &ConsumerOptions,
        peer: Peer,
        connections: Connections,
    ) -> Result<Self, Fault> {
        let consumer = store.groups().connect(group, options).map_err(|error| GroupFault::refused(group, error))?;
        connections.enter(group.clone(), consumer.number(), peer);
        Ok(Self { consumer: Some(consumer), connections })
    }

    fn consumer(&self) -> &Consumer {
        self.consumer.as_ref().expect(SEATED)
    }

    /// Whether links are followed.
    pub(super) fn resolves_links(&self) -> bool {
        self.consumer().config().settings.resolve_links
    }

    /// What is there for the client, at most `max`. Waits.
    ///
    /// # Errors
    /// Why there is nothing more to come.
    pub(super) fn next(&self, max: usize) -> Result<Vec<Message>, Fault> {
        self.consumer().try_next(max).map_err(|error| self.refused(error))
    }

    /// The messages were worked off. Those the client does not have any more are passed over: they went to others meanwhile. Waits.
    ///
    /// # Errors
    /// Why the client is no consumer any more.
    pub(super) fn ack(&self, ids: &[MessageId]) -> Result<(), Fault> {
        self.answered(self.consumer().ack(ids))
    }

    /// The messages could not be worked off. Otherwise as `ack`.
    ///
    /// # Errors
    /// As `ack`.
    pub(super) fn nack(&self, ids: &[MessageId], nack: Nack, reason: &str) -> Result<(), Fault> {
        self.answered(self.consumer().nack(ids, nack, reason))
    }

    fn answered(&self, answered: Result<(), GroupError>) -> Result<(), Fault> {
        match answered {
            Ok(()) | Err(GroupError::NotInFlight { .. }) => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused(&self, error: GroupError) -> Fault {
        GroupFault::refused(self.consumer().group(), error)
    }

    /// Has the bell rung when there may be messages.
    pub(super) fn wake_up(&self, bell: &Arc<Bell>) -> WakeUp {
        self.consumer().wake_up(bell.waker())
    }

    /// When the group has something to do though nothing happens.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.consumer().due_in()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        self.connections.leave(consumer.group(), consumer.number());
        // Leaving writes what is settled.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(consumer))),
            Err(_) => drop(consumer),
        }
    }
}

/// Rings for a task that waits for messages; a ring nobody heard yet is kept.
#[derive(Debug, Default)]
pub(super) struct Bell(Notify);

impl Bell {
    /// What rings it.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Waits for a ring.
    pub(super) async fn rung(&self) {
        self.0.notified().await;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
