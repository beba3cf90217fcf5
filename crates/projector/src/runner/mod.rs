//! The steps of a projector: connect, read on, bring events into the tables; and what is done when that fails.
//!
//! Exactly once: the position an event takes the build to is written in the transaction that writes what the event does. Whoever begins, begins at
//! the position the database has.

mod parked;
mod session;

use std::{fmt, sync::Arc, time::Duration};

use gesta_store::{Delivery, ErrorKind, EventStore, From, Position, Source, SubscribeOptions, Subscription};

use self::{
    parked::{PARKED_EVENTS_MAX, ParkedKeys},
    session::{Applied, Fate, Over, Pending, Session, Verdict},
};
use crate::{
    build::{Build, check_name},
    connection::{Connect, Connection, SqlError},
    control::{Activity, Control, ProjectorStatus, Request},
    ledger::{self, BuildInfo, BuildState},
    options::{OnFailure, ProjectorOptions, Promotion, Start},
    projector::{Projector, Tables},
};

/// Most parked events that are tried again in one transaction.
const RETRIED_TOGETHER_MAX: usize = 256;

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more to do.
    Worked,
    /// There is nothing to do: until something is recorded, or until then, by the clock's `elapsed`.
    Idle(Option<Duration>),
    /// It was told to wait.
    Paused,
    /// It works no more.
    Ended,
}

/// Why a session is of no use any more.
enum Trouble {
    /// Another one may be.
    Again(String),
    /// So would be another one.
    Ended(String),
}

/// A projector without a thread: its caller takes its steps.
pub struct ProjectorRunner<P> {
    projector: P,
    store: EventStore,
    connect: Box<dyn Connect>,
    options: ProjectorOptions,
    control: Arc<Control>,
    session: Option<Session>,
    /// The build that was chosen at the beginning.
    chosen: Option<Build>,
    /// Until when it waits to try again.
    waits_until: Option<Duration>,
    /// Failures since something succeeded.
    failures: u32,
    /// The event that all wait for, and how often it has failed.
    stuck: Option<(Position, u32)>,
    ended: bool,
}

impl<P: Projector> ProjectorRunner<P> {
    /// A projector of events of a store into a database. Does nothing yet.
    ///
    /// # Errors
    /// `Refused` for names that cannot be names of tables, and for settings that say nothing.
    pub fn new(
        store: EventStore,
        connect: impl Connect + 'static,
        projector: P,
        options: ProjectorOptions,
    ) -> Result<Self, SqlError> {
        check_name(P::NAME)?;
        P::TABLES.iter().try_for_each(|table| check_name(table))?;
        if options.batch_events == 0 || options.attempts == 0 || P::VERSION == 0 {
            return Err(SqlError::refused("batch_events, attempts and VERSION begin at 1"));
        }
        Ok(Self {
            projector,
            store,
            connect: Box::new(connect),
            options,
            control: Arc::default(),
            session: None,
            chosen: None,
            waits_until: None,
            failures: 0,
            stuck: None,
            ended: false,
        })
    }

    /// The hand on it.
    #[must_use]
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> ProjectorStatus {
        self.control.status(self.store.head().position())
    }

    /// Does what is to be done next: at most one transaction. Never waits for events, but for the database.
    pub fn step(&mut self) -> Step {
        let step = self.next_step();
        if step != Step::Paused {
            // Paused, it has to do what it had to do before.
            self.control.say(|said| said.idle = step == Step::Idle(None));
        }
        step
    }

    fn next_step(&mut self) -> Step {
        if self.ended {
            return Step::Ended;
        }
        if self.control.is_stopped() {
            return self.end(None);
        }
        if self.control.is_paused() {
            self.control.say(|said| said.activity = Activity::Paused);
            return Step::Paused;
        }
        if let Some(until) = self.waits_until {
            if self.now() < until {
                return Step::Idle(Some(until));
            }
            self.waits_until = None;
        }
        match self.work() {
            Ok(step) => {
                self.report();
                step
            }
            Err(Trouble::Again(reason)) => {
                self.wait(reason);
                Step::Worked
            }
            Err(Trouble::Ended(reason)) => self.end(Some(reason)),
        }
    }

