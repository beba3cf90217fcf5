//! The order of one machine: the queue's order, made durable by the log's own writes.
//!
//! There is no writer thread that proposals are handed to; whoever holds the core lock *leads*. A caller that waits for its
//! ticket on an idle store leads on its own thread, which saves two hand-overs of some 10 µs each around a sync of 100 µs. Two writer
//! threads lead for everybody else: while one syncs group n, the other decides and encodes group n + 1.
//!
//! Two locks, always taken in this order and hand over hand: `core` (rules, encoding), then `flush` (write, sync, publish). Taking `flush`
//! before giving `core` back keeps groups in order; at most one group is being written and one encoded.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    thread,
    time::Duration,
};

use super::{
    Head, Order, Ticket, TicketSender,
    facts::LogFacts,
    followers::FreshCommit,
    foresight::{Foresight, foresee},
    prepare::Prepared,
    queue::{self, Pending, Queue, Waiting},
    threads::{Spawn, Threads},
    ticket::Drive,
    upkeep::Upkeep,
};
use crate::{
    append::Outcome,
    clock::Clock,
    commit::{Commit, Kernel, Proposal, Verdict},
    correlation::correlation_of,
    error::{Error, ErrorKind, Result},
    index::{Index, IndexedEvent, TagList},
    limits,
    log::{Group, Log, LogFlusher, LogWriter},
    measures::Meters,
    position::Position,
};

/// Threads that lead for appends nobody waits for: one may encode while the other syncs.
const WRITER_THREADS: usize = 2;

/// Times a leader lets other threads run before it goes on with a smaller group than the last: some ten microseconds, a tenth of a sync.
const GATHER_YIELDS_MAX: usize = 32;

/// What the order works on.
pub(crate) struct LocalParts {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Arc<Index>,
    pub(crate) writer: LogWriter,
    pub(crate) flusher: LogFlusher,
    pub(crate) kernel: Kernel,
    pub(crate) head: Head,
    pub(crate) upkeep: Arc<Upkeep>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) queue_timeout: Duration,
    /// Whether writer and maintenance threads exist.
    pub(crate) threads: bool,
}

/// The order of one machine.
pub(crate) struct Local {
    shared: Arc<Shared>,
    threads: Threads,
}

struct Shared {
    queue: Queue,
    core: Mutex<Core>,
    flush: Mutex<LogFlusher>,
    /// A group is being written: callers then rather wait than lead.
    flushing: AtomicBool,
    /// Set by the first failed write or panic; nothing is ordered after it.
    poisoned: OnceLock<Error>,
    log: Arc<Log>,
    index: Arc<Index>,
    head: Head,
    upkeep: Arc<Upkeep>,
    clock: Arc<dyn Clock>,
    meters: Arc<Meters>,
    queue_timeout: Duration,
    threads: bool,
}

struct Core {
    kernel: Kernel,
    writer: LogWriter,
    inbox: VecDeque<Pending>,
    answers: Vec<(TicketSender, Outcome)>,
    /// The commits of the pending group, as far as somebody waited when they were ordered: no more than a group holds.
    fresh: Vec<FreshCommit>,
    /// Proposals the last group answered: about as many clients are there.
    group_size: usize,
}

/// Poisons the store if its holder panics: reads go on, appends are refused, and nobody waits for an answer that will not come.
///
/// The core must not be locked any more when it is dropped.
struct PanicGuard<'a>(&'a Shared);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        self.0.poison(Error::new(
            ErrorKind::Internal,
            "the writer panicked, appends are refused until the store is opened again",
        ));
        self.0.flushing.store(false, Ordering::Release);
        let mut left = self.0.queue.abandon();
        let mut core = self.0.lock_core();
        left.append(&mut core.inbox);
        let answers = std::mem::take(&mut core.answers);
        drop(core);
        // Senders that are dropped say that the store closed.
        drop((left, answers));
    }
}

