//! What a handler is told from outside, and what it tells: one for all its consumers, so that they pause, begin anew and end together, and what they
//! say adds up.
//!
//! **A handler is reset when none of its consumers is at work.** Each gives back what it has and waits; the last one that does resets it for all.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use super::{HandlerState, status::Tachometer};
use crate::{read::From, subscribe::GroupError};

/// Shared by the runners of a handler and whoever looks after it.
#[derive(Debug)]
pub(super) struct Control(Mutex<State>);

#[derive(Debug)]
struct State {
    paused: bool,
    stopping: bool,
    reset: Option<(From, Answer)>,
    /// Somebody is at it.
    resetting: bool,
    hands: Vec<Hand>,
    meter: Tachometer,
    failures: u64,
    last_failure: Option<String>,
}

/// One of the consumers.
#[derive(Clone, Debug)]
struct Hand {
    /// Whoever steps it, while he sleeps.
    waker: Option<Waker>,
    /// At work, it is said to catch up; how far it is, its group knows.
    state: HandlerState,
    /// It has given back what it had and waits for the reset.
    withdrawn: bool,
}

impl Hand {
    fn has_stopped(&self) -> bool {
        matches!(self.state, HandlerState::Stopped { .. })
    }
}

/// What a handler is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Work,
    Pause,
    /// Give back what it has, and reset the handler if it is the last one to do so.
    Reset,
    /// Wait for another that resets the handler.
    Await,
    Stop,
}

/// What a handler says of itself.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) state: HandlerState,
    pub(super) handled: u64,
    pub(super) rate: f64,
    pub(super) failures: u64,
    pub(super) last_failure: Option<String>,
}

impl Control {
    /// For a handler with so many consumers, known by their numbers.
    pub(super) fn of(consumers: usize) -> Self {
        let hand = Hand { waker: None, state: HandlerState::CatchingUp, withdrawn: false };
        Self(Mutex::new(State {
            paused: false,
            stopping: false,
            reset: None,
            resetting: false,
            hands: vec![hand; consumers],
            meter: Tachometer::default(),
            failures: 0,
            last_failure: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the handler is to do, and wakes whoever steps it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        let wakers: Vec<Waker> = state.hands.iter().filter_map(|hand| hand.waker.clone()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        changed
    }

    pub(super) fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    pub(super) fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// Asks for a reset; the answer comes when the handler has got to it. A second one takes the place of the first.
    pub(super) fn reset(&self, from: From) -> Resetting {
        let (answer, reset) = Answer::pair();
        let replaced = self.change(|state| {
            if state.hands.iter().all(Hand::has_stopped) {
                Some((from, answer))
            } else {
                state.reset.replace((from, answer))
            }
        });
        // What was asked for before and not begun says that it was not done; and so does what nobody is left to do.
        drop(replaced);
        reset
    }

    /// A consumer has given back what it had. `Some`: it was the last, and is to reset the handler, and then to say so.
    pub(super) fn withdraw(&self, me: usize) -> Option<(From, Answer)> {
        let mut state = self.lock();
        state.hands[me].withdrawn = true;
        if !state.hands.iter().all(|hand| hand.withdrawn || hand.has_stopped()) {
            return None;
        }
        let reset = state.reset.take();
        state.resetting = reset.is_some();
        reset
    }

    /// The reset is done, or was refused: everybody goes on.
    pub(super) fn end_reset(&self) {
        self.change(|state| {
            state.resetting = false;
            state.hands.iter_mut().for_each(|hand| hand.withdrawn = false);
        });
    }

    /// Whom to wake when there is a new order.
    pub(super) fn set_waker(&self, me: usize, waker: Waker) {
        self.lock().hands[me].waker = Some(waker);
    }

    pub(super) fn order(&self) -> Order {
        let state = self.lock();
        if state.stopping {
            Order::Stop
        } else if state.resetting {
            Order::Await
        } else if state.reset.is_some() {
            Order::Reset
        } else if state.paused {
            Order::Pause
        } else {
            Order::Work
        }
    }

    pub(super) fn say(&self, me: usize, what: HandlerState) {
        self.lock().hands[me].state = what;
    }

    pub(super) fn count(&self, events: usize, now: Duration) {
        self.lock().meter.count(events, now);
    }

    pub(super) fn fail(&self, reason: &str) {
        let mut state = self.lock();
        state.failures += 1;
        state.last_failure = Some(reason.to_owned());
    }

    /// A consumer works no more, and so the others end too; of each only the first reason counts.
    pub(super) fn end(&self, me: usize, reason: Option<String>) {
        let reset = self.change(|state| {
            state.stopping = true;
            if !state.hands[me].has_stopped() {
                state.hands[me].state = HandlerState::Stopped { reason };
            }
            state.reset.take()
        });
        drop(reset);
    }

    pub(super) fn said(&self, now: Duration) -> Said {
        let state = self.lock();
        Said {
            state: state.together(),
            handled: state.meter.handled,
            rate: state.meter.rate(now),
            failures: state.failures,
            last_failure: state.last_failure.clone(),
        }
    }
}

impl State {
    /// What the consumers do, taken together: what the busiest does, unless one has trouble; and stopped only when all are.
    fn together(&self) -> HandlerState {
        let rank = |state: &HandlerState| match state {
            HandlerState::Waiting { .. } => 0,
            HandlerState::CatchingUp | HandlerState::Live => 1,
            HandlerState::Paused => 2,
            HandlerState::Stopped { reason: Some(_) } => 3,
            HandlerState::Stopped { reason: None } => 4,
        };
        let first = self.hands.iter().map(|hand| &hand.state).min_by_key(|state| rank(state));
        first.cloned().unwrap_or(HandlerState::Stopped { reason: None })
    }
}

#[derive(Debug, Default)]
struct Answered {
    outcome: Mutex<Option<Result<(), GroupError>>>,
    there: Condvar,
}

/// Who answers a reset. Dropped without, he says that it was not done.
#[derive(Debug)]
pub(super) struct Answer(Option<Arc<Answered>>);

/// A reset that was asked for, and is done when every consumer of the handler has come to it.
#[derive(Debug)]
#[must_use = "whether the handler was reset is said here only"]
pub struct Resetting(Arc<Answered>);

impl Answer {
    fn pair() -> (Self, Resetting) {
        let answered = Arc::new(Answered::default());
        (Self(Some(Arc::clone(&answered))), Resetting(answered))
    }

    pub(super) fn send(mut self, outcome: Result<(), GroupError>) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Result<(), GroupError>) {
        if let Some(answered) = self.0.take() {
            *answered.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            answered.there.notify_all();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.answer(Err(GroupError::Dropped { reason: "the handler stopped before it was reset".to_owned() }));
    }
}

impl Resetting {
    /// What came of it, as [`RunningHandler::reset`](super::RunningHandler::reset) answers; `None` while it is not done.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<(), GroupError>> {
        self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wait(self) -> Result<(), GroupError> {
        let mut outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = outcome.take() {
                return outcome;
            }
            outcome = self.0.there.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
