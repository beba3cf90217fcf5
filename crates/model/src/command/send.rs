//! Sending a command: decide, append, and again if the decision was overtaken.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use gesta_store::{
    Append, AppendError, Appended, Outcome, ReadOptions, RecordedEvent, Rejection, correlation::correlation_of,
    name::system,
};
use serde_json::{Map, Value};

use super::{
    Decide, Lane, SendError, around,
    prepare::{ASKED, Along, COMMAND, Circumstances, append_of, append_undecided, decide, recorded_for},
};
use crate::{
    error::{Error, Result},
    event::Event,
    middleware::{Failure, Receipt},
    state::{Reader, Token},
};

/// A command on its way. [`wait`](Sending::wait) for its receipt, or `.await` it.
#[must_use = "a command is sent by `.wait()` or `.await`"]
#[derive(Debug)]
pub struct Sending<'d, C> {
    reader: &'d Reader,
    command: C,
    circumstances: Circumstances,
}

impl From<&Receipt> for Token {
    fn from(receipt: &Receipt) -> Self {
        Self(receipt.last_position)
    }
}

/// What is to be done after deciding.
enum Step {
    Append(Box<Append>),
    Done(Receipt),
}

/// Records events without a decision.
pub(crate) fn record<E: Event>(reader: &Reader, events: impl IntoIterator<Item = E>) -> Result<Receipt> {
    let append = append_undecided(reader, events)?;
    match reader.store.commit(append).wait() {
        Ok(Appended { first_position, last_position, .. }) => Ok(Receipt::new(first_position, last_position, 1, false)),
        Err(AppendError::Failed(error)) => Err(error.into()),
        Err(AppendError::Rejected(rejection)) => Err(Error::Rejected(rejection)),
    }
}

/// Sends a command, and records notes with its events. Overtaken, it goes on in the lane.
pub(crate) async fn send_along<C: Decide>(
    reader: &Reader,
    command: C,
    metadata: Map<String, Value>,
    along: Along,
    lane: &Lane,
) -> Result<Receipt, SendError<C::Refusal>> {
    let circumstances = Circumstances { metadata, along: Some(along), ..Circumstances::default() };
    Sending { reader, command, circumstances }.run(Some(lane)).await
}

impl<'d, C: Decide> Sending<'d, C> {
    pub(crate) fn new(reader: &'d Reader, command: C, request: Option<String>) -> Self {
        let asked = request.as_ref().and_then(|_| command.asked());
        Self { reader, command, circumstances: Circumstances { request, asked, ..Circumstances::default() } }
    }

    /// Under this correlation id, instead of a fresh one.
    pub fn correlated(self, id: impl Into<String>) -> Self {
        self.metadata(system::CORRELATION_ID, id.into())
    }

    /// Because of an event: its id becomes the causation id, and its correlation id, or else its id, the correlation id.
    pub fn caused_by(self, event: &RecordedEvent) -> Self {
        let correlation = correlation_of(&event.metadata).unwrap_or_else(|| event.id.to_string());
        self.correlated(correlation).metadata(system::CAUSATION_ID, event.id.to_string())
    }

