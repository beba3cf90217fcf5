//! Many appends on one call, over a socket: answered in their order, however the client talks, and however the call ends.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use gesta_server::{
    Options,
    proto::event_store::client::{
        StreamIdentifier, Uuid,
        streams::{
            BatchAppendReq, BatchAppendResp,
            batch_append_req::{self, ProposedMessage, options::ExpectedStreamPosition},
            batch_append_resp,
            streams_client::StreamsClient,
        },
        uuid,
    },
};
use gesta_store::Position;
use shared::Serving;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

/// More requests than the server keeps on their way, and than fit into any window of answers nobody reads.
const MANY: u128 = 4000;

fn number(number: u128) -> Option<Uuid> {
    Some(Uuid { value: Some(uuid::Value::String(format!("{number:032x}"))) })
}

fn of(id: Option<&Uuid>) -> u128 {
    match id.and_then(|id| id.value.as_ref()) {
        Some(uuid::Value::String(text)) => u128::from_str_radix(&text.replace('-', ""), 16).expect("it was sent so"),
        other => panic!("{other:?}"),
    }
}

/// A request, whole, of one event of a new stream.
fn request(of: u128) -> BatchAppendReq {
    let options = batch_append_req::Options {
        stream_identifier: Some(StreamIdentifier { stream_name: format!("order-{of}").into() }),
        expected_stream_position: Some(ExpectedStreamPosition::NoStream(())),
        deadline_option: None,
    };
    let properties = [("type", "T"), ("content-type", "application/json")];
    let event = ProposedMessage {
        id: number(of + 1),
        metadata: properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        custom_metadata: Default::default(),
        data: "{}".into(),
    };
    BatchAppendReq {
        correlation_id: number(of),
        options: Some(options),
        proposed_messages: vec![event],
        is_final: true,
    }
}

/// A request that is refused by the store.
fn refused(of: u128) -> BatchAppendReq {
    let mut request = request(of);
    if let Some(options) = &mut request.options {
        options.expected_stream_position = Some(ExpectedStreamPosition::StreamExists(()));
    }
    request
}

/// A request that is refused before the store hears of it.
fn malformed(of: u128) -> BatchAppendReq {
    BatchAppendReq { options: None, ..request(of) }
}

/// One call, and what it says.
struct Call {
    says: mpsc::UnboundedSender<BatchAppendReq>,
    answers: Streaming<BatchAppendResp>,
}

impl Call {
    async fn begin(serving: &Serving) -> Self {
        let mut client = StreamsClient::new(serving.channel().await);
        let (says, said) = mpsc::unbounded_channel();
        let answers = client.batch_append(UnboundedReceiverStream::new(said)).await.expect("begun").into_inner();
        Self { says, answers }
    }

    fn say(&self, request: BatchAppendReq) {
        self.says.send(request).expect("the call goes on");
    }

    /// The next answer: to which request, and whether it was recorded.
    async fn next(&mut self) -> Result<Option<(u128, bool)>, Status> {
        let answer = self.answers.message().await?;
        Ok(answer.map(|answer| {
            let recorded = matches!(answer.result, Some(batch_append_resp::Result::Success(_)));
            (of(answer.correlation_id.as_ref()), recorded)
        }))
    }
}

#[test]
fn answers_come_in_order_whatever_they_are_and_the_call_ends_behind_the_last() {
    let (serving, runtime) = (Serving::start(Options::default()), Runtime::new().expect("a runtime"));
    runtime.block_on(async {
        let mut call = Call::begin(&serving).await;
        for number in 0..MANY {
            call.say(match number % 7 {
                2 | 3 => refused(number),
                5 => malformed(number),
                _ => request(number),
            });
        }
        // Nothing more to say, and nothing read so far.
        drop(std::mem::replace(&mut call.says, mpsc::unbounded_channel().0));
        for number in 0..MANY {
            let answer = call.next().await.expect("served");
            assert_eq!(answer, Some((number, !matches!(number % 7, 2 | 3 | 5))));
        }
        assert_eq!(call.next().await.expect("ended well"), None);
    });
}

#[test]
fn a_client_that_waits_for_each_answer_gets_it() {
    let (serving, runtime) = (Serving::start(Options::default()), Runtime::new().expect("a runtime"));
    runtime.block_on(async {
        let mut calls = [Call::begin(&serving).await, Call::begin(&serving).await];
        for number in 0..100 {
            for (call, number) in calls.iter_mut().zip([2 * number, 2 * number + 1]) {
                call.say(if number % 5 == 4 { malformed(number) } else { request(number) });
                assert_eq!(call.next().await.expect("served"), Some((number, number % 5 != 4)));
            }
        }
    });
}

#[test]
fn what_was_taken_is_answered_before_a_server_stops() {
    let (mut serving, runtime) = (Serving::start(Options::default()), Runtime::new().expect("a runtime"));
    let answered = runtime.block_on(async {
        let mut call = Call::begin(&serving).await;
        (0..MANY).for_each(|number| call.say(request(number)));
        assert_eq!(call.next().await.expect("served"), Some((0, true)));
        serving.ask_to_stop();
        for number in 1.. {
            match call.next().await {
                Ok(answer) => assert_eq!(answer, Some((number, true))),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{status}");
                    return number;
                }
            }
        }
        unreachable!("a server that stops ends its calls");
    });
    serving.stopped();
    assert_eq!(serving.store.head().position(), Position(u64::try_from(answered).expect("few")));
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind() {
    let (serving, runtime) = (Serving::start(Options::default()), Runtime::new().expect("a runtime"));
    runtime.block_on(async {
        for round in 0..20 {
            let call = Call::begin(&serving).await;
            (0..MANY / 10).for_each(|number| call.say(request(round * MANY + number)));
        }
    });
    drop(runtime);
    // The one that asks is open.
    while serving.metric("gesta_requests_open") > 1 || serving.metric("gesta_appends_queued") > 0 {
        std::thread::yield_now();
    }
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut call = Call::begin(&serving).await;
        call.say(request(u128::MAX >> 1));
        assert_eq!(call.next().await.expect("served"), Some((u128::MAX >> 1, true)));
    });
}

/// A call on which nothing is said has nothing to end it but that it hears of the end.
#[test]
fn a_call_that_is_idle_is_told_that_the_server_stops() {
    let (mut serving, runtime) = (Serving::start(Options::default()), Runtime::new().expect("a runtime"));
    runtime.block_on(async {
        let mut call = Call::begin(&serving).await;
        call.say(request(0));
        assert_eq!(call.next().await.expect("served"), Some((0, true)));
        serving.ask_to_stop();
        let told = call.next().await.expect_err("it ends");
        assert_eq!((told.code(), told.message()), (Code::Unavailable, "Server Is Not Ready"));
    });
    serving.stopped();
}
