//! The second protocol's service of streams: appends to many streams at once, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use gesta_store::{
    Append, AppendError, Appended, ExpectedRevision, Found, Position, Rejection, StreamName, Violation,
    limits::STREAMS_PER_COMMIT_MAX,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    admission::Admission,
    convert::record,
    fault::{actual_number, expected_number, found_number},
    limits::APPEND_BYTES_MAX,
    proto::kurrentdb::protocol::v2::streams::{
        AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendResponse, AppendSessionResponse,
        ConsistencyCheck, StreamRevision, consistency_check, streams_service_server::StreamsService,
    },
    rich::{RichFault, StateViolation},
    security::{Action, Rights, Security},
};

/// What an event costs in a commit beyond its payloads, in bytes, at most; its stream's name included.
const EVENT_OVERHEAD: usize = 512;

/// The service of the second protocol.
#[derive(Clone, Debug)]
pub struct RecordsService {
    admission: Admission,
    security: Security,
}

/// A request as far as it has been heard.
#[derive(Default)]
struct Draft {
    append: Append,
    bytes: usize,
    /// Streams that are written to, in the order they were named first.
    written: Vec<StreamName>,
    /// The same, to be looked up.
    named: BTreeSet<StreamName>,
    places: Places,
}

/// For each stream of a request its place among the checks, and what is expected of it. Those that are written to and not checked have
/// theirs behind the checks, in the order in which they are named.
type Places = BTreeMap<StreamName, (usize, ExpectedRevision)>;

impl Draft {
    fn push(
        &mut self,
        stream: &StreamName,
        expected: ExpectedRevision,
        records: Vec<crate::proto::kurrentdb::protocol::v2::streams::AppendRecord>,
    ) -> Result<(), RichFault> {
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            let event = record::event(record, stream)?;
            self.bytes += event.data.len() + event.metadata.len() + event.event_type.len() + EVENT_OVERHEAD;
            if self.bytes > APPEND_BYTES_MAX {
                return Err(RichFault::TransactionTooLarge { bytes: self.bytes });
            }
            events.push(event);
        }
        self.append = std::mem::take(&mut self.append).stream(stream.clone(), expected, events);
        Ok(())
    }
}

impl RecordsService {
    /// The streams behind `admission`.
    #[must_use]
    pub fn new(admission: Admission, security: Security) -> Self {
        Self { admission, security }
    }

    async fn session(
        &self,
        rights: &Rights,
        mut requests: Streaming<AppendRequest>,
    ) -> Result<AppendSessionResponse, Status> {
        let (mut draft, mut named) = (Draft::default(), BTreeSet::new());
        while let Some(request) = requests.message().await? {
            let stream = record::stream(&request.stream)?;
            if !named.insert(stream.to_lowercase()) {
                return Err(RichFault::AlreadyInSession(stream).into());
            }
            rights.check(Action::write(&stream)).await.map_err(RichFault::from)?;
            draft.push(&stream, record::expected(request.expected_revision)?, request.records)?;
            draft.written.push(stream);
            few_enough("stream", draft.written.len())?;
        }
        if draft.written.is_empty() {
            return Err(RichFault::NoRequests.into());
        }
        let appended = self.admission.commit(draft.append.tell_all()).await.map_err(session_fault)?;
        let position = position(&appended);
        let output = revisions(&draft.written, &appended).map(|(stream, revision)| AppendResponse {
            stream,
            stream_revision: revision,
            position: Some(position),
        });
        Ok(AppendSessionResponse { output: output.collect(), position })
    }

    async fn records(
        &self,
        rights: &Rights,
        request: AppendRecordsRequest,
    ) -> Result<AppendRecordsResponse, RichFault> {
        if request.records.is_empty() {
            return Err(RichFault::bad("records", "must not be empty"));
        }
        let mut draft = Draft::default();
        for (index, check) in request.checks.into_iter().enumerate() {
            let (stream, expected) = checked(check)?;
            if draft.places.contains_key(&stream) {
                return Err(RichFault::bad("checks", format!("name a stream twice, stream={stream}")));
            }
            draft.places.insert(stream, (index, expected));
            few_enough("checks", draft.places.len())?;
        }
        for record in request.records {
            let stream = record::stream(&record.stream)?;
            let next = draft.places.len();
            let (_, expected) = *draft.places.entry(stream.clone()).or_insert((next, ExpectedRevision::Any));
            draft.push(&stream, expected, vec![record])?;
            if draft.named.insert(stream.clone()) {
                draft.written.push(stream);
            }
        }
        for stream in &draft.written {
            rights.check(Action::write(stream)).await?;
        }
        for (stream, &(_, expected)) in draft.places.iter().filter(|(stream, _)| !draft.named.contains(*stream)) {
            // What is found out about a stream is read from it.
            rights.check(Action::read(stream)).await?;
            draft.append = draft.append.stream(stream.clone(), expected, []);
        }
        let committed = self.admission.commit(draft.append.tell_all()).await;
        let appended = committed.map_err(|error| records_fault(error, &draft.places))?;
        let revisions =
            revisions(&draft.written, &appended).map(|(stream, revision)| StreamRevision { stream, revision });
        Ok(AppendRecordsResponse { revisions: revisions.collect(), position: position(&appended) })
    }
}

