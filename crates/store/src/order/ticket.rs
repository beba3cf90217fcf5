//! The pending answer to an append.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{append::Outcome, error::Error};

/// The answer to an append, once what it rests on is durable: [`wait`](Ticket::wait) for it, or `.await` it.
///
/// Dropping a ticket does not withdraw the append.
#[must_use = "an append has failed or been refused unless its ticket says otherwise"]
pub struct Ticket {
    shared: Arc<Shared>,
    driver: Option<Arc<dyn Drive>>,
}

/// Whoever can bring the order forward on the thread of a waiting caller.
pub(crate) trait Drive: Send + Sync {
    /// Takes part in the writer's work until `done` or somebody else is at it.
    fn drive(&self, done: &dyn Fn() -> bool);

    /// Sees to it that somebody is at the writer's work, without waiting for it.
    fn attend(&self);
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    sleeping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a ticket that answers. Dropped without an answer, it says that the store closed.
pub(crate) struct TicketSender(Option<Arc<Shared>>);

impl Ticket {
    /// A ticket and the end that answers it.
    pub(crate) fn pair(driver: Option<Arc<dyn Drive>>) -> (TicketSender, Self) {
        let shared = Arc::new(Shared::default());
        (TicketSender(Some(Arc::clone(&shared))), Self { shared, driver })
    }

    /// A ticket that is answered already.
    pub(crate) fn answered(outcome: Outcome) -> Self {
        let (sender, ticket) = Self::pair(None);
        let _nobody_waits_yet = sender.answer(outcome);
        ticket
    }

    /// Waits for the answer. A waiting thread may be lent to the writer.
    ///
    /// # Errors
    /// The verdict, if the append was refused; an error, if it could not be decided or made durable.
    pub fn wait(self) -> Outcome {
        // A client with many tickets finds most of them answered; it must not start a sync for what it has just added.
        if !self.is_answered()
            && let Some(driver) = &self.driver
        {
            driver.drive(&|| self.is_answered());
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(outcome) = state.outcome.take() {
                return outcome;
            }
            state.sleeping = true;
            state = self.shared.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the answer is there.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.shared.lock().outcome.is_some()
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        // Once: afterwards whoever is at work wakes this task.
        if let Some(driver) = self.driver.take() {
            driver.attend();
        }
        let mut state = self.shared.lock();
        match &state.outcome {
            // It stays, so that whoever asks again, or waits after all, is answered too.
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("answered", &self.is_answered()).finish_non_exhaustive()
    }
}

impl TicketSender {
    /// Answers the ticket. The task that waits for it, if one does, is left to the caller to be woken.
    #[must_use = "who is not woken waits for ever"]
    pub(crate) fn answer(mut self, outcome: Outcome) -> Option<Waker> {
        self.0.take().and_then(|shared| answer(&shared, outcome))
    }
}

impl Drop for TicketSender {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            let closed = Error::new(
                crate::error::ErrorKind::Closed,
                "store stopped before it answered the append, open it again and look whether it was recorded",
            );
            answer(&shared, Err(closed.into())).into_iter().for_each(Waker::wake);
        }
    }
}

fn answer(shared: &Shared, outcome: Outcome) -> Option<Waker> {
    let mut state = shared.lock();
    state.outcome = Some(outcome);
    let (waker, sleeping) = (state.waker.take(), state.sleeping);
    drop(state);
    if sleeping {
        shared.answered.notify_one();
    }
    waker
}