impl Local {
    /// Starts ordering. No thread is left behind when one cannot be started.
    pub(crate) fn start(parts: LocalParts, spawn: Spawn<'_>) -> Result<Self> {
        let threads = parts.threads;
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            core: Mutex::new(Core {
                kernel: parts.kernel,
                writer: parts.writer,
                inbox: VecDeque::new(),
                answers: Vec::new(),
                fresh: Vec::new(),
                group_size: 0,
            }),
            flush: Mutex::new(parts.flusher),
            flushing: AtomicBool::new(false),
            poisoned: OnceLock::new(),
            log: parts.log,
            index: parts.index,
            head: parts.head,
            upkeep: parts.upkeep,
            clock: parts.clock,
            meters: parts.meters,
            queue_timeout: parts.queue_timeout,
            threads,
        });
        let local = Self { shared, threads: Threads::default() };
        for number in 0..if threads { WRITER_THREADS } else { 0 } {
            let shared = Arc::clone(&local.shared);
            let body = move || {
                while shared.queue.wait_for_work() {
                    shared.lead(shared.lock_core());
                }
            };
            local.shared.queue.add_writer();
            local.threads.start(&format!("gesta-writer-{number}"), spawn, Box::new(body))?;
        }
        Ok(local)
    }

    /// Orders what waits, stops, and marks the log as cleanly closed. Further proposals are refused. Idempotent.
    pub(crate) fn close(&self) -> Result<()> {
        self.stop_threads();
        while !self.shared.queue.is_empty() {
            self.shared.lead(self.shared.lock_core());
        }
        // Whoever still leads holds a lock until its group is answered.
        let core = self.shared.lock_core();
        let mut flush = self.shared.lock_flush();
        drop(core);
        let wakers = self.shared.head.close();
        let closed = match self.shared.poisoned.get() {
            Some(error) => Err(error.clone()),
            None => flush.close(),
        };
        drop(flush);
        wakers.into_iter().for_each(Waker::wake);
        closed
    }

    /// Lets the writer threads order what waits, and end.
    fn stop_threads(&self) {
        self.shared.queue.close();
        self.threads.join();
    }

    /// Appends that wait for their turn.
    pub(crate) fn queued(&self) -> usize {
        self.shared.queue.len()
    }

    /// Whether appends are refused since a write failed, and why.
    pub(crate) fn poisoned(&self) -> Option<&Error> {
        self.shared.poisoned.get()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.stop_threads();
    }
}

impl Order for Local {
    fn propose(&self, mut prepared: Prepared) -> Ticket {
        let shared = &self.shared;
        if let Some(error) = shared.poisoned.get() {
            return Ticket::answered(Err(error.clone().into()));
        }
        // On the caller's thread, as late as can be without a lock: the less comes after, the less is looked at in turn.
        prepared.foresights = foresee(&prepared.proposal.conditions, &shared.index, shared.head.position());
        let (sender, ticket) = Ticket::pair(Some(Arc::clone(shared) as Arc<dyn Drive>));
        if !shared.threads {
            while !shared.queue.has_room(prepared.bytes) {
                shared.lead(shared.lock_core());
            }
        }
        // While a group is being synced, a second thread can already encode the next one.
        let writers = if shared.flushing.load(Ordering::Acquire) { WRITER_THREADS } else { 1 };
        let timeout = shared.queue_timeout;
        let deadline = match timeout {
            // Nobody is to wait for room; who has a place is ordered.
            Duration::ZERO => Duration::MAX,
            timeout => shared.clock.elapsed().saturating_add(timeout),
        };
        match shared.queue.push(prepared, sender, Waiting { deadline, timeout, writers }) {
            Ok(()) => ticket,
            Err(error) => Ticket::answered(Err(error.into())),
        }
    }

    fn head(&self) -> &Head {
        &self.shared.head
    }
}

impl Drive for Shared {
    fn attend(&self) {
        if self.threads {
            self.queue.attend();
            return;
        }
        while !self.queue.is_empty() {
            self.lead(self.lock_core());
        }
    }

