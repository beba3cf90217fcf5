//! Clients that do what they should not: a server turns them away, and goes on serving the others.
//!
//! Everything here ends because the server ends it; what is waited for is that the connection closes.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets")]

mod shared;

use std::{net::TcpStream, time::Duration};

use gesta_server::{
    Options,
    proto::event_store::client::{Empty, streams::read_req::options::all_options::AllOption},
};
use shared::{
    APPEND, READ, Serving, append, subscribe,
    wire::{DATA, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire},
};

/// Short enough for a test to wait, long enough for a busy machine to answer a ping.
const SHORT: Duration = Duration::from_millis(500);

fn impatient() -> Options {
    Options { handshake_time: SHORT, ping_interval: SHORT, ping_time: SHORT, ..Options::default() }
}

/// That others are served.
fn serves(serving: &Serving) {
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.call(APPEND, &append("order-1", 1, 10));
    let (answer, last) = wire.finish(call).expect("an answer");
    assert!(!answer.is_empty() && last.kind == HEADERS, "{last:?}");
}

#[test]
fn connections_beyond_the_limit_are_turned_away_and_others_are_served() {
    let serving = Serving::start(Options { connections: 4, ..Options::default() });
    let mut wires: Vec<_> = (0..4).map(|_| Wire::open(serving.address, 1 << 20)).collect();
    for wire in &mut wires {
        wire.await_frame(&[SETTINGS]).expect("it is served");
    }
    // A flood: each of them is closed, and none costs one that is open.
    for _ in 0..200 {
        Wire::silent(serving.address).closed();
    }
    for wire in &mut wires {
        let call = wire.call(APPEND, &append("order-1", 1, 10));
        wire.finish(call).expect("it is still served");
    }
    drop(wires.pop());
    // Whoever comes is let in as soon as it is seen that there is room.
    while Wire::open(serving.address, 1 << 20).await_frame(&[SETTINGS]).is_none() {}
    drop(wires);
    // The page itself needs a place.
    let page = loop {
        match serving.try_get("/metrics") {
            Some((_, page)) => break page,
            None => continue,
        }
    };
    let refused = page.lines().find_map(|line| line.strip_prefix("gesta_connections_refused_total "));
    assert!(refused.and_then(|refused| refused.parse::<u64>().ok()) >= Some(200), "{refused:?}");
}

#[test]
fn clients_that_do_not_say_what_they_speak_are_closed() {
    let serving = Serving::start(impatient());
    for said in [&b""[..], b"P", &PREFACE[..23], b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\x16\x03\x01"] {
        let mut wire = Wire::silent(serving.address);
        wire.send(said);
        wire.closed();
    }
    // The others ran out of the time HTTP/1.1 gives its headers, or spoke neither.
    assert!(serving.metric("gesta_connections_timed_out_total") >= 3);
    serves(&serving);
}

#[test]
fn half_open_connections_are_found_by_a_ping() {
    let serving = Serving::start(impatient());
    // It speaks HTTP/2, opens a call, and is never heard of again.
    let mut gone = Wire::open(serving.address, 1 << 20);
    gone.call(READ, &[subscribe(AllOption::Start(Empty {}))]);
    gone.closed();
    serves(&serving);
    assert_eq!(serving.metric("gesta_subscriptions"), 0);
}

#[test]
fn a_client_that_answers_pings_may_be_silent() {
    let serving = Serving::start(impatient());
    let mut quiet = Wire::open(serving.address, 1 << 20);
    for _ in 0..3 {
        quiet.await_frame(&[shared::wire::PING]).expect("it is asked, and not closed");
    }
    let call = quiet.call(APPEND, &append("order-1", 1, 10));
    quiet.finish(call).expect("it is served");
}

