//! A read that waits at the end.
//!
//! **Invariants.** [`Subscription::checked_to`] is the position below which everything was delivered or did not match; it never goes back, and every
//! notice carries it. Between two calls a subscription is in nobody's list: whoever does not ask holds a place, and no lock.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{Delivery, SubscribeOptions};
use crate::{
    clock::Clock,
    error::Result,
    limits,
    measures::OpenSubscription,
    order::{Following, Head, Interest, Parker, Wait},
    position::{Position, Timestamp},
    read::{
        From, Library, Source,
        cursor::{Advance, Budget, Cursor},
        virtual_stream::term_of,
    },
};

/// A read that waits at the end. Pull-based: one that is not asked holds no memory beyond its place, and no lock.
///
/// Ask with [`next`](Self::next), which waits on the calling thread; or await [`ready`](Self::ready), and then ask without waiting.
#[derive(Debug)]
pub struct Subscription {
    cursor: Cursor,
    interest: Arc<Interest>,
    head: Head,
    clock: Arc<dyn Clock>,
    log: Arc<crate::log::Log>,
    budget: Budget,
    checkpoint_events: Option<u64>,
    /// The time at which it begins, while nothing was recorded at it or later.
    since: Option<Timestamp>,
    /// Whether the subscriber was told that he is at the head, and not since that he has fallen behind.
    live: bool,
    /// The position the subscriber knows from the last delivery.
    told: Position,
    checked_to: Position,
    /// The head at which there was nothing to deliver.
    resting_at: Option<Position>,
    open: OpenSubscription,
}

impl Subscription {
    pub(crate) fn open(library: Library, source: &Source, options: &SubscribeOptions, head: Head) -> Result<Self> {
        let to = head.position();
        options.check(to)?;
        let reading = options.reading();
        let budget = crate::read::budget(&reading)?;
        let interest = Arc::new(interest(&library, source, to)?);
        let open = OpenSubscription::counted(&library.meters);
        let (clock, log) = (Arc::clone(&library.clock), Arc::clone(&library.log));
        let cursor = Cursor::open_or_wait(library, source, &reading, to)?;
        let checked_to = cursor.checked_to();
        // A time to come has no position yet.
        let since = match options.from {
            From::Time(time) if checked_to == to => Some(time),
            From::Time(_) | From::Beginning | From::Now | From::Revision(_) | From::Position(_) => None,
        };
        Ok(Self {
            cursor,
            interest,
            head,
            clock,
            log,
            budget,
            checkpoint_events: options.checkpoint_events,
            since,
            live: false,
            told: checked_to,
            checked_to,
            resting_at: None,
            open,
        })
    }

