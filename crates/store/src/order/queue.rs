//! Proposals waiting for their place in the order. Bounded in number and bytes; whoever finds it full waits, but not for ever.

use std::{collections::VecDeque, time::Duration};

use super::{
    TicketSender,
    foresight::Foresight,
    prepare::Prepared,
    sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering::Relaxed, lock, wait_timeout_while, wait_while},
};
use crate::{
    commit::Proposal,
    error::{Error, ErrorKind, Result},
    limits,
};

/// A proposal in the queue, with whom to answer.
pub(super) struct Pending {
    pub(super) proposal: Proposal,
    pub(super) bytes: usize,
    pub(super) foresights: Vec<Foresight>,
    pub(super) sender: TicketSender,
    /// Moment, on the store's clock of elapsed time, after which it is refused instead of ordered.
    pub(super) deadline: Duration,
}

/// How a proposal waits.
pub(super) struct Waiting {
    /// Moment after which it is refused instead of ordered.
    pub(super) deadline: Duration,
    /// How long it may wait for room.
    pub(super) timeout: Duration,
    /// Writer threads that should be awake now that there is work.
    pub(super) writers: usize,
}

/// The queue. The place in it is the order.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// What `state` said when it was last changed: for whoever need not know for certain, so that he does not keep those waiting who do.
    glance: Glance,
    /// Room was made, or the queue was closed.
    room: Condvar,
    /// Work was added, or the queue was closed.
    work: Condvar,
}

#[derive(Default)]
struct Glance {
    /// How many wait.
    waiting: AtomicUsize,
    /// How many writer threads do not sleep.
    awake: AtomicUsize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    bytes: usize,
    closed: bool,
    /// Callers that wait for room: a notification that nobody hears still costs a system call, twice for every group.
    short_of_room: usize,
    /// Writer threads that do not sleep: each looks at the queue once more before it does.
    awake: usize,
    /// A writer thread that has just run out of work dozes: it looks at the queue by itself every [`DOZE`].
    dozing: bool,
}

/// From so many proposals on a second writer is woken while the first syncs: to decide and encode them takes some 30 µs, as does waking a thread and
/// having it wait for the lock again.
const SECOND_WRITER_PROPOSALS_MIN: usize = 16;
/// The same for few large ones.
const SECOND_WRITER_BYTES_MIN: usize = 64 << 10;
/// How often a dozing writer looks at the queue. Waking a thread costs a client that waits for its own append, and leads for itself,
/// some microseconds of a sync's hundred; so it does not, and whoever leaves a ticket untouched waits this much longer at most.
const DOZE: Duration = Duration::from_micros(300);
/// Looks in vain after which a dozing writer falls asleep.
const DOZES_MAX: usize = 30;

impl State {
    /// Whether there is nobody who will look at the queue soon.
    fn is_unattended(&self) -> bool {
        self.awake == 0 && !self.dozing
    }

    /// Whether so much waits that deciding and encoding it, while another group is being synced, outweighs waking a second thread.
    fn is_worth_two(&self) -> bool {
        self.waiting.len() >= SECOND_WRITER_PROPOSALS_MIN || self.bytes >= SECOND_WRITER_BYTES_MIN
    }

