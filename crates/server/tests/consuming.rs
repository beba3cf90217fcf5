//! Consumers on a server, by the store's own protocol: what a client gets, and what it is told when it does not behave.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use std::time::Duration;

use gesta_server::{
    Options,
    client::Client,
    client_consumer::RemoteConsumer,
    native::{
        ClientError, GroupRefusal,
        messages::{
            ConsumeReq,
            consume_req::{Ack, Content, Join, Next},
            store_client::StoreClient,
        },
    },
    proto::event_store::client::{
        Empty,
        operations::operations_client::OperationsClient,
        persistent_subscriptions::{
            GetInfoReq, get_info_req, persistent_subscriptions_client::PersistentSubscriptionsClient,
        },
    },
};
use gesta_store::{
    ConsumerOptions, GroupName, GroupSettings, MessageId, Nack, Position, Source, Strategy, limits::GROUP_SLOTS_MAX,
};
use shared::Serving;
use tokio::runtime::Runtime;
use tonic::Code;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
const MIB: usize = 1 << 20;

fn group() -> GroupName {
    GroupName::on_all("g").expect("valid")
}

fn options(slots: usize) -> ConsumerOptions {
    ConsumerOptions { name: "till".to_owned(), slots }
}

/// A server with events of so many bytes, a group on all of them, and a client.
fn serving(sizes: &[usize]) -> (Serving, Client) {
    let serving = Serving::start(Options::default());
    sizes.iter().for_each(|bytes| serving.record("s", 1, *bytes));
    serving.store.groups().create(&group(), Source::All, unordered()).expect("created");
    let client = Client::connect(&url(&serving), None).expect("connects");
    (serving, client)
}

fn url(serving: &Serving) -> String {
    format!("http://{}", serving.address)
}

/// Events of one stream may be in flight together.
fn unordered() -> GroupSettings {
    GroupSettings { strategy: Strategy::RoundRobin, ..GroupSettings::default() }
}

/// The next messages, by their ids.
fn next(consumer: &mut RemoteConsumer, max: usize) -> Vec<MessageId> {
    let messages = consumer.next(max, LONG, LONG).expect("served").expect("in time");
    messages.into_iter().map(|(id, _)| id).collect()
}

fn ids<const N: usize>(positions: [u64; N]) -> Vec<MessageId> {
    positions.map(|position| MessageId(Position(position))).to_vec()
}

#[test]
fn what_is_too_large_for_one_answer_comes_in_several() {
    let (serving, client) = serving(&[10, 10, 600_000, 600_000, 3 * MIB, 10]);
    let mut consumer = client.consume(&group(), &options(10)).expect("connects");
    let mut taken = Vec::new();
    let mut answers = Vec::new();
    while taken.len() < 6 {
        let messages = next(&mut consumer, 10);
        answers.push(messages.len());
        taken.extend(messages);
    }
    assert_eq!((taken, answers), (ids([0, 1, 2, 3, 4, 5]), vec![3, 1, 1, 1]));
    assert_eq!(serving.store.groups().info(&group()).expect("it is there").in_flight, 6);
    consumer.ack(&ids([0, 1, 2, 3])).expect("they are in flight");
    consumer.leave().expect("served");
    let info = serving.store.groups().info(&group()).expect("it is there");
    assert_eq!(
        (info.in_flight, info.consumers.len(), info.checkpoint),
        (0, 0, Position(4)),
        "durable when it has left"
    );
}

/// The last consumer of a group has its progress written when it goes; here there is another.
#[test]
fn what_was_acked_is_durable_when_its_consumer_has_left_and_others_stay() {
    let (serving, client) = serving(&[10; 3]);
    let mut consumer = client.consume(&group(), &options(10)).expect("connects");
    assert_eq!(next(&mut consumer, 3), ids([0, 1, 2]));
    let _other = client.consume(&group(), &options(10)).expect("connects");
    consumer.ack(&ids([0, 1])).expect("they are in flight");
    consumer.leave().expect("served");
    assert_eq!(serving.store.groups().info(&group()).expect("it is there").checkpoint, Position(2));
}

