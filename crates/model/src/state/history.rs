//! How a state came about: the state after each of its events.

use std::ops::ControlFlow;

use gesta_store::EventRef;

use super::{
    Moment, Reader,
    get::{head_after, head_at},
    load::head_at_revision,
};
use crate::{
    error::Result,
    fold::{Part, each},
    model::Model,
    scope::Scope,
};

/// A question for how a state came about: see [`Domain::history`](crate::Domain::history).
#[must_use = "a history is told by `.each(…)` or `.try_each(…)`"]
#[derive(Debug)]
pub struct History<'d, M: Model> {
    reader: &'d Reader,
    key: M::Key,
    until: Option<Moment>,
    limit: Option<u64>,
}

impl<'d, M: Model> History<'d, M> {
    pub(crate) fn new(reader: &'d Reader, key: M::Key) -> Self {
        Self { reader, key, until: None, limit: None }
    }

    /// Up to a position, a time or a revision.
    pub fn until(mut self, moment: impl Into<Moment>) -> Self {
        self.until = Some(moment.into());
        self
    }

    /// Of the first so many events on the path.
    pub fn limit(mut self, events: u64) -> Self {
        self.limit = Some(events);
        self
    }

    /// Calls `see` with each event, in order, and the state after it. Events that were passed over because they cannot be read are not told.
    ///
    /// # Errors
    /// As [`Get::wait`](crate::Get::wait).
    pub fn each(self, mut see: impl FnMut(&EventRef<'_>, &M)) -> Result<()> {
        let all = self.try_each(|recorded, state| {
            see(recorded, state);
            ControlFlow::<()>::Continue(())
        });
        all.map(|_| ())
    }

    /// As [`each`](History::each), until `see` breaks off: what it breaks off with is what this gives. Nothing is read after that.
    ///
    /// # Errors
    /// As [`Get::wait`](crate::Get::wait).
    pub fn try_each<B>(self, mut see: impl FnMut(&EventRef<'_>, &M) -> ControlFlow<B>) -> Result<ControlFlow<B>> {
        let store = &self.reader.store;
        let scope = Scope::of::<M>(&self.key)?;
        let now = store.head().position();
        let head = match self.until {
            None => now,
            Some(Moment::Position(last)) => head_after(last, now)?,
            Some(Moment::Time(time)) => head_at(self.reader, time)?,
            Some(Moment::Revision(last)) => head_at_revision::<M>(store, &scope, last, now)?,
        };
        let limit = self.limit;
        let (mut state, mut told) = (M::default(), ControlFlow::Continue(()));
        each::<M>(store, &scope, Part { limit, ..Part::until(head) }, &mut |recorded, event, place| {
            state.apply(event, place);
            told = match see(recorded, &state) {
                ControlFlow::Continue(()) => return ControlFlow::Continue(()),
                stop @ ControlFlow::Break(_) => stop,
            };
            ControlFlow::Break(())
        })?;
        Ok(told)
    }
}
