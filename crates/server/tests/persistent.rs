//! The call of a consumer of a persistent subscription, from its first message to its status: what answers do, and how the call ends in each of its ways.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets and on time")]

mod shared;

use std::time::{Duration, Instant};

use gesta_server::{
    Options,
    limits::READ_BATCHES_AHEAD,
    proto::event_store::client::{
        Empty, Uuid,
        operations::operations_client::OperationsClient,
        persistent_subscriptions::{
            ReadReq, ReadResp, ReplayParkedReq, TruncateParkedReq,
            persistent_subscriptions_client::PersistentSubscriptionsClient,
            read_req::{
                self, Ack, Content, Nack,
                nack::Action,
                options::{StreamOption, UuidOption, uuid_option},
            },
            read_resp::{self, read_event::Count},
            replay_parked_req::{self, options::StopAtOption},
            truncate_parked_req,
        },
        uuid,
    },
};
use gesta_store::{GroupInfo, GroupName, GroupSettings, Position, Source, Strategy};
use shared::Serving;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Channel};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);
/// What a client takes before it is read from: less than one large event.
const WINDOW: u32 = 1 << 16;
const LARGE: usize = 100_000;
/// Large events that are taken for a client that does not read: one that fills its window, one that HTTP/2 has asked for, and those read ahead.
const HELD: usize = 2 + READ_BATCHES_AHEAD;

struct Place {
    serving: Serving,
    runtime: Runtime,
    client: PersistentSubscriptionsClient<Channel>,
}

/// A call, as its client has it.
struct Call {
    answers: mpsc::Sender<ReadReq>,
    messages: Streaming<ReadResp>,
}

/// Something that is done to a group.
type Change = fn(&mut Place);

/// A message: its id, and how often it came before.
type Taken = (Uuid, i32);

fn group() -> GroupName {
    GroupName::on_all("g").expect("valid")
}

/// Nothing comes again but by what a test says.
fn settings() -> GroupSettings {
    GroupSettings { strategy: Strategy::RoundRobin, message_timeout: None, ..GroupSettings::default() }
}

fn options() -> read_req::Options {
    read_req::Options {
        group_name: "g".to_owned(),
        buffer_size: 10,
        uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
        stream_option: Some(StreamOption::All(Empty {})),
    }
}

fn ack(ids: Vec<Uuid>) -> Content {
    Content::Ack(Ack { ids, ..Ack::default() })
}

fn nack(ids: Vec<Uuid>, action: i32) -> Content {
    Content::Nack(Nack { ids, action, reason: "the till is closed".to_owned(), ..Nack::default() })
}

fn unknown() -> Uuid {
    Uuid { value: Some(uuid::Value::String(::uuid::Uuid::from_u128(7).to_string())) }
}

impl Place {
    /// A group, and so many events for it.
    fn with(events: usize, settings: GroupSettings, options: Options) -> Self {
        let serving = Serving::start(options);
        serving.store.groups().create(&group(), Source::All, settings).expect("created");
        (0..events).for_each(|_| serving.record("s", 1, 1));
        let runtime = Runtime::new().expect("a runtime");
        let address = Channel::from_shared(format!("http://{}", serving.address)).expect("an address");
        let channel = runtime.block_on(address.initial_stream_window_size(WINDOW).connect()).expect("connects");
        Self { serving, runtime, client: PersistentSubscriptionsClient::new(channel) }
    }

    fn holding(events: usize) -> Self {
        Self::with(events, settings(), Options::default())
    }

    /// A call that begins with these.
    fn call(&mut self, said: Vec<Content>) -> Result<Call, Status> {
        let (answers, receiver) = mpsc::channel(16);
        let client = &mut self.client;
        let messages = self.runtime.block_on(async {
            for content in said {
                answers.send(ReadReq { content: Some(content) }).await.expect("it is heard");
            }
            client.read(ReceiverStream::new(receiver)).await
        })?;
        Ok(Call { answers, messages: messages.into_inner() })
    }

    fn join(&mut self) -> Call {
        self.call(vec![Content::Options(options())]).expect("connects")
    }

    fn say(&self, call: &Call, content: Content) {
        self.runtime.block_on(call.answers.send(ReadReq { content: Some(content) })).expect("it is heard");
    }

