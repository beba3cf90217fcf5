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
    stopping::Stopping,
};

/// Answers handed to the connection ahead of what it has sent.
pub(super) const ANSWERS_AHEAD: usize = 64;
/// A time limit from which on it is none: some clients send the time since 1970 instead.
const PATIENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves one call until the client has said all and was answered, or is gone, or the server stops.
pub(super) async fn serve(
    admission: Admission,
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
                    Ok(Some(complete)) => flow.enter(&admission, complete),
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

    fn enter(&mut self, admission: &Admission, complete: Complete) {
        let Complete { echo, request } = complete;
        match request {
            Err(fault) => {
                let state = PendingState::Failed(fault);
                self.pending.push_back(Pending { echo, expected: ExpectedRevision::Any, state });
            }
            Ok(Request { stream, expected, proposed, deadline }) => {
                let admission = admission.clone();
                self.entering = Some(Box::pin(async move {
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
