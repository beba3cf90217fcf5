//! What a projector is told while it works, and what it says of itself.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use gesta_store::Position;

use crate::{build::Build, ledger::BuildState};

/// The hand on a projector: shared by whoever takes its steps and whoever looks after it.
#[derive(Debug, Default)]
pub struct Control {
    told: Mutex<Told>,
    /// Rung when `said` changes.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Told {
    stop: bool,
    pause: bool,
    requests: VecDeque<Request>,
    waker: Option<Waker>,
    said: Said,
}

/// Something to be done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    RetryAll,
    Retry(String),
    Discard(String),
    Promote,
}

/// What a projector says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) build: Option<(Build, BuildState)>,
    pub(crate) activity: Activity,
    /// Whether it had nothing to do when it last looked, not even later.
    pub(crate) idle: bool,
    /// Everything below is in the tables, parked or not its own.
    pub(crate) position: Position,
    pub(crate) projected: u64,
    pub(crate) skipped: u64,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<String>,
    pub(crate) parked_keys: usize,
    pub(crate) parked_events: u64,
}

/// What a projector is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It has not looked at its database yet.
    #[default]
    Starting,
    /// It works off what there is.
    Working,
    /// It waits to try again.
    Waiting {
        /// Why.
        reason: String,
    },
    /// It was told to wait.
    Paused,
    /// It works no more.
    Stopped {
        /// Why; `None`: it was told to.
        reason: Option<String>,
    },
}

/// Where a projector stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProjectorStatus {
    /// What it works at, and what that is to its readers; `None` before it has seen its database.
    pub build: Option<(Build, BuildState)>,
    /// What it is doing.
    pub activity: Activity,
    /// Every event below is in the tables, or parked, or not its own.
    pub position: Position,
    /// The head of the log.
    pub head: Position,
    /// How much of the log that is, from 0 to 1.
    pub progress: f64,
    /// Events projected since it was started.
    pub projected: u64,
    /// Events left out since it was started, by [`OnFailure::Skip`](crate::OnFailure::Skip).
    pub skipped: u64,
    /// Failures since it was started.
    pub failures: u64,
    /// Why the last one was.
    pub last_failure: Option<String>,
    /// Keys that are parked.
    pub parked_keys: usize,
    /// Events that wait under them.
    pub parked_events: u64,
}

impl ProjectorStatus {
    /// Whether everything that is recorded was worked off.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.position >= self.head
    }
}

impl Control {
    /// Ends the work after the transaction it is at.
    pub fn stop(&self) {
        self.tell(|told| told.stop = true);
    }

    /// Lets it wait after the transaction it is at.
    pub fn pause(&self) {
        self.tell(|told| told.pause = true);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.tell(|told| told.pause = false);
    }

    /// Has every parked event tried again.
    pub fn retry_parked(&self) {
        self.tell(|told| told.requests.push_back(Request::RetryAll));
    }

    /// Has the parked events of a key tried again.
    pub fn retry(&self, key: impl Into<String>) {
        let request = Request::Retry(key.into());
        self.tell(|told| told.requests.push_back(request));
    }

    /// Gives up the first parked event of a key, and has those behind it tried again.
    pub fn discard(&self, key: impl Into<String>) {
        let request = Request::Discard(key.into());
        self.tell(|told| told.requests.push_back(request));
    }

    /// Lets the views show the tables of this build, whatever they show now.
    pub fn promote(&self) {
        self.tell(|told| told.requests.push_back(Request::Promote));
    }

    /// Waits until every event up to `position` is in the tables of its build, or parked; `false` if the time is over before, or the projector stops.
    pub fn wait_past(&self, position: Position, timeout: Duration) -> bool {
        let unsettled =
            |told: &mut Told| told.said.position <= position && !matches!(told.said.activity, Activity::Stopped { .. });
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, unsettled);
        let (told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        told.said.position > position
    }

    /// Waits until the views show its build; `false` if the time is over before, or the projector stops.
    pub fn wait_until_live(&self, timeout: Duration) -> bool {
        let is_live = |told: &Told| matches!(told.said.build, Some((_, BuildState::Live)));
        let unsettled = |told: &mut Told| !is_live(told) && !matches!(told.said.activity, Activity::Stopped { .. });
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, unsettled);
        let (told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_live(&told)
    }

    /// Where it stands; `head` is the log's.
    #[must_use]
    pub fn status(&self, head: Position) -> ProjectorStatus {
        let Said {
            build,
            activity,
            idle: _,
            position,
            projected,
            skipped,
            failures,
            last_failure,
            parked_keys,
            parked_events,
        } = self.lock().said.clone();
        #[allow(clippy::cast_precision_loss)] // for people
        let progress = if head == Position::START { 1.0 } else { (position.0 as f64 / head.0 as f64).min(1.0) };
        ProjectorStatus {
            build,
            activity,
            position,
            head,
            progress,
            projected,
            skipped,
            failures,
            last_failure,
            parked_keys,
            parked_events,
        }
    }

    /// Up to where it has worked off everything it was told of; `None` while it has something to do, or to try again. An error with the reason when
    /// it works no more.
    pub(crate) fn rests_at(&self) -> Result<Option<Position>, String> {
        let told = self.lock();
        if let Activity::Stopped { reason } = &told.said.activity {
            return Err(reason.clone().unwrap_or_else(|| "it was told to".to_owned()));
        }
        Ok((told.said.idle && told.requests.is_empty()).then_some(told.said.position))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.lock().pause
    }

    /// What is to be done next; it stays so until it is [`done`](Control::done).
    pub(crate) fn request(&self) -> Option<Request> {
        self.lock().requests.front().cloned()
    }

    pub(crate) fn done(&self) {
        self.lock().requests.pop_front();
    }

    /// Who is to be woken when something is told.
    pub(crate) fn set_waker(&self, waker: Waker) {
        self.lock().waker = Some(waker);
    }

    pub(crate) fn say(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.lock().said);
        self.changed.notify_all();
    }

    fn tell(&self, what: impl FnOnce(&mut Told)) {
        let waker = {
            let mut told = self.lock();
            what(&mut told);
            told.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
