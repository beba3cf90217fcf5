//! A connection and what is known by it: one build, its checkpoint, and its place in the log. Every change is one transaction, which counts the
//! build's epoch up first: it waits for, and then fails by, whoever else works at the same build.
//!
//! After an error that is not an event's a session is thrown away, and with it all that is only believed: whether a commit that failed was
//! carried out, the database knows.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use gesta_model::{Place, event::from_recorded};
use gesta_store::{Batch, EventRef, EventStore, From, Position, ReadOptions, Subscription, error::panic_words};

use super::{Trouble, parked::ParkedKeys};
use crate::{
    connection::{Connection, SqlError},
    ledger::{self, BuildInfo, BuildState, ParkedEvent, Predecessor},
    options::Retired,
    projector::{Failure, Projector, Tables},
};

pub(super) struct Session {
    pub(super) connection: Box<dyn Connection>,
    pub(super) info: BuildInfo,
    pub(super) parked: ParkedKeys,
    pub(super) subscription: Subscription,
    pub(super) pending: Option<Pending>,
}

/// Events on their way into the tables.
pub(super) struct Pending {
    pub(super) batch: Batch,
    /// So many of them have arrived.
    pub(super) done: usize,
    /// The next transaction goes up to here.
    pub(super) upto: usize,
    /// What is known to fail among them.
    pub(super) verdict: Option<Verdict>,
}

/// What is to happen to an event that fails.
pub(super) struct Verdict {
    pub(super) index: usize,
    pub(super) what: Fate,
}

pub(super) enum Fate {
    Park { reason: String },
    Skip,
}

/// What a transaction came to.
pub(super) enum Applied {
    /// So many events arrived in the tables.
    Done { projected: u64 },
    /// Nothing happened, because of the event at this index.
    Failed { index: usize, reason: String },
}

/// What became of an event within a transaction.
enum Event {
    Projected,
    Nothing,
    Parked(String),
}

impl Session {
    /// Brings the events up to `pending.upto` into the tables.
    pub(super) fn project<P: Projector>(&mut self, projector: &P) -> Result<Applied, Trouble> {
        let Some(pending) = self.pending.take() else { return Ok(Applied::Done { projected: 0 }) };
        // An event that is parked is the last of its transaction.
        let (mut projected, mut parked) = (0, Vec::new());
        let mut outcome = Ok(());
        let range = pending.done..pending.upto;
        let end = pending.batch.place(pending.upto - 1).map_or(self.info.position, |place| place.next().0);
        self.begin(end)?;
        for (index, event) in pending.batch.iter().enumerate().take(range.end).skip(range.start) {
            let verdict =
                pending.verdict.as_ref().filter(|verdict| verdict.index == index).map(|verdict| &verdict.what);
            match self.event(projector, &event, verdict) {
                Ok(Event::Projected) => projected += 1,
                Ok(Event::Nothing) => {}
                Ok(Event::Parked(key)) => parked.push(key),
                Err(failure) => {
                    outcome = Err((index, failure));
                    break;
                }
            }
        }
        self.pending = Some(pending);
        if let Err((index, failure)) = outcome {
            return self.undo(index, failure);
        }
        self.commit()?;
        self.parked.events += parked.len() as u64;
        for key in &parked {
            if !self.parked.contains(key) {
                // The runner says when it is tried again.
                self.parked.set(key, None);
            }
        }
        Ok(Applied::Done { projected })
    }

    /// One event, within a transaction.
    fn event<P: Projector>(
        &mut self,
        projector: &P,
        event: &EventRef<'_>,
        verdict: Option<&Fate>,
    ) -> Result<Event, Failure> {
        let key = guarded(|| key_of(projector, event))??;
        let waits = self.parked.contains(&key);
        let reason = match verdict {
            Some(Fate::Skip) => return Ok(Event::Nothing),
            Some(Fate::Park { reason }) => Some(reason.clone()),
            None => None,
        };
        if !waits && reason.is_none() {
            return self.apply(projector, event);
        }
        let attempts = u32::from(reason.is_some());
        let row = ParkedEvent { position: event.position.0, key, attempts, reason };
        ledger::park(&mut *self.connection, &self.info.build, &row)?;
        Ok(Event::Parked(row.key))
    }

    /// Projects one event, within a transaction.
    fn apply<P: Projector>(&mut self, projector: &P, event: &EventRef<'_>) -> Result<Event, Failure> {
        let Some(fact) = from_recorded::<P::Event>(event, P::NAME)? else { return Ok(Event::Nothing) };
        let mut tables = Tables::new(&mut *self.connection, &self.info.build, P::TABLES);
        let outcome = guarded(|| projector.project(&fact, &Place::of(event), &mut tables))?;
        match tables.into_error() {
            Some(error) => Err(error.into()),
            None => outcome.map(|()| Event::Projected),
        }
    }

    /// When the key of an event that was parked is tried again.
    pub(super) fn schedule<P: Projector>(&mut self, projector: &P, event: &EventRef<'_>, due: Option<Duration>) {
        if let Ok(Ok(key)) = guarded(|| key_of(projector, event)) {
            self.parked.set(&key, due);
        }
    }