#[test]
fn a_client_gets_no_more_than_it_asks_for() {
    let (serving, client) = serving(&[10; 5]);
    let mut consumer = client.consume(&group(), &options(10)).expect("connects");
    assert_eq!(next(&mut consumer, 2), ids([0, 1]));
    assert_eq!(next(&mut consumer, 2), ids([2, 3]));
    // Nothing is there in no time.
    consumer.ack(&ids([0, 1, 2, 3])).expect("they are in flight");
    assert_eq!(next(&mut consumer, 2), ids([4]));
    assert_eq!(consumer.next(2, Duration::ZERO, LONG).expect("served"), Some(Vec::new()));
    // A turn that is over loses nothing.
    assert_eq!(consumer.next(2, LONG, Duration::ZERO).expect("served"), None);
    serving.record("s", 1, 10);
    assert_eq!(next(&mut consumer, 2).len(), 1);
}

#[test]
fn an_answer_that_comes_too_late_is_told_and_the_call_goes_on() {
    let (_serving, client) = serving(&[10; 2]);
    let mut consumer = client.consume(&group(), &options(10)).expect("connects");
    assert_eq!(next(&mut consumer, 1), ids([0]));
    consumer.ack(&ids([0])).expect("it is in flight");
    let late = consumer.ack(&ids([0])).expect_err("it is settled");
    assert!(matches!(late, ClientError::Group(GroupRefusal::NotInFlight, _)), "{late:?}");
    assert_eq!(late.to_string(), "not in flight at this consumer, id=0 why=\"already settled\"");
    assert_eq!(next(&mut consumer, 1), ids([1]));
}

#[test]
fn who_cannot_be_a_consumer_is_told_why() {
    let (serving, client) = serving(&[]);
    let refused = |group: &GroupName, slots| match client.consume(group, &options(slots)) {
        Err(ClientError::Group(refusal, what)) => (refusal, what),
        other => panic!("{other:?}"),
    };
    let (refusal, what) = refused(&GroupName::on_all("h").expect("valid"), 1);
    assert_eq!((refusal, what.as_str()), (GroupRefusal::NoSuchGroup, "no such consumer group, group=\"$all::h\""));
    assert_eq!(refused(&group(), 0).0, GroupRefusal::Invalid);
    assert_eq!(refused(&group(), GROUP_SLOTS_MAX + 1).0, GroupRefusal::Invalid);
    let settings = GroupSettings { max_subscribers: 1, ..unordered() };
    serving.store.groups().update(&group(), settings).expect("changed");
    let _consumer = client.consume(&group(), &options(1)).expect("connects");
    let (refusal, what) = refused(&group(), 1);
    assert_eq!(refusal, GroupRefusal::Unavailable, "{what}");
}

#[test]
fn a_consumer_is_one_of_those_that_are_known_and_sent_away_with_them() {
    let (serving, client) = serving(&[10]);
    let mut consumer = client.consume(&group(), &options(7)).expect("connects");
    let runtime = Runtime::new().expect("a runtime");
    let channel = runtime.block_on(serving.channel());
    let asked = get_info_req::Options {
        group_name: "g".to_owned(),
        stream_option: Some(get_info_req::options::StreamOption::All(Empty {})),
    };
    let mut groups = PersistentSubscriptionsClient::new(channel.clone());
    let info = runtime.block_on(groups.get_info(GetInfoReq { options: Some(asked) })).expect("it is there");
    let connections = info.into_inner().subscription_info.expect("told").connections;
    let shown: Vec<_> = connections.iter().map(|one| (one.connection_name.as_str(), one.available_slots)).collect();
    assert_eq!(shown.len(), 1, "{connections:?}");
    assert_eq!(shown[0].0, "till");
    assert!(connections[0].from.starts_with("127.0.0.1:"), "{connections:?}");
    runtime.block_on(OperationsClient::new(channel).restart_persistent_subscriptions(Empty {})).expect("done");
    let sent_away = loop {
        if let Err(error) = consumer.next(1, Duration::ZERO, LONG) {
            break error;
        }
    };
    assert!(matches!(sent_away, ClientError::Group(GroupRefusal::Dropped, _)), "{sent_away:?}");
    assert_eq!(next(&mut client.consume(&group(), &options(1)).expect("connects"), 1), ids([0]));
}

/// While its request waits for messages, and between two requests.
#[test]
fn a_consumer_of_a_group_that_is_changed_is_sent_away() {
    let (serving, client) = serving(&[]);
    for waits in [true, false] {
        let mut consumer = client.consume(&group(), &options(7)).expect("connects");
        let turn = if waits { Duration::ZERO } else { LONG };
        let patience = if waits { LONG } else { Duration::ZERO };
        consumer.next(1, patience, turn).expect("served");
        serving.store.groups().update(&group(), unordered()).expect("changed");
        let sent_away = consumer.next(1, LONG, LONG).expect_err("it is a consumer of another group");
        assert!(matches!(sent_away, ClientError::Group(GroupRefusal::Dropped, _)), "{waits}: {sent_away:?}");
    }
    let mut consumer = client.consume(&group(), &options(7)).expect("connects");
    consumer.next(1, LONG, Duration::ZERO).expect("served");
    serving.store.groups().delete(&group()).expect("deleted");
    let sent_away = consumer.next(1, LONG, LONG).expect_err("there is no group");
    assert!(matches!(sent_away, ClientError::Group(GroupRefusal::Dropped, _)), "{sent_away:?}");
}