    /// With one more key in the metadata documents of its events.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.circumstances.metadata.insert(key.into(), value.into());
        self
    }

    /// Sends it, and waits until its events are durable.
    ///
    /// # Errors
    /// `Refused` by the domain; `Failed` when a model could not be loaded, code of the application panicked, the decision was overtaken too
    /// often, or the store could not record it.
    pub fn wait(mut self) -> Result<Receipt, SendError<C::Refusal>> {
        let mut entered = 0;
        let outcome = match self.enter(&mut entered) {
            Ok(()) => self.send(),
            Err(halted) => Err(halted.into()),
        };
        self.leave(entered, &outcome);
        outcome
    }

    fn send(&self) -> Result<Receipt, SendError<C::Refusal>> {
        let mut attempt = 1;
        loop {
            match self.step(attempt)? {
                Step::Done(receipt) => return Ok(receipt),
                Step::Append(append) => {
                    let outcome = self.reader.store.commit(*append).wait();
                    if let Some(receipt) = self.judge(outcome, attempt)? {
                        return Ok(receipt);
                    }
                }
            }
            attempt += 1;
        }
    }

    fn enter(&mut self, entered: &mut usize) -> Result<()> {
        around::enter(&self.reader.options.middleware, C::NAME, &mut self.circumstances, entered)
    }

    fn leave(&self, entered: usize, outcome: &Result<Receipt, SendError<C::Refusal>>) {
        let outcome = match outcome {
            Ok(receipt) => Ok(receipt),
            Err(SendError::Refused(_)) => Err(Failure::Refused),
            Err(SendError::Failed(error)) => Err(Failure::Failed(error)),
        };
        around::leave(&self.reader.options.middleware[..entered], C::NAME, &self.circumstances, outcome);
    }

    fn step(&self, attempt: u32) -> Result<Step, SendError<C::Refusal>> {
        if let Some(receipt) = self.recorded_before(attempt)? {
            return Ok(Step::Done(receipt));
        }
        let decision = decide(self.reader, &self.command)?;
        if decision.events.is_empty() && self.circumstances.along.is_none() {
            return Ok(Step::Done(Receipt::new(None, None, attempt, false)));
        }
        let append = append_of::<C>(self.reader, &decision, &self.circumstances)?;
        Ok(Step::Append(Box::new(append)))
    }

    /// What an append came to: a receipt, or `None` to decide again.
    fn judge(&self, outcome: Outcome, attempt: u32) -> Result<Option<Receipt>, SendError<C::Refusal>> {
        let rejection = match outcome {
            Ok(Appended { first_position, last_position, .. }) => {
                return Ok(Some(Receipt::new(first_position, last_position, attempt, false)));
            }
            Err(AppendError::Failed(error)) => return Err(error.into()),
            Err(AppendError::Rejected(rejection)) => rejection,
        };
        #[allow(clippy::wildcard_enum_match_arm)]
        // the store's enum, which grows; what is new is not known to be an overtaking
        match rejection {
            Rejection::WrongRevision { .. } | Rejection::ConditionFailed { .. } => {
                if attempt < self.reader.options.attempts && !self.is_about_note(&rejection) {
                    return Ok(None);
                }
                // It may have been overtaken by itself.
                match self.recorded_before(attempt)? {
                    Some(receipt) => Ok(Some(receipt)),
                    None => Err(Error::Overtaken { attempts: attempt, rejection }.into()),
                }
            }
            _ => Err(Error::Rejected(rejection).into()),
        }
    }

    /// Whether it is the notes that have come too late.
    fn is_about_note(&self, rejection: &Rejection) -> bool {
        let along = self.circumstances.along.as_ref();
        along.is_some_and(
            |along| matches!(rejection, Rejection::WrongRevision { stream, .. } if *stream == along.stream),
        )
    }

    /// What an earlier sending of the same request recorded.
    fn recorded_before(&self, attempt: u32) -> Result<Option<Receipt>> {
        let Some(request) = &self.circumstances.request else { return Ok(None) };
        let query = recorded_for(request)?;
        if self.reader.store.first_match(&query, None)?.is_none() {
            return Ok(None);
        }
        let mut receipt = Receipt::new(None, None, attempt, true);
        for event in self.reader.store.read_query(query, ReadOptions::default())? {
            let event = event?;
            let first: Value = serde_json::from_slice(&event.metadata).unwrap_or_default();
            let said = |key: &str| first.get(key).and_then(Value::as_str);
            if said(COMMAND) != Some(C::NAME) {
                let (key, first) = (request.clone(), said(COMMAND).unwrap_or("unknown").to_owned());
                return Err(Error::RequestReused { key, first, now: C::NAME });
            }
            let asked = self.circumstances.asked.map(|asked| asked.to_string());
            if let (Some(first), Some(now)) = (said(ASKED), asked)
                && first != now
            {
                return Err(Error::RequestChanged { key: request.clone(), command: C::NAME });
            }
            receipt.first_position = receipt.first_position.or(Some(event.position));
            receipt.last_position = Some(event.position);
        }
        Ok(Some(receipt))
    }
}

impl<'d, C: Decide + 'd> IntoFuture for Sending<'d, C>
where
    C::Refusal: Send,
{
    type Output = Result<Receipt, SendError<C::Refusal>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'd>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run(None))
    }
}

impl<C: Decide> Sending<'_, C> {
    /// As [`wait`](Sending::wait), without a thread that waits; if there is a lane, in it once it was overtaken.
    async fn run(mut self, lane: Option<&Lane>) -> Result<Receipt, SendError<C::Refusal>> {
        let mut entered = 0;
        let outcome = match self.enter(&mut entered) {
            Ok(()) => self.send_awaiting(lane).await,
            Err(halted) => Err(halted.into()),
        };
        self.leave(entered, &outcome);
        outcome
    }

    async fn send_awaiting(&self, lane: Option<&Lane>) -> Result<Receipt, SendError<C::Refusal>> {
        let (mut attempt, mut turn) = (1, None);
        loop {
            // Loading and deciding are done here and now, as reads are; only the sync is waited for without a thread.
            let ticket = match self.step(attempt)? {
                Step::Done(receipt) => return Ok(receipt),
                Step::Append(append) => self.reader.store.commit(*append),
            };
            if let Some(receipt) = self.judge(ticket.await, attempt)? {
                return Ok(receipt);
            }
            attempt += 1;
            if let (Some(lane), None) = (lane, &turn) {
                turn = Some(lane.turn().await);
            }
        }
    }
}
