//! How a call fails, in the protocol's words: a status, a text and trailers that clients parse.
//!
//! Texts and trailers are part of the contract: a change to a letter breaks a client. Facts of ours that no client parses go into
//! [`Fault::Invalid`] and the like.

use gesta_store::{Error, ErrorKind, ExpectedRevision, Found, Rejection, Revision, StreamName};
use tonic::{
    Code, Status,
    metadata::{MetadataMap, MetadataValue},
};
use uuid::Uuid;

use crate::{group_fault::GroupFault, limits::STATUS_TEXT_BYTES_MAX};

/// Why a call of the first protocol failed.
#[derive(Debug)]
pub enum Fault {
    /// The request contradicts itself or the protocol; the text has the facts.
    Invalid(String),
    /// An event without one of the properties every event must have.
    MissingProperty(&'static str),
    /// The stream was ended for ever.
    StreamDeleted(StreamName),
    /// A stream was not where it was expected to be.
    WrongExpectedVersion {
        /// What was asked for.
        operation: Operation,
        /// The stream.
        stream: StreamName,
        /// What was expected.
        expected: ExpectedRevision,
        /// Where the stream is; `None` when it has no event that can be read.
        actual: Option<Revision>,
    },
    /// A secondary index nobody made.
    IndexNotFound(String),
    /// A request has more bytes than a commit may have.
    AppendTooLarge,
    /// An event has more bytes than an event may have.
    EventTooLarge {
        /// Which.
        id: Uuid,
        /// Its data, metadata and type, in bytes.
        bytes: usize,
    },
    /// A read begins behind the end.
    InvalidPosition,
    /// The time the client gave is over. The append may be recorded all the same.
    DeadlineExceeded,
    /// The server is about to end.
    Stopping,
    /// The caller may not.
    AccessDenied,
    /// The caller says who he is, and not rightly so.
    Unauthenticated,
    /// Too many wait already.
    TooBusy,
    /// There is no user of that name.
    UserNotFound(String),
    /// There is a user of that name already.
    UserConflict(String),
    /// Somebody else changed the user meanwhile.
    UserChanged(String),
    /// The store could not answer.
    Store(Error),
    /// A verdict no call of this protocol can provoke, or has a word for.
    Refused(Rejection),
    /// A call about a group of consumers failed.
    Group(GroupFault),
}

/// What was asked for, in the words of the message about a wrong version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Append.
    Append,
    /// Delete or tombstone.
    Delete,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Append => "Append",
            Self::Delete => "Delete",
        }
    }
}

/// A stream that was deleted, as the state of a stream.
const SOFT_DELETED: i64 = -5;
/// A stream that was ended for ever, as the state of a stream.
const TOMBSTONED: i64 = -6;

/// An expectation as the number the protocol has for it.
#[must_use]
pub fn expected_number(expected: ExpectedRevision) -> i64 {
    match expected {
        ExpectedRevision::Any => -2,
        ExpectedRevision::NoStream => -1,
        ExpectedRevision::StreamExists => -4,
        ExpectedRevision::SoftDeleted => SOFT_DELETED,
        ExpectedRevision::Tombstoned => TOMBSTONED,
        ExpectedRevision::Exact(revision) => i64::try_from(revision.0).unwrap_or(i64::MAX),
    }
}

/// A last revision as the number the protocol has for it.
#[must_use]
pub fn actual_number(actual: Option<Revision>) -> i64 {
    actual.map_or(-1, |revision| i64::try_from(revision.0).unwrap_or(i64::MAX))
}

/// How a stream stands, as the number the protocol has for it.
#[must_use]
pub fn found_number(found: Found) -> i64 {
    match found {
        Found::Missing => actual_number(None),
        Found::At(revision) => actual_number(Some(revision)),
        Found::SoftDeleted => SOFT_DELETED,
        Found::Ended => TOMBSTONED,
    }
}

/// The status code, the text, and the name and further facts of a failure.
pub(crate) type Parts = (Code, String, Option<&'static str>, Vec<(&'static str, String)>);

fn of_user(login: &str, code: Code, text: String, name: &'static str) -> Parts {
    (code, text, Some(name), vec![("login-name", login.to_owned())])
}