/// What a client says, and how the call ends.
fn say(serving: &Serving, requests: Vec<Content>) -> tonic::Status {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut store = StoreClient::new(serving.channel().await);
        let requests = requests.into_iter().map(|content| ConsumeReq { content: Some(content) });
        // They go on to listen, whatever they have said.
        let requests = tokio_stream::StreamExt::chain(tokio_stream::iter(requests), tokio_stream::pending());
        match store.consume(requests).await {
            Err(status) => status,
            Ok(answers) => {
                let mut answers = answers.into_inner();
                loop {
                    match answers.message().await {
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("the call ended without a word"),
                        Err(status) => break status,
                    }
                }
            }
        }
    })
}

#[test]
fn a_client_that_does_not_keep_to_the_rules_is_told_so() {
    let (serving, client) = serving(&[]);
    let join = || Content::Join(Join { group: group().to_string(), name: String::new(), slots: 1 });
    let wait = || Content::Next(Next { max: 1, patience_ns: u64::MAX });
    let many = vec![0; GROUP_SLOTS_MAX + 1];
    let cases = [
        (vec![wait()], "a consumer begins by joining its group"),
        (vec![Content::Join(Join::default())], "group"),
        (vec![join(), join()], "a consumer joins once"),
        (vec![join(), wait(), wait()], "a consumer waits for the answer to its request"),
        (vec![join(), Content::Ack(Ack { positions: many })], "no consumer has so many messages"),
    ];
    for (requests, words) in cases {
        let status = say(&serving, requests);
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(words), "{status:?}");
    }
    // Nobody of them is left.
    while !serving.store.groups().info(&group()).expect("it is there").consumers.is_empty() {}
    let _ = client.consume(&group(), &options(1)).expect("connects");
}

#[test]
fn a_consumer_is_told_that_the_server_stops() {
    let (mut serving, client) = serving(&[10]);
    let mut consumer = client.consume(&group(), &options(7)).expect("connects");
    assert_eq!(next(&mut consumer, 1), ids([0]));
    assert_eq!(consumer.next(1, LONG, Duration::ZERO).expect("served"), None);
    serving.stopped();
    let stopped = consumer.next(1, LONG, LONG).expect_err("there is no more to come");
    assert!(matches!(stopped, ClientError::Unreachable(_)), "{stopped:?}");
    let info = serving.store.groups().info(&group()).expect("it is there");
    assert_eq!((info.in_flight, info.consumers.len()), (0, 0));
}

/// A page of parked messages holds a MiB of them, and whatever is larger than that alone.
#[test]
fn parked_messages_of_any_size_are_told_page_by_page() {
    let (serving, client) = serving(&[10, 3 * MIB, 10, 600_000, 600_000, 10]);
    let consumer = serving.store.groups().connect(&group(), &options(10)).expect("connects");
    let mut parked = Vec::new();
    while parked.len() < 6 {
        parked.extend(consumer.next(10, Some(LONG)).expect("there are some").into_iter().map(|message| message.id));
    }
    consumer.nack(&parked, Nack::Park, "too large for the till").expect("parked");
    serving.store.groups().flush(&group()).expect("durable");
    let (mut from, mut pages) = (Position(0), Vec::new());
    loop {
        let page = client.parked(&group(), from, 100).expect("told");
        let Some(last) = page.last() else { break };
        from = Position(last.position + 1);
        let whole = |message: &gesta_server::native::messages::parked_resp::Message| {
            let event = message.event.as_ref().expect("with its event");
            assert_eq!(message.reason, "too large for the till");
            (message.position, event.data.len())
        };
        pages.push(page.iter().map(whole).collect::<Vec<_>>());
    }
    let quotes = 2;
    let expected = [
        vec![(0, 10 + quotes)],
        vec![(1, 3 * MIB + quotes)],
        vec![(2, 10 + quotes), (3, 600_000 + quotes)],
        vec![(4, 600_000 + quotes), (5, 10 + quotes)],
    ];
    assert_eq!(pages, expected);
}
