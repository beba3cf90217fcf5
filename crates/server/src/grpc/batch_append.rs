//! Many appends on one call: requests come as they like and are answered, each, when it is durable.
//!
//! One task does it all. What it holds is bounded: requests not yet final ([`OpenRequests`]), requests on their way and answers not yet
//! taken (together [`BATCH_REQUESTS_IN_FLIGHT_MAX`]); at a bound it reads no further, and HTTP/2 makes the client wait. Requests go to the
//! store in the order in which they become final and are answered in it, as the store answers tickets in order. An answered append gives
//! its place in the store's queue back at once, also when this client does not take its answers.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use gesta_store::{Append, AppendError, Appended, ExpectedRevision, StreamName, clock::Clock};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::{
    admission::{Admission, Admitted},
    convert::{
        batch::Echo,
        expected, id,
        proposed::{self, ProposedEvents},
        stream,
    },
    fault::{Fault, Operation},
    limits::{APPEND_BYTES_MAX, BATCH_REQUESTS_IN_FLIGHT_MAX, BATCH_REQUESTS_OPEN_MAX},
    proto::event_store::client::streams::{
        BatchAppendReq, BatchAppendResp,
        batch_append_req::{Options, options::DeadlineOption},
    },
    security::{Action, Rights},
    stopping::Stopping,
};

/// Answers handed to the connection ahead of what it has sent.
pub(super) const ANSWERS_AHEAD: usize = 64;
/// A time limit from which on it is none: some clients send the time since 1970 instead.
const PATIENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves one call until the client has said all and was answered, or is gone, or the server stops.
pub(super) async fn serve(
    admission: Admission,
    rights: Rights,
    mut requests: Streaming<BatchAppendReq>,
    answers: mpsc::Sender<Result<BatchAppendResp, Status>>,
    mut stopping: Stopping,
    clock: Arc<dyn Clock>,
) {
    let mut flow = Flow::default();
    let mut open = OpenRequests::default();
    let mut end: Option<Option<Status>> = None;
    while end.is_none() || !flow.is_empty() {
        tokio::select! {
            request = requests.message(), if end.is_none() && flow.has_room() => match request {
                Ok(Some(request)) => match open.add(request, &*clock) {
                    Ok(Some(complete)) => flow.enter(&admission, &rights, complete),
                    Ok(None) => {}
                    Err(fault) => end = Some(Some(fault.into())),
                },
                Ok(None) => end = Some(None),
                Err(status) => end = Some(Some(status)),
            },
            () = flow.advance() => {}
            room = answers.reserve(), if flow.has_answer() => match room {
                Ok(room) => flow.send(room),
                Err(_) => return,
            },
            () = answers.closed() => return,
            () = stopping.told(), if end.is_none() => end = Some(Some(Fault::Stopping.into())),
        }
    }
    if let Some(Some(status)) = end {
        let _ = answers.send(Err(status)).await; // who is gone needs no word
    }
}

/// Requests on their way, in their order.
#[derive(Default)]
struct Flow {
    /// Waits for its place in the store's queue; the others behind it are not read yet.
    entering: Option<Pin<Box<dyn Future<Output = Pending> + Send>>>,
    pending: VecDeque<Pending>,
    answers: VecDeque<BatchAppendResp>,
}

struct Pending {
    echo: Echo,
    expected: ExpectedRevision,
    state: PendingState,
}

enum PendingState {
    Admitted(Admitted, Option<Instant>),
    Failed(Fault),
}

impl Flow {
    fn is_empty(&self) -> bool {
        self.entering.is_none() && self.pending.is_empty() && self.answers.is_empty()
    }

    fn has_room(&self) -> bool {
        self.entering.is_none() && self.pending.len() + self.answers.len() < BATCH_REQUESTS_IN_FLIGHT_MAX
    }

    fn has_answer(&self) -> bool {
        !self.answers.is_empty()
    }

    fn send(&mut self, room: mpsc::Permit<'_, Result<BatchAppendResp, Status>>) {
        if let Some(answer) = self.answers.pop_front() {
            room.send(Ok(answer));
        }
    }

    fn enter(&mut self, admission: &Admission, rights: &Rights, complete: Complete) {
        let Complete { echo, request } = complete;
        match request {
            Err(fault) => {
                let state = PendingState::Failed(fault);
                self.pending.push_back(Pending { echo, expected: ExpectedRevision::Any, state });
            }
            Ok(Request { stream, expected, proposed, deadline }) => {
                let (admission, rights) = (admission.clone(), rights.clone());
                self.entering = Some(Box::pin(async move {
                    if let Err(refusal) = rights.check(Action::write(&stream)).await {
                        return Pending { echo, expected, state: PendingState::Failed(refusal.into()) };
                    }
                    let admitted = admission.admit(Append::to(stream, expected, proposed.events), proposed.bytes).await;
                    Pending { echo, expected, state: PendingState::Admitted(admitted, deadline) }
                }));
            }
        }
    }

