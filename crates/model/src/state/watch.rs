//! A state as a sequence of values: as it is, and then whenever something was recorded for it.

use std::{sync::Arc, time::Duration};

use gesta_store::{Delivery, EventRef, From, Position, SubscribeOptions, Subscription};

use super::{Reader, State, get::Get};
use crate::{error::Result, model::Model, scope::Scope};

/// The states of one instance, from now on. Waits by a subscription: it costs nothing while nothing is recorded for its model.
///
/// Several events that were recorded before it was asked again are one change. What hides events of a stream, such as `$maxCount`, is none.
/// As an iterator it waits, and ends with the store.
#[derive(Debug)]
pub struct Watch<M: Model> {
    reader: Arc<Reader>,
    key: M::Key,
    /// Once the first state was given.
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    scope: Scope,
    subscription: Subscription,
    /// The head of the last state that was given.
    told: Position,
}

impl<M: Model> Watch<M> {
    pub(crate) fn new(reader: Arc<Reader>, key: M::Key) -> Self {
        Self { reader, key, following: None }
    }

    /// The next state: the first time at once, then when something was recorded for it. `None` when `timeout` passes before.
    ///
    /// # Errors
    /// As [`Get::wait`](crate::Get::wait); `Closed` when the store closes. Asking again goes on after the event that failed.
    pub fn next_within(&mut self, timeout: Option<Duration>) -> Result<Option<State<M>>> {
        let clock = Arc::clone(&self.reader.options.clock);
        let deadline = timeout.map(|timeout| clock.elapsed().saturating_add(timeout));
        loop {
            let Some(following) = &mut self.following else { return self.first().map(Some) };
            let left = deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
            match following.subscription.next(left)? {
                None => return Ok(None),
                Some(delivery) if following.is_news(&delivery) => return self.latest().map(Some),
                Some(_) => {}
            }
        }
    }

    /// The next state, awaited.
    ///
    /// # Errors
    /// As [`next_within`](Watch::next_within).
    pub async fn changed(&mut self) -> Result<State<M>> {
        loop {
            let Some(following) = &mut self.following else { return self.first() };
            following.subscription.ready().await?;
            let delivery = following.subscription.next(Some(Duration::ZERO))?;
            if delivery.is_some_and(|delivery| following.is_news(&delivery)) {
                return self.latest();
            }
        }
    }

    fn first(&mut self) -> Result<State<M>> {
        let state = Get::<M>::new(&self.reader, self.key.clone()).wait()?;
        let scope = Scope::of::<M>(&self.key)?;
        let options =
            SubscribeOptions { checkpoint_events: None, ..SubscribeOptions::from(From::Position(state.head)) };
        let subscription = self.reader.store.subscribe(scope.source(), options)?;
        self.following = Some(Following { scope, subscription, told: state.head });
        Ok(state)
    }

    fn latest(&mut self) -> Result<State<M>> {
        let state = Get::<M>::new(&self.reader, self.key.clone()).wait()?;
        if let Some(following) = &mut self.following {
            following.told = state.head;
        }
        Ok(state)
    }
}

impl Following {
    /// Whether a delivery holds what the last state did not.
    fn is_news(&self, delivery: &Delivery) -> bool {
        let is_new = |event: &EventRef<'_>| event.position >= self.told && self.scope.admits(event);
        matches!(delivery, Delivery::Events(batch) if batch.iter().any(|event| is_new(&event)))
    }
}

impl<M: Model> Iterator for Watch<M> {
    type Item = Result<State<M>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_within(None) {
            Err(crate::Error::Store(error)) if error.kind() == gesta_store::ErrorKind::Closed => None,
            state => state.transpose(),
        }
    }
}