    /// Takes steps until there is nothing to do now; `false` if it has ended or waits.
    pub fn run_until_idle(&mut self) -> bool {
        loop {
            match self.step() {
                Step::Worked => {}
                Step::Idle(until) => return until.is_none() || self.waits_until.is_none(),
                Step::Paused | Step::Ended => return false,
            }
        }
    }

    pub(crate) fn store(&self) -> &EventStore {
        &self.store
    }

    pub(crate) fn source(&self) -> Source {
        self.projector.source()
    }

    /// Where the next events come from, unless it waits for something else.
    pub(crate) fn awaited(&mut self) -> Option<&mut Subscription> {
        let waits = self.waits_until.is_some();
        self.session.as_mut().filter(|_| !waits).map(|session| &mut session.subscription)
    }

    pub(crate) fn now(&self) -> Duration {
        self.options.clock.elapsed()
    }

    fn work(&mut self) -> Result<Step, Trouble> {
        // Put back only if all went well.
        let Some(mut session) = self.session.take() else {
            self.session = Some(self.open()?);
            return Ok(Step::Worked);
        };
        let step = self.work_in(&mut session)?;
        self.session = Some(session);
        Ok(step)
    }

    fn work_in(&mut self, session: &mut Session) -> Result<Step, Trouble> {
        if let Some(request) = self.control.request() {
            self.carry_out(session, request)?;
            self.control.done();
            return Ok(Step::Worked);
        }
        if let Some(key) = session.parked.due(self.now()) {
            self.retry(session, &key)?;
            return Ok(Step::Worked);
        }
        if session.pending.is_some() {
            return self.project(session);
        }
        match session.subscription.next(Some(Duration::ZERO))? {
            None => {
                self.failures = 0;
                return Ok(Step::Idle(session.parked.next_due()));
            }
            Some(Delivery::Events(batch)) => {
                let upto = batch.len();
                session.pending = Some(Pending { batch, done: 0, upto, verdict: None });
            }
            Some(Delivery::CaughtUp(position)) => {
                if session.info.state == BuildState::Building && self.options.promotion == Promotion::WhenCaughtUp {
                    session.promote::<P>(position, self.options.retired, Over::Lower)?;
                }
            }
            Some(Delivery::Checkpoint(position)) => session.pass_to(position)?,
            // A notice, as any that is to come.
            Some(_) => {}
        }
        Ok(Step::Worked)
    }

    /// Connects, and finds out where the build stands.
    fn open(&mut self) -> Result<Session, Trouble> {
        let mut connection = self.connect.connect()?;
        ledger::prepare(&mut *connection)?;
        let info = match self.choose(&mut *connection)? {
            Some(info) => info,
            None => self.create(&mut *connection)?,
        };
        self.chosen = Some(info.build.clone());
        let (ours, build) = (self.store_id()?, &info.build);
        if info.store != ours {
            let theirs = &info.store;
            return Err(Trouble::Ended(format!("build is of another store, build={build} store={theirs} own={ours}")));
        }
        let options = SubscribeOptions {
            batch_events: self.options.batch_events,
            ..SubscribeOptions::from(From::Position(Position(info.position)))
        };
        let subscription = self.store.subscribe(self.projector.source(), options)?;
        let waiting = ledger::parked(&mut *connection, build)?;
        let parked = ParkedKeys::load(&waiting, self.options.attempts, self.now());
        Ok(Session { connection, info, parked, subscription, pending: None })
    }