    /// The next messages.
    fn take(&self, call: &mut Call, count: usize) -> Vec<Taken> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let message = self.runtime.block_on(call.messages.message()).expect("served").expect("it goes on");
            taken.extend(taken_of(message));
        }
        taken
    }

    /// How a call ends, and how many messages came before that.
    fn end(&self, call: &mut Call) -> (usize, Result<(), Status>) {
        let mut count = 0;
        loop {
            match self.runtime.block_on(call.messages.message()) {
                Ok(Some(message)) => count += usize::from(taken_of(message).is_some()),
                Ok(None) => return (count, Ok(())),
                Err(status) => return (count, Err(status)),
            }
        }
    }

    /// The status a call fails with.
    fn failure(&self, call: &mut Call) -> Status {
        self.end(call).1.expect_err("it fails")
    }

    fn info(&self) -> GroupInfo {
        self.serving.store.groups().info(&group()).expect("told")
    }

    /// Waits until the group is so.
    fn until(&self, what: &str, is_so: impl Fn(&GroupInfo) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.info()) {
            assert!(begun.elapsed() < LONG, "{what}: {:?}", self.info());
        }
    }
}

fn taken_of(message: ReadResp) -> Option<Taken> {
    let Some(read_resp::Content::Event(read)) = message.content else { return None };
    let Some(Count::RetryCount(retries)) = read.count else { panic!("counted") };
    Some((read.event.and_then(|event| event.id).expect("with its id"), retries))
}

fn ids(taken: &[Taken]) -> Vec<Uuid> {
    taken.iter().map(|(id, _)| id.clone()).collect()
}

/// The name of a failure that clients look for.
fn exception(status: &Status) -> &str {
    status.metadata().get("exception").map_or("", |name| name.to_str().expect("text"))
}

/// A call of which more waits for its client than the client takes, and so than there is room for.
fn full(place: &mut Place) -> Call {
    let call = place.join();
    // Each is taken alone.
    for count in 1..=HELD {
        place.serving.record("s", 1, LARGE);
        place.until("it is taken", |info| info.in_flight == count);
    }
    call
}

/// A server that stopped told a consumer so that had read everything, and only ended the call of one that was behind: with status OK, as if there were nothing
/// more to come. Such a client did not connect again.
#[test]
fn a_consumer_that_reads_late_is_told_that_the_server_stops() {
    let mut place = Place::holding(0);
    let mut call = full(&mut place);
    place.serving.ask_to_stop();
    place.until("its messages are given back", |info| info.consumers.is_empty());
    let (messages, ended) = place.end(&mut call);
    let status = ended.expect_err("the server stops");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(messages <= HELD, "{messages}");
    place.serving.stopped();
    assert_eq!(place.info().in_flight, 0);
}

/// No status can overtake what waits for a client, which has to read that first: flow control lets nothing more of a call through, trailers
/// neither. The connection ends with the server, and the call with it: not as if it were at its end.
#[test]
fn a_consumer_that_never_reads_holds_nobody_up_and_does_not_see_a_good_end() {
    let options = Options { drain_time: Duration::from_millis(50), ..Options::default() };
    let mut place = Place::with(0, settings(), options);
    let mut call = full(&mut place);
    place.serving.stopped();
    place.until("its messages are given back", |info| info.consumers.is_empty() && info.in_flight == 0);
    let (_, ended) = place.end(&mut call);
    ended.expect_err("it is cut off");
}

/// As above, for the other reasons to be sent away.
#[test]
fn a_consumer_that_reads_late_is_told_that_its_group_is_gone() {
    let mut place = Place::holding(0);
    let mut call = full(&mut place);
    place.serving.store.groups().delete(&group()).expect("deleted");
    let (messages, ended) = place.end(&mut call);
    let status = ended.expect_err("it is sent away");
    assert_eq!((status.code(), exception(&status)), (Code::Cancelled, "persistent-subscription-dropped"));
    assert!(messages <= HELD, "{messages}");
}

#[test]
fn each_action_of_a_nack_does_what_it_says() {
    for action in [Action::Unknown, Action::Retry] {
        let mut place = Place::holding(2);
        let mut call = place.join();
        let taken = place.take(&mut call, 2);
        place.say(&call, nack(ids(&taken[..1]), action.into()));
        assert_eq!(place.take(&mut call, 1), [(taken[0].0.clone(), 1)], "{action:?}");
    }
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    place.say(&call, nack(ids(&taken[..1]), Action::Park.into()));
    place.until("it is parked", |info| info.parked == 1 && info.in_flight == 2);
    place.say(&call, nack(ids(&taken[1..2]), Action::Skip.into()));
    place.until("it is settled", |info| info.in_flight == 1);
    assert_eq!(place.info().parked, 1, "what is skipped is nowhere");
    let parked = place.serving.store.groups().parked(&group(), Position(0), 10).expect("told");
    assert!(format!("{parked:?}").contains("the till is closed"), "{parked:?}");
}

