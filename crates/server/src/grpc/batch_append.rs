//! Many appends on one call: requests come as they like and are answered, each, when it is durable.
//!
//! One task does it all. What it holds is bounded: requests not yet final, or without a place yet ([`OpenRequests`]), requests on their way and answers not yet
//! taken (together [`BATCH_REQUESTS_IN_FLIGHT_MAX`]); at a bound it reads no further, and HTTP/2 makes the client wait. Requests go to the
//! store in the order in which they become final and are answered in it, as the store answers tickets in order. An answered append gives
//! its place in the store's queue back at once, also when this client does not take its answers.

use std::{
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use gesta_store::{Append, AppendError, Appended, ExpectedRevision, StreamName, clock::Clock};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::Stream;
use tokio_util::sync::PollSender;
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
    heard::Holding,
    limits::{APPEND_BYTES_MAX, BATCH_REQUESTS_IN_FLIGHT_MAX, BATCH_REQUESTS_OPEN_MAX},
    proto::event_store::client::streams::{
        BatchAppendReq, BatchAppendResp,
        batch_append_req::{Options, ProposedMessage, options::DeadlineOption},
    },
    security::{Action, Rights},
    stopping::Stopping,
};

/// Answers handed to the connection together, at most.
const ANSWERS_TOGETHER_MAX: usize = 64;
/// Such portions ahead of what the connection has sent.
pub(super) const PORTIONS_AHEAD: usize = 1;
/// A time limit from which on it is none: some clients send the time since 1970 instead.
const PATIENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One call: what came, what is on its way, and whether more may come.
pub(super) struct Call {
    pub(super) admission: Admission,
    pub(super) rights: Rights,
    pub(super) requests: Streaming<BatchAppendReq>,
    /// Its part of what the connection may have the server hold.
    pub(super) holding: Holding,
    pub(super) clock: Arc<dyn Clock>,
}

/// Serves one call until the client has said all and was answered, or is gone, or the server stops.
///
/// All that can be done at once is done before anything is waited for, and answers leave together: what a wait and a message to the
/// connection cost is paid once for a group of appends, not for each. That the client is gone is met by the next request that is read or the next
/// answers that are handed over, one of which there always is.
pub(super) async fn serve(
    mut call: Call,
    answers: mpsc::Sender<Result<Vec<BatchAppendResp>, Status>>,
    mut stopping: Stopping,
) {
    let open = OpenRequests { holding: std::mem::take(&mut call.holding), ..OpenRequests::default() };
    let answers = PollSender::new(answers);
    let mut serving = Serving { call, flow: Flow::default(), open, answers, end: None };
    let mut told = pin!(stopping.told());
    let end = poll_fn(|context| {
        if serving.end.is_none() && told.as_mut().poll(context).is_ready() {
            serving.end = Some(Some(Fault::Stopping.into()));
        }
        serving.poll(context)
    });
    if let (Some(status), Some(answers)) = (end.await, serving.answers.get_ref()) {
        let _ = answers.send(Err(status)).await; // who is gone needs no word
    }
}

/// Nobody takes answers any more.
struct Gone;

struct Serving {
    call: Call,
    flow: Flow,
    open: OpenRequests,
    answers: PollSender<Result<Vec<BatchAppendResp>, Status>>,
    /// Nothing more is read, and with what status the call ends if not well.
    end: Option<Option<Status>>,
}

