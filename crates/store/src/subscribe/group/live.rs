//! A group in use: what its lock guards, and the steps by which whoever calls brings it forward.
//!
//! There is no thread that drives a group. Whoever asks it for something, and finds that something is due, does it: reads on, writes
//! progress, sends the messages of a silent consumer to others. **The lock is never held while anything is waited for**: what takes
//! time is a [`Step`] that is taken out of it, done without the lock, and brought back. Meanwhile others ack and take.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread,
    time::Duration,
};

use super::{
    backing::Backing,
    catalog::GroupConfig,
    feed::{self, Feed, Portion},
    guarded::{Driving, Guarded, Purpose, Step},
    info::{self, Asking, GroupInfo, Known, Meter},
    keys::Keys,
    loading,
    message::Message,
    waiters::{Place, Waiters},
    writing::{Body, propose},
};
use crate::{
    error::{Error, ErrorKind, Result},
    name::StreamName,
    order::Parker,
    position::Position,
    subscribe::{
        Discard, GroupError, GroupName, MessageId, Nack, Replay,
        group_state::{ConsumerId, Delivered, GroupState, ParkedEntry, Rules, Write},
    },
};

/// Steps after which an asynchronous caller lets others run.
const STEPS_PER_POLL: usize = 16;

/// Reads after which consumers are woken for what was read: for each read, many would be woken for a few messages each.
const READS_PER_WAKING: usize = 8;

/// See the module's words.
#[derive(Debug)]
pub(super) struct LiveGroup {
    config: GroupConfig,
    /// The stream of its parked messages.
    parked: StreamName,
    epoch: u64,
    backing: Backing,
    keys: Keys,
    guarded: Mutex<Guarded>,
    waiters: Arc<Waiters>,
    /// Wakes everybody who waits in this group.
    waker: Waker,
    meter: Mutex<Meter>,
}

/// How far a call may bring the group forward before it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// Until nothing is left to be done, or the time is over, by the clock.
    Until(Option<Duration>),
    /// So many steps.
    Steps(usize),
}

impl Patience {
    pub(super) const A_POLL: Self = Self::Steps(STEPS_PER_POLL);

    fn is_over(&mut self, now: Duration) -> bool {
        match self {
            Self::Until(deadline) => deadline.is_some_and(|deadline| now >= deadline),
            Self::Steps(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
        }
    }
}

/// Why driving stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::subscribe) enum Driven {
    /// There is nothing to be done.
    AtRest,
    /// There may be more to be done.
    OutOfPatience,
}

/// Whom it concerns what was done: they are woken when it is told, at the latest when this is dropped; never with the lock held.
#[derive(Debug)]
struct News<'a> {
    waiters: &'a Waiters,
    ready: Vec<ConsumerId>,
    everybody: bool,
    /// Reads since it was told.
    reads: usize,
}

impl<'a> News<'a> {
    fn of(waiters: &'a Waiters) -> Self {
        Self { waiters, ready: Vec::new(), everybody: false, reads: 0 }
    }

    fn tell(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        if std::mem::take(&mut self.everybody) {
            self.waiters.wake_all();
        } else {
            self.waiters.wake(&ready);
        }
        self.reads = 0;
    }

    fn tell_after_some(&mut self) {
        self.reads += 1;
        if self.reads == READS_PER_WAKING {
            self.tell();
        }
    }
}

impl Drop for News<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}

/// Ends the group if whoever drives it panics: what he had taken out of it will not come back, and others would wait for it.
struct EndOnPanic<'a> {
    group: &'a LiveGroup,
    /// A consumer may be dropped because its thread panics.
    was_panicking: bool,
}

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            let what = "a caller panicked in the consumer group, open the store again";
            self.group.lock().ended.get_or_insert(GroupError::Store(Error::new(ErrorKind::Internal, what)));
            self.group.waiters.wake_all();
        }
    }
}

impl LiveGroup {
    /// The group as its streams say it is.
    pub(super) fn load(backing: Backing, config: GroupConfig) -> Result<Self> {
        let progress = loading::progress(&backing, &config.name)?;
        let parked = loading::parked(&backing, &config.name, &progress.resolved)?;
        let (read_from, epoch, now) = (progress.checkpoint, progress.epoch, backing.elapsed());
        let state = GroupState::new(Rules::from(&config.settings), progress, parked, now);
        let waiters = Arc::new(Waiters::default());
        let meter = Mutex::new(Meter::starting(now));
        Ok(Self {
            keys: Keys::of(&config.settings),
            guarded: Mutex::new(Guarded::new(state, read_from)),
            waker: Waker::from(Arc::clone(&waiters)),
            waiters,
            parked: config.name.parked_stream(),
            config,
            epoch,
            backing,
            meter,
        })
    }

