//! What a handler is told from outside, and what it tells.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use super::{HandlerState, status::Tachometer};
use crate::{read::From, subscribe::GroupError};

/// Shared by a runner and whoever looks after it.
#[derive(Debug, Default)]
pub(super) struct Control(Mutex<State>);

#[derive(Debug)]
struct State {
    paused: bool,
    stopping: bool,
    reset: Option<(From, Answer)>,
    /// Whoever steps the handler, while he sleeps.
    waker: Option<Waker>,
    /// At work, it is said to catch up; how far it is, its group knows.
    state: HandlerState,
    meter: Tachometer,
    failures: u64,
    last_failure: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            paused: false,
            stopping: false,
            reset: None,
            waker: None,
            state: HandlerState::CatchingUp,
            meter: Tachometer::default(),
            failures: 0,
            last_failure: None,
        }
    }
}

/// What a handler is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Work,
    Pause,
    Reset,
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the handler is to do, and wakes whoever steps it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    pub(super) fn stop(&self) {
        self.change(|state| state.stopping = true);
    }

    /// Asks for a reset; the answer comes when the handler has got to it. A second one takes the place of the first.
    pub(super) fn reset(&self, from: From) -> Reset {
        let (answer, reset) = Answer::pair();
        let mut gone = false;
        self.change(|state| {
            gone = matches!(state.state, HandlerState::Stopped { .. });
            if !gone {
                // What was asked for before and not begun says that it was not done, when it is dropped.
                state.reset = Some((from, answer));
            }
        });
        reset
    }

    pub(super) fn take_reset(&self) -> Option<(From, Answer)> {
        self.lock().reset.take()
    }

    /// Whom to wake when there is a new order.
    pub(super) fn set_waker(&self, waker: Waker) {
        self.lock().waker = Some(waker);
    }

    pub(super) fn order(&self) -> Order {
        let state = self.lock();
        if state.stopping {
            Order::Stop
        } else if state.reset.is_some() {
            Order::Reset
        } else if state.paused {
            Order::Pause
        } else {
            Order::Work
        }
    }

    pub(super) fn say(&self, what: HandlerState) {
        self.lock().state = what;
    }

    pub(super) fn count(&self, events: usize, now: Duration) {
        self.lock().meter.count(events, now);
    }

    pub(super) fn fail(&self, reason: &str) {
        let mut state = self.lock();
        state.failures += 1;
        state.last_failure = Some(reason.to_owned());
    }

    /// The handler works no more; only the first reason counts.
    pub(super) fn end(&self, reason: Option<String>) {
        let mut state = self.lock();
        if !matches!(state.state, HandlerState::Stopped { .. }) {
            state.state = HandlerState::Stopped { reason };
        }
        let reset = state.reset.take();
        drop(state);
        drop(reset);
    }

    pub(super) fn said(&self, now: Duration) -> Said {
        let state = self.lock();
        Said {
            state: state.state.clone(),
            handled: state.meter.handled,
            rate: state.meter.rate(now),
            failures: state.failures,
            last_failure: state.last_failure.clone(),
        }
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

/// A reset that was asked for.
#[derive(Debug)]
pub(super) struct Reset(Arc<Answered>);

impl Answer {
    fn pair() -> (Self, Reset) {
        let answered = Arc::new(Answered::default());
        (Self(Some(Arc::clone(&answered))), Reset(answered))
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

impl Reset {
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
