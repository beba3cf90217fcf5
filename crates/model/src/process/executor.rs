//! Carrying out, and writing down: records and the events that belong to them, in one commit.
//!
//! A record is put into the instance's draft, and written with what follows it, at the latest before the instance rests. A command that is sent takes
//! the draft along: that an event was heard, what was decided, and the command's events are one commit. It is written on condition that the instance's
//! stream is where it was read to: of two who carry out the same effect, one is told that it stands elsewhere, and nothing of what he did is recorded.

use std::cell::RefCell;

use gesta_store::{
    AppendError, ErrorKind, EventData, Position, Rejection, StreamName, Timestamp, correlation::correlation_of,
    name::system,
};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use super::{
    Call, CallFailure, EffectId, PlannedSend, Process, Sends, Verdict,
    calls::{Calls, Facts},
    id::{Namespace, event_of},
    inbox::Incoming,
    instance::Instance,
    ledger::{Entry, Open, Origin, facts_at_once},
    plan::{Act, Plan},
    record::{Came, Heard, Outcome, Record},
};
use crate::{
    command::{Along, Lane},
    error::Error,
    state::Reader,
};

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It may work later.
    Later(String),
    /// It will not, until somebody has looked.
    Never(String),
    /// The instance stands elsewhere than was thought.
    Stale(String),
    /// The store is closed.
    Closed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        #[allow(clippy::wildcard_enum_match_arm)] // our own errors grow; what is new is for somebody to look at
        match error {
            Error::Store(store) if store.kind() == ErrorKind::Closed => Self::Closed(Error::Store(store)),
            Error::Store(store) if store.kind() == ErrorKind::Unavailable => Self::Later(words),
            Error::Overtaken { .. } => Self::Later(words),
            _ => Self::Never(words),
        }
    }
}

/// What carries out.
pub(crate) struct Executor<'r> {
    pub(crate) reader: &'r Reader,
    pub(crate) calls: &'r RefCell<Calls>,
    pub(crate) lane: &'r Lane,
    pub(crate) namespace: Namespace,
}

/// A record for the draft, with what belongs to it.
struct Page {
    record: Record,
    id: Option<Uuid>,
    correlation: Box<str>,
    /// By what the record came about.
    causation: Option<Uuid>,
    /// By what the events came about.
    heard: Option<Uuid>,
    facts: Facts,
}

