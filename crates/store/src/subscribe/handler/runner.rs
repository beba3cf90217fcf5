//! The steps of a handler: take what is there, hand it over, answer the group by what came of it.
//!
//! A handler with several consumers has a runner for each; what they are told, and what they say, is one [`Control`].
//!
//! - Whatever the handler does, returns or panics, every message it was given is answered once: acked, nacked, or given back when its consumer is
//!   dropped.
//! - A step never waits. Who waits, and for what, is the caller's matter: the thread of a [`RunningHandler`](super::RunningHandler), or a test.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Waker,
    time::Duration,
};

use super::{
    Handler, HandlerFailure, HandlerOptions, HandlerState, HandlingOrder, Reaction,
    control::{Control, Order, Resetting},
};
use crate::{
    error::{ErrorKind, panic_words},
    limits,
    read::From,
    subscribe::{
        GroupError, GroupName, MessageId, Nack,
        group::{Consumer, ConsumerGroups, ConsumerOptions, Driven, Message, ParkedOnReset},
    },
};

/// How long a handler waits before it looks again at a group it could not work with.
const TROUBLE: Duration = Duration::from_secs(1);

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Something was done; there may be more.
    Worked,
    /// There is nothing to do until something happens, or until this time by [`Clock::elapsed`](crate::clock::Clock::elapsed).
    Idle(Option<Duration>),
    /// It was told to pause.
    Paused,
    /// It works no more.
    Ended,
}

/// A handler, or one of its consumers, brought forward by its caller step by step.
pub struct HandlerRunner {
    /// Which of its consumers it is.
    me: usize,
    handler: Box<dyn Handler>,
    groups: ConsumerGroups,
    group: GroupName,
    options: HandlerOptions,
    control: Arc<Control>,
    consumer: Option<Consumer>,
    /// In the order of the log: what was taken and waits for the first of them.
    held: VecDeque<Message>,
    /// How often the first of them was tried again here, and when it is the next time.
    tries: u32,
    retry_at: Option<Duration>,
}

impl HandlerRunner {
    pub(super) fn new(
        me: usize,
        handler: Box<dyn Handler>,
        groups: ConsumerGroups,
        group: GroupName,
        options: HandlerOptions,
        control: Arc<Control>,
    ) -> Self {
        Self {
            me,
            handler,
            groups,
            group,
            options,
            control,
            consumer: None,
            held: VecDeque::new(),
            tries: 0,
            retry_at: None,
        }
    }

    /// Its remote control, which is also told how it goes.
    pub(super) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub(super) fn consumer(&self) -> Option<&Consumer> {
        self.consumer.as_ref()
    }

    /// Does one thing, without waiting.
    pub fn step(&mut self) -> Step {
        match self.control.order() {
            Order::Stop => return self.end(None),
            Order::Pause => {
                self.give_back();
                self.say(HandlerState::Paused);
                return Step::Paused;
            }
            Order::Await => return Step::Paused,
            Order::Reset => return self.begin_anew(),
            Order::Work => {}
        }
        if let Some(at) = self.retry_at {
            if self.now() < at {
                return Step::Idle(Some(at));
            }
            self.retry_at = None;
        }
        if !self.held.is_empty() {
            return self.work_held();
        }
        if self.handler.next_due().is_some_and(|due| due <= self.now()) {
            return self.work_due();
        }
        match self.take() {
            Ok((messages, Driven::AtRest)) if messages.is_empty() => self.rest(),
            // It has read on, past what is not for it, and not come to the end.
            Ok((messages, Driven::OutOfPatience)) if messages.is_empty() => Step::Worked,
            Ok((messages, _)) => self.work(messages),
            Err(error) => self.meet(&error),
        }
    }

    /// Lets the handler, with all its consumers, give back what it has and wait, from the next steps on: see [`RunningHandler::pause`](super::RunningHandler::pause).
    pub fn pause(&self) {
        self.control.pause(true);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.control.pause(false);
    }

    /// Lets it begin anew at `from` with the next steps, as [`RunningHandler::reset`](super::RunningHandler::reset) does: when every consumer has taken one.
    pub fn reset(&self, from: From) -> Resetting {
        self.control.reset(from)
    }

    /// Whether it waits for a moment, and not for messages.
    pub(super) fn is_waiting(&self) -> bool {
        self.retry_at.is_some()
    }

    pub(super) fn group(&self) -> &GroupName {
        &self.group
    }

    pub(super) fn now(&self) -> Duration {
        self.groups.elapsed()
    }

    /// What it is called in its group, and what its thread is.
    pub(super) fn name(&self) -> String {
        let name = self.group.name();
        if self.options.consumers == 1 { name.to_owned() } else { format!("{name}-{}", self.me) }
    }

    fn say(&self, what: HandlerState) {
        self.control.say(self.me, what);
    }

    /// Sees to it that `waker` is called when it is told something.
    pub(super) fn wake_with(&self, waker: Waker) {
        self.control.set_waker(self.me, waker);
    }

