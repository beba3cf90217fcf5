//! What a batch append answers: to each request, in the call itself, also when it failed.

use gesta_store::{Appended, ExpectedRevision, Position};
use prost::Message;
use tonic::Code;

use super::{expected, stream};
use crate::{
    fault::{Fault, actual_number},
    limits::APPEND_BYTES_MAX,
    proto::event_store::client::{
        self, AllStreamPosition, StreamIdentifier,
        streams::{
            BatchAppendResp,
            batch_append_resp::{self, Success, success},
        },
    },
};

/// What an answer repeats of its request, so that the client finds it again.
#[derive(Clone, Debug)]
pub struct Echo {
    /// The request's own id, in the form it had.
    pub correlation_id: client::Uuid,
    /// The stream, if it named one.
    pub stream: Option<StreamIdentifier>,
    /// What it expected, if it said so.
    pub expected: Option<ExpectedRevision>,
}

impl Echo {
    /// The answer to a request that was recorded.
    #[must_use]
    pub fn succeeded(self, appended: &Appended) -> BatchAppendResp {
        let revision = appended.next_revisions.first().and_then(gesta_store::NextRevision::current);
        let current = match revision {
            Some(revision) => success::CurrentRevisionOption::CurrentRevision(revision.0),
            None => success::CurrentRevisionOption::NoStream(()),
        };
        let position = match appended.last_position {
            Some(Position(position)) => success::PositionOption::Position(AllStreamPosition {
                commit_position: position,
                prepare_position: position,
            }),
            None => success::PositionOption::NoPosition(()),
        };
        let success = Success { current_revision_option: Some(current), position_option: Some(position) };
        self.answer(batch_append_resp::Result::Success(success))
    }

    /// The answer to a request that was not.
    #[must_use]
    pub fn failed(self, fault: Fault) -> BatchAppendResp {
        self.answer(batch_append_resp::Result::Error(status(fault)))
    }

    fn answer(self, result: batch_append_resp::Result) -> BatchAppendResp {
        BatchAppendResp {
            correlation_id: Some(self.correlation_id),
            result: Some(result),
            stream_identifier: self.stream,
            expected_stream_position: self.expected.and_then(expected::echoed),
        }
    }
}

fn status(fault: Fault) -> client::Status {
    let (code, details) = match &fault {
        Fault::WrongExpectedVersion { expected, actual, .. } => {
            use client::wrong_expected_version::{
                CurrentStreamRevisionOption as Current, ExpectedStreamPositionOption as Expected,
            };
            let current = match u64::try_from(actual_number(*actual)) {
                Ok(revision) => Current::CurrentStreamRevision(revision),
                Err(_) => Current::CurrentNoStream(()),
            };
            let expected = match *expected {
                ExpectedRevision::Any => Some(Expected::ExpectedAny(())),
                ExpectedRevision::NoStream => Some(Expected::ExpectedNoStream(())),
                ExpectedRevision::StreamExists => Some(Expected::ExpectedStreamExists(())),
                ExpectedRevision::Exact(revision) => Some(Expected::ExpectedStreamPosition(revision.0)),
                ExpectedRevision::SoftDeleted | ExpectedRevision::Tombstoned => None,
            };
            let wrong = client::WrongExpectedVersion {
                current_stream_revision_option: Some(current),
                expected_stream_position_option: expected,
            };
            (Code::AlreadyExists, any("WrongExpectedVersion", &wrong))
        }
        Fault::StreamDeleted(name) => {
            let deleted = client::StreamDeleted { stream_identifier: Some(stream::to_wire(name)) };
            (Code::NotFound, any("StreamDeleted", &deleted))
        }
        Fault::AppendTooLarge => {
            let exceeded = client::MaximumAppendSizeExceeded { max_append_size: saturated(APPEND_BYTES_MAX) };
            (Code::InvalidArgument, any("MaximumAppendSizeExceeded", &exceeded))
        }
        Fault::EventTooLarge { id, bytes } => {
            let exceeded = client::MaximumAppendEventSizeExceeded {
                event_id: id.to_string(),
                proposed_event_size: saturated(*bytes),
                max_append_event_size: saturated(gesta_store::limits::EVENT_BYTES_MAX),
            };
            (Code::InvalidArgument, any("MaximumAppendEventSizeExceeded", &exceeded))
        }
        Fault::AccessDenied => (Code::PermissionDenied, any("AccessDenied", &client::AccessDenied {})),
        Fault::DeadlineExceeded => (Code::DeadlineExceeded, any("Timeout", &client::Timeout {})),
        Fault::Invalid(_) | Fault::MissingProperty(_) => bad_request(&fault),
        Fault::Store(error) if error.kind() == gesta_store::ErrorKind::Invalid => bad_request(&fault),
        Fault::IndexNotFound(_)
        | Fault::InvalidPosition
        | Fault::Stopping
        | Fault::TooBusy
        | Fault::Store(_)
        | Fault::Refused(_) => unknown(),
        // No append meets these.
        Fault::Unauthenticated
        | Fault::Group(_)
        | Fault::UserNotFound(_)
        | Fault::UserConflict(_)
        | Fault::UserChanged(_) => unknown(),
    };
    let message = fault.to_string();
    client::Status { code: code as i32, message, details: Some(details) }
}

