//! What is done around every command of a domain, whoever sends it.

use std::fmt;

use gesta_store::Position;
use serde_json::{Map, Value};

use crate::error::Error;

/// What is done around every command: who may, what is noted with it, what is counted. In [`DomainOptions::middleware`](crate::DomainOptions::middleware).
///
/// Called once for a sending, however often it is decided; for commands that a process sends too. A panic in [`before`](Middleware::before)
/// fails the sending; what a panic in the others leaves undone is theirs.
///
/// ```
/// use gesta_model::{Envelope, Halt, Middleware};
///
/// /// Notes who it was; without one, nothing is done.
/// #[derive(Debug)]
/// struct Signed(fn() -> Option<String>);
///
/// impl Middleware for Signed {
///     fn before(&self, command: &mut Envelope) -> Result<(), Halt> {
///         let user = (self.0)().ok_or_else(|| Halt("nobody is signed in".into()))?;
///         command.metadata.insert("user".into(), user.into());
///         Ok(())
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + fmt::Debug {
    /// Before a command is decided. What it changes of the metadata is recorded with the events.
    ///
    /// # Errors
    /// [`Halt`]: it is not decided at all, and the sending fails with [`Error::Halted`].
    fn before(&self, command: &mut Envelope) -> Result<(), Halt> {
        let _ = command;
        Ok(())
    }

    /// After its events are durable.
    fn after(&self, command: &Envelope, receipt: &Receipt) {
        let _ = (command, receipt);
    }

    /// After it was refused, or could not be decided or recorded; or another middleware halted it.
    fn failed(&self, command: &Envelope, failure: &Failure<'_>) {
        let _ = (command, failure);
    }
}

/// A command, from outside.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Envelope {
    /// What it is called.
    pub name: &'static str,
    /// The request key, if it is to be recorded once.
    pub request: Option<String>,
    /// What will be in the metadata documents of its events, beside its name and a correlation id.
    pub metadata: Map<String, Value>,
}

impl Envelope {
    pub(crate) fn new(name: &'static str, request: Option<String>, metadata: Map<String, Value>) -> Self {
        Self { name, request, metadata }
    }
}

/// Why a command is not to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt(pub String);

/// Why a command recorded nothing, from outside.
#[derive(Clone, Copy, Debug)]
pub enum Failure<'f> {
    /// The domain refused.
    Refused,
    /// It could not be decided, or not be recorded.
    Failed(&'f Error),
}

/// What was recorded for a command. A token for [`at_least`](crate::Get::at_least).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Position of the first event; `None` if the decision was to record nothing.
    pub first_position: Option<Position>,
    /// Position of the last event; `None` if the decision was to record nothing.
    pub last_position: Option<Position>,
    /// How often it was decided.
    pub attempts: u32,
    /// Whether an earlier sending of the same request had recorded it.
    pub replayed: bool,
}

impl Receipt {
    pub(crate) fn new(
        first_position: Option<Position>,
        last_position: Option<Position>,
        attempts: u32,
        replayed: bool,
    ) -> Self {
        Self { first_position, last_position, attempts, replayed }
    }
}
