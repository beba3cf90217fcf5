//! How a call of the second protocol fails: a status with details, of which the first says the reason and the last the facts.
//!
//! The order is part of the contract: some clients read one detail only, and that is the last.

use bytes::Bytes;
use gesta_store::{Error, ErrorKind, Rejection, StreamName};
use prost::Message;
use tonic::{Code, Status};

use crate::proto::{
    google::rpc::{self, ErrorInfo, bad_request::FieldViolation},
    kurrent::rpc::AccessDeniedErrorDetails,
    kurrentdb::protocol::v2::streams::errors::{
        AppendConsistencyViolationErrorDetails, AppendRecordSizeExceededErrorDetails,
        AppendTransactionSizeExceededErrorDetails, ConsistencyViolation, StreamAlreadyInAppendSessionErrorDetails,
        StreamRevisionConflictErrorDetails, StreamTombstonedErrorDetails,
        consistency_violation::{self, StreamStateViolation},
    },
};
use crate::{fault::cut, limits::VIOLATIONS_BYTES_MAX};

/// Why a call of the second protocol failed.
#[derive(Debug)]
pub enum RichFault {
    /// A field of the request cannot be what it is.
    BadRequest {
        /// Which.
        field: &'static str,
        /// Why.
        description: String,
    },
    /// A session ended before it asked for anything.
    NoRequests,
    /// A session names a stream twice.
    AlreadyInSession(StreamName),
    /// An event has more bytes than an event may have.
    RecordTooLarge {
        /// Its stream.
        stream: StreamName,
        /// Its id.
        id: String,
        /// Its bytes.
        bytes: usize,
    },
    /// A request has more bytes than a commit may have.
    TransactionTooLarge {
        /// Its bytes, as far as they were counted.
        bytes: usize,
    },
    /// A stream that is written to is not where it was expected to be.
    RevisionConflict {
        /// The stream.
        stream: StreamName,
        /// What was expected, in the protocol's numbers.
        expected: i64,
        /// What is, likewise.
        actual: i64,
    },
    /// A stream that is written to was ended for ever.
    Tombstoned(StreamName),
    /// Checks do not hold, or streams cannot be written; at least one.
    Violated(Vec<StateViolation>),
    /// The caller may not.
    AccessDenied {
        /// The word for what the caller may not do.
        action: &'static str,
        /// Who that is; `None` for somebody who did not say.
        login: Option<String>,
    },
    /// The store could not answer.
    Store(Error),
    /// A verdict the protocol has no word for.
    Refused(Rejection),
}

/// A stream that is not as it was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateViolation {
    /// Which of the request's checks; streams that are written to and not checked are numbered on behind them.
    pub check: usize,
    /// The stream.
    pub stream: StreamName,
    /// What was expected, in the protocol's numbers.
    pub expected: i64,
    /// What is, likewise.
    pub actual: i64,
}

impl RichFault {
    /// A field that cannot be what it is.
    pub fn bad(field: &'static str, description: impl Into<String>) -> Self {
        Self::BadRequest { field, description: description.into() }
    }
}

impl From<Error> for RichFault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Where a reason is explained.
const STREAMS: &str = "streams";
const SERVER: &str = "server";

