//! The instances of a process, for whoever looks after them; whether it is running here, elsewhere, or not at all.

use std::{fmt, marker::PhantomData, sync::Arc};

use gesta_store::{AppendError, EventStore, ExpectedRevision, Position, Rejection, Timestamp};

use super::{
    EffectId, Process,
    instance::read_ledger,
    ledger::{Ledger, Open},
    names::Names,
    record::{How, Record, Resumed},
};
use crate::{
    error::{Error, Result},
    state::Reader,
};

/// How often somebody who looks is overtaken by an event that is received.
const RESUME_TRIES: u32 = 8;

/// The instances of a process.
pub struct Instances<P> {
    reader: Arc<Reader>,
    names: Names,
    process: PhantomData<fn(P)>,
}

/// Where an instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceStatus {
    /// What it is doing.
    pub state: InstanceState,
    /// The last event it heard.
    pub heard_to: Option<Position>,
    /// What it has decided, and not carried out yet, in order.
    pub open: Vec<OpenEffect>,
}

/// What an instance is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceState {
    /// It is at rest until an event comes, or the time of a timer.
    Running,
    /// It has something to carry out now, which did not work yet, or events to hear.
    Waiting,
    /// It waits for somebody who looks: see [`Instances::resume`] and [`Instances::skip`].
    Parked {
        /// Why.
        reason: String,
    },
    /// It hears nothing more.
    Completed,
}

/// An effect that was decided, and is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenEffect {
    /// Which.
    pub id: EffectId,
    /// What is to be done, in words.
    pub what: String,
    /// The name it can be cancelled by.
    pub name: Option<String>,
    /// When; `None`: now.
    pub due: Option<Timestamp>,
}

impl<P: Process> Instances<P> {
    pub(crate) fn new(reader: Arc<Reader>) -> Result<Self> {
        Ok(Self { reader, names: Names::of::<P>()?, process: PhantomData })
    }

    pub(crate) fn store(&self) -> &EventStore {
        &self.reader.store
    }

    /// Where an instance stands; `None` if it has heard nothing yet.
    ///
    /// # Errors
    /// What the store may fail with.
    pub fn get(&self, instance: &str) -> Result<Option<InstanceStatus>> {
        let ledger = read_ledger(&self.reader.store, &self.names.stream(instance)?)?;
        Ok(ledger.revision.is_some().then(|| status_of(&ledger)))
    }

    /// Has a parked instance try again what it is parked on.
    ///
    /// # Errors
    /// `Unanswerable` if it is not parked; what the store may fail with.
    pub fn resume(&self, instance: &str) -> Result<()> {
        self.go_on(instance, How::Retry)
    }

    /// Has a parked instance go on without what it is parked on: the event is not heard, and not in its state; the effect is not
    /// carried out.
    ///
    /// # Errors
    /// `Unanswerable` if it is not parked; what the store may fail with.
    pub fn skip(&self, instance: &str) -> Result<()> {
        self.go_on(instance, How::Skip)
    }

    fn go_on(&self, instance: &str, how: How) -> Result<()> {
        let stream = self.names.stream(instance)?;
        let mut seen = None;
        for _ in 0..RESUME_TRIES {
            let ledger = read_ledger(&self.reader.store, &stream)?;
            let (Some(parked), Some(revision)) = (ledger.parked, ledger.revision) else { break };
            if seen.get_or_insert_with(|| parked.clone()) != &parked {
                break; // Somebody else was faster, and it is parked on something that nobody has looked at.
            }
            // By the log the process is told, wherever it runs.
            let resumed = Record::Resumed(Resumed { how }).to_event();
            let expected = ExpectedRevision::Exact(revision);
            match self.reader.store.append(stream.clone(), expected, [resumed]).wait() {
                Ok(_) => return Ok(()),
                Err(AppendError::Failed(error)) => return Err(error.into()),
                // An event was received meanwhile.
                Err(AppendError::Rejected(Rejection::WrongRevision { .. })) => {}
                Err(AppendError::Rejected(rejection)) => return Err(Error::Rejected(rejection)),
            }
        }
        Err(Error::Unanswerable(format!("instance is not parked, process={} instance={instance}", P::NAME)))
    }
}

fn status_of(ledger: &Ledger) -> InstanceStatus {
    let state = match &ledger.parked {
        Some(parked) => InstanceState::Parked { reason: parked.reason.clone() },
        None if ledger.next_undelayed().is_some() || ledger.is_behind() => InstanceState::Waiting,
        None if ledger.completed => InstanceState::Completed,
        None => InstanceState::Running,
    };
    let open = |(id, open): (&EffectId, &Open)| OpenEffect {
        id: id.clone(),
        what: open.plan.act.to_string(),
        name: open.plan.name.as_deref().map(str::to_owned),
        due: open.due,
    };
    InstanceStatus { state, heard_to: ledger.heard_to, open: ledger.open.iter().map(open).collect() }
}

impl<P> fmt::Debug for Instances<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances").field("names", &self.names).finish_non_exhaustive()
    }
}
