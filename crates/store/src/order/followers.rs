//! Followers at the head: each waits for an event that matches, and sleeps through all others.
//!
//! After a group is durable and its tickets are answered, whoever led it announces it, holding no lock of the order. If nobody waits,
//! that costs one atomic load; else the new events are looked at once, for all followers together ([`table`]), as they
//! were when they were ordered ([`shown`]), and those are woken who have a match or asked to be told how far the log is.
//!
//! **No wake-up is lost.** A follower comes in under the table's lock, says so in the count, and then looks at the head once more; a leader
//! moves the head and then looks at the count (see [`head`](super::head)). So either the follower sees that there is more, and does not sleep, or the
//! leader sees the follower, and announces what he has not seen. Leaders may come in any order and at once: whoever announces, goes on from
//! where the table says that the last one ended, and the table takes from him what it has not seen. So there are no gaps.

mod interest;
mod shown;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    ops::Range,
    task::{Poll, Waker},
};

pub(super) use self::shown::FreshCommit;
pub(crate) use self::{interest::Interest, table::Wait};
use self::{
    shown::{Shown, fresh_from},
    table::{Key, Table},
};
use super::{
    Head,
    head::closed,
    sync::{AtomicUsize, Mutex, Ordering, fence, lock},
};
use crate::{error::Result, event::EventRef, position::Position};

/// Most events looked at under the lock at once, which a follower who comes or goes meanwhile has to wait for: about 50 µs.
const STRIDE: usize = 128;

/// Everybody who waits for an event that matches.
pub(super) struct Followers {
    /// Those who wait, or are about to; announcing looks at it before it takes a lock.
    waiting: AtomicUsize,
    table: Mutex<Table>,
}

impl Followers {
    pub(super) fn new(head: Position) -> Self {
        Self { waiting: AtomicUsize::new(0), table: Mutex::new(Table::new(head)) }
    }

    /// Ends all waits; the caller wakes.
    pub(super) fn close(&self) -> Vec<Waker> {
        let mut woken = Vec::new();
        let mut table = lock(&self.table);
        table.close(&mut woken);
        self.count(&table);
        woken
    }

    /// How many wait.
    #[cfg(all(test, loom))]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.table).waiting().max(self.waiting.load(Ordering::Relaxed))
    }

    /// Whether somebody waits, or is about to. Whoever is not seen here looks at the head himself, after the head was moved.
    fn are_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Says how many wait, with the table's lock held.
    fn count(&self, table: &Table) {
        self.waiting.store(table.waiting(), Ordering::Relaxed);
    }
}

impl Head {
    /// Waits for what `wait` says, of which everything below `wait.from` was looked at, with the head there. `None` when the head has moved on:
    /// look again.
    ///
    /// # Errors
    /// `Closed` when the store is.
    pub(crate) fn follow(&self, wait: Wait, waker: Waker) -> Result<Option<Following>> {
        let followers = self.followers();
        let mut table = lock(&followers.table);
        // Counted before the last look at the head: whoever announces then either sees the count or is seen here.
        followers.waiting.store(table.waiting() + 1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let head = self.position();
        if head > wait.from || table.is_closed() {
            followers.count(&table);
            return if head > wait.from { Ok(None) } else { Err(closed()) };
        }
        let key = table.enter(wait, waker);
        drop(table);
        Ok(Some(Following { head: self.clone(), key: Some(key) }))
    }

    /// Whether what is ordered now is worth keeping until it is announced: somebody waits. Whoever comes in later is shown it from the log.
    pub(super) fn is_followed(&self) -> bool {
        self.followers().are_awaited()
    }

    /// Wakes those who wait for something below the head that was not announced yet. For whoever has moved the head, holding no lock. `fresh`: commits
    /// as they were ordered, in their order; what is not among them, `read` gives: the events of a range, or the first of them.
    pub(super) fn announce<B>(&self, fresh: &[FreshCommit], read: impl Fn(Range<Position>) -> Result<B>)
    where
        for<'b> &'b B: IntoIterator<Item = EventRef<'b>>,
    {
        let to = self.position();
        let mut woken = Vec::new();
        // The fence behind the head's move, in `publish`, stands before this look.
        while self.followers().are_awaited() && self.announce_stretch(to, fresh, &read, &mut woken) {
            self.wake(std::mem::take(&mut woken));
        }
        self.wake(woken);
    }

    /// Announces the next few events below `to`; whether there are more.
    fn announce_stretch<B>(
        &self,
        to: Position,
        fresh: &[FreshCommit],
        read: impl Fn(Range<Position>) -> Result<B>,
        woken: &mut Vec<Waker>,
    ) -> bool
    where
        for<'b> &'b B: IntoIterator<Item = EventRef<'b>>,
    {
        let followers = self.followers();
        let mut table = lock(&followers.table);
        let from = table.announced_to();
        if from >= to {
            return false;
        }
        let end = if !table.looks_at_events() {
            table.pass(to, woken)
        } else if let Some(events) = fresh_from(fresh, from) {
            table.announce(events.take(STRIDE), woken)
        } else {
            drop(table);
            let stretch = from..to.min(Position(from.0 + STRIDE as u64));
            let events = read(stretch.clone());
            table = lock(&followers.table);
            match events {
                // Large events may make a shorter stretch.
                Ok(events) => table.announce((&events).into_iter().map(Shown::from), woken),
                // What cannot be read cannot be compared: everybody meets the error himself.
                Err(_) => {
                    table.wake_all(woken);
                    table.pass(stretch.end, woken)
                }
            }
        };
        followers.count(&table);
        end < to
    }
}

/// A place among the followers. Dropping it ends the wait.
pub(crate) struct Following {
    head: Head,
    key: Option<Key>,
}

impl Following {
    /// Whether the wait has ended; if not, `waker` will be called when it does.
    pub(crate) fn poll(&mut self, waker: Waker) -> Poll<()> {
        let Some(key) = self.key else { return Poll::Ready(()) };
        let mut table = lock(&self.head.followers().table);
        let (has_ended, unused) = table.look(key, waker);
        drop(table);
        drop(unused); // with no lock held: what that does is not ours
        if has_ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ends the wait. Answers with the position below which nothing has matched, all of it below the head.
    pub(crate) fn end(mut self) -> Position {
        self.leave().unwrap_or(Position::START)
    }

    fn leave(&mut self) -> Option<Position> {
        let key = self.key.take()?;
        let followers = self.head.followers();
        let mut table = lock(&followers.table);
        let (position, waker) = table.leave(key);
        followers.count(&table);
        drop(table);
        drop(waker); // as in `poll`
        Some(position)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followers").finish_non_exhaustive()
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following").field("head", &self.head).finish_non_exhaustive()
    }
}
