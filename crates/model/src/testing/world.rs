//! A whole domain in a test: a store in memory, virtual time, and whatever follows the log, brought forward until nothing moves.

use std::{fmt, sync::Arc, time::Duration};

use gesta_store::{
    Append, EventStore, ExpectedRevision, HandlerRunner, Options, ReadOptions, Timestamp,
    clock::{Clock, ManualClock},
    disk::memory::{Fault, MemoryDisk},
    entropy::Entropy,
    subscribe::handler::Step,
};
use uuid::Uuid;

use crate::{
    domain::Domain,
    event::{Event, to_recordable},
    options::DomainOptions,
    process::{Process, ProcessRunner, Setup},
};

/// The time a world begins at.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000_000);
/// Steps in which everything must come to rest.
const STEPS_MAX: u32 = 100_000;

/// Something that follows the log, brought forward step by step.
pub trait Settle {
    /// Does one thing, without waiting; whether there may be more to do now.
    fn step(&mut self) -> Step;
}

impl Settle for HandlerRunner {
    fn step(&mut self) -> Step {
        self.step()
    }
}

impl<P: Process> Settle for ProcessRunner<P> {
    fn step(&mut self) -> Step {
        self.step()
    }
}

/// How something that follows the log is started, and started again after a crash.
type Starts = Box<dyn Fn(&Domain) -> Result<Box<dyn Settle>, String>>;

/// A domain on a store in memory, without threads, in virtual time.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// let mut world = gesta_model::testing::World::new();
/// world.advance(std::time::Duration::from_secs(3600)); // an hour, in no time
/// # }
/// ```
pub struct World {
    pub(super) disk: MemoryDisk,
    clock: Arc<ManualClock>,
    domain: Option<Domain>,
    starts: Vec<Starts>,
    running: Vec<Box<dyn Settle>>,
    /// After how many changes of the disk it fails, and the machine goes down.
    pub(super) fault_after: Option<u64>,
    /// After how many steps of what follows the log everything is dropped and started again.
    pub(super) restart_after: Option<u64>,
    pub(super) steps: u64,
    pub(super) seed: u64,
    recordings: u32,
    /// When the first of those that run has something to do again, by what they said when all were at rest.
    due: Option<Duration>,
    /// How often the store was opened.
    openings: u64,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A new one: an empty store, at a time that is always the same.
    ///
    /// # Panics
    /// If the store cannot be opened.
    #[must_use]
    pub fn new() -> Self {
        let mut world = Self::unopened(MemoryDisk::new());
        world.open();
        world
    }

    pub(super) fn unopened(disk: MemoryDisk) -> Self {
        Self {
            disk,
            clock: Arc::new(ManualClock::at(BEGINNING)),
            domain: None,
            starts: Vec::new(),
            running: Vec::new(),
            fault_after: None,
            restart_after: None,
            steps: 0,
            seed: 0,
            recordings: 0,
            due: None,
            openings: 0,
        }
    }