impl From<RichFault> for Status {
    fn from(fault: RichFault) -> Self {
        match fault {
            RichFault::BadRequest { field, description } => bad_request(field, description),
            RichFault::NoRequests => {
                let text = "Append session ended without a request.".to_owned();
                status(Code::FailedPrecondition, text, (STREAMS, "APPEND_SESSION_NO_REQUESTS"), None)
            }
            RichFault::AlreadyInSession(stream) => status(
                Code::Aborted,
                format!("Stream '{stream}' is already in this append session."),
                (STREAMS, "STREAM_ALREADY_IN_APPEND_SESSION"),
                detail(
                    "StreamAlreadyInAppendSessionErrorDetails",
                    &StreamAlreadyInAppendSessionErrorDetails { stream: stream.to_string() },
                ),
            ),
            RichFault::RecordTooLarge { stream, id, bytes } => record_too_large(&stream, id, bytes),
            RichFault::TransactionTooLarge { bytes } => transaction_too_large(bytes),
            RichFault::RevisionConflict { stream, expected, actual } => revision_conflict(&stream, expected, actual),
            RichFault::Tombstoned(stream) => status(
                Code::FailedPrecondition,
                format!("Stream '{stream}' is tombstoned."),
                (STREAMS, "STREAM_TOMBSTONED"),
                detail("StreamTombstonedErrorDetails", &StreamTombstonedErrorDetails { stream: stream.to_string() }),
            ),
            RichFault::Violated(violations) => violated(violations),
            RichFault::AccessDenied { action, login } => status(
                Code::PermissionDenied,
                "Access Denied".to_owned(),
                (SERVER, "ACCESS_DENIED"),
                Some(any(
                    "kurrent.rpc.AccessDeniedErrorDetails",
                    &AccessDeniedErrorDetails { operation: action.to_owned(), username: login, permission: None },
                )),
            ),
            RichFault::Store(error) if error.kind() == ErrorKind::Invalid => bad_request("request", error.to_string()),
            #[allow(
                clippy::wildcard_enum_match_arm,
                reason = "kinds may be added; those left are not the client's fault"
            )]
            RichFault::Store(error) => {
                let (code, reason) = match error.kind() {
                    ErrorKind::Unavailable => (Code::Unavailable, "SERVER_OVERLOADED"),
                    ErrorKind::Closed => (Code::Unavailable, "SERVER_SHUTTING_DOWN"),
                    _ => (Code::Internal, "SERVER_MALFUNCTION"),
                };
                status(code, error.to_string(), (SERVER, reason), None)
            }
            RichFault::Refused(rejection) => Self::failed_precondition(rejection.to_string()),
        }
    }
}

fn bad_request(field: &str, description: String) -> Status {
    let description = cut(description);
    let text = format!("{field}: {description}");
    let violation = FieldViolation { field: field.to_owned(), description };
    let details = rpc::BadRequest { field_violations: vec![violation] };
    let details = any("google.rpc.BadRequest", &details);
    status(Code::InvalidArgument, text, (SERVER, "BAD_REQUEST"), Some(details))
}

fn record_too_large(stream: &StreamName, id: String, bytes: usize) -> Status {
    let max = gesta_store::limits::EVENT_BYTES_MAX;
    let details = AppendRecordSizeExceededErrorDetails {
        stream: stream.to_string(),
        record_id: id.clone(),
        size: saturated(bytes),
        max_size: saturated(max),
    };
    status(
        Code::InvalidArgument,
        format!("Record '{id}' of stream '{stream}' has {bytes} bytes and may have {max}."),
        (STREAMS, "APPEND_RECORD_SIZE_EXCEEDED"),
        detail("AppendRecordSizeExceededErrorDetails", &details),
    )
}

fn transaction_too_large(bytes: usize) -> Status {
    let max = crate::limits::APPEND_BYTES_MAX;
    let details = AppendTransactionSizeExceededErrorDetails { size: saturated(bytes), max_size: saturated(max) };
    status(
        Code::Aborted,
        format!("Append has {bytes} bytes or more and may have {max}."),
        (STREAMS, "APPEND_TRANSACTION_SIZE_EXCEEDED"),
        detail("AppendTransactionSizeExceededErrorDetails", &details),
    )
}

fn revision_conflict(stream: &StreamName, expected: i64, actual: i64) -> Status {
    let details = StreamRevisionConflictErrorDetails {
        stream: stream.to_string(),
        expected_revision: expected,
        actual_revision: actual,
    };
    status(
        Code::FailedPrecondition,
        format!(
            "Append failed due to a revision conflict on stream '{stream}'. Expected revision: {expected}. Actual revision: {actual}."
        ),
        (STREAMS, "STREAM_REVISION_CONFLICT"),
        detail("StreamRevisionConflictErrorDetails", &details),
    )
}