    /// The build to work at; `None`: a new one.
    fn choose(&self, connection: &mut dyn Connection) -> Result<Option<BuildInfo>, Trouble> {
        let mut all = ledger::builds(connection, P::NAME)?;
        all.retain(|info| info.build.version == P::VERSION);
        let live = all.iter().find(|info| info.state == BuildState::Live).map(|info| info.build.generation);
        if let Some(chosen) = &self.chosen {
            let Some(own) = all.into_iter().find(|info| info.build == *chosen) else {
                return Err(Trouble::Ended(format!("build was dropped, build={chosen}")));
            };
            if own.state == BuildState::Retired && live.is_some_and(|live| live > chosen.generation) {
                return Err(Trouble::Ended(format!("build was built anew, build={chosen}")));
            }
            return Ok(Some(own));
        }
        let newest_building = all.iter().rposition(|info| info.state == BuildState::Building);
        let index = match self.options.start {
            Start::Resume => all
                .iter()
                .position(|info| info.state == BuildState::Live)
                .or(newest_building)
                .or(all.len().checked_sub(1)),
            Start::Anew => newest_building,
        };
        Ok(index.map(|index| all.swap_remove(index)))
    }

    /// Begins a new build.
    fn create(&self, connection: &mut dyn Connection) -> Result<BuildInfo, Trouble> {
        let store = self.store_id()?;
        connection.begin()?;
        let before = ledger::builds(connection, P::NAME)?;
        let generations = before.iter().filter(|info| info.build.version == P::VERSION);
        let generation = generations.map(|info| info.build.generation + 1).max().unwrap_or(0);
        let build = Build { name: P::NAME.to_owned(), version: P::VERSION, generation };
        ledger::begin(connection, &build, &store, P::TABLES)?;
        let mut tables = Tables::new(&mut *connection, &build, P::TABLES);
        self.projector.create(&mut tables)?;
        if let Some(error) = tables.into_error() {
            return Err(error.into());
        }
        let own = ledger::builds(connection, P::NAME)?.into_iter().find(|info| info.build == build);
        let own = own.ok_or_else(|| Trouble::Again("build is gone".to_owned()))?;
        connection.commit()?;
        Ok(own)
    }

    fn store_id(&self) -> Result<String, Trouble> {
        Ok(self.store.info()?.store_id.to_string())
    }

    /// Brings pending events into the tables, or finds out which of them fails.
    fn project(&mut self, session: &mut Session) -> Result<Step, Trouble> {
        let applied = session.project(&self.projector)?;
        let Some(mut pending) = session.pending.take() else { return Ok(Step::Worked) };
        match applied {
            Applied::Done { projected } => {
                self.failures = 0;
                self.control.say(|said| said.projected += projected);
                self.settle_verdict(session, &pending);
                if session.parked.events > PARKED_EVENTS_MAX {
                    let parked = session.parked.events;
                    return Err(Trouble::Ended(format!("too many events are parked, parked={parked}")));
                }
                if pending.upto < pending.batch.len() {
                    let (done, upto) = (pending.upto, pending.batch.len());
                    session.pending = Some(Pending { done, upto, verdict: None, ..pending });
                }
            }
            Applied::Failed { index, reason } => {
                self.note_failure(&reason);
                match self.options.on_failure {
                    OnFailure::ParkKey | OnFailure::Skip => {
                        let parks = self.options.on_failure == OnFailure::ParkKey;
                        let what = if parks { Fate::Park { reason } } else { Fate::Skip };
                        pending.verdict = Some(Verdict { index, what });
                        pending.upto = index + 1;
                    }
                    // First those before it.
                    OnFailure::Stop if index > pending.done => pending.upto = index,
                    OnFailure::Stop => self.get_stuck(&pending, index, reason)?,
                }
                session.pending = Some(pending);
            }
        }
        Ok(Step::Worked)
    }

    /// What follows from a verdict that was carried out.
    fn settle_verdict(&mut self, session: &mut Session, pending: &Pending) {
        match &pending.verdict {
            Some(Verdict { index, what: Fate::Park { .. } }) => {
                let event = pending.batch.iter().nth(*index).expect("a verdict is on an event of the batch");
                let due = (self.options.attempts > 1).then(|| self.now() + self.options.wait_after(1));
                session.schedule(&self.projector, &event, due);
            }
            Some(Verdict { what: Fate::Skip, .. }) => self.control.say(|said| said.skipped += 1),
            None => {}
        }
    }