    fn drive(&self, done: &dyn Fn() -> bool) {
        if !self.threads {
            while !done() {
                self.lead(self.lock_core());
            }
            return;
        }
        if self.flushing.load(Ordering::Acquire) {
            return;
        }
        match self.core.try_lock() {
            Ok(core) => self.lead(core),
            Err(TryLockError::Poisoned(core)) => self.lead(core.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }
}

impl Shared {
    fn lock_core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_flush(&self) -> MutexGuard<'_, LogFlusher> {
        self.flush.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poison(&self, error: Error) {
        // Only the first cause matters; it closes the store for appends.
        let _ = self.poisoned.set(error.with_kind(ErrorKind::Closed));
    }

    /// Brings one group from the queue to its answers.
    fn lead(&self, core: MutexGuard<'_, Core>) {
        let _guard = PanicGuard(self);
        self.lead_group(core);
    }

    /// As `lead`; in a function of its own so that its locks are given back before the guard looks at what it left.
    fn lead_group(&self, mut core: MutexGuard<'_, Core>) {
        let backlog = self.await_index();
        self.collect(&mut core, backlog.as_ref().err());
        if core.answers.is_empty() {
            return;
        }
        let mut flush = self.lock_flush();
        self.gather(&core);
        // What arrived while the group before was being synced still goes with this one.
        self.collect(&mut core, backlog.as_ref().err());
        let group = core.writer.take_group();
        let (answers, fresh) = (std::mem::take(&mut core.answers), std::mem::take(&mut core.fresh));
        core.group_size = answers.len();
        self.flushing.store(true, Ordering::Release);
        drop(core);
        let outcome = self.flush(&mut flush, group);
        self.flushing.store(false, Ordering::Release);
        drop(flush);
        if outcome.is_ok() {
            self.meters.answered(answers.iter().map(|(_, answer)| answer));
        }
        let failed = outcome.as_ref().err().cloned();
        let mut woken = outcome.unwrap_or_default();
        woken.extend(answers.into_iter().filter_map(|(sender, answer)| {
            sender.answer(match &failed {
                None => answer,
                // Rejections too: they may rest on a commit that did not become durable (I1).
                Some(error) => Err(error.clone().into()),
            })
        }));
        // Whoever came while this group was being synced, and saw that somebody was at it.
        self.queue.nudge();
        self.head.wake(woken);
        self.head
            .announce(&fresh, |range| self.log.read_forward(range.start, range.end, usize::MAX, limits::BATCH_BYTES));
    }

    /// Gives the clients of the last group, who have just been answered, a moment to come back with their next appends. The first of them
    /// would otherwise start a sync all for himself, and the others wait for two.
    fn gather(&self, core: &Core) {
        if !self.threads {
            return;
        }
        let expected = core.group_size * 3 / 4;
        for _ in 0..GATHER_YIELDS_MAX {
            if core.answers.len() + self.queue.len() >= expected {
                break;
            }
            thread::yield_now();
        }
    }

    /// Makes a group durable, then readable. Answers with the tasks to be woken when no lock is held.
    fn flush(&self, flusher: &mut LogFlusher, group: Group) -> Result<Vec<Waker>> {
        if let Some(error) = self.poisoned.get() {
            return Err(error.clone());
        }
        if group.is_empty() {
            return Ok(Vec::new());
        }
        let (end, bytes, begun) = (group.end(), group.bytes(), self.clock.elapsed());
        match flusher.flush(group) {
            Ok(flushed) => {
                self.meters.synced(bytes, self.clock.elapsed().saturating_sub(begun));
                let wakers = self.head.publish(end);
                self.upkeep.want_spare();
                if !flushed.sealed.is_empty() {
                    self.upkeep.ring();
                }
                Ok(wakers)
            }
            Err(error) => {
                self.poison(error);
                Err(self.poisoned.get().cloned().unwrap_or_else(queue::closed))
            }
        }
    }

    /// Decides and encodes what waits, until the group is full.
    fn collect(&self, core: &mut Core, backlog: Option<&Error>) {
        let room = limits::GROUP_BYTES.saturating_sub(usize::try_from(core.writer.group_bytes()).unwrap_or(usize::MAX));
        if room == 0 {
            return;
        }
        self.queue.take(room, &mut core.inbox);
        while let Some(pending) = core.inbox.pop_front() {
            let Pending { proposal, foresights, sender, deadline, .. } = pending;
            let outcome = match backlog.cloned().or_else(|| self.refusal(deadline)) {
                Some(error) => Err(error.into()),
                None => self.decide(core, proposal, &foresights),
            };
            core.answers.push((sender, outcome));
            // The queue does not know what the rules add, for the metadata of streams that are deleted or revived.
            if core.writer.group_bytes() >= limits::GROUP_BYTES as u64 {
                self.queue.give_back(&mut core.inbox);
            }
        }
    }

    /// Why a proposal is not even looked at.
    fn refusal(&self, deadline: Duration) -> Option<Error> {
        if let Some(error) = self.poisoned.get() {
            return Some(error.clone());
        }
        if self.clock.elapsed() > deadline {
            let waited = self.queue_timeout.as_millis();
            let message =
                format!("append waited too long for its place and was not ordered, retry, waited_ms={waited}");
            return Some(Error::new(ErrorKind::Unavailable, message));
        }
        None
    }

    /// Waits until the index parts that could be written have been, but for a bounded backlog: the memory of an import that is faster
    /// than maintenance stays bounded. Parts of groups that are not durable yet cannot be written and do not count.
    fn await_index(&self) -> Result<()> {
        while self.index.pending(self.head.position()) > limits::INDEX_BACKLOG_MAX {
            let built = if self.threads {
                self.upkeep.wait_for_build()
            } else {
                self.index.build(self.head.position()).map(drop)
            };
            if let Err(error) = built
                && self.index.pending(self.head.position()) > limits::INDEX_BACKLOG_MAX
            {
                return Err(error);
            }
        }
        Ok(())
    }

    fn decide(&self, core: &mut Core, proposal: Proposal, foresights: &[Foresight]) -> Outcome {
        let next = core.kernel.next_position();
        let mut facts = LogFacts { log: &self.log, index: &self.index, next, foresights };
        match core.kernel.decide(proposal, &mut facts)? {
            Verdict::Commit(commit) => {
                core.kernel.apply(&commit);
                self.record(core, &commit);
                let Commit { first_position, recorded_at, events, appended, .. } = *commit;
                if self.head.is_followed() {
                    core.fresh.push(FreshCommit { first: first_position, recorded_at, events });
                }
                Ok(appended)
            }
            Verdict::AlreadyCommitted(appended) => Ok(appended),
            Verdict::Rejected(rejection) => Err(rejection.into()),
        }
    }

    /// Encodes a commit and makes it known to the index, so that the next proposal of the group sees it.
    fn record(&self, core: &mut Core, commit: &Commit) {
        let filled = core.writer.append(commit);
        index_commit(&self.index, commit);
        if let Some(end) = filled {
            self.index.seal(end);
        }
    }
}

/// Adds a commit's events to the index.
fn index_commit(index: &Index, commit: &Commit) {
    let correlations: Vec<_> = commit.events.iter().map(|event| correlation_of(&event.event.data.metadata)).collect();
    let positions = (commit.first_position.0..).map(Position);
    let events = positions.zip(commit.events.iter().zip(&correlations)).map(|(position, (committed, correlation))| {
        let data = &committed.event.data;
        IndexedEvent {
            position,
            revision: committed.revision,
            stream: &committed.stream,
            event_type: &data.event_type,
            tags: TagList::Proposed(&data.tags),
            correlation: correlation.as_deref(),
        }
    });
    index.insert(events);
}
