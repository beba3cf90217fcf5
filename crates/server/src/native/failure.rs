//! What goes wrong, over the wire and back: a kind of the store is a code, its text the message.

use std::{fmt, io};

use gesta_store::{Error, ErrorKind, GroupError};
use tonic::{Code, Status};

use crate::fault::{Fault, cut};

/// Why a request to a server failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The store could not answer, or not so.
    Store(Error),
    /// A consumer group is not as it would have to be; with what the store says of it.
    Group(GroupRefusal, String),
    /// The server does not let this client do that.
    Denied(String),
    /// The server cannot be reached, or went away.
    Unreachable(String),
    /// This machine has no thread for a client, or lets it open too few files.
    NoRuntime(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Group(_, what)
            | Self::Denied(what)
            | Self::Unreachable(what)
            | Self::NoRuntime(what)
            | Self::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ClientError {}

/// That there is no runtime for a client.
pub(crate) fn no_runtime(error: io::Error) -> ClientError {
    ClientError::NoRuntime(format!("starting the client failed: {error}"))
}

/// In which way a consumer group is not as it would have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupRefusal {
    /// There is none of this name.
    NoSuchGroup,
    /// There is one already.
    GroupExists,
    /// There is no parked message of this id.
    NotParked,
    /// A message is not in flight any more that was answered.
    NotInFlight,
    /// Its settings, or the place it is to begin at, cannot be so.
    Invalid,
    /// It has something to do before.
    Unavailable,
    /// The consumer was dropped, since the group is not what it was: it may connect again.
    Dropped,
}

impl GroupRefusal {
    const ALL: [Self; 7] = [
        Self::NoSuchGroup,
        Self::GroupExists,
        Self::NotParked,
        Self::NotInFlight,
        Self::Invalid,
        Self::Unavailable,
        Self::Dropped,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::NoSuchGroup => "no-such-group",
            Self::GroupExists => "group-exists",
            Self::NotParked => "not-parked",
            Self::NotInFlight => "not-in-flight",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Dropped => "dropped",
        }
    }
}

impl From<GroupError> for ClientError {
    #[allow(clippy::wildcard_enum_match_arm, reason = "errors may be added; what they are asks their kind")]
    fn from(error: GroupError) -> Self {
        let refusal = match &error {
            GroupError::Store(error) => return Self::Store(error.clone()),
            GroupError::NoSuchGroup { .. } => GroupRefusal::NoSuchGroup,
            GroupError::GroupExists { .. } => GroupRefusal::GroupExists,
            GroupError::NotParked { .. } => GroupRefusal::NotParked,
            GroupError::NotInFlight { .. } => GroupRefusal::NotInFlight,
            GroupError::Dropped { .. } => GroupRefusal::Dropped,
            other if other.kind() == ErrorKind::Unavailable => GroupRefusal::Unavailable,
            _ => GroupRefusal::Invalid,
        };
        Self::Group(refusal, error.to_string())
    }
}

/// The trailer that says that a status is a refusal of a group, and which.
const OF_GROUP: &str = "gesta-group";

pub(super) fn group_status(error: GroupError) -> Status {
    match ClientError::from(error) {
        ClientError::Store(error) => status(&error),
        ClientError::Group(refusal, what) => {
            let mut status = Status::new(Code::FailedPrecondition, cut(what));
            let word = tonic::metadata::MetadataValue::from_static(refusal.word());
            status.metadata_mut().insert(OF_GROUP, word);
            status
        }
        ClientError::Denied(what)
        | ClientError::Unreachable(what)
        | ClientError::NoRuntime(what)
        | ClientError::Other(what) => Status::internal(what),
    }
}

/// The trailer that says that a status is an error of the store.
const OF_STORE: &str = "gesta-store";

pub(super) fn status(error: &Error) -> Status {
    #[allow(clippy::wildcard_enum_match_arm, reason = "kinds may be added; one nobody knows is a fault of the server")]
    let code = match error.kind() {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Closed => Code::FailedPrecondition,
        ErrorKind::Corrupted => Code::DataLoss,
        _ => Code::Internal,
    };
    let mut status = Status::new(code, cut(error.to_string()));
    status.metadata_mut().insert(OF_STORE, tonic::metadata::MetadataValue::from_static("error"));
    status
}

/// A failure for which this protocol has no more words than the first ones.
pub(super) fn fault_status(fault: Fault) -> Status {
    if let Fault::Store(error) = &fault { status(error) } else { fault.into() }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let what = status.message().to_owned();
        let word = status.metadata().get(OF_GROUP).and_then(|word| word.to_str().ok());
        if let Some(refusal) = word.and_then(|word| GroupRefusal::ALL.into_iter().find(|one| one.word() == word)) {
            return Self::Group(refusal, what);
        }
        let is_of_store = status.metadata().contains_key(OF_STORE);
        let of_store = |kind| Self::Store(Error::new(kind, what.clone()));
        match status.code() {
            Code::InvalidArgument => of_store(ErrorKind::Invalid),
            Code::NotFound if is_of_store => of_store(ErrorKind::NotFound),
            Code::Unavailable if is_of_store => of_store(ErrorKind::Unavailable),
            Code::FailedPrecondition if is_of_store => of_store(ErrorKind::Closed),
            Code::DataLoss if is_of_store => of_store(ErrorKind::Corrupted),
            Code::Internal if is_of_store => of_store(ErrorKind::Internal),
            Code::PermissionDenied | Code::Unauthenticated => Self::Denied(format!("the server denies it: {what}")),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                Self::Unreachable(format!("the server went away or is about to end: {what}"))
            }
            Code::Unimplemented => Self::Other(format!("the server does not offer that: {what}")),
            code @ (Code::Ok
            | Code::Unknown
            | Code::NotFound
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Internal
            | Code::DataLoss) => match std::error::Error::source(&status) {
                Some(source) => Self::Unreachable(format!("the connection to the server failed: {source}")),
                None => Self::Other(format!("the server failed, code={code:?}: {what}")),
            },
        }
    }
}
