//! The world of a run: a store on a disk in memory, the model beside it, and everything that can befall them.

use std::sync::Arc;

use gesta_store::{
    AppendError, ErrorKind, EventStore, Options, Outcome, Timestamp,
    clock::{Clock, ManualClock},
    disk::memory::{Fault, MemoryDisk},
};

use crate::{
    Violation,
    invariants::{bounded, corruption, dense, deterministic::Twin, durable, following::Follower},
    model::{Model, Verdict},
    reads,
    settings::Settings,
    step::{Request, Step},
    trace::digest,
    workload::Sight,
};

/// A request whose sender never heard, and when it was sent.
pub type Undecided = (Request, Timestamp);

/// See the module's words.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    store: Option<EventStore>,
    incarnation: u64,
    model: Model,
    undecided: Vec<Undecided>,
    /// The store said that it takes no more appends.
    closed_to_appends: bool,
    /// The disk is failing or full: errors are no surprise.
    troubled: bool,
    twin: Twin,
    followers: Vec<Follower>,
}

/// When every run begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000_000_000);

impl World {
    /// A new store on a new disk.
    ///
    /// # Errors
    /// A violation, when it cannot even be opened.
    pub fn new(settings: Settings) -> Result<Self, Violation> {
        Self::with_model(settings, Model::default())
    }

    /// A new store beside a model without events, which may be flawed.
    ///
    /// # Errors
    /// As [`World::new`].
    pub fn with_model(settings: Settings, model: Model) -> Result<Self, Violation> {
        let mut world = Self {
            settings,
            disk: MemoryDisk::new(),
            clock: Arc::new(ManualClock::at(BEGIN)),
            store: None,
            incarnation: 0,
            model,
            undecided: Vec::new(),
            closed_to_appends: false,
            troubled: false,
            twin: Twin::new(settings, BEGIN)?,
            followers: Follower::all(),
        };
        world.store = Some(open(&world.disk, world.options())?);
        Ok(world)
    }