    pub(super) fn name(&self) -> &GroupName {
        &self.config.name
    }

    pub(super) fn config(&self) -> &GroupConfig {
        &self.config
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn driving(&self) -> Driving<'_> {
        Driving { backing: &self.backing, parked: &self.parked, keys: &self.keys, waker: &self.waker }
    }

    /// Brings the group forward.
    pub(super) fn drive(&self, purpose: Purpose, mut patience: Patience) -> Result<Driven, GroupError> {
        let _guard = EndOnPanic { group: self, was_panicking: thread::panicking() };
        let mut news = News::of(&self.waiters);
        loop {
            let (step, starving) = self.change_into(&mut news, |guarded, driving| {
                let step = guarded.step(driving, purpose);
                (step, guarded.is_starving())
            });
            let outcome = match step? {
                Step::Rest => {
                    // There may be something for somebody who waits: his to read on for himself.
                    news.everybody |= starving;
                    return Ok(Driven::AtRest);
                }
                Step::Read { feed, from, most } => self.read(feed, from, most, &mut news),
                Step::Load(entries) => {
                    news.tell();
                    self.load_parked(&entries)
                }
                Step::Write(write) => {
                    news.tell();
                    self.write(&write);
                    Ok(())
                }
            };
            if let Err(error) = outcome {
                // They would wait for what cannot be read; so each meets the error himself.
                news.everybody = true;
                return Err(error.into());
            }
            if patience.is_over(self.backing.elapsed()) {
                news.everybody |= self.lock().is_starving();
                return Ok(Driven::OutOfPatience);
            }
        }
    }

    /// Changes what the lock guards, and wakes those whom it concerns when the lock is given back.
    fn change<T>(&self, change: impl FnOnce(&mut Guarded, &Driving<'_>) -> T) -> T {
        self.change_into(&mut News::of(&self.waiters), change)
    }

    /// As `change`, but those whom it concerns are woken when the news are told.
    fn change_into<T>(&self, news: &mut News<'_>, change: impl FnOnce(&mut Guarded, &Driving<'_>) -> T) -> T {
        let driving = self.driving();
        let mut guarded = self.lock();
        let result = change(&mut guarded, &driving);
        news.ready.append(&mut guarded.state.ready_consumers());
        news.everybody |= guarded.concerns_everybody();
        result
    }

    fn read(&self, feed: Option<Box<Feed>>, from: Position, most: usize, news: &mut News<'_>) -> Result<()> {
        let read = || -> Result<(Box<Feed>, Portion)> {
            let mut feed = match feed {
                Some(feed) => feed,
                None => {
                    let resolve = self.config.settings.resolve_links;
                    Box::new(Feed::open(&self.backing, &self.config.source, resolve, from)?)
                }
            };
            let portion = feed.read(&self.backing, &self.keys, most)?;
            Ok((feed, portion))
        };
        let outcome = read();
        let outcome = self.change_into(news, |guarded, driving| guarded.fed(outcome, driving));
        news.tell_after_some();
        outcome
    }

    fn load_parked(&self, entries: &[ParkedEntry]) -> Result<()> {
        let resolve = self.config.settings.resolve_links;
        let load = |entry: &ParkedEntry| {
            let event = feed::event_at(&self.backing, &self.config.source, resolve, entry.position)?;
            Ok(self.keys.offer_replay(event, entry))
        };
        let loaded = entries.iter().map(load).collect();
        self.change(|guarded, driving| guarded.loaded(loaded, driving))
    }

    fn write(&self, write: &Write<Body>) {
        let name_of = |id: ConsumerId| self.lock().consumers.name_of(id);
        let ticket = propose(&self.backing, &self.config.name, write, name_of, &self.waker);
        let mut guarded = self.lock();
        guarded.writing.ordered(ticket, write.parks.len());
        let answered = guarded.writing.is_answered();
        drop(guarded);
        if answered {
            // Whoever was woken for it before it was put there found nothing.
            self.waiters.wake_all();
        }
    }

