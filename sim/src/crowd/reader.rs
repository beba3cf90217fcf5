//! Somebody who follows a source by a subscription, dies now and then, and goes on where it noted to be.

use std::time::Duration;

use gesta_store::{
    EventStore, EventType, From, PathPattern, Position, Query, QueryItem, Revision, Source, StreamFilter,
    SubscribeOptions, Subscription, Timestamp,
};

use super::past::{self, Past};
use crate::{
    Violation,
    invariants::{
        bounded::BATCH_EVENTS,
        resuming::{self, Told},
    },
    workload::{PLAIN, name},
};

/// See the module's words.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    options: SubscribeOptions,
    /// Where it began; nothing, before it did.
    began: Option<From>,
    subscription: Option<Subscription>,
    told: Told,
    seen: Vec<u64>,
    /// Where it is to go on, and how much of `seen` lies before that.
    saved: Option<(From, usize)>,
}

impl Reader {
    /// One of every kind, from every kind of place.
    #[must_use]
    pub fn all(begin: Timestamp) -> Vec<Self> {
        let paid = EventType::new("Paid").expect("a valid type");
        let accounts = QueryItem::default().path(PathPattern::new("/accounts/**").expect("a valid pattern"));
        let orders = QueryItem::default().stream(StreamFilter::Prefix("order-".into())).event_type(paid);
        let later = Timestamp(begin.0 + 200_000_000_000);
        let of = |source, from, checkpoint_events, resolve_links| Self {
            source,
            options: SubscribeOptions {
                batch_events: BATCH_EVENTS,
                checkpoint_events,
                resolve_links,
                ..SubscribeOptions::from(from)
            },
            began: None,
            subscription: None,
            told: Told::default(),
            seen: Vec::new(),
            saved: None,
        };
        let stream = |stream| Source::Stream(name(stream));
        vec![
            of(Source::All, From::Beginning, None, false),
            of(Source::All, From::Now, None, false),
            of(stream(PLAIN), From::Revision(Revision(3)), Some(10), false),
            of(stream("$ce-order"), From::Now, Some(1), false),
            of(stream("$et-Paid"), From::Time(later), Some(20), false),
            of(stream("$bc-c1"), From::Beginning, Some(5), true),
            of(Source::Query(Query::of(accounts.clone())), From::Position(Position::START), Some(7), false),
            of(Source::Query(Query::of(orders).or(accounts)), From::Time(begin), Some(30), true),
        ]
    }

    /// Takes deliveries, at most so many, without waiting.
    ///
    /// # Errors
    /// When they are not what they must be.
    pub fn read(&mut self, store: &EventStore, past: &Past, deliveries: usize) -> Result<(), Violation> {
        let failed = |error: gesta_store::Error| Violation::new("I4", format!("following failed: {error}"));
        if self.subscription.is_none() {
            let from = self.saved.map_or(self.options.from, |(from, _)| from);
            let options = SubscribeOptions { from, ..self.options.clone() };
            self.began.get_or_insert(match self.options.from {
                From::Now => From::Position(Position(past.head())),
                other => other,
            });
            self.subscription = Some(store.subscribe(self.source.clone(), options).map_err(failed)?);
            self.told = Told::default();
        }
        let Some(subscription) = &mut self.subscription else { return Ok(()) };
        for _ in 0..deliveries {
            let Some(delivery) = subscription.next(Some(Duration::ZERO)).map_err(failed)? else { break };
            self.seen.extend(resuming::check_delivery(&delivery, &mut self.told)?);
        }
        let checked_to = subscription.checked_to().0;
        resuming::check(&self.seen, self.expected(past), Some(checked_to))
    }

    /// What it must have seen when it has seen everything.
    fn expected<'a>(&'a self, past: &'a Past) -> impl Iterator<Item = u64> + use<'a> {
        let (revision, position, time) = match self.began {
            Some(From::Revision(revision)) => (revision.0, 0, Timestamp::MIN),
            Some(From::Position(position)) => (0, position.0, Timestamp::MIN),
            Some(From::Time(time)) => (0, 0, time),
            Some(From::Beginning | From::Now) | None => (0, 0, Timestamp::MIN),
        };
        let matching = past.iter().filter(|(_, event)| past::matches(&self.source, event));
        let matching = matching.skip(usize::try_from(revision).unwrap_or(usize::MAX));
        matching.filter(move |(at, event)| *at >= position && event.recorded_at >= time).map(|(at, _)| at)
    }

    /// Notes where it is.
    pub fn save(&mut self) {
        if let Some(subscription) = &self.subscription {
            self.saved = Some((subscription.resume_from(), self.seen.len()));
        }
    }

    /// Loses its subscription, and what it has seen since it last noted where it was.
    pub fn lose(&mut self) {
        if self.subscription.take().is_none() {
            return;
        }
        // Whoever noted nothing begins where he did, and not where the end is by now.
        let began = self.began.unwrap_or(From::Beginning);
        let (from, seen) = self.saved.unwrap_or((began, 0));
        self.saved = Some((from, seen));
        self.seen.truncate(seen);
    }

    /// Reads everything there is, and checks that it was everything.
    ///
    /// # Errors
    /// When it was not.
    pub fn settle(&mut self, store: &EventStore, past: &Past) -> Result<(), Violation> {
        self.read(store, past, usize::MAX)?;
        let checked_to = self.subscription.as_ref().map_or(0, |subscription| subscription.checked_to().0);
        if checked_to == past.head() {
            return Ok(());
        }
        let what = format!("caught up with {:?} at {checked_to}, but the head is {}", self.source, past.head());
        Err(Violation::new("I4", what))
    }
}