    /// What the workload may know.
    #[must_use]
    pub fn sight(&self) -> Sight<'_> {
        Sight { model: &self.model, now: self.clock.now(), refusing: self.is_unsure(), troubled: self.troubled }
    }

    /// A digest of every byte on the disk.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(&self.disk)
    }

    /// Lets a step happen and checks what it shows.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn step(&mut self, step: &Step) -> Result<(), Violation> {
        match step {
            Step::Commit(requests) => self.commit(requests)?,
            Step::Read(source, options) => reads::check(self.store(), &self.model, source, options, self.clock.now())?,
            Step::Explain(query, options) => reads::check_plan(self.store(), &self.model, query, options)?,
            Step::List(prefix, after, limit) => {
                reads::check_list(self.store(), &self.model, prefix, after.as_ref(), *limit)?;
            }
            Step::Follow => self.follow()?,
            Step::Advance(duration) => self.clock.advance(*duration),
            Step::JumpTo(time) => self.clock.jump_to(*time),
            Step::Settle => self.settle()?,
            Step::Fail(passing, lasting, done) => {
                let fault = Fault { lasting: *lasting, ..Fault::once(std::io::ErrorKind::Other) };
                self.disk.fail_after(*passing, fault.leaving(*done));
                self.troubled = true;
            }
            Step::Fill(free) => {
                self.disk.set_capacity(Some(self.disk.allocated_bytes() + free));
                self.troubled = true;
            }
            Step::Heal => self.heal(),
            Step::Reopen => self.reopen()?,
            Step::Kill => self.restart(self.disk.kill())?,
            Step::Crash(seed) => self.restart(self.disk.crash(*seed))?,
            Step::ProbeCrash(seed) => {
                let crashed = self.disk.crash(*seed);
                durable::probe(&self.settings, &crashed, &self.model, &self.undecided, self.clock.now())?;
            }
            Step::ProbeRot(seed) if !self.is_unsure() && !self.troubled => {
                corruption::probe(&self.settings, &self.disk.kill(), &self.model, self.clock.now(), *seed)?;
            }
            Step::ProbeRot(_) => {}
            Step::Flood => bounded::flood(&self.settings)?,
            Step::CheckAll => self.check_all()?,
        }
        Ok(())
    }

    fn store(&self) -> &EventStore {
        self.store.as_ref().expect("a world has a store but while it is opened")
    }

    fn options(&self) -> Options {
        self.settings.options(Arc::clone(&self.clock) as Arc<dyn Clock>, self.incarnation)
    }

    /// Whether nobody knows what was recorded until the store is opened again.
    fn is_unsure(&self) -> bool {
        self.closed_to_appends || !self.undecided.is_empty()
    }

    fn commit(&mut self, requests: &[Request]) -> Result<(), Violation> {
        if self.is_unsure() && !self.closed_to_appends {
            return Ok(());
        }
        let now = self.clock.now();
        let store = self.store().clone();
        let tickets: Vec<_> = requests.iter().map(|request| store.commit(request.to_append())).collect();
        let outcomes: Vec<Outcome> = tickets.into_iter().map(gesta_store::Ticket::wait).collect();
        if self.closed_to_appends {
            let heard = outcomes.iter().find(|outcome| !matches!(outcome, Err(AppendError::Failed(_))));
            return heard.map_or(Ok(()), |outcome| {
                Err(Violation::new("I1", format!("a store that refuses appends answered {outcome:?}")))
            });
        }
        let answered = outcomes.iter().rposition(|outcome| !matches!(outcome, Err(AppendError::Failed(_))));
        for (index, (request, outcome)) in requests.iter().zip(outcomes).enumerate() {
            match outcome {
                Err(AppendError::Failed(error)) => {
                    if !self.troubled {
                        return Err(Violation::new("model", format!("append failed on a good disk: {error}")));
                    }
                    // What is answered later was ordered later: this one cannot have been recorded.
                    if answered.is_some_and(|answered| index < answered) {
                        self.twin.lose_step();
                    } else {
                        self.undecided.push((request.clone(), now));
                        self.closed_to_appends |= error.kind() == ErrorKind::Closed;
                    }
                }
                outcome => self.hear(request, now, &outcome)?,
            }
        }
        Ok(())
    }

    /// Compares an answer with the model's.
    fn hear(&mut self, request: &Request, now: Timestamp, outcome: &Outcome) -> Result<(), Violation> {
        let verdict = self.model.decide(request, now);
        let agree = match (&verdict, outcome) {
            (Verdict::Commit(_, expected) | Verdict::Nothing(expected), Ok(found)) => expected == found,
            (Verdict::Rejected(expected), Err(AppendError::Rejected(found))) => expected == found,
            _ => false,
        };
        if !agree {
            let what = format!("{request:?}: expected {verdict:?}, answered {outcome:?}");
            return Err(Violation::new("model", what));
        }
        if let Verdict::Commit(events, appended) = verdict {
            self.model.apply(request, events, appended);
        }
        self.twin.feed(request, now);
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Violation> {
        let (store, now) = (self.store().clone(), self.clock.now());
        for follower in &mut self.followers {
            follower.catch_up(&store)?;
            follower.check(&self.model, now)?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Violation> {
        match self.store().settle() {
            Err(error) if !self.troubled && !self.is_unsure() => {
                Err(Violation::new("model", format!("maintenance failed on a good disk: {error}")))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn heal(&mut self) {
        self.disk.heal();
        self.disk.set_capacity(None);
        self.troubled = false;
    }

    fn reopen(&mut self) -> Result<(), Violation> {
        let closing = self.store().clone().close();
        match closing {
            Err(error) if !self.troubled && !self.is_unsure() => {
                return Err(Violation::new("open", format!("closing failed on a good disk: {error}")));
            }
            Ok(()) | Err(_) => {}
        }
        self.disk.heal();
        self.restart(self.disk.clone())
    }

    /// Opens what is left on `disk`, and checks that it is what it must be.
    fn restart(&mut self, disk: MemoryDisk) -> Result<(), Violation> {
        // Subscriptions hold parts of the store.
        self.followers.iter_mut().for_each(Follower::disconnect);
        self.store = None;
        self.disk = disk;
        self.incarnation += 1;
        let store = match open(&self.disk, self.options()) {
            Err(_) if self.troubled => {
                self.heal();
                open(&self.disk, self.options())?
            }
            store => store?,
        };
        self.closed_to_appends = false;
        let undecided = std::mem::take(&mut self.undecided);
        let survived = durable::resolve(&mut self.model, &undecided, store.head().position())?;
        for (request, now) in &undecided[..survived] {
            self.twin.feed(request, *now);
        }
        if survived < undecided.len() {
            // The segment may have been sealed because a commit that was lost did not fit: nobody can repeat that.
            self.twin.lose_step();
        }
        self.twin.restart(self.incarnation)?;
        reads::check_everything(&store, &self.model, self.clock.now())?;
        self.store = Some(store);
        // A full disk stays full; a failing one was replaced.
        self.troubled = self.troubled && self.disk_is_bounded();
        Ok(())
    }

    fn disk_is_bounded(&self) -> bool {
        use gesta_store::disk::Disk;
        self.disk.available_bytes().is_ok_and(|available| available.is_some())
    }

    fn check_all(&mut self) -> Result<(), Violation> {
        self.follow()?;
        reads::check_everything(self.store(), &self.model, self.clock.now())?;
        dense::check(self.store())?;
        if !self.is_unsure() {
            self.twin.compare(&self.disk)?;
        }
        let report = self.store().verify(|_| ()).map_err(|error| Violation::new("I6", error.to_string()))?;
        if let Some(problem) = report.problems.first() {
            return Err(Violation::new("I6", format!("verification finds a problem nobody made: {problem}")));
        }
        Ok(())
    }
}

/// Opens the store on `disk`.
pub(crate) fn open(disk: &MemoryDisk, options: Options) -> Result<EventStore, Violation> {
    EventStore::open_on(Arc::new(disk.clone()), options)
        .map_err(|error| Violation::new("open", format!("{error} ({:?})", error.kind())))
}