    /// Connects a consumer.
    pub(super) fn connect(&self, name: &str, slots: usize) -> Result<ConsumerId, GroupError> {
        self.change(|guarded, driving| {
            if let Some(ended) = &guarded.ended {
                return Err(ended.clone());
            }
            let id = guarded.state.connect(slots, driving.now())?;
            guarded.consumers.enter(id, name, self.backing.now());
            guarded.state.dispatch(driving.now());
            Ok(id)
        })
    }

    /// Whether there is something for a consumer.
    pub(super) fn has_deliveries(&self, id: ConsumerId) -> Result<bool, GroupError> {
        let guarded = self.lock();
        match &guarded.ended {
            Some(ended) => Err(ended.clone()),
            None => Ok(guarded.state.has_deliveries(id)),
        }
    }

    /// Whether anybody is connected.
    pub(super) fn has_consumers(&self) -> bool {
        !self.lock().consumers.is_empty()
    }

    /// Takes a consumer's place away: what he has goes to others. After the last one, progress is written.
    pub(super) fn disconnect(&self, id: ConsumerId) {
        let connected = self.change(|guarded, driving| {
            if !guarded.consumers.leave(id) {
                return false;
            }
            guarded.state.disconnect(id, driving.now());
            guarded.state.dispatch(driving.now());
            if guarded.consumers.is_empty() {
                guarded.rest();
                guarded.writing.is_wanted = true;
            }
            true
        });
        if connected {
            // Whatever it meets, the consumer has gone; what is not written is delivered again.
            let _ = self.drive(Purpose::Write, Patience::Until(None));
        }
    }

    /// Changes how many messages a consumer may have.
    pub(super) fn set_slots(&self, id: ConsumerId, slots: usize) -> Result<(), GroupError> {
        self.change(|guarded, driving| {
            guarded.state.set_slots(id, slots)?;
            guarded.state.dispatch(driving.now());
            Ok(())
        })
    }

    /// Gives a consumer what is there for him, at most `max`.
    pub(super) fn take(&self, id: ConsumerId, max: usize) -> Result<Vec<Message>, GroupError> {
        let mut delivered: Vec<Delivered<Body>> = Vec::new();
        self.change(|guarded, driving| {
            if let Some(ended) = &guarded.ended {
                return Err(ended.clone());
            }
            guarded.state.take(id, max, &mut delivered, driving.now())?;
            guarded.taken += delivered.len() as u64;
            Ok(())
        })?;
        Ok(delivered.into_iter().map(Message::from).collect())
    }

    /// Messages were worked off.
    pub(super) fn ack(&self, id: ConsumerId, ids: &[MessageId]) -> Result<(), GroupError> {
        self.answer(|guarded, now| guarded.state.ack(id, ids, now))
    }

    /// Messages could not be worked off.
    pub(super) fn nack(&self, id: ConsumerId, ids: &[MessageId], nack: Nack, reason: &str) -> Result<(), GroupError> {
        let reason = loading::shortened(reason);
        self.answer(|guarded, now| guarded.state.nack(id, ids, nack, reason, now))
    }

    fn answer(&self, answer: impl FnOnce(&mut Guarded, Duration) -> Result<(), GroupError>) -> Result<(), GroupError> {
        let mut due_before = None;
        let answered = self.change(|guarded, driving| {
            if let Some(ended) = &guarded.ended {
                return Err(ended.clone());
            }
            due_before = guarded.next_deadline();
            answer(guarded, driving.now())
        });
        // What it meets is told to whoever asks for messages next: the answers themselves have been taken.
        let _ = self.drive(Purpose::Write, Patience::Until(None));
        // Those who wait do so until what was due before; whoever answers need not wait at all.
        let due = self.next_deadline();
        if due.is_some_and(|due| due_before.is_none_or(|before| due < before)) {
            self.waiters.wake_all();
        }
        answered
    }

    /// Comes in among those who wait.
    pub(super) fn wait(&self, consumer: Option<ConsumerId>, waker: Waker) -> Place {
        self.waiters.enter(consumer, waker)
    }