    /// Everything waits for an event that fails, until it has failed too often.
    fn get_stuck(&mut self, pending: &Pending, index: usize, reason: String) -> Result<(), Trouble> {
        let position = pending.batch.place(index).unwrap_or_default();
        let before = self.stuck.filter(|(at, _)| *at == position).map_or(0, |(_, times)| times);
        self.stuck = Some((position, before + 1));
        if before + 1 >= self.options.attempts {
            return Err(Trouble::Ended(format!("event fails: {reason}, position={position}")));
        }
        self.waits_until = Some(self.now() + self.options.wait_after(before + 1));
        self.control.say(|said| said.activity = Activity::Waiting { reason });
        Ok(())
    }

    fn carry_out(&mut self, session: &mut Session, request: Request) -> Result<(), Trouble> {
        let now = self.now();
        match request {
            Request::RetryAll => session.parked.set_all(now),
            Request::Retry(key) => {
                if session.parked.contains(&key) {
                    session.parked.set(&key, Some(now));
                }
            }
            Request::Discard(key) => {
                let build = session.info.build.clone();
                let rows = ledger::parked_under(&mut *session.connection, &build, &key, 1)?;
                if let Some(row) = rows.first() {
                    session.discard(row)?;
                    session.parked.set(&key, Some(now));
                }
            }
            Request::Promote => {
                let position = Position(session.info.position);
                session.promote::<P>(position, self.options.retired, Over::Any)?;
            }
        }
        Ok(())
    }

    /// Tries the events of a parked key again, as far as they go.
    fn retry(&mut self, session: &mut Session, key: &str) -> Result<(), Trouble> {
        let build = session.info.build.clone();
        let rows = ledger::parked_under(&mut *session.connection, &build, key, RETRIED_TOGETHER_MAX)?;
        let mut upto = rows.len();
        loop {
            match session.retry(&self.projector, &self.store, &rows[..upto])? {
                Applied::Done { projected } => {
                    self.control.say(|said| said.projected += projected);
                    break;
                }
                Applied::Failed { index: 0, reason } => {
                    self.note_failure(&reason);
                    session.count_attempt(&rows[0], &reason)?;
                    let attempts = rows[0].attempts + 1;
                    let again = attempts < self.options.attempts;
                    session.parked.set(key, again.then(|| self.now() + self.options.wait_after(attempts)));
                    return Ok(());
                }
                Applied::Failed { index, .. } => upto = index,
            }
        }
        if upto < rows.len() || rows.len() == RETRIED_TOGETHER_MAX {
            session.parked.set(key, Some(self.now()));
        } else {
            session.parked.remove(key);
        }
        Ok(())
    }

    fn note_failure(&self, reason: &str) {
        self.control.say(|said| {
            said.failures += 1;
            said.last_failure = Some(reason.to_owned());
        });
    }

    /// Lets it wait after a failure that is not an event's.
    fn wait(&mut self, reason: String) {
        self.failures = self.failures.saturating_add(1);
        self.waits_until = Some(self.now() + self.options.wait_after(self.failures));
        self.note_failure(&reason);
        self.control.say(|said| said.activity = Activity::Waiting { reason });
    }

    fn end(&mut self, reason: Option<String>) -> Step {
        self.ended = true;
        self.session = None;
        self.control.say(|said| said.activity = Activity::Stopped { reason });
        Step::Ended
    }

    /// Says where it stands.
    fn report(&self) {
        let Some(session) = &self.session else { return };
        let waits = self.waits_until.is_some();
        self.control.say(|said| {
            let Session { info, parked, subscription, pending, .. } = session;
            said.build = Some((info.build.clone(), info.state));
            said.position = if pending.is_some() { Position(info.position) } else { subscription.checked_to() };
            (said.parked_keys, said.parked_events) = (parked.len(), parked.events);
            if !waits {
                said.activity = Activity::Working;
            }
        });
    }
}

impl std::convert::From<gesta_store::Error> for Trouble {
    fn from(error: gesta_store::Error) -> Self {
        if error.kind() == ErrorKind::Unavailable {
            Self::Again(error.to_string())
        } else {
            Self::Ended(error.to_string())
        }
    }
}

impl<P> fmt::Debug for ProjectorRunner<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectorRunner").field("build", &self.chosen).finish_non_exhaustive()
    }
}
