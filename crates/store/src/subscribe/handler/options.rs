//! How a handler works, and what it says of what it could not do.

use std::{fmt, time::Duration};

use crate::{
    limits,
    read::From,
    subscribe::{AfterPark, GroupError, GroupSettings, KeyOf, Strategy, group_settings::setting},
};

/// How a handler works. Begin with the default and change what matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerOptions {
    /// Where a handler begins that never ran.
    pub start: From,
    /// Whether links are handed over as what they point to.
    pub resolve_links: bool,
    /// In which order events are handed over, and so what waits for one that fails.
    pub order: HandlingOrder,
    /// Most events handed over at once.
    pub batch_events: usize,
    /// How many work side by side, each on a thread of its own with a handler of its own: see [`Handlers::start_each`](super::Handlers::start_each). Events of a
    /// key are never with two of them, so only a handler by key can have more than one.
    pub consumers: usize,
    /// How often an event is handed over again before it is parked.
    pub max_retry_count: u32,
    /// How long a retry waits.
    pub backoff: Backoff,
    /// What happens to an event that fails, unless the failure itself says.
    pub on_failure: Reaction,
    /// After so many handled events progress is written at once.
    pub checkpoint_count: u32,
    /// After this time it is written, if there is any. What was handled and not written is handed over again after a crash.
    pub checkpoint_after: Duration,
}

/// In which order a handler gets its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlingOrder {
    /// Events of a key one after the other, in their order; a batch holds events of different keys. One that fails holds up its key and
    /// nothing else.
    ByKey {
        /// What the key is.
        key: KeyOf,
        /// What happens to the later events of a key of which one is parked.
        after_park: AfterPark,
    },
    /// All events in the order of the log; a batch holds neighbours. One that fails holds up everything until it is parked.
    Whole,
}

/// How long retries wait: twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first retry.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

/// What happens to an event that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It is handed over again after the back-off; too often, and it is parked.
    Retry,
    /// It is handed over again after this long; too often, and it is parked.
    RetryAfter(Duration),
    /// It is kept aside with the reason, until it is replayed or discarded.
    Park,
    /// It is passed over.
    Skip,
    /// The handler stops; the event is the first it gets when it is started again.
    Stop,
}

/// Why events could not be handled. Any error makes one; what is known beyond its words is added with [`at`](Self::at) and
/// [`reaction`](Self::reaction).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerFailure {
    pub(super) reason: String,
    at: Option<usize>,
    pub(super) reaction: Option<Reaction>,
}

impl HandlerFailure {
    /// A failure of which nothing is known but this.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: None, reaction: None }
    }

    /// It was the event at this index of the batch, and the ones before it have been handled. Without it, the events of the batch
    /// are handed over again one by one.
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.at = Some(index);
        self
    }

    /// Which event of a batch of `events` it was; `None` if that shows only when each is handed over alone.
    pub(super) fn place(&self, events: usize) -> Option<usize> {
        self.at.filter(|at| *at < events).or((events == 1).then_some(0))
    }

    /// What is to happen to the event, whatever the options say.
    #[must_use]
    pub fn reaction(mut self, reaction: Reaction) -> Self {
        self.reaction = Some(reaction);
        self
    }
}

impl fmt::Display for HandlerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

// Not an error itself: else this would overlap with how std makes every type from itself.
impl<E: std::error::Error> std::convert::From<E> for HandlerFailure {
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Some errors say their cause themselves.
            let text = error.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            cause = error.source();
        }
        Self::new(reason)
    }
}