impl Executor<'_> {
    fn now(&self) -> Timestamp {
        self.reader.store.clock().now()
    }

    /// Takes note that an event was heard, and what was decided.
    pub(crate) fn hear<P: Process>(
        &self,
        instance: &mut Instance<P>,
        incoming: &Incoming<P::Event>,
        effects: Vec<Plan>,
    ) -> Result<(), Trouble> {
        let cause = incoming.position;
        let id = self.namespace.heard(&instance.name, cause);
        let facts = self.facts_of(&instance.name, &effects, |index| EffectId::of(cause, index))?;
        let correlation = correlation_of(&incoming.metadata).unwrap_or_else(|| incoming.id.to_string());
        let heard = Heard { cause, at: incoming.recorded_at, effects };
        let page = Page {
            record: Record::Heard(heard),
            id: Some(id),
            correlation: correlation.into(),
            causation: Some(incoming.id),
            heard: Some(id),
            facts,
        };
        self.put(instance, page);
        Ok(())
    }

    /// Writes down what is not about one effect.
    pub(crate) async fn note<P: Process>(&self, instance: &mut Instance<P>, record: Record) -> Result<(), Trouble> {
        let correlation = String::new().into();
        self.put(instance, Page { record, id: None, correlation, causation: None, heard: None, facts: Vec::new() });
        self.write(instance).await
    }

    /// Carries out an effect that is open, and takes note of what came of it.
    pub(crate) async fn carry_out<P: Process>(
        &self,
        instance: &mut Instance<P>,
        effect: &EffectId,
    ) -> Result<(), Trouble> {
        let Some(open) = instance.ledger.open.get(effect).cloned() else { return Ok(()) };
        if deadline(&open).is_some_and(|deadline| deadline < self.now()) {
            return self.refuse(instance, effect, &open, "it could not be carried out in time".to_owned());
        }
        match &open.plan.act {
            Act::Send { command, body } => self.send(instance, effect, &open, (command, body)).await,
            Act::Call { to, body } => {
                // Whatever becomes of the program meanwhile, it will be known that this was called.
                self.write(instance).await?;
                let id = self.namespace.effect(&instance.name, effect);
                let called = self.calls.borrow_mut().call(to, &Call::new(id, &instance.name, body))?;
                match called {
                    Ok(facts) => self.done(instance, effect, &open, numbered(facts, id)),
                    Err(CallFailure::Retry(reason)) => return Err(Trouble::Later(reason)),
                    Err(CallFailure::Refused(reason)) => self.refuse(instance, effect, &open, reason)?,
                }
                // At once: whatever is in the way of what comes next, it is not to be called again for that.
                self.write(instance).await
            }
            Act::Append(facts) => {
                let events = facts.iter().map(super::plan::Fact::event).collect::<Result<_, _>>();
                let events = events.map_err(|error| Trouble::from(Error::Store(error)))?;
                let id = self.namespace.effect(&instance.name, effect);
                self.done(instance, effect, &open, numbered(events, id));
                Ok(())
            }
            Act::Cancel { .. } | Act::Complete => {
                self.done(instance, effect, &open, Vec::new());
                Ok(())
            }
        }
    }

    /// Sends a command: what it decides for is written with the draft.
    async fn send<P: Process>(
        &self,
        instance: &mut Instance<P>,
        effect: &EffectId,
        open: &Open,
        (command, body): (&str, &RawValue),
    ) -> Result<(), Trouble> {
        if instance.draft.has_facts() {
            // It is decided by what is in the log, and what was decided before it has to be there.
            self.write(instance).await?;
        }
        let (note, id) = (self.outcome(effect, Came::Done, None), self.outcome_id(instance, effect));
        let along = Along {
            stream: instance.stream.clone(),
            expected: instance.expected(),
            before: instance.draft.notes().to_vec(),
            note: note.to_event().with_id(id),
            cause: self.namespace.effect(&instance.name, effect),
        };
        let metadata = metadata(&open.origin.correlation, Some(open.origin.heard));
        let sending = PlannedSend { command, body, metadata, along, lane: self.lane };
        let sent = P::Sends::send(self.reader, sending).await;
        match sent.map_err(|error| about_stream(error, &instance.stream))? {
            Verdict::Done => {
                take_note(instance, &note, id, &open.origin.correlation);
                instance.wrote();
                Ok(())
            }
            Verdict::Refused(reason) => self.refuse(instance, effect, open, reason),
        }
    }

    /// Takes note that an effect is done, with the events that came of it.
    fn done<P: Process>(&self, instance: &mut Instance<P>, effect: &EffectId, open: &Open, facts: Facts) {
        let record = self.outcome(effect, Came::Done, None);
        let page = self.page(instance, effect, open, record, facts);
        self.put(instance, page);
    }

    /// Takes note that an effect is refused, if it says what to do then.
    pub(crate) fn refuse<P: Process>(
        &self,
        instance: &mut Instance<P>,
        effect: &EffectId,
        open: &Open,
        reason: String,
    ) -> Result<(), Trouble> {
        let Some(or) = &open.plan.or else {
            return Err(Trouble::Never(format!("{} was refused: {reason}, effect={effect}", open.plan.act)));
        };
        let facts = self.facts_of(&instance.name, or, |index| effect.instead(index))?;
        let record = self.outcome(effect, Came::Refused, Some(reason));
        let page = self.page(instance, effect, open, record, facts);
        self.put(instance, page);
        Ok(())
    }

    fn outcome(&self, effect: &EffectId, came: Came, reason: Option<String>) -> Record {
        Record::Outcome(Outcome { effect: effect.clone(), at: self.now(), came, reason })
    }

    fn outcome_id<P: Process>(&self, instance: &Instance<P>, effect: &EffectId) -> Uuid {
        event_of(self.namespace.effect(&instance.name, effect), usize::MAX)
    }

    fn page<P: Process>(
        &self,
        instance: &Instance<P>,
        effect: &EffectId,
        open: &Open,
        record: Record,
        facts: Facts,
    ) -> Page {
        let Origin { heard, correlation } = &*open.origin;
        Page {
            record,
            id: Some(self.outcome_id(instance, effect)),
            correlation: correlation.clone(),
            causation: Some(*heard),
            heard: Some(*heard),
            facts,
        }
    }

    /// The events that plans record at once, with ids that follow from their effects.
    fn facts_of(&self, instance: &str, plans: &[Plan], id: impl Fn(u16) -> EffectId) -> Result<Facts, Trouble> {
        let mut facts = Facts::new();
        for (index, fact) in facts_at_once(plans) {
            let (stream, event) = fact.event().map_err(|error| Trouble::from(Error::Store(error)))?;
            let effect = self.namespace.effect(instance, &id(index));
            facts.push((stream, event.with_id(event_of(effect, 0))));
        }
        Ok(facts)
    }

    /// Adds a record to the draft, with what belongs to it.
    fn put<P: Process>(&self, instance: &mut Instance<P>, page: Page) {
        let id = page.id.unwrap_or_else(|| self.reader.options.entropy.uuid(self.now()));
        let metadata_of = |causation| document(metadata(&page.correlation, causation));
        let note = page.record.to_event().with_id(id).with_metadata(metadata_of(page.causation));
        let of_facts = metadata_of(page.heard);
        let facts = page.facts.into_iter().map(|(stream, fact)| (stream, fact.with_metadata(of_facts.clone())));
        instance.draft.put(&page.record, note, facts.collect());
        take_note(instance, &page.record, id, &page.correlation);
    }

    /// Writes what is in the draft, if anything is.
    pub(crate) async fn write<P: Process>(&self, instance: &mut Instance<P>) -> Result<(), Trouble> {
        if instance.draft.is_empty() {
            return Ok(());
        }
        let append = instance.draft.append(&instance.stream, instance.expected());
        match self.reader.store.commit(append).await {
            Ok(_) => {
                instance.wrote();
                Ok(())
            }
            Err(AppendError::Failed(error)) => Err(Error::Store(error).into()),
            Err(AppendError::Rejected(rejection)) => Err(about_stream(Error::Rejected(rejection), &instance.stream)),
        }
    }
}

