//! Carrying out, and writing down: one commit for a record and the events that belong to it.
//!
//! A record is written on condition that the instance's stream is where it was read to: of two who carry out the same effect, one is told that
//! it stands elsewhere, and nothing of what he did is recorded.

use std::cell::RefCell;

use gesta_store::{
    Append, AppendError, ErrorKind, EventData, ExpectedRevision, Position, Rejection, StreamName, Timestamp,
    correlation::correlation_of, name::system,
};
use serde_json::{Map, Value};
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

/// A record to be written, with what belongs to it.
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

    /// Writes down that an event was heard, and what was decided.
    pub(crate) async fn hear<P: Process>(
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
        self.write(instance, page).await
    }

    /// Writes down what is not about one effect.
    pub(crate) async fn note<P: Process>(&self, instance: &mut Instance<P>, record: Record) -> Result<(), Trouble> {
        let correlation = String::new().into();
        let page = Page { record, id: None, correlation, causation: None, heard: None, facts: Vec::new() };
        self.write(instance, page).await
    }

    /// Carries out an effect that is open, and writes down what came of it.
    pub(crate) async fn carry_out<P: Process>(
        &self,
        instance: &mut Instance<P>,
        effect: &EffectId,
    ) -> Result<(), Trouble> {
        let Some(open) = instance.ledger.open.get(effect).cloned() else { return Ok(()) };
        if deadline(&open).is_some_and(|deadline| deadline < self.now()) {
            return self.refuse(instance, effect, &open, "it could not be carried out in time".to_owned()).await;
        }
        match &open.plan.act {
            Act::Send { command, body } => {
                let note = self.outcome(instance, effect, Came::Done, None);
                let along = Along {
                    stream: instance.stream.clone(),
                    expected: instance.expected(),
                    note: note.to_event().with_id(self.outcome_id(instance, effect)),
                    cause: self.namespace.effect(&instance.name, effect),
                };
                let metadata = metadata(&open.origin.correlation, Some(open.origin.heard));
                let sending = PlannedSend { command, body, metadata, along, lane: self.lane };
                let sent = P::Sends::send(self.reader, sending).await;
                match sent.map_err(|error| about_stream(error, &instance.stream))? {
                    Verdict::Done => {
                        self.took_note(instance, &note, self.outcome_id(instance, effect), &open.origin.correlation);
                        Ok(())
                    }
                    Verdict::Refused(reason) => self.refuse(instance, effect, &open, reason).await,
                }
            }
            Act::Call { to, body } => {
                let id = self.namespace.effect(&instance.name, effect);
                let called = self.calls.borrow_mut().call(to, &Call::new(id, &instance.name, body))?;
                match called {
                    Ok(facts) => self.done(instance, effect, &open, numbered(facts, id)).await,
                    Err(CallFailure::Retry(reason)) => Err(Trouble::Later(reason)),
                    Err(CallFailure::Refused(reason)) => self.refuse(instance, effect, &open, reason).await,
                }
            }
            Act::Append(facts) => {
                let events = facts.iter().map(super::plan::Fact::event).collect::<Result<_, _>>();
                let events = events.map_err(|error| Trouble::from(Error::Store(error)))?;
                let id = self.namespace.effect(&instance.name, effect);
                self.done(instance, effect, &open, numbered(events, id)).await
            }
            Act::Cancel { .. } | Act::Complete => self.done(instance, effect, &open, Vec::new()).await,
        }
    }

    /// Writes down that an effect is done, with the events that came of it.
    async fn done<P: Process>(
        &self,
        instance: &mut Instance<P>,
        effect: &EffectId,
        open: &Open,
        facts: Facts,
    ) -> Result<(), Trouble> {
        let record = self.outcome(instance, effect, Came::Done, None);
        let page = self.page(instance, effect, open, record, facts);
        self.write(instance, page).await
    }

    /// Writes down that an effect is refused, if it says what to do then.
    pub(crate) async fn refuse<P: Process>(
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
        let record = self.outcome(instance, effect, Came::Refused, Some(reason));
        let page = self.page(instance, effect, open, record, facts);
        self.write(instance, page).await
    }

    fn outcome<P: Process>(&self, _: &Instance<P>, effect: &EffectId, came: Came, reason: Option<String>) -> Record {
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

    async fn write<P: Process>(&self, instance: &mut Instance<P>, page: Page) -> Result<(), Trouble> {
        let mut event = page.record.to_event().with_metadata(document(metadata(&page.correlation, page.causation)));
        let id = page.id.unwrap_or_else(|| self.reader.options.entropy.uuid(self.now()));
        event.id = Some(id);
        let mut append = Append::to(instance.stream.clone(), instance.expected(), [event]);
        let fact_metadata = document(metadata(&page.correlation, page.heard));
        for (stream, fact) in page.facts {
            append = append.stream(stream, ExpectedRevision::Any, [fact.with_metadata(fact_metadata.clone())]);
        }
        match self.reader.store.commit(append).await {
            Ok(_) => {
                self.took_note(instance, &page.record, id, &page.correlation);
                Ok(())
            }
            Err(AppendError::Failed(error)) => Err(Error::Store(error).into()),
            Err(AppendError::Rejected(rejection)) => Err(about_stream(Error::Rejected(rejection), &instance.stream)),
        }
    }

    #[allow(clippy::unused_self)] // it is what an executor does
    fn took_note<P: Process>(&self, instance: &mut Instance<P>, record: &Record, id: Uuid, correlation: &str) {
        let revision = instance.next_revision();
        instance.ledger.note(&Entry { record, id, revision, correlation });
    }
}

/// When an effect that waits to be carried out is given up.
pub(crate) fn deadline(open: &Open) -> Option<Timestamp> {
    open.plan.within.map(|within| Timestamp(open.since.0.saturating_add(within)))
}

/// Trouble, which is another if it is about where the instance's stream is.
fn about_stream(error: Error, own: &StreamName) -> Trouble {
    if let Error::Rejected(rejection) | Error::Overtaken { rejection, .. } = &error
        && let Rejection::WrongRevision { stream, .. } = rejection
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