    /// Brings one request one step further; waits for ever when there is none. Can be given up at any point.
    async fn advance(&mut self) {
        tokio::select! {
            biased;
            entered = entered(&mut self.entering) => {
                self.entering = None;
                self.pending.push_back(entered);
            }
            answer = answer(self.pending.front_mut()) => {
                if let Some(pending) = self.pending.pop_front() {
                    self.answers.push_back(match answer {
                        Ok(appended) => pending.echo.succeeded(&appended),
                        Err(fault) => pending.echo.failed(fault),
                    });
                }
            }
        }
    }
}

async fn entered(entering: &mut Option<Pin<Box<dyn Future<Output = Pending> + Send>>>) -> Pending {
    match entering {
        Some(entering) => entering.await,
        None => std::future::pending().await,
    }
}

async fn answer(pending: Option<&mut Pending>) -> Result<Appended, Fault> {
    let Some(Pending { expected, state, .. }) = pending else { return std::future::pending().await };
    let outcome = match state {
        PendingState::Failed(fault) => {
            // Answered once: nobody looks at what is left.
            return Err(std::mem::replace(fault, Fault::DeadlineExceeded));
        }
        PendingState::Admitted(admitted, None) => admitted.outcome().await,
        PendingState::Admitted(admitted, Some(deadline)) => match timeout_at(*deadline, admitted.outcome()).await {
            Ok(outcome) => outcome,
            Err(_) => return Err(Fault::DeadlineExceeded),
        },
    };
    outcome.map_err(|error| match error {
        AppendError::Rejected(rejection) => Fault::refused(Operation::Append, *expected, rejection),
        AppendError::Failed(error) => Fault::Store(error),
    })
}

/// A request the client has finished.
struct Complete {
    echo: Echo,
    request: Result<Request, Fault>,
}

struct Request {
    stream: StreamName,
    expected: ExpectedRevision,
    proposed: ProposedEvents,
    deadline: Option<Instant>,
}

/// Requests that have begun and are not final yet: large ones come in parts. Together they may have no more bytes than one append.
#[derive(Default)]
struct OpenRequests {
    requests: HashMap<Uuid, OpenRequest>,
    bytes: usize,
}

struct OpenRequest {
    echo: Echo,
    /// What is known so far, or what was wrong first: told when the request is final, as the client waits for it then.
    request: Result<Request, Fault>,
}

impl OpenRequests {
    /// Adds a part; comes back with the request if it was the last one.
    fn add(&mut self, part: BatchAppendReq, clock: &dyn Clock) -> Result<Option<Complete>, Fault> {
        let id = id::from_wire(part.correlation_id.as_ref(), "correlation id")?;
        let mut open = match self.requests.remove(&id) {
            Some(open) => open,
            None if self.requests.len() >= BATCH_REQUESTS_OPEN_MAX => {
                let max = BATCH_REQUESTS_OPEN_MAX;
                return Err(Fault::Invalid(format!("too many requests are begun and not final, requests_max={max}")));
            }
            None => OpenRequest::begin(part.correlation_id.unwrap_or_default(), part.options, clock),
        };
        let before = open.bytes();
        for message in part.proposed_messages {
            open.push(proposed::from_batch(message), APPEND_BYTES_MAX.saturating_sub(self.bytes));
        }
        if part.is_final {
            self.bytes = self.bytes.saturating_sub(before);
            return Ok(Some(Complete { echo: open.echo, request: open.request }));
        }
        self.bytes = (self.bytes + open.bytes()).saturating_sub(before);
        self.requests.insert(id, open);
        Ok(None)
    }
}

impl OpenRequest {
    fn begin(
        correlation_id: crate::proto::event_store::client::Uuid,
        options: Option<Options>,
        clock: &dyn Clock,
    ) -> Self {
        let Some(options) = options else {
            let echo = Echo { correlation_id, stream: None, expected: None };
            return Self { echo, request: Err(Fault::Invalid("options are missing".to_owned())) };
        };
        let expected = expected::from_wire(options.expected_stream_position.as_ref());
        let stream = stream::from_wire(options.stream_identifier.as_ref());
        let deadline = options.deadline_option.as_ref().and_then(|option| deadline(option, clock));
        let echo =
            Echo { correlation_id, stream: options.stream_identifier, expected: expected.as_ref().ok().copied() };
        let request = stream.and_then(|stream| {
            Ok(Request { stream, expected: expected?, proposed: ProposedEvents::default(), deadline })
        });
        Self { echo, request }
    }

    fn push(&mut self, event: Result<gesta_store::EventData, Fault>, room: usize) {
        let pushed = match (&mut self.request, event) {
            (Err(_), _) => Ok(()),
            (Ok(_), Err(fault)) => Err(fault),
            (Ok(request), Ok(event)) => {
                let pushed = request.proposed.push(event);
                if request.proposed.bytes > room { Err(Fault::AppendTooLarge) } else { pushed }
            }
        };
        if let Err(fault) = pushed {
            self.request = Err(fault);
        }
    }

    fn bytes(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.proposed.bytes)
    }
}