fn take_note<P: Process>(instance: &mut Instance<P>, record: &Record, id: Uuid, correlation: &str) {
    let revision = instance.next_revision();
    instance.ledger.note(&Entry { record, id, revision, correlation });
}

/// When an effect that waits to be carried out is given up.
pub(crate) fn deadline(open: &Open) -> Option<Timestamp> {
    open.plan.within.map(|within| Timestamp(open.since.0.saturating_add(within)))
}

/// Trouble, which is another if it is about where the instance's stream is.
fn about_stream(error: Error, own: &StreamName) -> Trouble {
    // Whoever wrote the first of the same records, but not all that was to be written with it, was somebody else as well.
    if let Error::Rejected(rejection) | Error::Overtaken { rejection, .. } = &error
        && let Rejection::WrongRevision { stream, .. } | Rejection::IdempotencyViolated { stream, .. } = rejection
        && stream == own
    {
        return Trouble::Stale(error.to_string());
    }
    error.into()
}

fn numbered(facts: Facts, effect: Uuid) -> Facts {
    let number =
        |(index, (stream, event)): (usize, (StreamName, EventData))| (stream, event.with_id(event_of(effect, index)));
    facts.into_iter().enumerate().map(number).collect()
}

fn metadata(correlation: &str, causation: Option<Uuid>) -> Map<String, Value> {
    let mut metadata = Map::new();
    if !correlation.is_empty() {
        metadata.insert(system::CORRELATION_ID.to_owned(), correlation.into());
    }
    if let Some(id) = causation {
        metadata.insert(system::CAUSATION_ID.to_owned(), id.to_string().into());
    }
    metadata
}

fn document(metadata: Map<String, Value>) -> Vec<u8> {
    if metadata.is_empty() { Vec::new() } else { Value::Object(metadata).to_string().into_bytes() }
}

/// The record that an event waits.
pub(crate) fn received(cause: Position) -> Record {
    Record::Received(super::record::Received { cause })
}