    fn has_room(&self, bytes: usize) -> bool {
        // A proposal larger than the whole bound may still pass alone.
        self.waiting.is_empty()
            || (self.waiting.len() < limits::QUEUE_PROPOSALS_MAX && self.bytes + bytes <= limits::QUEUE_BYTES_MAX)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lets `glance` say what the state says, which must be locked.
    fn show(&self, state: &State) {
        self.glance.waiting.store(state.waiting.len(), Relaxed);
        self.glance.awake.store(state.awake, Relaxed);
    }

    /// Sees to it that somebody will look at a proposal that the caller has added: wakes a writer thread, if none is awake.
    pub(super) fn attend(&self) {
        // Who is awake looks once more, under the lock, before he sleeps; if he did before the proposal was added, that he sleeps is seen here.
        if self.glance.awake.load(Relaxed) == 0 {
            self.nudge();
        }
    }

    /// Adds a proposal at the end; waits up to `timeout` for room.
    pub(super) fn push(
        &self,
        prepared: Prepared,
        sender: TicketSender,
        Waiting { deadline, timeout, writers }: Waiting,
    ) -> Result<()> {
        let Prepared { proposal, bytes, foresights } = prepared;
        let mut state = self.lock();
        if !state.has_room(bytes) {
            let full = |state: &mut State| !state.closed && !state.has_room(bytes);
            state.short_of_room += 1;
            state = wait_timeout_while(&self.room, state, timeout, full);
            state.short_of_room -= 1;
        }
        if state.closed {
            return Err(closed());
        }
        if !state.has_room(bytes) {
            let (waiting, waited) = (state.waiting.len(), timeout.as_millis());
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("append queue is full, retry later, waiting={waiting} waited_ms={waited}"),
            ));
        }
        state.bytes += bytes;
        state.waiting.push_back(Pending { proposal, bytes, foresights, sender, deadline });
        self.show(&state);
        // Waking a thread costs more than deciding an append: only as many are woken as have something to do.
        let wake = state.is_unattended() || (writers > 1 && state.awake < writers && state.is_worth_two());
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Whether a proposal of `bytes` finds room now.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let state = self.lock();
        state.closed || state.has_room(bytes)
    }

    /// Proposals that wait, or did a moment ago.
    pub(super) fn len(&self) -> usize {
        self.glance.waiting.load(Relaxed)
    }

    /// Moves proposals from the front to `taken`, as long as together they have no more than `bytes`; at least one, if `taken` may grow.
    pub(super) fn take(&self, bytes: usize, taken: &mut VecDeque<Pending>) {
        let mut state = self.lock();
        let mut left = bytes;
        while let Some(first) = state.waiting.front() {
            if first.bytes > left && !(taken.is_empty() && left == bytes) {
                break;
            }
            left = left.saturating_sub(first.bytes);
            state.bytes -= first.bytes;
            taken.extend(state.waiting.pop_front());
        }
        self.show(&state);
        let short_of_room = state.short_of_room > 0;
        drop(state);
        if short_of_room {
            self.room.notify_all();
        }
    }

    /// Puts back, at the front, what was taken and not looked at.
    pub(super) fn give_back(&self, taken: &mut VecDeque<Pending>) {
        let mut state = self.lock();
        while let Some(last) = taken.pop_back() {
            state.bytes += last.bytes;
            state.waiting.push_front(last);
        }
        self.show(&state);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Waits for work; `false` when the queue is closed and empty.
    pub(super) fn wait_for_work(&self) -> bool {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = self.lock();
        state.awake -= 1;
        self.show(&state);
        // One dozing writer is enough.
        let dozes = if std::mem::replace(&mut state.dozing, true) { 0 } else { DOZES_MAX };
        for _ in 0..dozes {
            if !idle(&mut state) {
                break;
            }
            state = wait_timeout_while(&self.work, state, DOZE, idle);
        }
        if dozes > 0 {
            state.dozing = false;
        }
        state = wait_while(&self.work, state, idle);
        state.awake += 1;
        self.show(&state);
        !state.waiting.is_empty()
    }

    /// Counts a writer thread that starts, awake.
    pub(super) fn add_writer(&self) {
        let mut state = self.lock();
        state.awake += 1;
        self.show(&state);
    }

    /// Refuses further proposals; what waits is still ordered.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.work.notify_all();
    }

    /// Refuses further proposals, and gives up what waits.
    pub(super) fn abandon(&self) -> VecDeque<Pending> {
        let mut state = self.lock();
        state.closed = true;
        state.bytes = 0;
        let waiting = std::mem::take(&mut state.waiting);
        self.show(&state);
        drop(state);
        self.room.notify_all();
        self.work.notify_all();
        waiting
    }

    /// Wakes a writer thread if there is work and nobody awake to do it.
    pub(super) fn nudge(&self) {
        let state = self.lock();
        if state.awake == 0 && !state.waiting.is_empty() {
            self.work.notify_one();
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "store is closed, open it again")
}
