//! A server that asks callers who they are: what a group gives to whom, and what becomes of open calls when rights are changed.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use gesta_server::proto::{
    event_store::client::{
        Empty, StreamIdentifier, Uuid,
        persistent_subscriptions::{
            self as groups, persistent_subscriptions_client::PersistentSubscriptionsClient, read_req as consumer,
        },
        streams::{
            self, ReadReq, ReadResp, append_req,
            append_req::options::ExpectedStreamRevision,
            read_req::{
                self,
                options::{
                    CountOption, StreamOption, StreamOptions, SubscriptionOptions, stream_options::RevisionOption,
                },
            },
            read_resp,
            streams_client::StreamsClient,
        },
        users::{self, users_client::UsersClient},
        uuid,
    },
    kurrentdb::protocol::v2::streams::{self as v2, streams_service_client::StreamsServiceClient},
};
use gesta_store::{ConsumerOptions, GroupName, GroupSettings, Position, ReadOptions, Replay, Source, Strategy};
use shared::Serving;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

const PASSWORD: &str = "of-the-test";

/// A server with an administrator and with Ada, who may read the log.
struct Place {
    serving: Serving,
    runtime: Runtime,
    channel: Channel,
}

/// Says who is calling.
#[derive(Clone)]
struct As(MetadataValue<Ascii>);

impl Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Called = InterceptedService<Channel, As>;

