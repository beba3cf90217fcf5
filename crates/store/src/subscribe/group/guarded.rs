//! What is under a group's lock: its state, and where its feed and its write are. Every method is quick: it moves messages in memory, and says
//! what is to be done without the lock.

use std::{collections::BTreeMap, sync::Arc, task::Waker, time::Duration};

use super::{
    feed::{Feed, Portion},
    keys::{Keys, Offered},
    writing::{Body, Writing},
};
use crate::{
    error::{Error, ErrorKind, Result},
    limits,
    name::StreamName,
    position::{Position, Timestamp},
    subscribe::{
        GroupError,
        group_state::{ConsumerId, GroupState, ParkedEntry, Reach, Urgency, Write},
    },
};

/// How long parked messages that could not be read back are left alone.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// See the module's words.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) state: GroupState<Body>,
    pub(super) writing: Writing,
    pub(super) consumers: Consumers,
    /// Messages taken since the group was loaded.
    pub(super) taken: u64,
    /// Why nobody gets anything from this group any more.
    pub(super) ended: Option<GroupError>,
    feed: FeedPlace,
    /// Where the source is read next if the feed has to be opened.
    read_to: Position,
    at_end: bool,
    /// Somebody loads bodies of parked messages, holding no lock.
    loading: bool,
    /// Not tried again before, since they could not be loaded.
    load_not_before: Duration,
    /// Nothing is written any more.
    sealed: bool,
    /// A write has ended, and those who wait have not been told.
    has_written: bool,
}

#[derive(Debug)]
enum FeedPlace {
    /// Nobody needs it, or it failed.
    Closed,
    Here(Box<Feed>),
    /// Somebody reads, holding no lock.
    Away,
}

/// What is to be done next, holding no lock.
#[derive(Debug)]
pub(super) enum Step {
    /// Read at most so many events; from here, if there is no feed.
    Read {
        feed: Option<Box<Feed>>,
        from: Position,
        most: usize,
    },
    /// Load the bodies of these parked messages.
    Load(Vec<ParkedEntry>),
    Write(Box<Write<Body>>),
    /// Nothing.
    Rest,
}

/// How far a group is brought forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Until this consumer has messages, or there are none for him.
    Deliver(ConsumerId),
    /// Until what is due to be written is on its way.
    Write,
}

/// Who is connected, and what he is called.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    connected: BTreeMap<ConsumerId, Connected>,
    /// Of those who have gone, the last ones: they may still be named as who had a message that is parked.
    gone: BTreeMap<ConsumerId, Arc<str>>,
}

/// A connected consumer.
#[derive(Clone, Debug)]
pub(super) struct Connected {
    pub(super) name: Arc<str>,
    pub(super) since: Timestamp,
}

impl Consumers {
    pub(super) fn enter(&mut self, id: ConsumerId, name: &str, since: Timestamp) {
        self.connected.insert(id, Connected { name: name.into(), since });
    }

    /// Whether he was there.
    pub(super) fn leave(&mut self, id: ConsumerId) -> bool {
        let Some(left) = self.connected.remove(&id) else { return false };
        self.gone.insert(id, left.name);
        if self.gone.len() > limits::GROUP_SUBSCRIBERS_MAX {
            self.gone.pop_first();
        }
        true
    }

    pub(super) fn get(&self, id: ConsumerId) -> Option<&Connected> {
        self.connected.get(&id)
    }

    pub(super) fn ids(&self) -> Vec<ConsumerId> {
        self.connected.keys().copied().collect()
    }

    pub(super) fn name_of(&self, id: ConsumerId) -> String {
        let connected = self.connected.get(&id).map(|connected| &connected.name);
        connected.or_else(|| self.gone.get(&id)).map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }
}

impl Guarded {
    pub(super) fn new(state: GroupState<Body>, read_from: Position) -> Self {
        Self {
            state,
            writing: Writing::default(),
            consumers: Consumers::default(),
            taken: 0,
            ended: None,
            feed: FeedPlace::Closed,
            read_to: read_from,
            at_end: false,
            loading: false,
            load_not_before: Duration::ZERO,
            sealed: false,
            has_written: false,
        }
    }

    /// The next thing to do, and whom what happened meanwhile concerns.
    pub(super) fn step(&mut self, context: &Driving<'_>, purpose: Purpose) -> Result<Step, GroupError> {
        let now = context.now();
        self.settle_write(context, now);
        self.state.tick(now);
        self.state.dispatch(now);
        if let Some(write) = self.begin_write(now) {
            return Ok(Step::Write(write));
        }
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let Purpose::Deliver(consumer) = purpose else { return Ok(Step::Rest) };
        if !self.loading && now >= self.load_not_before {
            let wanted = self.state.wanted_replays(context.keys.read_batch());
            if !wanted.is_empty() {
                self.loading = true;
                return Ok(Step::Load(wanted));
            }
        }
        Ok(self.read_step(context, consumer)?)
    }