    /// Tries the first of the parked events of one key again.
    pub(super) fn retry<P: Projector>(
        &mut self,
        projector: &P,
        store: &EventStore,
        rows: &[ParkedEvent],
    ) -> Result<Applied, Trouble> {
        self.begin(self.info.position)?;
        let mut projected = 0;
        for (index, row) in rows.iter().enumerate() {
            let options =
                ReadOptions { from: From::Position(Position(row.position)), limit: Some(1), ..ReadOptions::default() };
            let batch = store.read_all(options)?.next_batch()?;
            ledger::unpark(&mut *self.connection, &self.info.build, row.position)?;
            let Some(event) = batch.as_ref().and_then(|batch| batch.iter().next()) else { continue };
            match self.apply(projector, &event) {
                Ok(Event::Projected) => projected += 1,
                Ok(Event::Nothing | Event::Parked(_)) => {}
                Err(failure) => return self.undo(index, failure),
            }
        }
        self.commit()?;
        self.parked.events -= rows.len() as u64;
        Ok(Applied::Done { projected })
    }

    /// Notes that a parked event failed once more.
    pub(super) fn count_attempt(&mut self, row: &ParkedEvent, reason: &str) -> Result<(), Trouble> {
        self.begin(self.info.position)?;
        ledger::unpark(&mut *self.connection, &self.info.build, row.position)?;
        let row = ParkedEvent { attempts: row.attempts + 1, reason: Some(reason.to_owned()), ..row.clone() };
        ledger::park(&mut *self.connection, &self.info.build, &row)?;
        self.commit()
    }

    /// Gives up a parked event.
    pub(super) fn discard(&mut self, row: &ParkedEvent) -> Result<(), Trouble> {
        self.begin(self.info.position)?;
        ledger::unpark(&mut *self.connection, &self.info.build, row.position)?;
        self.commit()?;
        self.parked.events -= 1;
        Ok(())
    }

    /// Notes that nothing below `position` is to be done.
    pub(super) fn pass_to(&mut self, position: Position) -> Result<(), Trouble> {
        self.begin(position.0)?;
        self.commit()
    }

    /// Lets the views show this build; unless a higher version is live, if that is to be respected.
    pub(super) fn promote<P: Projector>(
        &mut self,
        position: Position,
        retired: Retired,
        over: Over,
    ) -> Result<(), Trouble> {
        let build = self.info.build.clone();
        self.begin(position.0)?;
        let all = ledger::builds(&mut *self.connection, &build.name)?;
        let is_higher = |info: &BuildInfo| info.state == BuildState::Live && info.build.version > build.version;
        if over == Over::Lower && all.iter().any(is_higher) {
            return self.commit();
        }
        let predecessor = match retired {
            Retired::Keep => Predecessor::Retire,
            Retired::Drop => Predecessor::Drop,
        };
        ledger::promote(&mut *self.connection, &build, P::TABLES, &predecessor)?;
        self.commit()?;
        self.info.epoch += 1; // of its new state
        self.info.state = BuildState::Live;
        Ok(())
    }

    fn begin(&mut self, position: u64) -> Result<(), Trouble> {
        self.connection.begin()?;
        let BuildInfo { build, epoch, .. } = &self.info;
        if !ledger::advance(&mut *self.connection, build, *epoch, position)? {
            return Err(Trouble::Again(format!("another one has changed the build meanwhile, build={build}")));
        }
        self.info.position = position;
        self.info.epoch += 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Trouble> {
        Ok(self.connection.commit()?)
    }

    /// Undoes a transaction that an event has failed; if it is the database that has failed, it is trouble.
    fn undo(&mut self, index: usize, failure: Failure) -> Result<Applied, Trouble> {
        if failure.unavailable {
            return Err(Trouble::Again(failure.reason));
        }
        self.connection.rollback()?;
        let all = ledger::builds(&mut *self.connection, &self.info.build.name)?;
        let own = all.into_iter().find(|info| info.build == self.info.build);
        self.info = own.ok_or_else(|| Trouble::Again("build is gone".to_owned()))?;
        Ok(Applied::Failed { index, reason: failure.reason })
    }
}

/// What a promotion may take the place of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Lower,
    Any,
}

/// What an event is about: its stream, if it cannot be decoded.
fn key_of<P: Projector>(projector: &P, event: &EventRef<'_>) -> Result<String, Failure> {
    Ok(match from_recorded::<P::Event>(event, P::NAME) {
        Ok(Some(fact)) => projector.key(&fact, &Place::of(event)),
        Ok(None) | Err(_) => event.stream.to_owned(),
    })
}

/// Runs code of the application; a panic in it is a failure.
fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, Failure> {
    // What it was changing is a transaction, which is undone.
    catch_unwind(AssertUnwindSafe(code))
        .map_err(|panic| Failure::new(format!("code panicked: {}", panic_words(&*panic))))
}

impl std::convert::From<SqlError> for Trouble {
    fn from(error: SqlError) -> Self {
        Self::Again(error.message)
    }
}