impl Serving {
    /// Goes as far as can be gone at once. Ready when there is nothing more to be done, with the status the call ends with if not well.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Status>> {
        loop {
            let answered = self.flow.poll_answers(context);
            let entered = self.enter(context);
            let came = self.read(context);
            match self.hand_over(context) {
                Poll::Ready(Err(Gone)) => return Poll::Ready(None),
                Poll::Ready(Ok(())) => {}
                Poll::Pending if answered || entered || came => {}
                Poll::Pending => break,
            }
        }
        if self.flow.is_empty() && self.end.is_some() { Poll::Ready(self.end.take().flatten()) } else { Poll::Pending }
    }

    /// Whether the request that waited for its place has got it.
    fn enter(&mut self, context: &mut Context<'_>) -> bool {
        let entered = self.flow.poll_entering(context);
        if entered {
            self.open.entered();
        }
        entered
    }

    /// Hands answers to the connection, if there are some and there is room.
    fn hand_over(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if !self.flow.has_answer() {
            return Poll::Pending;
        }
        ready!(self.answers.poll_reserve(context)).map_err(|_| Gone)?;
        Poll::Ready(self.answers.send_item(Ok(self.flow.take_answers())).map_err(|_| Gone))
    }

    /// Reads requests as long as there are some and there is room; whether any came.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        let mut came = false;
        while self.end.is_none() && self.flow.has_room() {
            let Poll::Ready(request) = Pin::new(&mut self.call.requests).poll_next(context) else { break };
            came = true;
            match request {
                Some(Ok(request)) => match self.open.add(request, &*self.call.clock) {
                    Ok(Some(complete)) => {
                        self.flow.enter(&self.call.admission, &self.call.rights, complete);
                        self.enter(context);
                    }
                    Ok(None) => {}
                    Err(fault) => self.end = Some(Some(fault.into())),
                },
                Some(Err(status)) => self.end = Some(Some(status)),
                None => self.end = Some(None),
            }
        }
        came
    }
}

/// Requests on their way, in their order.
#[derive(Default)]
struct Flow {
    /// Waits for its place in the store's queue; the others behind it are not read yet.
    entering: Option<Pin<Box<dyn Future<Output = Pending> + Send>>>,
    /// The oldest request's answer on its way. Kept from one look to the next: what it waits for may forget who waited as soon as he gives up.
    answering: Option<Answering>,
    /// Those behind it.
    pending: VecDeque<Pending>,
    answers: VecDeque<BatchAppendResp>,
}

type Answering = Pin<Box<dyn Future<Output = BatchAppendResp> + Send>>;

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
        self.entering.is_none() && self.answering.is_none() && self.pending.is_empty() && self.answers.is_empty()
    }

    fn has_room(&self) -> bool {
        let in_flight = usize::from(self.answering.is_some()) + self.pending.len() + self.answers.len();
        self.entering.is_none() && in_flight < BATCH_REQUESTS_IN_FLIGHT_MAX
    }

    fn has_answer(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The oldest answers, as many as are handed over together.
    fn take_answers(&mut self) -> Vec<BatchAppendResp> {
        self.answers.drain(..self.answers.len().min(ANSWERS_TOGETHER_MAX)).collect()
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
                    let append = Append::to(stream, expected, proposed.events);
                    let state = match in_time(admission.room_for(&append), deadline).await {
                        Ok(room) => PendingState::Admitted(admission.place(append, room).await, deadline),
                        Err(fault) => PendingState::Failed(fault),
                    };
                    Pending { echo, expected, state }
                }));
            }
        }
    }

    /// Whether the request that waited for its place has got it.
    fn poll_entering(&mut self, context: &mut Context<'_>) -> bool {
        let Some(entering) = &mut self.entering else { return false };
        let Poll::Ready(entered) = entering.as_mut().poll(context) else { return false };
        self.entering = None;
        self.pending.push_back(entered);
        true
    }

    fn begin_answer(&mut self) -> Option<Answering> {
        Some(Box::pin(answered_to(self.pending.pop_front()?)))
    }

    /// Whether requests at the front have their answers.
    fn poll_answers(&mut self, context: &mut Context<'_>) -> bool {
        let mut answered = false;
        while let Some(mut answering) = self.answering.take().or_else(|| self.begin_answer()) {
            let Poll::Ready(answer) = answering.as_mut().poll(context) else {
                self.answering = Some(answering);
                break;
            };
            self.answers.push_back(answer);
            answered = true;
        }
        answered
    }
}

/// The answer to a request, when it is known.
async fn answered_to(Pending { echo, expected, state }: Pending) -> BatchAppendResp {
    match outcome(expected, state).await {
        Ok(appended) => echo.succeeded(&appended),
        Err(fault) => echo.failed(fault),
    }
}

async fn outcome(expected: ExpectedRevision, state: PendingState) -> Result<Appended, Fault> {
    let outcome = match state {
        PendingState::Failed(fault) => return Err(fault),
        PendingState::Admitted(admitted, deadline) => in_time(admitted.outcome(), deadline).await?,
    };
    outcome.map_err(|error| match error {
        AppendError::Rejected(rejection) => Fault::refused(Operation::Append, expected, rejection),
        AppendError::Failed(error) => Fault::Store(error),
    })
}