/// When the client's patience ends; `None`, if it does not say or the time is absurd.
fn deadline(option: &DeadlineOption, clock: &dyn Clock) -> Option<Instant> {
    let left = match option {
        DeadlineOption::Deadline(left) => {
            Duration::new(u64::try_from(left.seconds).ok()?, u32::try_from(left.nanos).ok()?)
        }
        DeadlineOption::Deadline21100(at) => {
            let now = clock.now().0;
            let at = at.seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(at.nanos))?;
            Duration::from_nanos(u64::try_from(at.saturating_sub(now)).unwrap_or(0))
        }
    };
    (left < PATIENCE_MAX).then(|| Instant::now() + left)
}

#[cfg(test)]
mod tests {
    use gesta_store::clock::ManualClock;

    use super::*;
    use crate::{
        convert::id::IdForm,
        proto::event_store::client::streams::batch_append_req::{ProposedMessage, options::ExpectedStreamPosition},
    };

    /// A part of request number `request`, with events of so many bytes.
    fn part(request: u128, events: &[usize]) -> BatchAppendReq {
        let message = |&bytes: &usize| ProposedMessage {
            id: Some(id::to_wire(Uuid::from_u128(7), IdForm::Structured)),
            metadata: [("type", "T"), ("content-type", "application/json")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            custom_metadata: Default::default(),
            data: vec![0; bytes].into(),
        };
        BatchAppendReq {
            correlation_id: Some(id::to_wire(Uuid::from_u128(request), IdForm::Text)),
            options: None,
            proposed_messages: events.iter().map(message).collect(),
            is_final: false,
        }
    }

    fn first(request: u128, events: &[usize]) -> BatchAppendReq {
        let options = Options {
            stream_identifier: Some(stream::to_wire("order-1")),
            expected_stream_position: Some(ExpectedStreamPosition::Any(())),
            deadline_option: None,
        };
        BatchAppendReq { options: Some(options), ..part(request, events) }
    }

    fn last(part: BatchAppendReq) -> BatchAppendReq {
        BatchAppendReq { is_final: true, ..part }
    }

    /// The requests that became final, each as its number of events or what was wrong.
    fn complete(parts: impl IntoIterator<Item = BatchAppendReq>) -> Result<Vec<Result<usize, String>>, Fault> {
        let (mut open, clock) = (OpenRequests::default(), ManualClock::default());
        let complete = parts.into_iter().filter_map(|part| open.add(part, &clock).transpose());
        complete
            .map(|complete| {
                let request = complete?.request;
                Ok(request.map(|request| request.proposed.events.len()).map_err(|fault| fault.to_string()))
            })
            .collect()
    }

    #[test]
    fn parts_of_several_requests_may_be_mixed() {
        let parts = [first(1, &[1, 1]), first(2, &[1]), part(1, &[1]), last(part(2, &[])), last(part(1, &[1]))];
        assert_eq!(complete(parts).unwrap(), [Ok(1), Ok(4)]);
    }

    #[test]
    fn what_is_wrong_with_a_request_is_told_when_it_is_final() {
        let broken = BatchAppendReq { proposed_messages: vec![ProposedMessage::default()], ..first(1, &[]) };
        let parts = [broken, part(1, &[1]), last(part(1, &[])), last(part(2, &[1])), last(first(3, &[1]))];
        let expected = [Err("event id is missing".to_owned()), Err("options are missing".to_owned()), Ok(1)];
        assert_eq!(complete(parts).unwrap(), expected);
    }

    #[test]
    fn open_requests_are_bounded_together() {
        let half = APPEND_BYTES_MAX / 2;
        let parts =
            [first(1, &[half]), first(2, &[half]), last(part(2, &[])), last(part(1, &[])), last(first(3, &[half]))];
        let too_large = Err(Fault::AppendTooLarge.to_string());
        assert_eq!(complete(parts).unwrap(), [too_large, Ok(1), Ok(1)]);
        let many = (0..=BATCH_REQUESTS_OPEN_MAX as u128).map(|request| first(request, &[]));
        assert!(matches!(complete(many), Err(Fault::Invalid(what)) if what.starts_with("too many requests")));
    }

    #[test]
    fn a_call_ends_at_a_request_that_cannot_be_answered() {
        let nameless = BatchAppendReq { correlation_id: None, ..first(1, &[1]) };
        assert!(matches!(complete([nameless]), Err(Fault::Invalid(what)) if what == "correlation id is missing"));
    }

    #[test]
    fn time_limits_of_all_clients_are_understood() {
        let clock = ManualClock::at(gesta_store::Timestamp(5_000_000_000));
        let duration = |seconds| DeadlineOption::Deadline(prost_types::Duration { seconds, nanos: 0 });
        assert!(deadline(&duration(30), &clock).is_some());
        assert!(deadline(&duration(1_800_000_000), &clock).is_none(), "the time since 1970 is no limit");
        assert!(deadline(&duration(-1), &clock).is_none());
        let at = |seconds| DeadlineOption::Deadline21100(prost_types::Timestamp { seconds, nanos: 0 });
        assert!(deadline(&at(6), &clock).is_some());
        assert!(deadline(&at(4), &clock).is_some_and(|deadline| deadline <= Instant::now()));
    }
}
