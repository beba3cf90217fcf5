//! Consumers of persistent subscriptions as no stock client is: what they said last, and how the server takes it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets and on time")]

mod shared;

use std::time::{Duration, Instant};

use gesta_server::{
    Options,
    proto::event_store::client::{
        Empty, Uuid,
        persistent_subscriptions::{
            ReadReq, ReadResp,
            read_req::{
                self, Ack, Content,
                options::{StreamOption, UuidOption, uuid_option},
            },
            read_resp,
        },
    },
};
use gesta_store::{ConsumerOptions, GroupName, GroupSettings, Source, Strategy};
use prost::Message;
use shared::{
    Serving,
    wire::{DATA, RST_STREAM, Wire, encoded, framed},
};

const PERSISTENT_READ: &str = "/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read";
const CANCEL: u32 = 8;
const EVENTS: usize = 5;
/// Which of the two the server sees first is chance.
const ROUNDS: usize = 40;
/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);

fn asked() -> ReadReq {
    let options = read_req::Options {
        group_name: "g".to_owned(),
        buffer_size: 10,
        uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
        stream_option: Some(StreamOption::All(Empty {})),
    };
    ReadReq { content: Some(Content::Options(options)) }
}

fn ack(id: Uuid) -> ReadReq {
    ReadReq { content: Some(Content::Ack(Ack { id: Default::default(), ids: vec![id] })) }
}

/// The ids of so many messages, which a call has been sent.
fn delivered(wire: &mut Wire, count: usize) -> Vec<Uuid> {
    let (mut bytes, mut ids) = (Vec::new(), Vec::new());
    while ids.len() < count {
        bytes.extend(wire.await_frame(&[DATA]).expect("the call goes on").payload);
        while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
            let [_, length @ ..] = *head;
            let Some(message) = rest.get(..u32::from_be_bytes(length) as usize) else { break };
            let message = ReadResp::decode(message).expect("a message");
            bytes.drain(..head.len() + u32::from_be_bytes(length) as usize);
            if let Some(read_resp::Content::Event(event)) = message.content {
                ids.push(event.event.and_then(|event| event.id).expect("an event has an id"));
            }
        }
    }
    ids
}

/// A client acknowledged the last messages it had, and gave its call up at once, as clients do that leave: its answers and the end of its call came
/// together. The server saw the end first, and what had been acknowledged was delivered again. Who had left nobody behind to take it then waited for ever
/// for a progress that never came: so did a test of the stock client for Python, once, on a machine with something else to do.
#[test]
fn answers_that_came_with_the_end_of_their_call_count() {
    let serving = Serving::start(Options::default());
    let (groups, group) = (serving.store.groups(), GroupName::on_all("g").expect("valid"));
    let settings = GroupSettings { strategy: Strategy::RoundRobin, ..GroupSettings::default() };
    groups.create(&group, Source::All, settings).expect("created");
    for _ in 0..ROUNDS {
        serving.record("s", EVENTS, 1);
        acknowledge_and_leave(&serving);
        let begun = Instant::now();
        while !groups.info(&group).expect("told").consumers.is_empty() {
            assert!(begun.elapsed() < LONG, "its consumer does not leave");
        }
        let options = ConsumerOptions { name: "next".to_owned(), slots: 10 };
        let again = groups.connect(&group, &options).expect("connects").try_next(10).expect("served");
        assert_eq!(again.len(), 0, "delivered again: {again:?}");
    }
    assert_eq!(groups.info(&group).expect("told").settled_to, serving.store.head().position());
}

/// A consumer had answered, and waited for more; nothing came. When its progress was due to be written, nobody knew: the call had asked before the answer
/// when it was to look again, and would have looked with the next event only. `$persistentsubscription-…-checkpoint` stood still meanwhile, and what had
/// been worked off would have been delivered again after a crash, however long ago that was.
#[test]
fn progress_is_written_when_it_is_due_though_nothing_happens() {
    let serving = Serving::start(Options::default());
    serving.record("s", EVENTS, 1);
    let (groups, group) = (serving.store.groups(), GroupName::on_all("g").expect("valid"));
    let settings = GroupSettings {
        strategy: Strategy::RoundRobin,
        min_checkpoint_count: 1,
        checkpoint_after: Duration::from_millis(200),
        ..GroupSettings::default()
    };
    groups.create(&group, Source::All, settings).expect("created");
    let head = serving.store.head().position();
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.begin(PERSISTENT_READ, &[]);
    wire.frame(DATA, 0, call, &framed(&asked()));
    for id in delivered(&mut wire, EVENTS) {
        wire.frame(DATA, 0, call, &framed(&ack(id)));
    }
    let begun = Instant::now();
    while groups.info(&group).expect("told").checkpoint < head {
        assert!(begun.elapsed() < LONG, "nothing is written");
    }
}

/// Takes all there is, and says in one breath that it is worked off and that nothing more is wanted.
fn acknowledge_and_leave(serving: &Serving) {
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.begin(PERSISTENT_READ, &[]);
    wire.frame(DATA, 0, call, &framed(&asked()));
    let ids = delivered(&mut wire, EVENTS);
    let mut last: Vec<u8> = ids.into_iter().flat_map(|id| encoded(DATA, 0, call, &framed(&ack(id)))).collect();
    last.extend(encoded(RST_STREAM, 0, call, &CANCEL.to_be_bytes()));
    wire.send(&last);
}
