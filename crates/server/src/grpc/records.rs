//! The second protocol's service of streams: appends to many streams at once, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use gesta_store::{
    Append, AppendError, Appended, EventStore, ExpectedRevision, Position, Rejection, StreamName, StreamStatus,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    admission::Admission,
    convert::record,
    fault::{actual_number, expected_number},
    limits::APPEND_BYTES_MAX,
    proto::kurrentdb::protocol::v2::streams::{
        AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendResponse, AppendSessionResponse,
        ConsistencyCheck, StreamRevision, consistency_check, streams_service_server::StreamsService,
    },
    rich::RichFault,
    security::{Action, Rights, Security},
};

/// What an event costs in a commit beyond its payloads, in bytes, at most; its stream's name included.
const EVENT_OVERHEAD: usize = 512;
/// A stream that was deleted, as the state of a stream.
const SOFT_DELETED: i64 = -5;
/// A stream that was ended for ever, as the state of a stream.
const TOMBSTONED: i64 = -6;

/// The service of the second protocol.
#[derive(Clone, Debug)]
pub struct RecordsService {
    store: EventStore,
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
    checks: Checks,
}

/// For each stream that is checked, which check of the request it is, and what it expects.
type Checks = BTreeMap<StreamName, (usize, ExpectedRevision)>;

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
    /// The streams of `store`.
    #[must_use]
    pub fn new(store: EventStore, admission: Admission, security: Security) -> Self {
        Self { store, admission, security }
    }

    async fn commit(&self, append: Append, bytes: usize, checks: &Checks) -> Result<Appended, RichFault> {
        match self.admission.commit(append, bytes).await {
            Ok(appended) => Ok(appended),
            Err(AppendError::Failed(error)) => Err(RichFault::Store(error)),
            Err(AppendError::Rejected(rejection)) => Err(self.refused(rejection, checks).await),
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "verdicts may be added; for those left the protocol has no word")]
    async fn refused(&self, rejection: Rejection, checks: &Checks) -> RichFault {
        let (stream, expected, actual) = match rejection {
            Rejection::WrongRevision { stream, expected, actual } => {
                let actual = match actual {
                    Some(_) => actual_number(actual),
                    None => self.state_without_events(&stream).await,
                };
                (stream, expected_number(expected), actual)
            }
            Rejection::IdempotencyViolated { stream, actual } => {
                (stream, expected_number(ExpectedRevision::Any), actual_number(actual))
            }
            Rejection::StreamDeleted { stream } => match checks.get(&stream) {
                Some(&(_, expected)) => (stream, expected_number(expected), TOMBSTONED),
                None => return RichFault::Tombstoned(stream),
            },
            Rejection::CommitTooLarge { bytes, .. } => return RichFault::TransactionTooLarge { bytes },
            other => return RichFault::Refused(other),
        };
        match checks.get(&stream) {
            Some(&(check, _)) => RichFault::Violated { check, stream, expected, actual },
            None => RichFault::RevisionConflict { stream, expected, actual },
        }
    }

    /// The state of a stream that has no event to be read: the verdict does not tell deleted from missing. Looked up behind the verdict; if the
    /// stream was written to meanwhile, it counts as what it was, missing.
    async fn state_without_events(&self, stream: &StreamName) -> i64 {
        let (store, stream) = (self.store.clone(), stream.clone());
        let status = tokio::task::spawn_blocking(move || store.stream_status(&stream)).await;
        match status {
            Ok(Ok(StreamStatus::SoftDeleted { .. })) => SOFT_DELETED,
            Ok(Ok(StreamStatus::Missing | StreamStatus::Live { .. } | StreamStatus::Tombstoned { .. }) | Err(_))
            | Err(_) => actual_number(None),
        }
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
        }
        if draft.written.is_empty() {
            return Err(RichFault::NoRequests.into());
        }
        let appended = self.commit(draft.append, draft.bytes, &Checks::new()).await?;
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
            if draft.checks.contains_key(&stream) {
                return Err(RichFault::bad("checks", format!("name a stream twice, stream={stream}")));
            }
            draft.checks.insert(stream, (index, expected));
        }
        for record in request.records {
            let stream = record::stream(&record.stream)?;
            let expected = draft.checks.get(&stream).map_or(ExpectedRevision::Any, |&(_, expected)| expected);
            draft.push(&stream, expected, vec![record])?;
            if draft.named.insert(stream.clone()) {
                draft.written.push(stream);
            }
        }
        for stream in &draft.written {
            rights.check(Action::write(stream)).await?;
        }
        for (stream, &(_, expected)) in draft.checks.iter().filter(|(stream, _)| !draft.named.contains(*stream)) {
            // What is found out about a stream is read from it.
            rights.check(Action::read(stream)).await?;
            draft.append = draft.append.stream(stream.clone(), expected, []);
        }
        let appended = self.commit(draft.append, draft.bytes, &draft.checks).await?;
        let revisions =
            revisions(&draft.written, &appended).map(|(stream, revision)| StreamRevision { stream, revision });
        Ok(AppendRecordsResponse { revisions: revisions.collect(), position: position(&appended) })
    }
}

fn checked(check: ConsistencyCheck) -> Result<(StreamName, ExpectedRevision), RichFault> {
    let Some(consistency_check::Type::StreamState(state)) = check.r#type else {
        return Err(RichFault::bad("checks", "must be about the state of a stream"));
    };
    let stream = record::stream(&state.stream)?;
    match record::expected(Some(state.expected_state))? {
        ExpectedRevision::Any => Err(RichFault::bad("checks.expected_state", "any state is nothing to check")),
        expected @ (ExpectedRevision::NoStream | ExpectedRevision::StreamExists | ExpectedRevision::Exact(_)) => {
            Ok((stream, expected))
        }
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