/// Whether an append may name so many streams. Asked of each, since of those that are only named no bytes are counted, and one more costs many times what it takes
/// to name it.
fn few_enough(field: &'static str, streams: usize) -> Result<(), RichFault> {
    if streams > STREAMS_PER_COMMIT_MAX {
        return Err(RichFault::bad(field, format!("name too many streams, streams_max={STREAMS_PER_COMMIT_MAX}")));
    }
    Ok(())
}

fn checked(check: ConsistencyCheck) -> Result<(StreamName, ExpectedRevision), RichFault> {
    let Some(consistency_check::Type::StreamState(state)) = check.r#type else {
        return Err(RichFault::bad("checks", "must be about the state of a stream"));
    };
    Ok((record::stream(&state.stream)?, record::state(state.expected_state)?))
}

/// What a refused session is to its client: the first stream that is in the way.
fn session_fault(error: AppendError) -> RichFault {
    match rejection(error) {
        Ok(Rejection::NotAsExpected { violations }) => match violations.into_iter().next() {
            Some(Violation { stream, found: Found::Ended, .. }) => RichFault::Tombstoned(stream),
            Some(Violation { stream, expected, found }) => {
                let (expected, actual) = (expected_number(expected), found_number(found));
                RichFault::RevisionConflict { stream, expected, actual }
            }
            None => RichFault::Refused(Rejection::NotAsExpected { violations: Vec::new() }),
        },
        Ok(Rejection::IdempotencyViolated { stream, actual }) => {
            let (expected, actual) = (expected_number(ExpectedRevision::Any), actual_number(actual));
            RichFault::RevisionConflict { stream, expected, actual }
        }
        Ok(other) => RichFault::Refused(other),
        Err(fault) => fault,
    }
}

/// What a refused request is to its client: every stream that is in the way, by its place among the checks.
fn records_fault(error: AppendError, places: &Places) -> RichFault {
    let violation = |stream: StreamName, actual| {
        let (check, expected) =
            places.get(&stream).copied().expect("the store refuses no stream that was not asked about");
        StateViolation { check, stream, expected: expected_number(expected), actual }
    };
    match rejection(error) {
        Ok(Rejection::NotAsExpected { violations }) => {
            let mut violated: Vec<_> = violations
                .into_iter()
                .map(|Violation { stream, found, .. }| violation(stream, found_number(found)))
                .collect();
            violated.sort_by_key(|violation| violation.check);
            RichFault::Violated(violated)
        }
        Ok(Rejection::IdempotencyViolated { stream, actual }) => {
            RichFault::Violated(vec![violation(stream, actual_number(actual))])
        }
        Ok(other) => RichFault::Refused(other),
        Err(fault) => fault,
    }
}

/// The verdict that is about streams, or what else went wrong.
fn rejection(error: AppendError) -> Result<Rejection, RichFault> {
    match error {
        AppendError::Failed(error) => Err(RichFault::Store(error)),
        AppendError::Rejected(Rejection::CommitTooLarge { bytes, .. }) => Err(RichFault::TransactionTooLarge { bytes }),
        AppendError::Rejected(rejection) => Ok(rejection),
    }
}

/// The streams that were written to with their last revisions: the store answers for them in the order in which they were named, and for those
/// that were only checked behind them.
fn revisions<'a>(written: &'a [StreamName], appended: &'a Appended) -> impl Iterator<Item = (String, i64)> + 'a {
    let revisions = appended.next_revisions.iter().map(|next| actual_number(next.current()));
    written.iter().map(StreamName::to_string).zip(revisions)
}

fn position(appended: &Appended) -> i64 {
    appended.last_position.map_or(-1, |Position(position)| i64::try_from(position).unwrap_or(i64::MAX))
}

#[tonic::async_trait]
impl StreamsService for RecordsService {
    async fn append_session(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<AppendSessionResponse>, Status> {
        let rights = self.security.rights(&request);
        self.session(&rights, request.into_inner()).await.map(Response::new)
    }

    async fn append_records(
        &self,
        request: Request<AppendRecordsRequest>,
    ) -> Result<Response<AppendRecordsResponse>, Status> {
        let rights = self.security.rights(&request);
        Ok(Response::new(self.records(&rights, request.into_inner()).await?))
    }
}