#[test]
fn who_says_stop_is_sent_away_and_nothing_of_his_is_counted() {
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    place.say(&call, nack(ids(&taken[1..2]), Action::Stop.into()));
    let status = place.failure(&mut call);
    assert_eq!((status.code(), exception(&status)), (Code::Cancelled, "persistent-subscription-dropped"));
    let mut next = place.join();
    let again = place.take(&mut next, 3);
    assert_eq!(sorted(&again), sorted(&taken), "all of them, and none of them again");
}

fn sorted(taken: &[Taken]) -> Vec<(String, i32)> {
    let mut sorted: Vec<_> = taken.iter().map(|(id, retries)| (format!("{id:?}"), *retries)).collect();
    sorted.sort();
    sorted
}

#[test]
fn an_answer_for_what_a_client_does_not_have_is_passed_over() {
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    place.say(&call, ack(vec![unknown()]));
    for action in [Action::Unknown, Action::Park, Action::Retry, Action::Skip] {
        place.say(&call, nack(vec![unknown()], action.into()));
    }
    place.say(&call, ack(vec![]));
    // Twice in one answer, with one it never had between them, and again; and other than before.
    let first = taken[0].0.clone();
    place.say(&call, ack(vec![first.clone(), unknown(), first.clone()]));
    place.say(&call, ack(vec![first.clone()]));
    place.say(&call, nack(vec![first], Action::Park.into()));
    place.until("it is settled once", |info| info.in_flight == 2);
    // Those that are known count, whatever stands beside them.
    place.say(&call, nack(vec![unknown(), taken[1].0.clone()], Action::Park.into()));
    place.until("it is parked", |info| info.parked == 1 && info.in_flight == 1);
    place.say(&call, ack(ids(&taken)));
    place.until("all is settled", |info| info.in_flight == 0);
    assert_eq!(place.info().parked, 1);
    place.serving.record("s", 1, 1);
    assert_eq!(place.take(&mut call, 1)[0].1, 0, "the call goes on");
}

/// It is about the consumer, and not about a message.
#[test]
fn a_stop_ends_the_call_whatever_it_names() {
    for named in [vec![], vec![unknown()]] {
        let mut place = Place::holding(1);
        let mut call = place.join();
        place.take(&mut call, 1);
        place.say(&call, nack(named, Action::Stop.into()));
        assert_eq!(exception(&place.failure(&mut call)), "persistent-subscription-dropped");
    }
}

#[test]
fn a_client_that_does_not_keep_to_the_protocol_is_told_so() {
    let begin = || Content::Options(options());
    let no_id = Uuid { value: Some(uuid::Value::String("seven".to_owned())) };
    let cases = [
        (vec![ack(vec![])], "begins with its options"),
        (vec![begin(), begin()], "options once"),
        (vec![begin(), nack(vec![unknown()], 9)], "no such action, found=9"),
        (vec![begin(), nack(vec![unknown()], -1)], "no such action, found=-1"),
        (vec![begin(), ack(vec![no_id])], "event id"),
        (vec![Content::Options(read_req::Options { uuid_option: None, ..options() })], "UUID option is missing"),
        (vec![Content::Options(read_req::Options { stream_option: None, ..options() })], ""),
    ];
    let mut place = Place::holding(1);
    for (said, words) in cases {
        let status = match place.call(said) {
            Ok(mut call) => place.failure(&mut call),
            Err(status) => status,
        };
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(words), "{status:?}");
    }
    place.until("nobody of them is left", |info| info.consumers.is_empty() && info.in_flight == 0);
}

#[test]
fn who_cannot_be_a_consumer_is_told_why() {
    let mut place = Place::with(0, GroupSettings { max_subscribers: 1, ..settings() }, Options::default());
    let mut refused = |options: read_req::Options| match place.call(vec![Content::Options(options)]) {
        Ok(_) => panic!("it connects"),
        Err(status) => (status.code(), exception(&status).to_owned()),
    };
    for buffer_size in [0, -1, i32::MIN] {
        let failed = (Code::Internal, "persistent-subscription-failed".to_owned());
        assert_eq!(refused(read_req::Options { buffer_size, ..options() }), failed, "{buffer_size}");
    }
    let missing = (Code::NotFound, "persistent-subscription-does-not-exist".to_owned());
    assert_eq!(refused(read_req::Options { group_name: "h".to_owned(), ..options() }), missing);
    let _first = place.join();
    let second = place.call(vec![Content::Options(options())]).err().expect("there is one already");
    assert_eq!((second.code(), exception(&second)), (Code::FailedPrecondition, "maximum-subscribers-reached"));
}