/// Tells as many as clients take in one answer.
fn violated(violations: Vec<StateViolation>) -> Status {
    let found = violations.len();
    let mut text = String::new();
    if let Some(StateViolation { check, stream, expected, actual }) = violations.first() {
        text = format!(
            "Consistency check {check} does not hold: stream '{stream}' was expected in state {expected} and is in state {actual}."
        );
    }
    if found > 1 {
        text.push_str(&format!(" Nor do {} more.", found - 1));
    }
    let mut bytes = 0;
    let told = violations.into_iter().map(|StateViolation { check, stream, expected, actual }| {
        let state = StreamStateViolation { stream: stream.to_string(), expected_state: expected, actual_state: actual };
        let r#type = Some(consistency_violation::Type::StreamState(state));
        ConsistencyViolation { check_index: saturated(check), r#type }
    });
    let told = told.take_while(|violation| {
        let first = bytes == 0;
        bytes += violation.encoded_len();
        first || bytes <= VIOLATIONS_BYTES_MAX
    });
    let details = AppendConsistencyViolationErrorDetails { violations: told.collect() };
    let details = detail("AppendConsistencyViolationErrorDetails", &details);
    status(Code::FailedPrecondition, text, (STREAMS, "APPEND_CONSISTENCY_VIOLATION"), details)
}

/// A status of which a part is told three times: each is cut.
fn status(code: Code, message: String, (domain, reason): (&str, &str), specific: Option<prost_types::Any>) -> Status {
    let message = cut(message);
    let info = ErrorInfo { reason: reason.to_owned(), domain: domain.to_owned(), metadata: Default::default() };
    let details = [any("google.rpc.ErrorInfo", &info)].into_iter().chain(specific).collect();
    let rich = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, Bytes::from(rich.encode_to_vec()))
}

fn detail(name: &str, message: &impl Message) -> Option<prost_types::Any> {
    Some(any(&format!("kurrentdb.protocol.v2.streams.errors.{name}"), message))
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

fn saturated(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_comes_first_and_the_facts_last() {
        let stream = StreamName::new("order-1").unwrap();
        let status = Status::from(RichFault::RevisionConflict { stream, expected: 5, actual: -1 });
        let rich = rpc::Status::decode(status.details()).unwrap();
        assert_eq!((rich.code, rich.message.as_str()), (Code::FailedPrecondition as i32, status.message()));
        let [reason, facts] = &rich.details[..] else { panic!("two details") };
        let reason = ErrorInfo::decode(&reason.value[..]).unwrap();
        assert_eq!((reason.reason.as_str(), reason.domain.as_str()), ("STREAM_REVISION_CONFLICT", "streams"));
        assert!(facts.type_url.ends_with(".streams.errors.StreamRevisionConflictErrorDetails"));
        let facts = StreamRevisionConflictErrorDetails::decode(&facts.value[..]).unwrap();
        assert_eq!((facts.expected_revision, facts.actual_revision), (5, -1));
    }

    fn told(count: usize, name: &str) -> (Status, Vec<ConsistencyViolation>) {
        let stream = |number: usize| StreamName::new(format!("{name}-{number}")).unwrap();
        let violation = |check| StateViolation { check, stream: stream(check), expected: -4, actual: -5 };
        let status = Status::from(RichFault::Violated((0..count).map(violation).collect()));
        let rich = rpc::Status::decode(status.details()).unwrap();
        let facts = AppendConsistencyViolationErrorDetails::decode(&rich.details[1].value[..]).unwrap();
        (status, facts.violations)
    }

    #[test]
    fn all_violations_are_told() {
        let (status, violations) = told(2, "order");
        assert_eq!(violations.iter().map(|violation| violation.check_index).collect::<Vec<_>>(), [0, 1]);
        let expected = "Consistency check 0 does not hold: stream 'order-0' was expected in state -4 and is in state -5. \
                        Nor do 1 more.";
        assert_eq!(status.message(), expected);
    }

    /// Details are headers: what goes beyond what clients take of them would be the answer of none.
    #[test]
    fn no_more_violations_are_told_than_clients_take() {
        for (name, least) in [("o", 100), (&"o".repeat(1000), 2)] {
            let (status, violations) = told(10_000, name);
            assert!(violations.len() >= least, "{}", violations.len());
            assert!(status.message().contains("9999 more"), "{status:?}");
            assert!(status.details().len() * 4 / 3 + status.message().len() < 8 << 10, "{}", status.details().len());
        }
        assert_eq!(told(1, &"o".repeat(1000)).1.len(), 1);
    }
}
