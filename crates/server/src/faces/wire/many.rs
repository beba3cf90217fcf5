//! The second protocol: changes to many streams at once, by either of its calls.

use gesta_store::ExpectedRevision;
use prost::Message as _;
use tonic::Status;

use super::{Verdict, Wire, event, id};
use crate::{
    fault::expected_number,
    proto::{
        google::rpc,
        kurrentdb::protocol::v2::streams::{
            AppendRecord, AppendRecordsRequest, AppendRequest, ConsistencyCheck, SchemaFormat, SchemaInfo,
            consistency_check::{StreamStateCheck, Type},
            errors::{
                AppendConsistencyViolationErrorDetails, StreamRevisionConflictErrorDetails,
                consistency_violation::Type::StreamState,
            },
        },
    },
};

impl Wire {
    pub(super) fn append_session(&mut self, writes: &[(&str, ExpectedRevision, &[u64])]) -> Verdict {
        let request = |&(stream, expected, numbers): &(&str, ExpectedRevision, &[u64])| AppendRequest {
            stream: stream.to_owned(),
            records: numbers.iter().map(|&number| record("", number)).collect(),
            expected_revision: Some(expected_number(expected)),
        };
        let requests: Vec<_> = writes.iter().map(request).collect();
        let client = &mut self.records;
        match self.runtime.block_on(client.append_session(tokio_stream::iter(requests))) {
            Ok(answer) => {
                let answer = answer.into_inner();
                let revision = answer.output.into_iter().map(|append| (append.stream, append.stream_revision));
                Verdict::WrittenTo(revision.collect(), answer.position)
            }
            Err(status) => refused(&status),
        }
    }

    pub(super) fn append_records(&mut self, events: &[(&str, u64)], checks: &[(&str, ExpectedRevision)]) -> Verdict {
        let check = |&(stream, expected): &(&str, ExpectedRevision)| {
            let check = StreamStateCheck { stream: stream.to_owned(), expected_state: expected_number(expected) };
            ConsistencyCheck { r#type: Some(Type::StreamState(check)) }
        };
        let request = AppendRecordsRequest {
            records: events.iter().map(|&(stream, number)| record(stream, number)).collect(),
            checks: checks.iter().map(check).collect(),
        };
        let client = &mut self.records;
        match self.runtime.block_on(client.append_records(request)) {
            Ok(answer) => {
                let answer = answer.into_inner();
                let revisions = answer.revisions.into_iter().map(|revision| (revision.stream, revision.revision));
                Verdict::WrittenTo(revisions.collect(), answer.position)
            }
            Err(status) => refused(&status),
        }
    }
}

fn record(stream: &str, number: u64) -> AppendRecord {
    let event = event(number);
    let schema = SchemaInfo { format: SchemaFormat::Json.into(), name: event.event_type.to_string(), id: None };
    AppendRecord {
        record_id: Some(id(number).to_string()),
        properties: Default::default(),
        schema: Some(schema),
        data: event.data,
        stream: stream.to_owned(),
    }
}

/// The verdict in the details of a status.
fn refused(status: &Status) -> Verdict {
    let details = rpc::Status::decode(status.details()).unwrap().details;
    let facts = details.last().unwrap();
    match facts.type_url.rsplit('.').next().unwrap() {
        "StreamRevisionConflictErrorDetails" => {
            let facts = StreamRevisionConflictErrorDetails::decode(&*facts.value).unwrap();
            Verdict::Conflicts(vec![(facts.stream, facts.expected_revision, facts.actual_revision)])
        }
        "AppendConsistencyViolationErrorDetails" => {
            let facts = AppendConsistencyViolationErrorDetails::decode(&*facts.value).unwrap();
            let conflicts = facts.violations.into_iter().map(|violation| {
                let Some(StreamState(state)) = violation.r#type else { panic!("there are no others") };
                (state.stream, state.expected_state, state.actual_state)
            });
            Verdict::Conflicts(conflicts.collect())
        }
        "StreamTombstonedErrorDetails" => Verdict::StreamDeleted,
        _ => Verdict::Other(status.to_string()),
    }
}
