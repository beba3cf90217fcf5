//! What operators ask of a server and no stock client does: to end, to merge its index, to give up parked messages.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets and on time")]

mod shared;

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use gesta_server::{
    Options,
    proto::event_store::client::{
        Empty,
        operations::operations_client::OperationsClient,
        persistent_subscriptions::{
            TruncateParkedReq,
            persistent_subscriptions_client::PersistentSubscriptionsClient,
            truncate_parked_req::{
                self,
                options::{StopAtOption, StreamOption},
            },
        },
    },
};
use gesta_store::{ConsumerOptions, GroupName, GroupSettings, Nack, Position, Source};
use shared::Serving;
use tokio::runtime::Runtime;
use tonic::{Code, transport::Channel};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

fn connected(serving: &Serving) -> (Runtime, Channel) {
    let runtime = Runtime::new().expect("a runtime");
    let channel = runtime.block_on(serving.channel());
    (runtime, channel)
}

#[test]
fn a_server_that_is_asked_to_ends_as_by_a_signal() {
    let serving = Serving::start(Options::default());
    serving.record("s", 1, 1);
    let (runtime, channel) = connected(&serving);
    runtime.block_on(OperationsClient::new(channel).shutdown(Empty {})).expect("answered before it ends");
    let begun = Instant::now();
    while TcpStream::connect(serving.address).is_ok() {
        assert!(begun.elapsed() < LONG, "it still takes connections");
    }
    assert_eq!(serving.store.head().position(), Position(1), "the store is its owner's to close");
}

#[test]
fn a_merge_that_was_asked_for_is_answered_when_nothing_is_left_to_merge() {
    let serving = Serving::start(Options::default());
    serving.record("s", 3, 1);
    let (runtime, channel) = connected(&serving);
    let mut operations = OperationsClient::new(channel);
    runtime.block_on(operations.merge_indexes(Empty {})).expect("merged");
    serving.record("s", 3, 1);
    runtime.block_on(operations.merge_indexes(Empty {})).expect("merged again, with what came since");
    assert_eq!(serving.store.head().position(), Position(6));
}

/// Of four parked messages, the two that were parked first; then all that are left.
#[test]
fn parked_messages_are_given_up_as_far_as_it_is_said() {
    let serving = Serving::start(Options::default());
    serving.record("s", 4, 1);
    let (groups, group) = (serving.store.groups(), GroupName::on_all("g").expect("valid"));
    groups.create(&group, Source::All, GroupSettings::default()).expect("created");
    let options = ConsumerOptions { name: "till".to_owned(), slots: 1 };
    let consumer = groups.connect(&group, &options).expect("connects");
    for _ in 0..4 {
        let message = consumer.next(1, Some(LONG)).expect("there is one").remove(0);
        consumer.nack(&[message.id], Nack::Park, "not today").expect("parked");
    }
    groups.flush(&group).expect("durable");
    let left = || {
        let parked = groups.parked(&group, Position::START, 10).expect("told");
        parked.into_iter().map(|message| message.id.0).collect::<Vec<_>>()
    };
    assert_eq!(left(), [0, 1, 2, 3].map(Position));
    let (runtime, channel) = connected(&serving);
    let mut client = PersistentSubscriptionsClient::new(channel);
    let mut truncate = |group_name: &str, stop_at| {
        let options = truncate_parked_req::Options {
            group_name: group_name.to_owned(),
            stream_option: Some(StreamOption::All(Empty {})),
            stop_at_option: Some(stop_at),
        };
        runtime.block_on(client.truncate_parked(TruncateParkedReq { options: Some(options) }))
    };
    truncate("g", StopAtOption::StopAt(2)).expect("given up");
    assert_eq!(left(), [2, 3].map(Position));
    let negative = truncate("g", StopAtOption::StopAt(-1)).expect_err("no such place");
    // As all that groups refuse for how it is asked.
    assert_eq!(negative.code(), Code::Internal, "{negative:?}");
    assert!(negative.message().contains("stop_at is negative"), "{negative:?}");
    let missing = truncate("h", StopAtOption::NoLimit(Empty {})).expect_err("no such group");
    assert_eq!(missing.code(), Code::NotFound, "{missing:?}");
    truncate("g", StopAtOption::NoLimit(Empty {})).expect("given up");
    assert_eq!(left(), []);
}