    /// The next delivery; waits for one at most `timeout` (for ever, if `None`). `None` when the time is over.
    ///
    /// # Errors
    /// `Closed` when the store closes; what a read may fail with. Asking again tries again.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Delivery>> {
        let deadline = timeout.map(|timeout| self.clock.elapsed().saturating_add(timeout));
        loop {
            if let Some(delivery) = self.step(self.head.position())? {
                return Ok(Some(delivery));
            }
            // What ends a wait need not be a delivery: the next wait is for what is left of the time.
            let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.elapsed()));
            if !self.wait(left)? {
                return Ok(None);
            }
        }
    }

    /// Waits until there may be something to deliver: [`next`](Self::next) with no time to wait then gives it, or very rarely nothing. Reads
    /// nothing itself. Dropping the future ends the wait; nothing is lost by it.
    ///
    /// # Errors
    /// `Closed` when the store closes.
    pub fn ready(&mut self) -> Ready<'_> {
        Ready { subscription: self, following: None }
    }

    /// The position below which everything has been delivered or did not match: where to begin the next time, except while the place where this
    /// one is to begin is still to come; [`resume_from`](Self::resume_from) knows that too.
    #[must_use]
    pub fn checked_to(&self) -> Position {
        self.checked_to
    }

    /// Where a later subscription to the same source has to begin to go on where this one is: nothing is then left out or comes twice.
    #[must_use]
    pub fn resume_from(&self) -> From {
        match (self.since, self.cursor.awaited_revision()) {
            (Some(time), _) => From::Time(time),
            (None, Some(revision)) => From::Revision(revision),
            (None, None) => From::Position(self.checked_to),
        }
    }

    /// Delivers what there is below `to`; `None` when the subscriber has it all and knows.
    fn step(&mut self, to: Position) -> Result<Option<Delivery>> {
        self.resting_at = None;
        if self.live && to.0.saturating_sub(self.checked_to.0) > limits::FALLEN_BEHIND_EVENTS {
            self.live = false;
            return Ok(Some(Delivery::FellBehind(self.tell())));
        }
        self.await_beginning(to)?;
        loop {
            let advance = self.cursor.advance(to, self.budget)?;
            self.checked_to = self.checked_to.max(self.cursor.checked_to());
            match advance {
                Advance::Events(batch) => {
                    self.open.meters().handed_out(batch.len(), batch.bytes());
                    self.tell();
                    return Ok(Some(Delivery::Events(batch)));
                }
                // At the head there is another notice to give.
                Advance::Nothing if self.checked_to < to && self.is_checkpoint_due() => {
                    return Ok(Some(Delivery::Checkpoint(self.tell())));
                }
                Advance::Nothing => {}
                Advance::End => break,
            }
        }
        self.checked_to = self.checked_to.max(to);
        if !self.live {
            self.live = true;
            return Ok(Some(Delivery::CaughtUp(self.tell())));
        }
        if self.is_checkpoint_due() {
            return Ok(Some(Delivery::Checkpoint(self.tell())));
        }
        self.resting_at = Some(to);
        Ok(None)
    }

    /// While the time to begin at is still to come: passes over what was recorded before it.
    fn await_beginning(&mut self, to: Position) -> Result<()> {
        if let Some(time) = self.since {
            let begin = self.log.position_at(time, to)?;
            self.pass_to(begin);
            if begin < to {
                self.since = None;
            }
        }
        Ok(())
    }

    /// Takes note that nothing below `position` is to be delivered.
    fn pass_to(&mut self, position: Position) {
        self.cursor.pass_to(position);
        self.checked_to = self.checked_to.max(position);
    }

    /// The position the subscriber is told.
    fn tell(&mut self) -> Position {
        self.told = self.checked_to;
        self.told
    }

    /// When the subscriber is to be told how far it is. Not before the place where it begins has come: from there it could not go on.
    fn checkpoint_at(&self) -> Option<Position> {
        let has_begun = self.since.is_none() && self.cursor.awaited_revision().is_none();
        self.checkpoint_events.filter(|_| has_begun).map(|events| Position(self.told.0.saturating_add(events)))
    }

    fn is_checkpoint_due(&self) -> bool {
        self.checkpoint_at().is_some_and(|position| self.checked_to >= position)
    }

    /// Waits for something to look at; `false` when the time is over before.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let (parker, waker) = Parker::new();
        let mut context = Context::from_waker(&waker);
        let mut ready = pin!(self.ready());
        loop {
            if let Poll::Ready(outcome) = ready.as_mut().poll(&mut context) {
                return outcome.map(|()| true);
            }
            if timeout == Some(Duration::ZERO) || !parker.park(timeout) {
                return Ok(false);
            }
        }
    }
}

/// What ends the wait of a subscription to `source`.
fn interest(library: &Library, source: &Source, to: Position) -> Result<Interest> {
    match source {
        Source::All => Ok(Interest::in_all()),
        Source::Stream(stream) => Ok(Interest::in_stream(term_of(stream))),
        Source::Query(query) => {
            query.check()?;
            Interest::in_query(query, |query| Ok(library.index.estimate(query, Position::START..to)?.items))
        }
    }
}

/// Waits until there may be something to deliver: see [`Subscription::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<'s> {
    subscription: &'s mut Subscription,
    following: Option<Following>,
}

impl Ready<'_> {
    /// Ends the wait. What was not announced as a match while it lasted needs not be looked at again.
    fn end(&mut self) {
        if let Some(following) = self.following.take() {
            self.subscription.pass_to(following.end());
        }
    }
}

impl Future for Ready<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker().clone();
        if let Some(following) = &mut self.following {
            let poll = following.poll(waker);
            if poll.is_ready() {
                self.subscription.resting_at = None;
                self.end();
            }
            return poll.map(Ok);
        }
        let subscription = &*self.subscription;
        let Some(from) = subscription.resting_at else { return Poll::Ready(Ok(())) };
        let wait = Wait {
            interest: Arc::clone(&subscription.interest),
            from,
            since: subscription.since,
            mark: subscription.checkpoint_at(),
        };
        match subscription.head.follow(wait, waker)? {
            Some(following) => {
                self.following = Some(following);
                Poll::Pending
            }
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