#[test]
fn who_has_nothing_more_to_say_has_a_good_end_and_his_messages_go_back() {
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    place.say(&call, ack(ids(&taken[..1])));
    let (gone, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut call.answers, gone));
    let (messages, ended) = place.end(&mut call);
    ended.expect("a good end");
    assert_eq!(messages, 0);
    let mut next = place.join();
    let again = place.take(&mut next, 2);
    assert_eq!(sorted(&again), sorted(&taken[1..]), "but for what was answered");
}

#[test]
fn who_gives_his_call_up_has_his_messages_taken_back() {
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    drop(call);
    place.until("nobody has them", |info| info.consumers.is_empty() && info.in_flight == 0);
    let mut next = place.join();
    assert_eq!(sorted(&place.take(&mut next, 3)), sorted(&taken));
}

/// Changed by this protocol or another: whoever is connected was let in to another group than there is now.
#[test]
fn consumers_of_a_group_that_is_changed_are_sent_away() {
    let changes: [(&str, Change); 4] = [
        ("an update", |place| {
            place.serving.store.groups().update(&group(), settings()).expect("changed");
        }),
        ("a restart", |place| {
            let mut client = OperationsClient::new(place.runtime.block_on(place.serving.channel()));
            place.runtime.block_on(client.restart_persistent_subscriptions(Empty {})).expect("done");
        }),
        ("the same of its own service", |place| {
            place.runtime.block_on(place.client.restart_subsystem(Empty {})).expect("done");
        }),
        ("a deletion", |place| {
            place.serving.store.groups().delete(&group()).expect("deleted");
        }),
    ];
    let mut place = Place::holding(2);
    for (what, change) in changes {
        let mut calls = [place.join(), place.join()];
        place.until("they are there", |info| info.consumers.len() == 2);
        change(&mut place);
        for call in &mut calls {
            let status = place.failure(call);
            let told = (status.code(), exception(&status));
            assert_eq!(told, (Code::Cancelled, "persistent-subscription-dropped"), "{what}: {status:?}");
        }
    }
    let gone = place.call(vec![Content::Options(options())]).err().expect("it was deleted");
    assert_eq!(gone.code(), Code::NotFound);
}

#[test]
fn what_is_parked_comes_again_to_whoever_is_connected_and_what_is_given_up_does_not() {
    let mut place = Place::holding(3);
    let mut call = place.join();
    let taken = place.take(&mut call, 3);
    place.say(&call, nack(ids(&taken), Action::Park.into()));
    place.until("all are parked", |info| info.parked == 3);
    let replay = |place: &mut Place, stop_at| {
        let options = replay_parked_req::Options {
            group_name: "g".to_owned(),
            stream_option: Some(replay_parked_req::options::StreamOption::All(Empty {})),
            stop_at_option: Some(stop_at),
        };
        let request = ReplayParkedReq { options: Some(options) };
        place.runtime.block_on(place.client.replay_parked(request)).map(|_| ())
    };
    replay(&mut place, StopAtOption::StopAt(1)).expect("replayed");
    let again = place.take(&mut call, 1);
    assert_eq!(ids(&again), ids(&taken[..1]));
    assert_eq!(place.info().parked, 3, "until it is answered");
    place.say(&call, ack(ids(&again)));
    place.until("it is parked no more", |info| info.parked == 2);
    let refused = replay(&mut place, StopAtOption::StopAt(-1)).expect_err("less than nothing");
    assert_eq!(exception(&refused), "persistent-subscription-failed", "{refused:?}");
    let options = truncate_parked_req::Options {
        group_name: "g".to_owned(),
        stream_option: Some(truncate_parked_req::options::StreamOption::All(Empty {})),
        stop_at_option: None,
    };
    let request = TruncateParkedReq { options: Some(options) };
    place.runtime.block_on(place.client.truncate_parked(request)).expect("given up");
    place.until("none is parked", |info| info.parked == 0);
    replay(&mut place, StopAtOption::NoLimit(Empty {})).expect("nothing is replayed");
    place.serving.record("s", 1, 1);
    let next = place.take(&mut call, 1);
    assert!(!ids(&taken).contains(&next[0].0), "the call goes on, with what is new");
}

/// An event that fails for good is in nobody's way: it comes as often as the group says, and is then parked, under the same call.
#[test]
fn what_is_retried_too_often_is_parked() {
    let mut place = Place::with(1, GroupSettings { max_retry_count: 2, ..settings() }, Options::default());
    let mut call = place.join();
    for retries in 0..=2 {
        let taken = place.take(&mut call, 1);
        assert_eq!(taken[0].1, retries);
        place.say(&call, nack(ids(&taken), Action::Retry.into()));
    }
    place.until("it is parked", |info| info.parked == 1 && info.in_flight == 0);
}