impl Place {
    fn new() -> Self {
        let serving = Serving::guarded(PASSWORD);
        let runtime = Runtime::new().expect("a runtime");
        let channel = runtime.block_on(serving.channel());
        let place = Self { serving, runtime, channel };
        place.make_user("ada");
        place.write("$$$all", r#"{"$acl":{"$r":"ada"}}"#);
        place
    }

    fn by(&self, login: &str) -> Called {
        let credentials = format!("Basic {}", STANDARD.encode(format!("{login}:{PASSWORD}")));
        InterceptedService::new(self.channel.clone(), As(credentials.parse().expect("ASCII")))
    }

    fn make_user(&self, login: &str) {
        let options = users::create_req::Options {
            login_name: login.to_owned(),
            password: PASSWORD.to_owned(),
            full_name: login.to_owned(),
            groups: Vec::new(),
        };
        let request = users::CreateReq { options: Some(options) };
        self.runtime.block_on(UsersClient::new(self.by("admin")).create(request)).expect("made");
    }

    /// Appends a document, as the administrator does.
    fn write(&self, stream: &str, document: &'static str) {
        let options = append_req::Options {
            stream_identifier: named(stream),
            expected_stream_revision: Some(ExpectedStreamRevision::Any(Empty {})),
        };
        let [_, event] = shared::append(stream, self.serving.store.head().position().0.into(), 1);
        let Some(append_req::Content::ProposedMessage(mut message)) = event.content else { panic!("an event") };
        message.data = document.into();
        let contents = [append_req::Content::Options(options), append_req::Content::ProposedMessage(message)];
        let requests = contents.map(|content| streams::AppendReq { content: Some(content) });
        let mut client = StreamsClient::new(self.by("admin"));
        self.runtime.block_on(client.append(tokio_stream::iter(requests))).expect("written");
    }

    /// Ada's read of a stream, or subscription to it.
    fn read(&self, stream: &str, extent: CountOption) -> Result<Streaming<ReadResp>, Status> {
        use read_req::options::{FilterOption, UuidOption, uuid_option};
        let from = Some(RevisionOption::Start(Empty {}));
        let options = read_req::Options {
            stream_option: Some(StreamOption::Stream(StreamOptions {
                stream_identifier: named(stream),
                revision_option: from,
            })),
            count_option: Some(extent),
            filter_option: Some(FilterOption::NoFilter(Empty {})),
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            ..read_req::Options::default()
        };
        let mut client = StreamsClient::new(self.by("ada"));
        let read = self.runtime.block_on(client.read(ReadReq { options: Some(options) }));
        read.map(tonic::Response::into_inner)
    }

    /// The revision of the next event that comes, whatever else does.
    fn next(&self, read: &mut Streaming<ReadResp>) -> u64 {
        loop {
            let message = self.runtime.block_on(read.message()).expect("served").expect("it goes on");
            if let Some(read_resp::Content::Event(event)) = message.content {
                return event.event.expect("an event").stream_revision;
            }
        }
    }

    fn consume(&self, login: &str, stream: Option<&str>) -> Consuming {
        self.try_consume(login, stream).expect("connects")
    }

    fn try_consume(&self, login: &str, stream: Option<&str>) -> Result<Consuming, Status> {
        let on = match stream {
            Some(stream) => consumer::options::StreamOption::StreamIdentifier(named(stream).expect("a name")),
            None => consumer::options::StreamOption::All(Empty {}),
        };
        let ids = consumer::options::uuid_option::Content::String(Empty {});
        let options = consumer::Options {
            group_name: "g".to_owned(),
            buffer_size: 1000,
            stream_option: Some(on),
            uuid_option: Some(consumer::options::UuidOption { content: Some(ids) }),
        };
        let mut client = PersistentSubscriptionsClient::new(self.by(login));
        let (answers, receiver) = mpsc::channel(16);
        let messages = self.runtime.block_on(async {
            let content = Some(consumer::Content::Options(options));
            answers.send(groups::ReadReq { content }).await.expect("it is heard");
            client.read(ReceiverStream::new(receiver)).await.map(tonic::Response::into_inner)
        });
        Ok(Consuming { answers, messages: messages? })
    }

    /// Acks the next messages until one is of `last`; the streams they are of.
    fn take_until(&self, consuming: &mut Consuming, last: &str) -> Vec<String> {
        let mut streams = Vec::new();
        while streams.last().is_none_or(|stream| stream != last) {
            let message = self.runtime.block_on(consuming.messages.message()).expect("served").expect("it goes on");
            let Some(groups::read_resp::Content::Event(read)) = message.content else { continue };
            let event = read.event.expect("an event");
            let ack = consumer::Ack { ids: event.id.into_iter().collect(), ..consumer::Ack::default() };
            let ack = groups::ReadReq { content: Some(consumer::Content::Ack(ack)) };
            self.runtime.block_on(consuming.answers.send(ack)).expect("it is heard");
            let name = event.stream_identifier.expect("of a stream").stream_name;
            streams.push(String::from_utf8(name.to_vec()).expect("UTF-8"));
        }
        streams
    }

    /// What is recorded of users, by position.
    fn kept(&self) -> BTreeSet<Position> {
        let all = self.serving.store.read_all(ReadOptions::default()).expect("a read");
        let all = all.map(|event| event.expect("whole"));
        all.filter(|event| is_kept(&event.stream)).map(|event| event.position).collect()
    }
}

struct Consuming {
    answers: mpsc::Sender<groups::ReadReq>,
    messages: Streaming<groups::ReadResp>,
}

fn is_kept(stream: &str) -> bool {
    let about = stream.strip_prefix("$$").unwrap_or(stream);
    about == "$users" || about.starts_with("$user-")
}

fn named(stream: &str) -> Option<StreamIdentifier> {
    Some(StreamIdentifier { stream_name: stream.as_bytes().to_vec().into() })
}

fn subscription() -> CountOption {
    CountOption::Subscription(SubscriptionOptions {})
}

/// What only administrators may see was skipped, for everybody, when it came to a consumer who is none.
#[test]
fn what_a_consumer_may_not_see_is_not_lost_to_the_group() {
    let place = Place::new();
    let (groups, group) = (place.serving.store.groups(), GroupName::on_all("g").expect("valid"));
    let settings = GroupSettings { strategy: Strategy::RoundRobin, ..GroupSettings::default() };
    groups.create(&group, Source::All, settings).expect("created");
    place.make_user("bob");
    place.serving.record("last", 1, 1);
    let mut ada = place.consume("ada", None);
    let seen = place.take_until(&mut ada, "last");
    assert!(seen.iter().all(|stream| !is_kept(stream)), "{seen:?}");
    drop(ada);
    while !groups.info(&group).expect("told").consumers.is_empty() {}
    groups.flush(&group).expect("durable");
    let parked = groups.parked(&group, Position::START, 100).expect("told");
    assert!(parked.iter().all(|message| message.reason == "only administrators may see it"), "{parked:?}");
    assert_eq!(parked.iter().map(|message| message.id.0).collect::<BTreeSet<_>>(), place.kept());

    // An administrator gets it when it is replayed.
    let mut admin = place.consume("admin", None);
    groups.replay(&group, Replay::All).expect("replayed");
    place.serving.record("last", 1, 1);
    let mut replayed = 0;
    while replayed < place.kept().len() {
        let seen = place.take_until(&mut admin, if replayed == 0 { "last" } else { "$user-bob" });
        replayed += seen.iter().filter(|stream| is_kept(stream)).count();
    }
}

/// More of it in a row than a group reads at a time: as nothing of what was read was for the consumer, it waited for news of the group, of which there were none.
#[test]
fn what_a_consumer_may_see_comes_behind_any_number_of_what_it_may_not() {
    let place = Place::new();
    let (groups, group) = (place.serving.store.groups(), GroupName::on_all("g").expect("valid"));
    let settings = GroupSettings { strategy: Strategy::RoundRobin, message_timeout: None, ..GroupSettings::default() };
    groups.create(&group, Source::All, settings).expect("created");
    place.serving.record("$user-many", 1000, 1);
    place.serving.record("last", 1, 1);
    let mut ada = place.consume("ada", None);
    assert!(place.take_until(&mut ada, "last").iter().all(|stream| !is_kept(stream)));
}

/// Beside an administrator: what is not his is Ada's, what came to her and is not for her eyes waits for him.
#[test]
fn a_group_of_different_consumers_loses_nothing() {
    let place = Place::new();
    let (groups, group) = (place.serving.store.groups(), GroupName::on_all("g").expect("valid"));
    let settings = GroupSettings { strategy: Strategy::RoundRobin, ..GroupSettings::default() };
    groups.create(&group, Source::All, settings).expect("created");
    let options = ConsumerOptions { name: "the administrator's".to_owned(), slots: 1000 };
    let admin = groups.connect(&group, &options).expect("connects");
    let _ada = place.consume("ada", None);
    ["bob", "eve", "joe"].iter().for_each(|login| place.make_user(login));
    let expected = place.kept();
    let mut found = BTreeSet::new();
    while found != expected {
        let messages = admin.try_next(1000).expect("served");
        found.extend(messages.iter().filter(|message| is_kept(&message.event.stream)).map(|message| message.id.0));
        admin.ack(&messages.iter().map(|message| message.id).collect::<Vec<_>>()).expect("in flight");
        found.extend(groups.parked(&group, Position::START, 100).expect("told").iter().map(|message| message.id.0));
    }
}

/// Open calls go on with the rights they began with; whoever calls anew has those there are.
#[test]
fn lists_and_users_that_change_leave_open_calls_alone() {
    let place = Place::new();
    place.serving.record("ledger", 1, 1);
    let (groups, group) = (place.serving.store.groups(), "ledger::g".parse::<GroupName>().expect("valid"));
    let source = Source::Stream("ledger".parse().expect("valid"));
    groups.create(&group, source, GroupSettings::default()).expect("created");
    let mut followed = place.read("ledger", subscription()).expect("allowed");
    let mut consuming = place.consume("ada", Some("ledger"));
    assert_eq!(place.next(&mut followed), 0);
    assert_eq!(place.take_until(&mut consuming, "ledger").len(), 1);
    let again = || match place.read("ledger", CountOption::Count(1)) {
        Ok(mut read) => place.runtime.block_on(read.message()).err().map(|status| status.code()),
        Err(status) => Some(status.code()),
    };
    assert_eq!(again(), None);

    place.write("$$ledger", r#"{"$acl":{"$r":"$admins"}}"#);
    assert_eq!(again(), Some(Code::PermissionDenied));
    place.serving.record("ledger", 1, 1);
    assert_eq!(place.next(&mut followed), 1);
    assert_eq!(place.take_until(&mut consuming, "ledger").len(), 1);

    let request = users::DeleteReq { options: Some(users::delete_req::Options { login_name: "ada".to_owned() }) };
    place.runtime.block_on(UsersClient::new(place.by("admin")).delete(request)).expect("deleted");
    assert_eq!(again(), Some(Code::Unauthenticated));
    place.serving.record("ledger", 1, 1);
    assert_eq!(place.next(&mut followed), 2);
    assert_eq!(place.take_until(&mut consuming, "ledger").len(), 1);
}

/// By every call there is. Each asks for itself, and one that forgot would be found by whoever may not.
#[test]
fn who_may_not_write_or_read_a_stream_may_not_by_any_call() {
    use v2::consistency_check::{StreamStateCheck, Type};
    let place = Place::new();
    place.serving.record("ledger", 1, 1);
    place.write(
        "$$ledger",
        r#"{"$acl":{"$r":"$admins","$w":"$admins","$d":"$admins","$mr":"$admins","$mw":"$admins"}}"#,
    );
    let (groups, group) = (place.serving.store.groups(), "ledger::g".parse::<GroupName>().expect("valid"));
    let source = Source::Stream("ledger".parse().expect("valid"));
    groups.create(&group, source, GroupSettings::default()).expect("created");
    let head = place.serving.store.head().position();
    let (mut streams, mut records) = (StreamsClient::new(place.by("ada")), StreamsServiceClient::new(place.by("ada")));
    let denied = place.runtime.block_on(async {
        let mut denied = Vec::new();
        let appended = streams.append(tokio_stream::iter(shared::append("ledger", 7, 1))).await;
        denied.push(("append", code(appended)));
        let options = streams::delete_req::Options {
            stream_identifier: named("ledger"),
            expected_stream_revision: Some(streams::delete_req::options::ExpectedStreamRevision::Any(Empty {})),
        };
        denied.push(("delete", code(streams.delete(streams::DeleteReq { options: Some(options) }).await)));
        let options = streams::tombstone_req::Options {
            stream_identifier: named("ledger"),
            expected_stream_revision: Some(streams::tombstone_req::options::ExpectedStreamRevision::Any(Empty {})),
        };
        denied.push(("tombstone", code(streams.tombstone(streams::TombstoneReq { options: Some(options) }).await)));
        let mut answers =
            streams.batch_append(tokio_stream::iter([batch("ledger")])).await.expect("begun").into_inner();
        let answer = answers.message().await.expect("served").expect("an answer");
        let Some(streams::batch_append_resp::Result::Error(error)) = answer.result else { panic!("{answer:?}") };
        denied.push(("batch append", Some(Code::from(error.code))));
        let session =
            v2::AppendRequest { stream: "ledger".to_owned(), records: vec![record("ledger")], expected_revision: None };
        denied.push(("session", code(records.append_session(tokio_stream::iter([session])).await)));
        let written = v2::AppendRecordsRequest { records: vec![record("ledger")], checks: Vec::new() };
        denied.push(("records", code(records.append_records(written).await)));
        let check = StreamStateCheck { stream: "ledger".to_owned(), expected_state: -1 };
        let checks = vec![v2::ConsistencyCheck { r#type: Some(Type::StreamState(check)) }];
        let checked = v2::AppendRecordsRequest { records: vec![record("other")], checks };
        denied.push(("a check alone", code(records.append_records(checked).await)));
        denied
    });
    for (call, code) in denied {
        assert_eq!(code, Some(Code::PermissionDenied), "{call}");
    }
    let refused = place.read("ledger", CountOption::Count(1)).map(|mut read| place.runtime.block_on(read.message()));
    assert!(matches!(refused, Err(status) | Ok(Err(status)) if status.code() == Code::PermissionDenied));
    let consuming = place.try_consume("ada", Some("ledger"));
    assert!(consuming.is_err_and(|status| status.code() == Code::PermissionDenied));
    assert_eq!(place.serving.store.head().position(), head, "nothing was recorded");
}

fn code<T>(answer: Result<T, Status>) -> Option<Code> {
    answer.err().map(|status| status.code())
}

/// A batch append of one event, whole.
fn batch(stream: &str) -> streams::BatchAppendReq {
    use streams::batch_append_req::{Options, ProposedMessage, options::ExpectedStreamPosition};
    let id =
        |number: u128| Some(Uuid { value: Some(uuid::Value::String(::uuid::Uuid::from_u128(number).to_string())) });
    let options = Options {
        stream_identifier: named(stream),
        expected_stream_position: Some(ExpectedStreamPosition::Any(())),
        deadline_option: None,
    };
    let properties = [("type", "T"), ("content-type", "application/json")];
    let event = ProposedMessage {
        id: id(9),
        metadata: properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..ProposedMessage::default()
    };
    streams::BatchAppendReq {
        correlation_id: id(8),
        options: Some(options),
        proposed_messages: vec![event],
        is_final: true,
    }
}

fn record(stream: &str) -> v2::AppendRecord {
    let schema = v2::SchemaInfo { format: v2::SchemaFormat::Json.into(), name: "T".to_owned(), id: None };
    v2::AppendRecord {
        schema: Some(schema),
        data: "{}".into(),
        stream: stream.to_owned(),
        ..v2::AppendRecord::default()
    }
}
