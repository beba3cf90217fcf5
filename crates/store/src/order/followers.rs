//! Followers at the head: each waits for an event that matches, and sleeps through all others.
//!
//! After a group is durable and its tickets are answered, whoever led it announces it, holding no lock of the order. If nobody waits,
//! that costs one atomic load; else the headers of the new events are looked at once, for all followers together
//! ([`table`]), and those are woken who have a match or asked to be told how far the log is.
//!
//! **No wake-up is lost.** A follower comes in under the table's lock, says so in the count, and then looks at the head once more; a leader
//! moves the head and then looks at the count (see [`head`](super::head)). So either the follower sees that there is more, and does not sleep, or the
//! leader sees the follower, and announces what he has not seen. Leaders may come in any order and at once: whoever announces, goes on from
//! where the table says that the last one ended, and the table takes from him what it has not seen. So there are no gaps.

mod interest;
mod table;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    ops::Range,
    task::{Poll, Waker},
};

use self::table::{Key, Table};
pub(crate) use self::{interest::Interest, table::Wait};
use super::{
    Head,
    head::closed,
    sync::{AtomicUsize, Mutex, Ordering, fence, lock},
};
use crate::{error::Result, event::EventRef, position::Position};

/// Most events looked at under the lock at once, which a follower who comes or goes meanwhile has to wait for: about 50 µs.
const STRIDE: u64 = 128;

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

    /// Wakes those who wait for something below the head that was not announced yet. For whoever has moved the head, holding no lock;
    /// `read` gives the events of a range, or the first of them.
    pub(super) fn announce<B>(&self, read: impl Fn(Range<Position>) -> Result<B>)
    where
        for<'b> &'b B: IntoIterator<Item = EventRef<'b>>,
    {
        // The fence behind the head's move, in `publish`, stands before this look.
        let is_awaited = || self.followers().waiting.load(Ordering::Relaxed) > 0;
        let to = self.position();
        let mut woken = Vec::new();
        while is_awaited() && self.announce_stretch(to, &read, &mut woken) {
            woken.drain(..).for_each(Waker::wake);
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Announces the next few events below `to`; whether there are more.
    fn announce_stretch<B>(
        &self,
        to: Position,
        read: impl Fn(Range<Position>) -> Result<B>,
        woken: &mut Vec<Waker>,
    ) -> bool
    where
        for<'b> &'b B: IntoIterator<Item = EventRef<'b>>,
    {
        let followers = self.followers();
        let (from, look) = {
            let table = lock(&followers.table);
            (table.announced_to(), table.looks_at_events())
        };
        if from >= to {
            return false;
        }
        let stretch = from..if look { to.min(Position(from.0 + STRIDE)) } else { to };
        let events = look.then(|| read(stretch.clone())).transpose();
        let mut table = lock(&followers.table);
        let end = match events {
            // Large events may make a shorter stretch.
            Ok(Some(events)) => table.announce(&events, woken),
            // Whoever came meanwhile came in at a head that is no smaller than `to`, and needs to be shown nothing of this.
            Ok(None) => table.pass(stretch.end, woken),
            // What cannot be read cannot be compared: everybody meets the error himself.
            Err(_) => {
                table.wake_all(woken);
                table.pass(stretch.end, woken)
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