fn conflict(login: &str, code: Code, text: &str) -> Parts {
    of_user(login, code, text.to_owned(), "user-conflict")
}

impl Fault {
    /// What a refused append or deletion is to this protocol.
    #[must_use]
    #[allow(clippy::wildcard_enum_match_arm, reason = "verdicts may be added; for those left the protocol has no word")]
    pub fn refused(operation: Operation, expected: ExpectedRevision, rejection: Rejection) -> Self {
        match rejection {
            Rejection::WrongRevision { stream, expected, actual } => {
                Self::WrongExpectedVersion { operation, stream, expected, actual }
            }
            Rejection::IdempotencyViolated { stream, actual } => {
                Self::WrongExpectedVersion { operation, stream, expected, actual }
            }
            Rejection::StreamDeleted { stream } => Self::StreamDeleted(stream),
            Rejection::CommitTooLarge { .. } => Self::AppendTooLarge,
            other => Self::Refused(other),
        }
    }

    /// The status code, the text, and the name and further facts of the failure, if clients know it by name.
    fn parts(&self) -> Parts {
        use crate::limits::APPEND_BYTES_MAX;
        let event_bytes_max = gesta_store::limits::EVENT_BYTES_MAX;
        match self {
            Self::Invalid(what) => (Code::InvalidArgument, what.clone(), None, vec![]),
            Self::MissingProperty(property) => (
                Code::InvalidArgument,
                format!("Required Metadata Property '{property}' is missing"),
                Some("missing-required-metadata-property"),
                vec![("required-metadata-properties", "type,content-type".to_owned())],
            ),
            Self::StreamDeleted(stream) => (
                Code::FailedPrecondition,
                format!("Event stream '{stream}' is deleted."),
                Some("stream-deleted"),
                vec![("stream-name", stream.to_string())],
            ),
            Self::WrongExpectedVersion { operation, stream, expected, actual } => {
                let (word, expected, actual) = (operation.word(), expected_number(*expected), actual_number(*actual));
                let text = format!(
                    "{word} failed due to WrongExpectedVersion. Stream: {stream}, Expected version: {expected}, Actual version: {actual}"
                );
                let facts = vec![
                    ("stream-name", stream.to_string()),
                    ("expected-version", expected.to_string()),
                    ("actual-version", actual.to_string()),
                ];
                (Code::FailedPrecondition, text, Some("wrong-expected-version"), facts)
            }
            Self::IndexNotFound(index) => (
                Code::NotFound,
                format!("Index '{index}' not found."),
                Some("index-not-found"),
                vec![("index-name", index.clone())],
            ),
            Self::AppendTooLarge => (
                Code::InvalidArgument,
                format!("Maximum Append Size of {APPEND_BYTES_MAX} Exceeded."),
                Some("maximum-append-size-exceeded"),
                vec![("maximum-append-size", APPEND_BYTES_MAX.to_string())],
            ),
            Self::EventTooLarge { id, bytes } => (
                Code::InvalidArgument,
                format!("Event with Id: {id}, Size: {bytes}, exceeds Maximum Append Event Size of {event_bytes_max}."),
                Some("maximum-append-event-size-exceeded"),
                vec![
                    ("maximum-append-event-size", event_bytes_max.to_string()),
                    ("event-id", id.to_string()),
                    ("proposed-append-event-size", bytes.to_string()),
                ],
            ),
            Self::InvalidPosition => {
                (Code::InvalidArgument, "Trying to read from an invalid position.".to_owned(), None, vec![])
            }
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "Timeout".to_owned(), None, vec![]),
            Self::Stopping => (Code::Unavailable, "Server Is Not Ready".to_owned(), None, vec![]),
            Self::AccessDenied => (Code::PermissionDenied, "Access Denied".to_owned(), Some("access-denied"), vec![]),
            Self::Unauthenticated => (Code::Unauthenticated, "Unauthenticated".to_owned(), None, vec![]),
            Self::TooBusy => (Code::Unavailable, "Server Is Too Busy".to_owned(), None, vec![]),
            Self::UserNotFound(login) => {
                of_user(login, Code::NotFound, format!("User '{login}' is not found."), "user-not-found")
            }
            Self::UserConflict(login) => conflict(login, Code::FailedPrecondition, "Conflict."),
            Self::UserChanged(login) => conflict(login, Code::DeadlineExceeded, "Try again."),
            Self::Store(error) => (code_of(error.kind()), error.to_string(), None, vec![]),
            Self::Group(fault) => fault.parts(),
            Self::Refused(rejection) => (Code::FailedPrecondition, rejection.to_string(), None, vec![]),
        }
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "kinds may be added; one this server does not know is a fault of ours"
)]
fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Unavailable | ErrorKind::Closed => Code::Unavailable,
        ErrorKind::Corrupted => Code::DataLoss,
        _ => Code::Internal,
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts().1)
    }
}