/// What is waited for, if it comes while the client has patience.
async fn in_time<T>(waited_for: impl Future<Output = T>, deadline: Option<Instant>) -> Result<T, Fault> {
    match deadline {
        None => Ok(waited_for.await),
        Some(deadline) => timeout_at(deadline, waited_for).await.map_err(|_| Fault::DeadlineExceeded),
    }
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

/// Requests that have begun and are not final yet: large ones come in parts. Together they may have no more bytes than one append. Beside them one that
/// is final may wait for its place in the store's queue: until then its bytes are nowhere else counted.
#[derive(Default)]
struct OpenRequests {
    requests: HashMap<Uuid, OpenRequest>,
    bytes: usize,
    entering_bytes: usize,
    holding: Holding,
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
        // From here on it counts by itself, not among the others.
        self.bytes = self.bytes.saturating_sub(open.bytes());
        let room = APPEND_BYTES_MAX.saturating_sub(self.bytes);
        open.take(part.proposed_messages, room);
        if part.is_final {
            return Ok(Some(self.complete(open)));
        }
        self.bytes += open.bytes();
        self.hold()?;
        self.requests.insert(id, open);
        Ok(None)
    }

    /// The request is held until it has its place, or is refused where that would be too much.
    fn complete(&mut self, open: OpenRequest) -> Complete {
        self.entering_bytes = open.bytes();
        let OpenRequest { echo, mut request } = open;
        if let Err(fault) = self.hold() {
            request = Err(fault);
            self.entered();
        }
        Complete { echo, request }
    }

    /// The request that was completed has its place, or was refused.
    fn entered(&mut self) {
        self.entering_bytes = 0;
        self.hold().expect("what is held is less than before");
    }

    fn hold(&mut self) -> Result<(), Fault> {
        self.holding.hold(self.bytes + self.entering_bytes).map_err(|_| Fault::TooBusy)
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
        let echo = Echo {
            correlation_id,
            stream: options.stream_identifier.as_ref().map(stream::apart),
            expected: expected.as_ref().ok().copied(),
        };
        let request = stream.and_then(|stream| {
            Ok(Request { stream, expected: expected?, proposed: ProposedEvents::default(), deadline })
        });
        Self { echo, request }
    }

    /// Takes the events of a part, of which nothing else is kept.
    fn take(&mut self, messages: Vec<ProposedMessage>, room: usize) {
        let Ok(request) = &mut self.request else { return };
        let events = messages.into_iter().map(proposed::from_batch).collect::<Result<Vec<_>, _>>();
        let taken = events.and_then(|events| {
            for event in proposed::apart(events) {
                let pushed = request.proposed.push(event);
                if request.proposed.bytes > room {
                    return Err(Fault::AppendTooLarge);
                }
                pushed?;
            }
            Ok(())
        });
        if let Err(fault) = taken {
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
    use gesta_store::{EventStore, clock::ManualClock};
    use prost::Message;

    use super::*;
    use crate::{
        convert::id::IdForm,
        heard::Share,
        proto::event_store::client::streams::{batch_append_req::options::ExpectedStreamPosition, batch_append_resp},
        security::Security,
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

    /// What a request had said before was counted once more with each of its parts, so that half the limit was too much in three.
    #[test]
    fn a_request_may_have_its_bytes_in_any_number_of_parts() {
        let part_bytes = APPEND_BYTES_MAX / 10;
        let parts = (0..9).map(|at| if at == 0 { first(1, &[part_bytes]) } else { part(1, &[part_bytes]) });
        assert_eq!(complete(parts.chain([last(part(1, &[1]))])).unwrap(), [Ok(10)]);
    }

    /// A thousand calls, each with a large request it never ended, held a thousand times what one may.
    #[test]
    fn calls_of_one_connection_hold_no_more_together_than_its_share() {
        let share = Share::of(10 << 20);
        let call = || OpenRequests { holding: Holding::of(Arc::clone(&share)), ..OpenRequests::default() };
        let begin = |call: &mut OpenRequests| call.add(first(1, &[4 << 20]), &ManualClock::default());
        let (mut one, mut other) = (call(), call());
        assert!(begin(&mut one).is_ok() && begin(&mut other).is_ok());
        assert!(matches!(begin(&mut call()), Err(Fault::TooBusy)));
        let complete = one.add(last(part(1, &[1])), &ManualClock::default()).unwrap();
        assert!(complete.is_some_and(|complete| complete.request.is_ok()));
        one.entered();
        assert!(begin(&mut call()).is_ok());
    }

    /// Once it was final it was counted nowhere until the store's queue had a place for it: a thousand calls, each with a large request, held a thousand
    /// times what one may as long as the disk was slow.
    #[test]
    fn a_request_that_waits_for_its_place_is_held() {
        let share = Share::of(10 << 20);
        let call = || OpenRequests { holding: Holding::of(Arc::clone(&share)), ..OpenRequests::default() };
        let finish = |call: &mut OpenRequests| {
            let complete = call.add(last(first(1, &[4 << 20])), &ManualClock::default());
            complete.expect("the call goes on").expect("it is final").request.map(drop)
        };
        let (mut one, mut other, mut third) = (call(), call(), call());
        assert!(finish(&mut one).is_ok() && finish(&mut other).is_ok());
        assert!(matches!(finish(&mut third), Err(Fault::TooBusy)), "that request is refused");
        one.entered();
        assert!(finish(&mut third).is_ok(), "and its call goes on");
    }

    /// Of a part with one small event, and beside it a field nobody knows of 30 MiB, all was kept, and the event alone counted.
    #[test]
    fn nothing_is_kept_of_a_part_but_its_events() {
        let mut said = first(1, &[10, 10]).encode_to_vec();
        let unknown = 1_000_u32 << 3 | 2;
        prost::encoding::encode_varint(unknown.into(), &mut said);
        prost::encoding::encode_varint(1 << 20, &mut said);
        said.resize(said.len() + (1 << 20), 7);
        let said = bytes::Bytes::from(said);
        let (mut open, clock) = (OpenRequests::default(), ManualClock::default());
        assert!(open.add(BatchAppendReq::decode(said.clone()).unwrap(), &clock).unwrap().is_none());
        assert!(said.is_unique(), "what was said is kept");
        let complete = open.add(last(part(1, &[1])), &clock).unwrap().unwrap();
        let events = complete.request.map(|request| request.proposed.events).unwrap();
        assert_eq!(events.iter().map(|event| event.data.len()).collect::<Vec<_>>(), [10, 10, 1]);
    }

    #[test]
    fn a_call_ends_at_a_request_that_cannot_be_answered() {
        let nameless = BatchAppendReq { correlation_id: None, ..first(1, &[1]) };
        assert!(matches!(complete([nameless]), Err(Fault::Invalid(what)) if what == "correlation id is missing"));
    }

    /// What a future comes to at once.
    fn at_once<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[tokio::test]
    async fn a_request_is_given_up_when_its_time_is_over_and_not_before() {
        let (over, later) = (Instant::now(), Instant::now() + Duration::from_secs(3600));
        let waits = || std::future::pending::<()>();
        assert!(matches!(in_time(waits(), Some(over)).await, Err(Fault::DeadlineExceeded)));
        assert!(at_once(in_time(waits(), Some(later))).is_pending());
        assert!(at_once(in_time(waits(), None)).is_pending());
        let known = at_once(in_time(std::future::ready(7), Some(over)));
        assert!(matches!(known, Poll::Ready(Ok(7))), "what is known is told, however late");
    }

    #[tokio::test]
    async fn each_request_has_the_time_its_client_gave_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = EventStore::open(dir.path()).unwrap();
        let (admission, mut flow) = (Admission::to(store, Security::Open), Flow::default());
        let limits = [None, Some(3600), Some(0)];
        let before = Instant::now();
        for (request, seconds) in (1..).zip(limits) {
            let limit = |seconds| DeadlineOption::Deadline(prost_types::Duration { seconds, nanos: 0 });
            let part = last(first(request, &[1]));
            let options = part.options.map(|options| Options { deadline_option: seconds.map(limit), ..options });
            let complete = OpenRequests::default().add(BatchAppendReq { options, ..part }, &ManualClock::default());
            flow.enter(&admission, &Rights::Everything, complete.unwrap().unwrap());
            assert_eq!(at_once(poll_fn(|context| Poll::Ready(flow.poll_entering(context)))), Poll::Ready(true));
        }
        let left = |pending: &Pending| match &pending.state {
            PendingState::Admitted(_, deadline) => deadline.map(|at| at.duration_since(before).as_secs() / 1800),
            PendingState::Failed(fault) => panic!("{fault}"),
        };
        assert_eq!(flow.pending.iter().map(left).collect::<Vec<_>>(), [None, Some(2), Some(0)]);
    }

    /// The time that was left was that for the verdict alone, and began when the store had taken the request: a client that had given up long ago had its
    /// append recorded in the end.
    #[tokio::test]
    async fn a_request_whose_time_is_over_before_it_has_a_place_is_not_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let store =
            EventStore::open_with(dir.path(), gesta_store::Options { threads: false, ..Default::default() }).unwrap();
        let (admission, mut flow) = (Admission::to(store.clone(), Security::Open), Flow::default());
        let full = admission.fill().await;
        let limit = DeadlineOption::Deadline(prost_types::Duration { seconds: 0, nanos: 1 });
        let part = last(first(1, &[1]));
        let options = part.options.map(|options| Options { deadline_option: Some(limit), ..options });
        let complete = OpenRequests::default().add(BatchAppendReq { options, ..part }, &ManualClock::default());
        flow.enter(&admission, &Rights::Everything, complete.unwrap().unwrap());
        poll_fn(|context| if flow.poll_entering(context) { Poll::Ready(()) } else { Poll::Pending }).await;
        drop(full);
        poll_fn(|context| if flow.poll_answers(context) { Poll::Ready(()) } else { Poll::Pending }).await;
        let Some(batch_append_resp::Result::Error(status)) = flow.take_answers().remove(0).result else {
            panic!("refused")
        };
        assert_eq!(status.code, tonic::Code::DeadlineExceeded as i32);
        assert_eq!(store.head().position().0, 0);
    }

    #[test]
    fn time_limits_of_all_clients_are_understood() {
        let clock = ManualClock::at(gesta_store::Timestamp(5_000_000_000));
        let duration = |seconds| DeadlineOption::Deadline(prost_types::Duration { seconds, nanos: 0 });
        let before = Instant::now();
        let ends = |option: &DeadlineOption| deadline(option, &clock).expect("a limit").duration_since(before);
        let within = |ends: Duration, least: Duration| ends >= least && ends < least + Duration::from_secs(3600);
        assert!(within(ends(&duration(30)), Duration::from_secs(30)));
        let nanos = DeadlineOption::Deadline(prost_types::Duration { seconds: 7200, nanos: 999_999_999 });
        assert!(within(ends(&nanos), Duration::new(7200, 999_999_999)));
        assert!(deadline(&duration(24 * 60 * 60), &clock).is_none());
        assert!(within(ends(&duration(24 * 60 * 60 - 1)), Duration::from_secs(24 * 60 * 60 - 1)));
        assert!(deadline(&duration(1_800_000_000), &clock).is_none(), "the time since 1970 is no limit");
        assert!(deadline(&duration(-1), &clock).is_none());
        let at = |seconds| DeadlineOption::Deadline21100(prost_types::Timestamp { seconds, nanos: 0 });
        assert!(within(ends(&at(5 + 7200)), Duration::from_secs(7200)));
        let nanos = DeadlineOption::Deadline21100(prost_types::Timestamp { seconds: 5, nanos: 500_000_000 });
        assert!(within(ends(&nanos), Duration::from_millis(500)));
        // The clock that tells when it is over is not the one that is set.
        let limit = deadline(&at(5 + 7200), &clock);
        clock.jump_to(gesta_store::Timestamp(i64::MAX));
        assert!(limit.is_some_and(|limit| limit > Instant::now()));
        clock.jump_to(gesta_store::Timestamp(5_000_000_000));
        assert!(deadline(&at(4), &clock).is_some_and(|deadline| deadline <= Instant::now()));
    }
}
