//! What can go wrong between a model and the store. A command's refusal is not here: it is the domain's own type.

use gesta_store::{Position, Rejection, error::panic_words};

use crate::demotion::Demotion;

/// The result of a question to a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A model that could not be asked, or a decision that could not be recorded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not answer; its kind says what to do.
    #[error(transparent)]
    Store(#[from] gesta_store::Error),
    /// An event on the model's path is of a kind its `Event` type does not know. Add the kind, list it under `ignores`, or let the
    /// model skip it.
    #[error("event of a kind the model does not know, model={model} position={position} type={event_type}")]
    UnknownKind {
        /// The model.
        model: &'static str,
        /// Where the event is.
        position: Position,
        /// Its type on the wire.
        event_type: String,
    },
    /// The store holds events of types that the program does not know, so many of each.
    #[error("store holds types of events that the program does not know, types={}", shown(.0))]
    UnknownKinds(Vec<(gesta_store::EventType, u64)>),
    /// An event's data could not be read as its kind says.
    #[error("event cannot be decoded: {reason}, model={model} position={position} type={event_type} version={version}")]
    Undecodable {
        /// The model.
        model: &'static str,
        /// Where the event is.
        position: Position,
        /// Its type on the wire.
        event_type: String,
        /// Its version.
        version: u32,
        /// What the format, or an upcast, said.
        reason: String,
    },
    /// An event could not be made ready to be recorded.
    #[error("event cannot be recorded: {reason}, type={event_type}")]
    Unrecordable {
        /// Its type on the wire.
        event_type: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Code of the application panicked. The call failed, and nothing else: what it was working on was dropped.
    #[error("code panicked: {message}, in={doing}")]
    Panicked {
        /// What was running, such as `Account::apply`.
        doing: String,
        /// What the panic said.
        message: String,
    },
    /// The question cannot be asked of this model.
    #[error("{0}")]
    Unanswerable(String),
    /// The log had changed under the decision each time it was made.
    #[error("decision was overtaken too often: {rejection}, attempts={attempts}")]
    Overtaken {
        /// How often it was made.
        attempts: u32,
        /// What overtook it last.
        rejection: Rejection,
    },
    /// The store refused the decision for another reason than being overtaken, such as a stream that was ended for ever.
    #[error("decision was rejected: {0}")]
    Rejected(Rejection),
    /// A middleware would not have the command decided.
    #[error("command was halted: {reason}, command={command}")]
    Halted {
        /// The command.
        command: &'static str,
        /// What the middleware said.
        reason: String,
    },
    /// A law the model declares is false: summaries are not served any more; its fold is.
    #[error("{0}")]
    Demoted(Box<Demotion>),
    /// A request key was used before, by another command.
    #[error("request key was used by another command, key={key} first={first} now={now}")]
    RequestReused {
        /// The key.
        key: String,
        /// The command it was first used with.
        first: String,
        /// The command it is used with now.
        now: &'static str,
    },
    /// A request key was used before, by such a command that asked for something else.
    #[error("request key was used for another request, key={key} command={command}")]
    RequestChanged {
        /// The key.
        key: String,
        /// The command.
        command: &'static str,
    },
}

fn shown(types: &[(gesta_store::EventType, u64)]) -> String {
    types.iter().map(|(name, events)| format!("{name}({events})")).collect::<Vec<_>>().join(",")
}

/// Runs code of the application; a panic in it becomes an error.
pub(crate) fn guarded<T>(doing: impl FnOnce() -> String, code: impl FnOnce() -> T) -> Result<T> {
    // Whatever the code was changing is dropped by the callers when this fails: nobody sees it half done.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(code))
        .map_err(|panic| Error::Panicked { doing: doing(), message: panic_words(&*panic).to_owned() })
}