    /// When the group has something to do though nothing happens.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.lock().next_deadline()
    }

    /// When whoever waits has to look at the group again though nothing wakes him: when something is due; but also, since what others take while he
    /// waits falls due without a word, and they may never come back, after the time they may have it.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let taken_meanwhile = self.config.settings.message_timeout.map(|timeout| self.now().saturating_add(timeout));
        self.next_deadline().into_iter().chain(taken_meanwhile).min()
    }

    pub(super) fn now(&self) -> Duration {
        self.backing.elapsed()
    }

    /// Waits until everything that is settled now is written.
    pub(super) fn flush(&self) -> Result<(), GroupError> {
        let (parker, waker) = Parker::new();
        let place = self.wait(None, waker.clone());
        let wanted = self.lock().writing.want();
        loop {
            place.renew(waker.clone());
            let driven = self.drive(Purpose::Write, Patience::Until(None));
            let mut guarded = self.lock();
            if let Some(outcome) = guarded.writing.outcome_of(wanted) {
                return Ok(outcome?);
            }
            if let (true, Some(ended)) = (guarded.is_sealed(), &guarded.ended) {
                return Err(ended.clone());
            }
            if guarded.writing.is_under_way() {
                drop(guarded);
                parker.park(None);
            } else {
                // Another write, which had begun before, has ended.
                guarded.writing.want();
                drop(guarded);
                if let Err(error @ GroupError::Store(_)) = driven {
                    return Err(error);
                }
            }
        }
    }

    /// Delivers parked messages again, which is then durably asked for: how many.
    pub(super) fn replay(&self, which: Replay) -> Result<u64, GroupError> {
        // What consumers have parked before is among them.
        self.flush()?;
        let count = self.change(|guarded, driving| guarded.state.replay(which, driving.now()))?;
        // Somebody loads them.
        self.waiters.wake_all();
        self.flush()?;
        Ok(count)
    }

    /// Gives parked messages up, durably: how many.
    pub(super) fn discard_parked(&self, which: Discard) -> Result<u64, GroupError> {
        self.flush()?;
        let count = self.change(|guarded, driving| guarded.state.discard_parked(which, driving.now()))?;
        self.flush()?;
        Ok(count)
    }

    /// The parked messages from a position of the source on.
    pub(super) fn parked(&self, from: Position, max: usize) -> Vec<ParkedEntry> {
        self.lock().state.parked(MessageId(from), max)
    }

    /// Ends this life of the group: nobody gets or answers anything any more, and what is settled is written.
    pub(super) fn end(&self, why: GroupError) -> Result<(), GroupError> {
        self.change(|guarded, _| {
            guarded.ended.get_or_insert(why);
        });
        let mut flushed = self.flush();
        // From then on not even a write that falls due is begun: somebody else may write to the group's streams.
        while !self.lock().seal() {
            flushed = self.flush();
        }
        self.change(|guarded, driving| {
            for id in guarded.consumers.ids() {
                guarded.consumers.leave(id);
                guarded.state.disconnect(id, driving.now());
            }
            guarded.rest();
        });
        flushed
    }

    /// Why nobody gets anything any more.
    pub(super) fn ended(&self) -> Option<GroupError> {
        self.lock().ended.clone()
    }

    /// Whether it may be forgotten: nobody uses it, and everything is written.
    pub(super) fn is_idle(&self) -> bool {
        let guarded = self.lock();
        let written =
            !guarded.writing.is_under_way() && !guarded.writing.is_wanted && guarded.writing.failure().is_none();
        match &guarded.ended {
            Some(GroupError::Store(_)) => false,
            Some(_) => true,
            None => {
                guarded.consumers.is_empty()
                    && written
                    && !guarded.state.write_due(self.backing.elapsed())
                    && guarded.state.facts().replaying == 0
            }
        }
    }

    pub(super) fn info(&self, asking: Asking) -> Result<GroupInfo, GroupError> {
        // What is due is done first, so that the figures are those of now.
        let _ = self.drive(Purpose::Write, Patience::Until(None));
        let guarded = self.lock();
        let facts = guarded.state.facts();
        let connected = facts.consumers.iter().map(|one| guarded.consumers.get(one.id).cloned()).collect();
        let latencies = facts.consumers.iter().map(|one| guarded.state.latencies(Some(one.id))).collect();
        let latencies = (latencies, guarded.state.latencies(None));
        let (taken, failure) = (guarded.taken, guarded.writing.failure().map(ToString::to_string));
        drop(guarded);
        let measured = {
            let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.backing.elapsed();
            match asking {
                Asking::Counts => meter.measure(taken, &facts.consumers, now),
                Asking::Passes => meter.clone().measure(taken, &facts.consumers, now),
            }
        };
        let known = Known { config: &self.config, epoch: self.epoch, facts, connected, latencies, measured, failure };
        Ok(info::describe(&self.backing, known)?)
    }
}

/// What consumers of a closed store are told.
pub(super) fn store_closed() -> GroupError {
    GroupError::Store(Error::new(ErrorKind::Closed, "store was closed, open it again and connect again"))
}
