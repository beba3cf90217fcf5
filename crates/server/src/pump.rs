//! The one adaptor between the store, which is pulled and may wait for a disk, and the runtime, whose threads must not.
//!
//! A [`Pull`] is asked for its next messages on a thread of tokio's blocking pool: reads are memory-mapped, so any of them may be a page
//! fault, and there is no telling beforehand. It is asked only when there is room for what it will bring: the channel holds
//! [`READ_BATCHES_AHEAD`], so HTTP/2's flow control reaches down to the store, a client that does not read costs two batches and no thread,
//! and no more than one job of a call waits for the pool. A call that has nothing to say waits as a task among the followers of the log,
//! woken by what it waits for and nothing else, with neither batch nor thread.
//!
//! [`Follower`] is all the server knows of the store's subscriptions.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use gesta_store::{Batch, Delivery, EventStore, Position, Source, SubscribeOptions, Subscription};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

use crate::{
    fault::Fault,
    limits::{READ_AHEAD_EVENTS, READ_BATCH_EVENTS, READ_BATCH_EVENTS_MIN, READ_BATCHES_AHEAD},
    stopping::Stopping,
};

/// Something that brings messages when it is asked; it may wait for a disk, but not for events.
pub trait Pull: Send + 'static {
    /// What it brings.
    type Message: Send + 'static;

    /// What comes next.
    ///
    /// # Errors
    /// Why there is nothing more to come.
    fn pull(&mut self) -> Result<Pulled<Self::Message>, Fault>;

    /// Waits, after [`Pulled::Wait`], until there may be something. What it meets, the next pull tells.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}

/// What comes next.
#[derive(Debug)]
pub enum Pulled<M> {
    /// These; there may be more.
    Messages(Vec<M>),
    /// Nothing, before it is ready.
    Wait,
    /// Nothing more.
    End,
}

/// The messages of a [`Pull`], for a call to send.
#[derive(Debug)]
pub struct Pumped<M> {
    batches: mpsc::Receiver<Result<Vec<M>, Status>>,
    ahead: vec::IntoIter<M>,
}

impl<M> Pumped<M> {
    /// The messages of whoever sends batches of them.
    pub(crate) fn over(batches: mpsc::Receiver<Result<Vec<M>, Status>>) -> Self {
        Self { batches, ahead: Vec::new().into_iter() }
    }
}

/// Starts to pull. Ends when the call is given up, and when the server stops.
pub fn pump<P: Pull>(pull: P, stopping: Stopping) -> Pumped<P::Message> {
    let (sender, batches) = mpsc::channel(READ_BATCHES_AHEAD);
    tokio::spawn(run(pull, stopping, sender));
    Pumped::over(batches)
}

async fn run<P: Pull>(mut pull: P, mut stopping: Stopping, batches: mpsc::Sender<Result<Vec<P::Message>, Status>>) {
    loop {
        let room = tokio::select! {
            room = batches.reserve() => room,
            () = stopping.told() => return stop(&batches).await,
        };
        let Ok(room) = room else { return };
        let pulled = tokio::task::spawn_blocking(move || {
            let pulled = pull.pull();
            (pull, pulled)
        });
        let Ok((back, pulled)) = pulled.await else {
            return room.send(Err(Status::internal("a read panicked: this is a fault of gesta, please report it")));
        };
        pull = back;
        match pulled {
            Ok(Pulled::Messages(messages)) => room.send(Ok(messages)),
            Ok(Pulled::End) => return,
            Err(fault) => return room.send(Err(fault.into())),
            Ok(Pulled::Wait) => {
                drop(room);
                tokio::select! {
                    () = pull.ready() => {}
                    () = batches.closed() => return,
                    () = stopping.told() => return stop(&batches).await,
                }
            }
        }
    }
}

/// Tells the client, behind what is on its way to it: an end without a word would look as if there were nothing more to come. A client that does not read
/// is cut off with its connection, when the time to end is over.
async fn stop<M>(batches: &mpsc::Sender<Result<Vec<M>, Status>>) {
    let _ = batches.send(Err(Fault::Stopping.into())).await;
}

impl<M: Unpin> Stream for Pumped<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.ahead.next() {
                return Poll::Ready(Some(Ok(message)));
            }
            match self.batches.poll_recv(context) {
                Poll::Ready(Some(Ok(messages))) => self.ahead = messages.into_iter(),
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(Err(status))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Events in one batch of a subscription that is opened now: the more there are, the less each is read ahead, so that those whose clients do not read
/// hold no more together than a bounded amount.
#[must_use]
pub fn batch_events(store: &EventStore) -> usize {
    let share = READ_AHEAD_EVENTS / (store.measures().subscriptions + 1);
    usize::try_from(share).unwrap_or(READ_BATCH_EVENTS).clamp(READ_BATCH_EVENTS_MIN, READ_BATCH_EVENTS)
}

/// A subscription of the store, asked without waiting.
#[derive(Debug)]
pub struct Follower(Subscription);

/// What a subscription comes to next.
#[derive(Debug)]
pub enum Step {
    /// These events.
    Events(Batch),
    /// It has caught up with this head.
    CaughtUp(Position),
    /// It has looked so far without finding anything.
    Looked,
    /// Nothing, before it is ready.
    Idle,
}

impl From<Subscription> for Follower {
    fn from(subscription: Subscription) -> Self {
        Self(subscription)
    }
}

impl Follower {
    /// Follows a source.
    ///
    /// # Errors
    /// As [`EventStore::subscribe`].
    pub fn open(store: &EventStore, source: Source, options: SubscribeOptions) -> Result<Self, Fault> {
        Ok(Self(store.subscribe(source, options)?))
    }

    /// The next step.
    ///
    /// # Errors
    /// As [`Subscription::next`].
    pub fn step(&mut self) -> Result<Step, Fault> {
        Ok(match self.0.next(Some(Duration::ZERO))? {
            Some(Delivery::Events(batch)) => Step::Events(batch),
            Some(Delivery::CaughtUp(head)) => Step::CaughtUp(head),
            // Clients of this protocol are not told that they have fallen behind, only when they have caught up again.
            Some(_) => Step::Looked,
            None => Step::Idle,
        })
    }

    /// Waits until there may be something. What it meets, the next step tells.
    pub async fn ready(&mut self) {
        let _ = self.0.ready().await;
    }

    /// Everything below has been delivered or did not match.
    #[must_use]
    pub fn looked_to(&self) -> Position {
        self.0.checked_to()
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::stopping;

    /// Has always something.
    struct Endless(u64);

    impl Pull for Endless {
        type Message = u64;

        fn pull(&mut self) -> Result<Pulled<u64>, Fault> {
            self.0 += 1;
            Ok(Pulled::Messages(vec![self.0]))
        }

        async fn ready(&mut self) {}
    }

    /// Whoever was slow when the server stopped saw an end like any other, and took it for that of what it read.
    #[tokio::test]
    async fn a_client_with_messages_on_their_way_is_told_that_the_server_stops() {
        let (stop, stopping) = stopping::stop();
        let mut read = pump(Endless(0), stopping);
        assert_eq!(read.next().await.map(Result::ok), Some(Some(1)));
        stop.tell();
        let mut last = None;
        while let Some(next) = read.next().await {
            last = Some(next);
        }
        assert!(last.is_some_and(|last| last.is_err_and(|status| status.code() == tonic::Code::Unavailable)));
    }
}