    /// Takes its place in its group, if it has not got it.
    pub(super) fn connect(&mut self) -> Result<&Consumer, GroupError> {
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => {
                // Twice a batch: the next one is made ready while this one is handled.
                let slots = (2 * self.options.batch_events).min(limits::GROUP_SLOTS_MAX);
                let options = ConsumerOptions { name: self.name(), slots };
                self.groups.connect(&self.group, &options)?
            }
        };
        Ok(self.consumer.insert(consumer))
    }

    fn take(&mut self) -> Result<(Vec<Message>, Driven), GroupError> {
        let batch = self.options.batch_events;
        self.connect()?.look_for(batch)
    }

    /// Nothing is there: whoever steps waits for the consumer to be ready, or for what falls due.
    fn rest(&self) -> Step {
        self.say(HandlerState::CatchingUp);
        let deadline = self.consumer.as_ref().and_then(Consumer::next_deadline);
        Step::Idle(deadline.into_iter().chain(self.handler.next_due()).min())
    }

    /// Lets the handler do what it has to do though no event came.
    fn work_due(&mut self) -> Step {
        let done = guarded(|| self.handler.work_due());
        let Err(failure) = done else { return Step::Worked };
        if failure.reaction == Some(Reaction::Stop) {
            return self.end(Some(failure.reason));
        }
        self.control.fail(&failure.reason);
        let at = self.now().saturating_add(TROUBLE);
        self.retry_at = Some(at);
        self.say(HandlerState::Waiting { reason: failure.reason });
        Step::Idle(Some(at))
    }

    fn work(&mut self, messages: Vec<Message>) -> Step {
        self.say(HandlerState::CatchingUp);
        match self.options.order {
            HandlingOrder::Whole => {
                self.held.extend(messages);
                self.work_held()
            }
            HandlingOrder::ByKey { .. } => {
                let worked = self.work_by_key(&messages);
                self.follow_up(worked)
            }
        }
    }

    fn follow_up(&mut self, worked: Result<Option<Step>, GroupError>) -> Step {
        match worked {
            Ok(step) => step.unwrap_or(Step::Worked),
            Err(error) => self.meet(&error),
        }
    }

    /// Hands over messages of different keys: one that fails is answered by itself, and the others go on. `Some`: the handler has
    /// stopped.
    fn work_by_key(&mut self, messages: &[Message]) -> Result<Option<Step>, GroupError> {
        let mut rest = messages;
        let mut at_once = messages.len();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(at_once.min(rest.len()));
            match self.hand_over(now) {
                Ok(()) => {
                    self.handled(now)?;
                    rest = later;
                }
                Err(failure) => {
                    let Some(at) = failure.place(now.len()) else {
                        at_once = 1;
                        continue;
                    };
                    self.handled(&now[..at])?;
                    self.control.fail(&failure.reason);
                    if let Some(end) = self.answer_failure(&now[at], now[at].retries, &failure)? {
                        return Ok(Some(end));
                    }
                    rest = &rest[at + 1..];
                }
            }
        }
        Ok(None)
    }

    /// Hands over what is held, in order: one that fails holds up the rest.
    fn work_held(&mut self) -> Step {
        let worked = self.work_in_order();
        self.follow_up(worked)
    }

    fn work_in_order(&mut self) -> Result<Option<Step>, GroupError> {
        let mut at_once = if self.tries > 0 { 1 } else { self.held.len() };
        while !self.held.is_empty() {
            let at_most = at_once.min(self.held.len());
            let now: Vec<_> = self.held.iter().take(at_most).cloned().collect();
            let failure = match self.hand_over(&now) {
                Ok(()) => {
                    self.pass(now.len())?;
                    continue;
                }
                Err(failure) => failure,
            };
            let Some(at) = failure.place(now.len()) else {
                at_once = 1;
                continue;
            };
            self.pass(at)?;
            self.control.fail(&failure.reason);
            let reaction = failure.reaction.unwrap_or(self.options.on_failure);
            if let (Some(after), true) = (self.wait_of(reaction, self.tries), self.tries < self.options.max_retry_count)
            {
                self.tries += 1;
                let at = self.now().saturating_add(after);
                self.retry_at = Some(at);
                self.say(HandlerState::Waiting { reason: failure.reason });
                return Ok(Some(Step::Idle(Some(at))));
            }
            let message = self.held.pop_front().expect("the one that failed is held");
            let end = self.answer_failure(&message, self.tries, &failure.reaction(final_reaction(reaction)))?;
            self.tries = 0;
            if end.is_some() {
                return Ok(end);
            }
        }
        Ok(None)
    }

    /// The first so many that are held have been handled.
    fn pass(&mut self, count: usize) -> Result<(), GroupError> {
        if count > 0 {
            let passed: Vec<_> = self.held.drain(..count).collect();
            self.tries = 0;
            self.handled(&passed)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        guarded(|| self.handler.handle(messages))
    }

    fn handled(&mut self, messages: &[Message]) -> Result<(), GroupError> {
        if messages.is_empty() {
            return Ok(());
        }
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        self.control.count(ids.len(), self.now());
        self.with_consumer(|consumer| consumer.ack(&ids))
    }

    /// Tells the group what becomes of a message that failed. `Some`: the handler has stopped.
    fn answer_failure(
        &mut self,
        message: &Message,
        retries: u32,
        failure: &HandlerFailure,
    ) -> Result<Option<Step>, GroupError> {
        let reaction = failure.reaction.unwrap_or(self.options.on_failure);
        let nack = match reaction {
            Reaction::Retry | Reaction::RetryAfter(_) => {
                Nack::Retry { after: self.wait_of(reaction, retries).unwrap_or_default() }
            }
            Reaction::Park => Nack::Park,
            Reaction::Skip => Nack::Skip,
            Reaction::Stop => {
                // Before the event goes back to the group: none of the others is to take it.
                self.control.stop();
                let stopped = self.with_consumer(|consumer| consumer.nack(&[message.id], Nack::Stop, &failure.reason));
                // Whatever the group says to that, the handler works no more.
                drop(stopped);
                return Ok(Some(self.end(Some(failure.reason.clone()))));
            }
        };
        self.with_consumer(|consumer| consumer.nack(&[message.id], nack, &failure.reason))?;
        Ok(None)
    }

    /// How long a reaction waits; `None` for those that try no more.
    fn wait_of(&self, reaction: Reaction, retries: u32) -> Option<Duration> {
        match reaction {
            Reaction::Retry => Some(self.options.backoff.after(retries)),
            Reaction::RetryAfter(after) => Some(after),
            Reaction::Park | Reaction::Skip | Reaction::Stop => None,
        }
    }

    fn with_consumer(&self, answer: impl FnOnce(&Consumer) -> Result<(), GroupError>) -> Result<(), GroupError> {
        // Without one, everything was given back already.
        self.consumer.as_ref().map_or(Ok(()), answer)
    }

    /// The group could not do its part: what that means for the handler.
    fn meet(&mut self, error: &GroupError) -> Step {
        match error {
            // The group was changed or reset: what was taken from it before is not ours any more.
            GroupError::Dropped { .. } => {
                self.give_back();
                Step::Worked
            }
            // Whoever has it now answers it.
            GroupError::NotInFlight { .. } => Step::Worked,
            GroupError::NoSuchGroup { .. } => self.end(Some(error.to_string())),
            GroupError::Store(cause) if cause.kind() == ErrorKind::Closed => self.end(Some(error.to_string())),
            GroupError::Store(_)
            | GroupError::GroupExists { .. }
            | GroupError::Setting { .. }
            | GroupError::MaximumSubscribers { .. }
            | GroupError::NotParked { .. }
            | GroupError::TooManyParked { .. }
            | GroupError::BeyondHead { .. } => {
                self.give_back();
                self.control.fail(&error.to_string());
                let at = self.now().saturating_add(TROUBLE);
                self.retry_at = Some(at);
                self.say(HandlerState::Waiting { reason: error.to_string() });
                Step::Idle(Some(at))
            }
        }
    }

    fn begin_anew(&mut self) -> Step {
        self.give_back();
        let Some((from, answer)) = self.control.withdraw(self.me) else { return Step::Paused };
        let prepared = guarded(|| self.handler.before_reset());
        let outcome = match prepared {
            Ok(()) => self.groups.reset(&self.group, from, ParkedOnReset::Discard),
            Err(failure) => Err(GroupError::Dropped { reason: format!("handler refused to be reset: {failure}") }),
        };
        self.control.end_reset();
        answer.send(outcome);
        Step::Worked
    }

    /// Gives back what was taken and not answered.
    fn give_back(&mut self) {
        self.held.clear();
        (self.tries, self.retry_at) = (0, None);
        self.consumer = None;
    }

    fn end(&mut self, reason: Option<String>) -> Step {
        // The last consumer that goes writes the progress of its group.
        self.give_back();
        self.control.end(self.me, reason);
        Step::Ended
    }
}

/// What becomes of an event whose tries are used up.
fn final_reaction(reaction: Reaction) -> Reaction {
    match reaction {
        Reaction::Retry | Reaction::RetryAfter(_) => Reaction::Park,
        Reaction::Park | Reaction::Skip | Reaction::Stop => reaction,
    }
}

/// Runs a handler; a panic in it is a failure like any other.
fn guarded(handler: impl FnOnce() -> Result<(), HandlerFailure>) -> Result<(), HandlerFailure> {
    // What a panic leaves half done is the handler's, and at least once means that it may be done again.
    let outcome = catch_unwind(AssertUnwindSafe(handler));
    outcome.unwrap_or_else(|panic| Err(HandlerFailure::new(format!("handler panicked: {}", panic_words(&*panic)))))
}

impl std::fmt::Debug for HandlerRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerRunner")
            .field("group", &self.group)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Drop for HandlerRunner {
    fn drop(&mut self) {
        // A runner that is dropped without having been told to stop leaves a handler that works no more all the same.
        self.control.end(self.me, None);
    }
}
