//! What a read tells beside its events: where a stream begins and ends, how far it has looked, that it has caught up.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets")]

mod shared;

use gesta_server::{
    Options,
    proto::event_store::client::{
        Empty, StreamIdentifier,
        streams::{
            ReadReq, ReadResp,
            read_req::options::{
                AllOptions, CountOption, FilterOption, FilterOptions, StreamOption, StreamOptions, SubscriptionOptions,
                all_options::AllOption,
                filter_options::{Expression, Filter, Window},
                stream_options::RevisionOption,
            },
            read_resp::Content,
        },
    },
};
use prost::Message;
use shared::{
    READ, Serving, read_all,
    wire::{DATA, Wire},
};

/// Everything that is told, a word each.
fn words(mut bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let [_, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some((message, behind)) = rest.split_at_checked(length) else { break };
        words.push(word(ReadResp::decode(message).expect("a message").content.expect("a content")));
        bytes = behind;
    }
    words
}

fn word(content: Content) -> String {
    match content {
        Content::Event(read) => format!("event {}", read.event.expect("an event").stream_revision),
        Content::FirstStreamPosition(first) => format!("first {first}"),
        Content::LastStreamPosition(last) => format!("last {last}"),
        Content::LastAllStreamPosition(last) => format!("last of all {}", last.commit_position),
        Content::Checkpoint(checkpoint) => format!("checkpoint {}", checkpoint.commit_position),
        Content::CaughtUp(caught_up) => {
            let position = caught_up.position.map(|position| position.commit_position);
            format!("caught up at {position:?} {:?}", caught_up.stream_revision)
        }
        Content::Confirmation(_) => "confirmed".to_owned(),
        Content::StreamNotFound(_) => "not found".to_owned(),
        Content::FellBehind(_) => "fell behind".to_owned(),
    }
}

/// A read of `order-1` from a revision on, by a client of this age.
fn stream(from: u64, compatibility: u32) -> ReadReq {
    let mut request = read_all(CountOption::Count(2), AllOption::Start(Empty {}));
    let options = request.options.as_mut().expect("options");
    options.control_option.as_mut().expect("said").compatibility = compatibility;
    options.stream_option = Some(StreamOption::Stream(StreamOptions {
        stream_identifier: Some(StreamIdentifier { stream_name: "order-1".into() }),
        revision_option: Some(RevisionOption::Revision(from)),
    }));
    request
}

fn told(serving: &Serving, request: ReadReq) -> Vec<String> {
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.call(READ, &[request]);
    words(&wire.finish(call).expect("an answer").0)
}

#[test]
fn a_client_that_asks_for_it_is_told_the_ends_of_a_stream() {
    let serving = Serving::start(Options::default());
    serving.record("order-1", 3, 1);
    assert_eq!(told(&serving, stream(0, 1)), ["event 0", "event 1", "last 2"]);
    assert_eq!(told(&serving, stream(7, 1)), ["first 0", "last 2"]);
    assert_eq!(told(&serving, stream(7, 0)), [""; 0]);
    let nothing = read_all(CountOption::Count(5), AllOption::End(Empty {}));
    assert_eq!(told(&serving, nothing), ["last of all 3"]);
}

#[test]
fn a_place_behind_the_end_of_the_log_is_refused() {
    use gesta_server::proto::event_store::client::streams::read_req::options::Position;
    let serving = Serving::start(Options::default());
    serving.record("order-1", 3, 1);
    let from = |position| {
        let position = Position { commit_position: position, prepare_position: position };
        told(&serving, read_all(CountOption::Count(5), AllOption::Position(position)))
    };
    assert_eq!(from(2), ["event 2"]);
    assert_eq!(from(3), ["last of all 3"]);
    assert_eq!(from(4), [""; 0]);
    let (_, page) = serving.get("/metrics");
    assert!(page.contains(r#"status="INVALID_ARGUMENT"} 1"#), "{page}");
}

#[test]
fn a_subscription_tells_how_far_it_has_looked_and_when_it_has_caught_up() {
    let serving = Serving::start(Options::default());
    serving.record("order-1", 25, 1);
    let mut wire = Wire::open(serving.address, 1 << 20);
    let filter = FilterOptions {
        filter: Some(Filter::StreamIdentifier(Expression { regex: String::new(), prefix: vec!["user-".to_owned()] })),
        window: Some(Window::Max(5)),
        checkpoint_interval_multiplier: 2,
    };
    let mut request = read_all(CountOption::Subscription(SubscriptionOptions {}), AllOption::Start(Empty {}));
    let options = request.options.as_mut().expect("options");
    options.stream_option = Some(StreamOption::All(AllOptions { all_option: Some(AllOption::Start(Empty {})) }));
    options.filter_option = Some(FilterOption::Filter(filter));
    wire.call(READ, &[request]);
    let mut heard = Vec::new();
    let mut until = |last: &str| {
        while heard.last().is_none_or(|word: &String| !word.starts_with(last)) {
            heard.extend(words(&wire.await_frame(&[DATA]).expect("it is told").payload));
        }
        std::mem::take(&mut heard)
    };
    // Of the checkpoints that are due at once the last says it all; the one before the end is the end's.
    let caught_up = until("caught up");
    assert_eq!(caught_up.first().map(String::as_str), Some("confirmed"));
    assert_eq!(caught_up[caught_up.len() - 2..], ["checkpoint 24", "caught up at Some(24) None"]);
    // Nothing of what comes is for it, and it is told that all the same.
    serving.record("order-2", 10, 1);
    until("checkpoint 29");
}