fn unknown() -> (Code, prost_types::Any) {
    (Code::Unknown, any("Unknown", &client::Unknown {}))
}

fn bad_request(fault: &Fault) -> (Code, prost_types::Any) {
    (Code::InvalidArgument, any("BadRequest", &client::BadRequest { message: fault.to_string() }))
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    let type_url = format!("type.googleapis.com/event_store.client.{name}");
    prost_types::Any { type_url, value: message.encode_to_vec() }
}

fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use gesta_store::{Revision, StreamName};

    use super::*;
    use crate::{
        convert::id::{self, IdForm},
        fault::Operation,
    };

    fn echo() -> Echo {
        Echo {
            correlation_id: id::to_wire(uuid::Uuid::from_u128(7), IdForm::Text),
            stream: Some(stream::to_wire("order-1")),
            expected: Some(ExpectedRevision::Exact(Revision(5))),
        }
    }

    #[test]
    fn a_request_is_found_again_by_what_is_repeated_of_it() {
        let (asked, answer) = (echo(), echo().failed(Fault::DeadlineExceeded));
        assert_eq!(answer.correlation_id, Some(asked.correlation_id));
        assert_eq!(answer.stream_identifier, asked.stream);
        assert_eq!(answer.expected_stream_position, asked.expected.and_then(expected::echoed));
    }

    #[test]
    fn failures_are_told_by_code_and_detail() {
        let name = StreamName::new("order-1").unwrap();
        let wrong = |actual| Fault::WrongExpectedVersion {
            operation: Operation::Append,
            stream: name.clone(),
            expected: ExpectedRevision::Exact(Revision(5)),
            actual,
        };
        let told = |fault| {
            let Some(batch_append_resp::Result::Error(status)) = echo().failed(fault).result else {
                panic!("a failure")
            };
            let detail = status.details.unwrap();
            (status.code, detail.type_url.rsplit_once('.').unwrap().1.to_owned(), detail.value)
        };
        for (fault, code, detail) in [
            (wrong(None), Code::AlreadyExists, "WrongExpectedVersion"),
            (Fault::StreamDeleted(name.clone()), Code::NotFound, "StreamDeleted"),
            (Fault::AccessDenied, Code::PermissionDenied, "AccessDenied"),
            (Fault::DeadlineExceeded, Code::DeadlineExceeded, "Timeout"),
            (Fault::AppendTooLarge, Code::InvalidArgument, "MaximumAppendSizeExceeded"),
            (Fault::MissingProperty("type"), Code::InvalidArgument, "BadRequest"),
            (Fault::Stopping, Code::Unknown, "Unknown"),
        ] {
            let (told_code, told_detail, _) = told(fault);
            assert_eq!((told_code, told_detail.as_str()), (code as i32, detail));
        }
        use client::wrong_expected_version::{
            CurrentStreamRevisionOption as Current, ExpectedStreamPositionOption as Expected,
        };
        let facts = client::WrongExpectedVersion::decode(&told(wrong(Some(Revision(2)))).2[..]).unwrap();
        assert_eq!(facts.current_stream_revision_option, Some(Current::CurrentStreamRevision(2)));
        assert_eq!(facts.expected_stream_position_option, Some(Expected::ExpectedStreamPosition(5)));
    }
}
