//! An instance in memory: where it stands by its records, and by its events.

use gesta_store::{
    ErrorKind, EventStore, ExpectedRevision, ReadOptions, Revision, StreamName, correlation::correlation_of,
};

use super::{
    Process,
    draft::Draft,
    inbox::Inbox,
    ledger::{Entry, Ledger},
    names::{Names, scope_of},
    record::Record,
};
use crate::error::{Error, Result};

/// An instance in memory. Nothing of it is true that is not in the log: it is dropped whenever there is doubt.
pub(crate) struct Instance<P: Process> {
    pub(crate) name: Box<str>,
    pub(crate) stream: StreamName,
    /// Where it stands, with what is in the draft.
    pub(crate) ledger: Ledger,
    pub(crate) inbox: Inbox<P>,
    pub(crate) draft: Draft,
    /// The last record in its stream; `None`: there is none.
    written_to: Option<Revision>,
}

impl<P: Process> Instance<P> {
    /// Reads where it stands.
    pub(crate) fn load(store: &EventStore, names: &Names, name: &str) -> Result<Self> {
        let stream = names.stream(name)?;
        let ledger = read_ledger(store, &stream)?;
        let (inbox, written_to) = (Inbox::new(scope_of::<P>(name)?), ledger.revision);
        Ok(Self { name: name.into(), stream, ledger, inbox, draft: Draft::default(), written_to })
    }

    /// What its stream must be at for what is written next.
    pub(crate) fn expected(&self) -> ExpectedRevision {
        self.written_to.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact)
    }

    /// The last record in its stream.
    pub(crate) fn written_to(&self) -> Option<Revision> {
        self.written_to
    }

    /// Everything it took note of is in the log.
    pub(crate) fn wrote(&mut self) {
        self.draft.clear();
        self.written_to = self.ledger.revision;
    }

    /// The revision of its next record.
    pub(crate) fn next_revision(&self) -> Revision {
        self.ledger.revision.map_or(Revision::START, Revision::next)
    }
}

/// Folds the records in a stream.
pub(crate) fn read_ledger(store: &EventStore, stream: &StreamName) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut reading = match store.read_stream(stream.clone(), ReadOptions::default()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ledger),
        reading => reading?,
    };
    while let Some(batch) = reading.next_batch()? {
        for event in batch.iter() {
            note(&mut ledger, &event)?;
        }
    }
    Ok(ledger)
}

/// Takes note of a record as it was read.
pub(crate) fn note(ledger: &mut Ledger, event: &gesta_store::EventRef<'_>) -> Result<()> {
    let record = Record::read(event).ok_or_else(|| {
        let (stream, revision) = (event.stream, event.revision);
        Error::Unanswerable(format!(
            "not a record of a process, stream={stream} revision={revision} type={}",
            event.event_type
        ))
    })?;
    let correlation = correlation_of(event.metadata).unwrap_or_default();
    ledger.note(&Entry { record: &record, id: event.id, revision: event.revision, correlation: &correlation });
    Ok(())
}