    /// The domain, as it is now: another one after a crash.
    ///
    /// # Panics
    /// Never while nobody opens or crashes the world.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        self.domain.as_ref().expect("a world is open between two of its steps")
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// Runs a process, after a crash too.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn process<P: Process>(&mut self) {
        self.process_with::<P>(|setup| setup);
    }

    /// Runs a process that is set up.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn process_with<P: Process>(&mut self, setup: impl Fn(Setup<P>) -> Setup<P> + 'static) {
        self.runs(move |domain| {
            let runner = setup(domain.process::<P>()).runner().map_err(|error| error.to_string())?;
            Ok(Box::new(runner))
        });
    }

    /// Runs whatever follows the log, after a crash too; [`settle`](World::settle) waits for it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn runs(&mut self, starts: impl Fn(&Domain) -> Result<Box<dyn Settle>, String> + 'static) {
        self.starts.push(Box::new(starts));
        let index = self.starts.len() - 1;
        self.survive(|world| {
            if world.running.len() <= index {
                let started = world.starts[index](world.domain())?;
                world.running.push(started);
            }
            Ok(())
        });
    }

    /// Does something to the domain, and lets everything settle. Done again if a crash came between: so it must be repeatable, as
    /// [`send_once`](Domain::send_once) is.
    ///
    /// # Panics
    /// If it fails though nothing crashed.
    pub fn does<T, E: fmt::Debug>(&mut self, what: impl Fn(&Domain) -> Result<T, E>) -> T {
        let done = self.survive(|world| what(world.domain()).map_err(|error| format!("{error:?}")));
        self.settle();
        done
    }

    /// Records events, and lets everything settle.
    ///
    /// # Panics
    /// If one cannot be recorded.
    pub fn records<E: Event>(&mut self, events: impl IntoIterator<Item = E>) {
        self.recordings += 1;
        let call = u128::from(self.recordings) << 64;
        let mut append = Append::new();
        for (index, event) in (0_u128..).zip(events) {
            let (stream, event) = to_recordable(&event).unwrap_or_else(|error| panic!("event to record: {error}"));
            // The same ids when it is recorded again after a crash.
            append = append.stream(stream, ExpectedRevision::Any, [event.with_id(Uuid::from_u128(call + index + 1))]);
        }
        self.does(move |domain| domain.store().commit(append.clone()).wait());
    }

    /// Lets time pass, from one moment at which something falls due to the next, and everything settle at each.
    pub fn advance(&mut self, time: Duration) {
        let end = self.clock.elapsed().saturating_add(time);
        self.settle();
        loop {
            let now = self.clock.elapsed();
            let due = self.due.filter(|due| *due > now).unwrap_or(end).min(end);
            self.clock.advance(due.saturating_sub(now));
            self.settle();
            if due >= end {
                return;
            }
        }
    }

    /// Brings everything that follows the log forward, until nothing has anything to do at this time.
    ///
    /// # Panics
    /// If that does not come to an end.
    pub fn settle(&mut self) {
        self.survive(Self::settle_once);
    }

    fn settle_once(&mut self) -> Result<(), String> {
        let (mut resting, mut at, mut steps) = (0, 0, 0);
        while resting < self.running.len() {
            if resting == 0 {
                self.due = None;
            }
            resting = if self.is_at_rest(at) { resting + 1 } else { 0 };
            if resting > 0 {
                at = (at + 1) % self.running.len();
            }
            steps += 1;
            assert!(steps < STEPS_MAX, "what follows the log does not settle");
            if self.restart_after.is_some_and(|after| self.steps >= after) {
                self.restart_after = None;
                self.restart();
                (resting, at) = (0, 0);
            }
            if self.has_failed() {
                return Err("the disk failed".to_owned());
            }
        }
        Ok(())
    }

    /// Takes a step of one that runs.
    fn is_at_rest(&mut self, at: usize) -> bool {
        let now = self.clock.elapsed();
        match self.running[at].step() {
            Step::Idle(Some(until)) => {
                self.due = Some(self.due.map_or(until, |due| due.min(until)));
                until > now
            }
            Step::Idle(None) | Step::Paused | Step::Ended => true,
            #[allow(clippy::wildcard_enum_match_arm)] // the store's enum, which grows
            Step::Worked | _ => {
                self.steps += 1;
                false
            }
        }
    }

    /// Stops everything, and starts it again: as a program that is restarted.
    pub fn restart(&mut self) {
        self.close();
        self.disk = self.disk.kill();
        self.survive(|_| Ok(()));
    }

    /// The machine loses power, and is started again: what was not synced is lost, or in part.
    pub fn crash(&mut self) {
        self.fault_after = None;
        self.close();
        self.seed += 1;
        self.disk = self.disk.crash(self.seed);
    }

    fn close(&mut self) {
        self.running.clear();
        self.domain = None;
    }

    /// Every event of the domain as text, by stream: what a run has come to, whatever happened on the way.
    ///
    /// # Panics
    /// If the store cannot be read.
    #[must_use]
    pub fn log(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        let mut log = std::collections::BTreeMap::<String, Vec<String>>::new();
        let read = self.domain().store().read_all(ReadOptions::default()).expect("the log is read");
        for event in read {
            let event = event.expect("the log is read");
            if !event.stream.is_system() {
                let tags: Vec<&str> = event.tags.iter().map(|tag| &**tag).collect();
                let line = format!("{} {} {tags:?}", event.event_type, String::from_utf8_lossy(&event.data));
                log.entry(event.stream.to_string()).or_default().push(line);
            }
        }
        log
    }

    /// Does something that must succeed, as often as crashes come between; and starts what is not running.
    pub(super) fn survive<T>(&mut self, what: impl Fn(&mut Self) -> Result<T, String>) -> T {
        for _ in 0..3 {
            let done = self.try_open().and_then(|()| what(self));
            match done {
                Ok(done) if !self.has_failed() => return done,
                Ok(done) => {
                    // What was answered is durable.
                    self.crash();
                    self.open();
                    return done;
                }
                Err(_) if self.has_failed() => self.crash(),
                Err(reason) => panic!("failed without a crash: {reason}"),
            }
        }
        panic!("a world crashes once");
    }

    fn has_failed(&self) -> bool {
        self.fault_after.is_some_and(|after| self.disk.operations().changes() > after)
    }

    fn open(&mut self) {
        if let Err(reason) = self.try_open() {
            panic!("the world cannot be opened: {reason}");
        }
    }

    fn try_open(&mut self) -> Result<(), String> {
        if self.domain.is_none() {
            self.openings += 1;
            let options = Options {
                threads: false,
                clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
                // Other bytes each time, as in life.
                entropy: Arc::new(Entropy::seeded(1000 + self.openings)),
                store_id: Some(Uuid::from_u128(7)),
                ..Options::default()
            };
            let store = EventStore::open_on(Arc::new(self.disk.clone()), options).map_err(|error| error.to_string())?;
            let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
            let entropy = Arc::new(Entropy::seeded(2000 + self.openings));
            self.domain = Some(Domain::with(store, DomainOptions { clock, entropy, ..DomainOptions::default() }));
        }
        while self.running.len() < self.starts.len() {
            let started = self.starts[self.running.len()](self.domain())?;
            self.running.push(started);
        }
        Ok(())
    }

    /// Has the disk fail at the `after`-th change from now on.
    pub(super) fn fail(&mut self, after: u64, fault: Fault) {
        self.fault_after = Some(after);
        self.disk.fail_after(after, fault);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("domain", &self.domain)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