impl Default for HandlerOptions {
    fn default() -> Self {
        Self {
            start: From::Beginning,
            resolve_links: false,
            order: HandlingOrder::ByKey { key: KeyOf::Stream, after_park: AfterPark::Hold },
            batch_events: 100,
            consumers: 1,
            max_retry_count: 5,
            backoff: Backoff::default(),
            on_failure: Reaction::Retry,
            checkpoint_count: 1000,
            checkpoint_after: Duration::from_secs(1),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait before the next try of what has been tried again `retries` times.
    #[must_use]
    pub fn after(&self, retries: u32) -> Duration {
        let times = 1_u32.checked_shl(retries).unwrap_or(u32::MAX);
        self.first.saturating_mul(times).min(self.most)
    }
}

impl HandlerOptions {
    /// The settings of the group a handler is; checked.
    pub(super) fn settings(&self) -> Result<GroupSettings, GroupError> {
        let max = limits::GROUP_READ_BATCH_MAX;
        if !(1..=max).contains(&self.batch_events) {
            return Err(setting("batch_events", self.batch_events, format!("1..={max}")));
        }
        let most = match self.order {
            HandlingOrder::ByKey { .. } => limits::HANDLER_CONSUMERS_MAX,
            HandlingOrder::Whole => 1,
        };
        if !(1..=most).contains(&self.consumers) {
            let why = if most == 1 {
                "1, since events are handled in the order of the log".to_owned()
            } else {
                format!("1..={most}")
            };
            return Err(setting("consumers", self.consumers, why));
        }
        // Enough to fill everybody's batch with events of different keys, and read on meanwhile.
        let buffer = (4 * self.batch_events * self.consumers).clamp(500, limits::GROUP_BUFFER_MAX);
        let settings = GroupSettings {
            start: self.start,
            resolve_links: self.resolve_links,
            // A handler runs in this process: when it ends, however it does, its messages are given back.
            message_timeout: None,
            max_retry_count: self.max_retry_count,
            history_buffer: buffer,
            live_buffer: buffer,
            read_batch: self.batch_events.min(buffer - 1),
            min_checkpoint_count: 1,
            max_checkpoint_count: self.checkpoint_count,
            checkpoint_after: self.checkpoint_after,
            max_subscribers: self.consumers,
            strategy: match &self.order {
                HandlingOrder::ByKey { key, after_park } => {
                    Strategy::KeyOrdered { key: key.clone(), after_park: *after_park }
                }
                HandlingOrder::Whole => Strategy::DispatchToSingle,
            },
            extra_statistics: false,
            only: None,
        };
        settings.check()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_twice_as_long_each_time_up_to_the_bound() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };
        let waits: Vec<_> = (0..6).map(|retries| backoff.after(retries).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.after(u32::MAX), backoff.most);
    }

    #[test]
    fn a_failure_tells_the_causes_of_an_error_once() {
        let cause = std::io::Error::other("connection reset");
        let error = crate::Error::io("writing the row", cause);
        assert_eq!(HandlerFailure::from(error).to_string(), "writing the row: connection reset");
    }

    /// A handler that named an event beyond its batch was handed the one event it had again and again, within one step and without end: the failure
    /// counted as that of nobody knows which event, although there was but one.
    #[test]
    fn a_failure_at_no_event_of_the_batch_is_that_of_the_only_one() {
        let beyond = HandlerFailure::new("no").at(4);
        assert_eq!([1, 2, 5].map(|events| beyond.place(events)), [Some(0), None, Some(4)]);
        assert_eq!(HandlerFailure::new("no").place(1), Some(0));
    }

    #[test]
    fn options_out_of_bounds_are_refused_with_the_facts() {
        let none = HandlerOptions { batch_events: 0, ..HandlerOptions::default() };
        let error = none.settings().expect_err("no events");
        assert!(matches!(error, GroupError::Setting { field: "batch_events", .. }), "{error}");
        let most = HandlerOptions { batch_events: limits::GROUP_READ_BATCH_MAX, ..HandlerOptions::default() };
        most.settings().expect("the largest batch");
        let several = |consumers, order| HandlerOptions { consumers, order, ..HandlerOptions::default() };
        let by_key = HandlerOptions::default().order;
        for (consumers, order) in [(0, by_key.clone()), (65, by_key.clone()), (2, HandlingOrder::Whole)] {
            let error = several(consumers, order).settings().expect_err("too few or too many");
            assert!(matches!(error, GroupError::Setting { field: "consumers", .. }), "{error}");
        }
        assert_eq!(several(64, by_key).settings().expect("as many as may be").max_subscribers, 64);
    }
}