#[test]
fn bytes_that_are_no_frames_close_their_connection_and_no_other() {
    let serving = Serving::start(Options::default());
    let mut bystander = Wire::open(serving.address, 1 << 20);
    let cases: [(&str, Vec<u8>); 6] = [
        ("another language", b"GET / HTTP/1.1\r\nHost: gesta\r\n\r\n".to_vec()),
        ("a frame longer than may be", [&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1][..], &[0; 1000]].concat()),
        ("data for a call that was never begun", vec![0, 0, 1, DATA, 0, 0, 0, 0, 99, 7]),
        ("headers that are no headers", vec![0, 0, 3, HEADERS, 4, 0, 0, 0, 1, 0xff, 0xff, 0xff]),
        ("settings of the wrong length", vec![0, 0, 5, SETTINGS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("a window that is too large", vec![0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]),
    ];
    for (what, bytes) in cases {
        let mut wire = Wire::open(serving.address, 1 << 20);
        wire.send(&bytes);
        assert!(wire.await_frame(&[GOAWAY, RST_STREAM]).is_some(), "{what}");
        drop(wire);
    }
    let call = bystander.call(APPEND, &append("order-1", 1, 10));
    bystander.finish(call).expect("it is still served");
}

/// The status of a call, found in its trailers, which stand there as they are.
fn status(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

#[test]
fn requests_that_are_too_large_are_refused_and_their_connection_goes_on() {
    let serving = Serving::start(Options { message_bytes: 1 << 20, ..Options::default() });
    let mut wire = Wire::open(serving.address, 1 << 20);
    // It says how long it is before it comes: nobody waits for it, or keeps room for it.
    let call = wire.begin(APPEND, &[]);
    wire.frame(DATA, 0, call, &[0, 0x7f, 0xff, 0xff, 0xff]);
    let (_, last) = wire.finish(call).expect("an answer");
    assert_eq!(last.kind, HEADERS, "{}", status(&last.payload));
    // A message that is no message.
    let call = wire.begin(APPEND, &[]);
    wire.frame(DATA, 1, call, &[0, 0, 0, 0, 2, 0xff, 0xff]);
    wire.finish(call).expect("an answer");
    // Compressed by nothing that was agreed on.
    let call = wire.begin(APPEND, &[]);
    wire.frame(DATA, 1, call, &[1, 0, 0, 0, 1, 0]);
    wire.finish(call).expect("an answer");
    // More headers than may be.
    let call = wire.begin(APPEND, &[("x-large", &"x".repeat(40 << 10))]);
    wire.finish(call).expect("an answer");
    let call = wire.call(APPEND, &append("order-1", 1, 10));
    let (answer, _) = wire.finish(call).expect("it is still served");
    assert!(!answer.is_empty());
}

/// Each of a thousand calls may be as long as the largest append, and none of them has to end.
#[test]
fn a_request_that_does_not_end_holds_no_more_than_the_share_of_its_connection() {
    let serving = Serving::start(Options { connection_requests_bytes: 256 << 10, ..Options::default() });
    let refused = |serving: &Serving| serving.get("/metrics").1.contains(r#"status="RESOURCE_EXHAUSTED"} 1"#);
    let mut wire = Wire::open(serving.address, 1 << 20);
    // So much may be sent on a connection only when the server has said so, which it does behind its settings: one that sent at once was sometimes
    // ended, rightly.
    wire.await_frame(&[WINDOW_UPDATE]).expect("it is served");
    let begin = |wire: &mut Wire, kib: u32| {
        let [_, length @ ..] = (u64::from(kib) << 10).to_be_bytes();
        let call = wire.begin(APPEND, &[]);
        wire.frame(DATA, 0, call, &[&[0][..], &length[3..]].concat());
        call
    };
    let call = begin(&mut wire, 1024);
    (0..8).for_each(|_| wire.frame(DATA, 0, call, &[0; 60 << 10]));
    assert_eq!(wire.await_frame(&[HEADERS]).expect("an answer").call, call);
    // It is counted when it has ended, a moment behind its answer.
    assert!((0..1000).any(|_| refused(&serving)));
    serves(&serving);
    // What it held is given back: another may have as much.
    let call = begin(&mut wire, 240);
    (0..4).for_each(|at| wire.frame(DATA, u8::from(at == 3), call, &[0; 60 << 10]));
    wire.finish(call).expect("it is heard to its end, and then refused as no message");
    assert!(refused(&serving), "and for nothing else");
}

#[test]
fn a_call_has_the_time_its_client_gives_it() {
    let serving = Serving::start(Options::default());
    let mut wire = Wire::open(serving.address, 1 << 20);
    // An append whose end never comes.
    let call = wire.begin(APPEND, &[("grpc-timeout", "100m")]);
    let (_, last) = wire.finish(call).expect("an answer");
    assert!(last.ends());
    let (_, page) = serving.get("/metrics");
    assert!(page.contains(r#"status="DEADLINE_EXCEEDED"} 1"#), "{page}");
}

#[test]
fn stopping_ends_subscriptions_and_lets_calls_end() {
    let mut serving = Serving::start(Options::default());
    let mut wire = Wire::open(serving.address, 1 << 20);
    let following = wire.call(READ, &[subscribe(AllOption::Start(Empty {}))]);
    // Confirmed, and so under way.
    wire.await_frame(&[DATA]).expect("a confirmation");
    // An append that has begun.
    let appending = wire.begin(APPEND, &[]);
    let [options, event] = append("order-1", 1, 10).map(|message| {
        use prost::Message;
        let bytes = message.encode_to_vec();
        [&[0][..], &u32::try_from(bytes.len()).expect("short").to_be_bytes(), &bytes].concat()
    });
    wire.frame(DATA, 0, appending, &options);
    serving.ask_to_stop();
    wire.finish(following).expect("it is told that it ends");
    wire.frame(DATA, 1, appending, &event);
    let (answer, _) = wire.finish(appending).expect("what had begun is answered");
    assert!(!answer.is_empty());
    serving.stopped();
    wire.closed();
    assert_eq!(serving.store.head().position().0, 1);
    assert!(TcpStream::connect(serving.address).is_err());
}

/// Who has no call open is told to go, and not cut off when the time to end is over.
#[test]
fn stopping_sends_idle_connections_away() {
    let mut serving = Serving::start(Options { drain_time: Duration::from_secs(600), ..Options::default() });
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.call(APPEND, &append("order-1", 1, 10));
    wire.finish(call).expect("an answer");
    let mut old = Wire::silent(serving.address);
    old.send(b"GET /health/live HTTP/1.1\r\nHost: gesta\r\n\r\n");
    while serving.metric("gesta_connections") < 3 {}
    serving.ask_to_stop();
    assert!(wire.await_frame(&[GOAWAY]).is_some());
    // A client that goes on answering pings until it has been told all.
    while wire.await_frame(&[GOAWAY]).is_some() {}
    old.closed();
    serving.stopped();
}