    fn read_step(&mut self, context: &Driving<'_>, consumer: ConsumerId) -> Result<Step> {
        let (room, batch) = (self.state.room(), context.keys.read_batch());
        // Whoever has nothing takes what fits; whoever has something reads on only for a whole batch.
        let enough = if self.state.has_deliveries(consumer) { batch } else { 1 };
        if room < enough || self.consumers.is_empty() {
            return Ok(Step::Rest);
        }
        let feed = match std::mem::replace(&mut self.feed, FeedPlace::Away) {
            FeedPlace::Away => return Ok(Step::Rest),
            FeedPlace::Closed => None,
            FeedPlace::Here(mut feed) => {
                if self.at_end {
                    match feed.wait(context.backing, context.waker) {
                        Ok(false) => self.at_end = false,
                        Ok(true) => {
                            self.feed = FeedPlace::Here(feed);
                            return Ok(Step::Rest);
                        }
                        Err(error) => {
                            self.feed = FeedPlace::Closed;
                            return Err(error);
                        }
                    }
                }
                Some(feed)
            }
        };
        Ok(Step::Read { feed, from: self.read_to, most: room.min(batch) })
    }

    /// Takes what was read, and the feed back.
    pub(super) fn fed(&mut self, outcome: Result<(Box<Feed>, Portion)>, context: &Driving<'_>) -> Result<()> {
        let (feed, portion) = match outcome {
            Ok(read) => read,
            Err(error) => {
                self.feed = FeedPlace::Closed;
                return Err(error);
            }
        };
        let now = context.now();
        self.at_end = portion.at_end;
        self.read_to = self.read_to.max(portion.considered);
        // The last consumer may have gone meanwhile, and the group with him.
        self.feed = if self.consumers.is_empty() { FeedPlace::Closed } else { FeedPlace::Here(feed) };
        for offer in portion.offers {
            self.state.offer(offer, now);
        }
        let reach = if portion.at_end { Reach::Live } else { Reach::History };
        self.state.considered(portion.considered, reach);
        self.state.dispatch(now);
        Ok(())
    }

    /// Takes the bodies of parked messages that were asked for.
    pub(super) fn loaded(&mut self, loaded: Result<Vec<Offered>>, context: &Driving<'_>) -> Result<()> {
        let now = context.now();
        self.loading = false;
        // Those who come next go on without them: what cannot be read back must not keep what can be read from anybody.
        let offers = loaded.inspect_err(|_| self.load_not_before = now.saturating_add(LOAD_AGAIN_AFTER))?;
        for offer in offers {
            self.state.offer_replay(offer, now);
        }
        self.state.dispatch(now);
        Ok(())
    }

    /// Gives up what nobody needs while there are no consumers: the place at the head.
    pub(super) fn rest(&mut self) {
        if self.consumers.is_empty() && matches!(self.feed, FeedPlace::Here(_)) {
            (self.feed, self.at_end) = (FeedPlace::Closed, false);
        }
    }

    /// Sees to it that no write is begun any more; `false` while one is under way.
    pub(super) fn seal(&mut self) -> bool {
        self.sealed |= !self.writing.is_under_way();
        self.sealed
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Whether everybody who waits has to look again.
    pub(super) fn concerns_everybody(&mut self) -> bool {
        std::mem::take(&mut self.has_written) || self.ended.is_some()
    }

    /// Whether somebody who waits could have something if he read on.
    pub(super) fn is_starving(&self) -> bool {
        let can_read = match self.feed {
            FeedPlace::Closed => !self.consumers.is_empty(),
            FeedPlace::Here(_) => !self.at_end,
            FeedPlace::Away => false,
        };
        self.ended.is_none() && can_read && self.state.room() > 0
    }

    /// When there is something to do though nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.state.next_deadline()
    }

    fn settle_write(&mut self, context: &Driving<'_>, now: Duration) {
        let Some(written) = self.writing.settle(context.parked) else { return };
        self.state.end_write(written, now);
        self.has_written = true;
        let closed = self.writing.failure().filter(|error| error.kind() == ErrorKind::Closed);
        // A store that takes no appends any more takes no progress either: whoever goes on would do for nothing what he does.
        if let (None, Some(error)) = (&self.ended, closed) {
            self.ended = Some(GroupError::Store(Error::clone(error)));
        }
    }

    fn begin_write(&mut self, now: Duration) -> Option<Box<Write<Body>>> {
        if self.sealed || self.writing.is_under_way() {
            return None;
        }
        let urgency = if self.writing.is_wanted { Urgency::Now } else { Urgency::WhenDue };
        let write = self.state.begin_write(urgency, now);
        match (&write, urgency) {
            (Some(_), _) => self.writing.begin(),
            (None, Urgency::Now) => self.writing.pass(),
            (None, Urgency::WhenDue) => {}
        }
        write.map(Box::new)
    }
}

/// What a step needs to know of the group outside the lock.
#[derive(Debug)]
pub(super) struct Driving<'a> {
    pub(super) backing: &'a super::backing::Backing,
    /// The stream of the group's parked messages.
    pub(super) parked: &'a StreamName,
    pub(super) keys: &'a Keys,
    pub(super) waker: &'a Waker,
}

impl Driving<'_> {
    pub(super) fn now(&self) -> Duration {
        self.backing.elapsed()
    }
}