impl std::error::Error for Fault {}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let (code, text, name, facts) = fault.parts();
        let mut trailers = MetadataMap::new();
        for (key, value) in name.map(|name| ("exception", name.to_owned())).into_iter().chain(facts) {
            let value = MetadataValue::try_from(ascii(&cut(value))).expect("visible ASCII can be a trailer");
            trailers.insert(key, value);
        }
        Self::with_metadata(code, cut(text), trailers)
    }
}

/// As much of a text as a client is told: it may repeat what a client sent.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > STATUS_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(STATUS_TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

/// `text` as a trailer can hold it: what is not visible ASCII is written as its bytes, `%C3%A9`.
fn ascii(text: &str) -> String {
    use std::fmt::Write as _;
    let mut ascii = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte == b' ' || byte.is_ascii_graphic() {
            ascii.push(char::from(byte));
        } else {
            let _ = write!(ascii, "%{byte:02X}"); // writing to a string cannot fail
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fault: Fault) -> String {
        let status = Status::from(fault);
        let mut shown = format!("{:?}: {}", status.code(), status.message());
        for entry in status.metadata().iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(key, value) = entry {
                shown.push_str(&format!("\n{key}: {}", value.to_str().unwrap()));
            }
        }
        shown
    }

    #[test]
    fn texts_and_trailers_are_what_clients_parse() {
        let stream = StreamName::new("order-1").unwrap();
        let wrong = Fault::WrongExpectedVersion {
            operation: Operation::Append,
            stream: stream.clone(),
            expected: ExpectedRevision::Exact(Revision(5)),
            actual: None,
        };
        let cases = [wrong, Fault::StreamDeleted(stream), Fault::MissingProperty("type"), Fault::AppendTooLarge];
        expect_test::expect![[r"
            FailedPrecondition: Append failed due to WrongExpectedVersion. Stream: order-1, Expected version: 5, Actual version: -1
            exception: wrong-expected-version
            stream-name: order-1
            expected-version: 5
            actual-version: -1

            FailedPrecondition: Event stream 'order-1' is deleted.
            exception: stream-deleted
            stream-name: order-1

            InvalidArgument: Required Metadata Property 'type' is missing
            exception: missing-required-metadata-property
            required-metadata-properties: type,content-type

            InvalidArgument: Maximum Append Size of 32505856 Exceeded.
            exception: maximum-append-size-exceeded
            maximum-append-size: 32505856"]]
        .assert_eq(&cases.map(shown).join("\n\n"));
    }

    /// What is no id was repeated as it was: a mebibyte of it in a header, for which clients end the connection.
    #[test]
    fn what_a_client_sent_is_not_repeated_at_any_length() {
        let status = Status::from(Fault::Invalid(format!("event id is no UUID, found={}", "ä".repeat(1 << 20))));
        assert!(status.message().len() < STATUS_TEXT_BYTES_MAX + 10 && status.message().ends_with("ä…"));
        let reason = "x".repeat(1 << 20);
        let group = gesta_store::GroupName::on_all("mail").unwrap();
        let status = Status::from(GroupFault::failed(&group, reason));
        assert!(status.metadata().iter().count() == 4 && status.message().len() < STATUS_TEXT_BYTES_MAX + 10);
        let longest = status.metadata().get("reason").unwrap().len();
        assert!(longest < STATUS_TEXT_BYTES_MAX + 10, "{longest}");
    }

    #[test]
    fn a_stream_name_of_any_script_can_be_a_trailer() {
        let fault = Fault::StreamDeleted(StreamName::new("café").unwrap());
        assert!(shown(fault).ends_with("stream-name: caf%C3%A9"));
    }
}
