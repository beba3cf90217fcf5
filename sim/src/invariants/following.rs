//! I4: a subscription is a read that waits at the end. Whatever happens between its deliveries, it delivers what a read would give:
//! nothing twice, nothing not at all, also across crashes, when it goes on from where it was.

use std::time::Duration;

use gesta_store::{
    Delivery, EventStore, EventType, From, PathPattern, Position, Query, QueryItem, ReadOptions, Source, StreamFilter,
    SubscribeOptions, Subscription, Timestamp,
};

use crate::{
    Violation,
    invariants::bounded,
    model::Model,
    workload::{PLAIN, name},
};

/// Somebody who follows a source.
#[derive(Debug)]
pub struct Follower {
    source: Source,
    subscription: Option<Subscription>,
    seen: Vec<Position>,
    checkpoint: Position,
}

impl Follower {
    /// One of each kind. None of a stream that may be truncated or deleted: what a read shows of it then is less than what was followed.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let paid = EventType::new("Paid").expect("a valid type");
        let orders = QueryItem::default().stream(StreamFilter::Pattern("*er-*".into()));
        let accounts = QueryItem::default().path(PathPattern::new("/accounts/**").expect("a valid pattern"));
        let sources = [
            Source::All,
            Source::Stream(name(PLAIN)),
            Source::Stream(name("$ce-order")),
            Source::Stream(name("$et-Paid")),
            Source::Stream(name("$bc-c1")),
            Source::Stream(name("$streams")),
            Source::Query(Query::of(QueryItem::default().event_type(paid.clone()))),
            Source::Query(Query::of(orders.event_type(paid)).or(accounts)),
        ];
        let follower = |source| Self { source, subscription: None, seen: Vec::new(), checkpoint: Position::START };
        sources.map(follower).into()
    }

    /// Loses the subscription, as when the store goes away.
    pub fn disconnect(&mut self) {
        self.subscription = None;
    }

    /// Takes everything there is.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn catch_up(&mut self, store: &EventStore) -> Result<(), Violation> {
        let failed = |error: gesta_store::Error| Violation::new("I4", format!("following failed: {error}"));
        if self.subscription.is_none() {
            let from = From::Position(self.checkpoint);
            let options = SubscribeOptions { batch_events: bounded::BATCH_EVENTS, ..SubscribeOptions::from(from) };
            self.subscription = Some(store.subscribe(self.source.clone(), options).map_err(failed)?);
        }
        let Some(subscription) = &mut self.subscription else { return Ok(()) };
        while let Some(delivery) = subscription.next(Some(Duration::ZERO)).map_err(failed)? {
            if let Delivery::Events(batch) = delivery {
                bounded::check_batch(&batch)?;
                self.seen.extend(batch.iter().map(|event| event.position));
            }
        }
        self.checkpoint = subscription.checked_to();
        Ok(())
    }

    /// Compares what was delivered with what the model has.
    ///
    /// # Errors
    /// When something is missing, doubled, or out of order.
    pub fn check(&self, model: &Model, now: Timestamp) -> Result<(), Violation> {
        let expected = model.read(&self.source, &ReadOptions::default(), now).unwrap_or_default();
        let expected: Vec<Position> = expected.into_iter().map(|entry| entry.position).collect();
        if self.seen != expected {
            let what = format!("following {:?}: expected {expected:?}, delivered {:?}", self.source, self.seen);
            return Err(Violation::new("I4", what));
        }
        if self.checkpoint != model.head() {
            let (checkpoint, head) = (self.checkpoint, model.head());
            return Err(Violation::new("I4", format!("caught up at {checkpoint}, but the head is {head}")));
        }
        Ok(())
    }
}
