//! What HTTP/2 allows and no client library does, which is served, in the clear and over TLS; and what it forbids, which costs a client its connection and
//! others nothing.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets")]

mod shared;

use std::{net::TcpStream, sync::Arc, time::Duration};

use gesta_server::{
    Options,
    proto::event_store::client::streams::{AppendResp, append_resp},
    security::tls::{DevelopmentCertificates, Pem, Tls},
};
use gesta_store::clock::{Clock, SystemClock};
use prost::Message;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject},
};
use shared::{
    APPEND, Serving, append,
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH_PROMISE,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, block, encoded, framed, headers,
    },
};

const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 32;
/// A kind of frame that means nothing.
const UNKNOWN: u8 = 0xfe;

/// An append as the data of its call.
fn said() -> Vec<u8> {
    append("order-1", 1, 10).iter().flat_map(framed).collect()
}

fn padded(payload: &[u8]) -> Vec<u8> {
    [&[255][..], payload, &[0; 255]].concat()
}

/// Ways to say one append on call 1, all of them allowed.
fn ways() -> Vec<(&'static str, Vec<u8>)> {
    let (head, data) = (headers(APPEND, &[]), said());
    let begun = || encoded(HEADERS, END_HEADERS, 1, &head);
    let whole = || encoded(DATA, END_STREAM, 1, &data);
    let third = head.len() / 3;
    let prioritised = [&[0, 0, 0, 3, 16][..], &head].concat();
    let nothing = |call| encoded(UNKNOWN, 0xff, call, b"whatever");
    vec![
        ("as everybody", [begun(), whole()].concat()),
        (
            "padded",
            [
                encoded(HEADERS, END_HEADERS | PADDED, 1, &padded(&head)),
                encoded(DATA, END_STREAM | PADDED, 1, &padded(&data)),
            ]
            .concat(),
        ),
        (
            "padding alone at the end",
            [begun(), encoded(DATA, 0, 1, &data), encoded(DATA, END_STREAM | PADDED, 1, &padded(b""))].concat(),
        ),
        (
            "with a priority",
            [
                encoded(HEADERS, END_HEADERS | WITH_PRIORITY, 1, &prioritised),
                encoded(PRIORITY, 0, 1, &[0, 0, 0, 0, 7]),
                whole(),
            ]
            .concat(),
        ),
        (
            "headers in parts",
            [
                encoded(HEADERS, 0, 1, &head[..third]),
                encoded(CONTINUATION, 0, 1, &head[third..2 * third]),
                encoded(CONTINUATION, END_HEADERS, 1, &head[2 * third..]),
                whole(),
            ]
            .concat(),
        ),
        (
            "among frames that mean nothing",
            [nothing(0), encoded(PRIORITY, 0, 101, &[0, 0, 0, 0, 7]), begun(), nothing(1), whole(), nothing(0)]
                .concat(),
        ),
        (
            "each byte in a frame",
            begun()
                .into_iter()
                .chain(data.iter().flat_map(|&byte| encoded(DATA, 0, 1, &[byte])))
                .chain(encoded(DATA, END_STREAM, 1, b""))
                .collect(),
        ),
        (
            "with trailers",
            [begun(), encoded(DATA, 0, 1, &data), encoded(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x", "y")]))]
                .concat(),
        ),
        (
            "with the bit that means nothing",
            [encoded(HEADERS, END_HEADERS, 1 | 1 << 31, &head), encoded(DATA, END_STREAM, 1 | 1 << 31, &data)].concat(),
        ),
        (
            "beside a call that is given up",
            [
                begun(),
                encoded(HEADERS, END_HEADERS, 3, &head),
                encoded(RST_STREAM, 0, 3, &[0, 0, 0, 8]),
                encoded(DATA, 0, 3, b"too late"),
                whole(),
            ]
            .concat(),
        ),
        ("and goes away", [begun(), encoded(GOAWAY, 0, 0, &[0; 8]), whole()].concat()),
    ]
}

/// Says it in pieces of so many bytes, each at once; it is answered well.
fn is_answered(mut wire: Wire, what: &str, said: &[u8], piece: usize) {
    wire.greet(1 << 20);
    said.chunks(piece).for_each(|part| wire.send(part));
    let (answer, last) = wire.finish(1).unwrap_or_else(|| panic!("an answer, {what} by {piece}"));
    assert!(last.kind == HEADERS && is_recorded(&answer), "{what} by {piece}: {last:?}");
}

fn is_recorded(answer: &[u8]) -> bool {
    let answer = answer.get(5..).and_then(|message| AppendResp::decode(message).ok());
    matches!(answer, Some(AppendResp { result: Some(append_resp::Result::Success(_)) }))
}

/// That others are served.
fn serves(serving: &Serving) {
    is_answered(Wire::over(connected(serving)), "another", &ways()[0].1, usize::MAX);
}

fn connected(serving: &Serving) -> TcpStream {
    let stream = TcpStream::connect(serving.address).expect("connects");
    stream.set_nodelay(true).expect("a socket");
    stream
}

#[test]
fn what_is_allowed_is_served_however_it_is_cut() {
    let serving = Serving::start(Options::default());
    for (what, said) in ways() {
        for piece in [usize::MAX, 10, 9, 1] {
            is_answered(Wire::over(connected(&serving)), what, &said, piece);
        }
    }
}

#[test]
fn what_is_allowed_is_served_over_tls_however_it_is_cut() {
    let now = SystemClock::default().now();
    let made = DevelopmentCertificates::make(&["localhost".to_owned()], now, 30).expect("made");
    let pem = Pem { certificates: made.certificate.into(), key: made.key.into() };
    let tls = Tls::load(Box::new(move || Ok(pem.clone())), Arc::new(SystemClock::default())).expect("loaded");
    let serving = Serving::encrypted(tls);
    let mut authorities = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(made.authority.as_bytes()).expect("a certificate");
    authorities.add(authority).expect("an authority");
    let mut trusting = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
    trusting.alpn_protocols = vec![b"h2".to_vec()];
    let trusting = Arc::new(trusting);
    for (what, said) in ways() {
        for piece in [usize::MAX, 9, 1] {
            let client = ClientConnection::new(Arc::clone(&trusting), "localhost".try_into().expect("a name"));
            let stream = StreamOwned::new(client.expect("configured"), connected(&serving));
            is_answered(Wire::over(stream), what, &said, piece);
        }
    }
}

/// What ends a connection at once, said behind the preface; a call named 1 has been made and answered before.
fn crimes() -> Vec<(&'static str, Vec<u8>)> {
    let head = headers(APPEND, &[]);
    let open = || encoded(HEADERS, END_HEADERS, 3, &head);
    vec![
        ("a call of the server's", encoded(HEADERS, END_HEADERS, 2, &head)),
        ("headers of no call", encoded(HEADERS, END_HEADERS, 0, &head)),
        ("data of no call", encoded(DATA, END_STREAM, 0, b"x")),
        ("data of a call that was never begun", encoded(DATA, END_STREAM, 99, b"x")),
        ("the end of a call that was never begun", encoded(RST_STREAM, 0, 99, &[0; 4])),
        ("the end of no call", encoded(RST_STREAM, 0, 0, &[0; 4])),
        ("an end that is too short", [open(), encoded(RST_STREAM, 0, 3, &[0; 3])].concat()),
        ("more padding than there is", [open(), encoded(DATA, PADDED, 3, &[9, 0])].concat()),
        ("padding without a length", [open(), encoded(DATA, PADDED, 3, &[])].concat()),
        ("more headers when there were none", encoded(CONTINUATION, END_HEADERS, 1, &head)),
        ("data between headers", [encoded(HEADERS, 0, 3, &head), encoded(DATA, 0, 3, b"x")].concat()),
        (
            "another call's headers between headers",
            [encoded(HEADERS, 0, 3, &head), encoded(CONTINUATION, END_HEADERS, 5, &[])].concat(),
        ),
        ("headers in upper case", encoded(HEADERS, END_HEADERS, 3, &headers(APPEND, &[("X-Upper", "case")]))),
        ("nothing, many times over", [open(), encoded(DATA, 0, 3, b"").repeat(10_000)].concat()),
        ("a promise", [open(), encoded(PUSH_PROMISE, END_HEADERS, 3, &[0, 0, 0, 4])].concat()),
        ("a ping that is too short", encoded(PING, 0, 0, &[0; 7])),
        ("a ping of a call", [open(), encoded(PING, 0, 3, &[0; 8])].concat()),
        ("settings of a call", [open(), encoded(SETTINGS, 0, 3, &[])].concat()),
        ("settings that are no pairs", encoded(SETTINGS, 0, 0, &[0; 7])),
        ("an acknowledgement that says something", encoded(SETTINGS, 1, 0, &[0, 4, 0, 0, 0, 1])),
        ("a window wider than may be", encoded(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("frames smaller than may be", encoded(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])),
        ("a window that does not open", encoded(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window that is too short", encoded(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("the preface again", PREFACE.to_vec()),
        ("a frame longer than was agreed on", [&[1, 0, 1, DATA, 0, 0, 0, 0, 3][..], &[0; 100]].concat()),
        (
            "headers that never end",
            [encoded(HEADERS, 0, 3, &head), encoded(CONTINUATION, 0, 3, &[]).repeat(10_000)].concat(),
        ),
        (
            "headers that are too many",
            [
                encoded(HEADERS, 0, 3, &head),
                encoded(CONTINUATION, 0, 3, &block(&[("x-y", "z".repeat(8000).as_str())])).repeat(100),
            ]
            .concat(),
        ),
        (
            "calls begun and given up",
            (0..5000_u32)
                .flat_map(|at| {
                    [
                        encoded(HEADERS, END_HEADERS, 3 + 2 * at, &head),
                        encoded(RST_STREAM, 0, 3 + 2 * at, &[0, 0, 0, 8]),
                    ]
                    .concat()
                })
                .collect(),
        ),
    ]
}

#[test]
fn what_is_forbidden_ends_its_connection_and_no_other() {
    let serving = Serving::start(Options::default());
    let mut bystander = Wire::open(serving.address, 1 << 20);
    for (what, said) in crimes() {
        let mut wire = Wire::over(connected(&serving));
        wire.greet(1 << 20);
        let call = wire.call(APPEND, &append("order-1", 1, 10));
        wire.finish(call).expect("an answer");
        wire.send(&said);
        let told = wire.await_frame(&[GOAWAY]);
        assert!(told.is_none_or(|frame| frame.payload[4..8] != [0; 4]), "{what}");
        wire.closed();
    }
    let call = bystander.call(APPEND, &append("order-1", 1, 10));
    bystander.finish(call).expect("it is still served");
    serves(&serving);
    while serving.metric("gesta_requests_open") > 1 {}
}

/// What is wrong with one call and not with the connection.
#[test]
fn a_call_that_is_forbidden_leaves_its_connection_alone() {
    let serving = Serving::start(Options::default());
    let mut wire = Wire::over(connected(&serving));
    wire.greet(1 << 20);
    let nameless = block(&[(":method", "POST"), (":scheme", "http")]);
    let behind = [headers(APPEND, &[]), block(&[(":path", "/again")])].concat();
    let old = headers(APPEND, &[("connection", "keep-alive")]);
    let cases = [("without a path", nameless), ("a path behind the rest", behind), ("of HTTP/1.1", old)];
    for (call, (what, head)) in (1..).step_by(2).zip(cases) {
        wire.frame(HEADERS, END_HEADERS | END_STREAM, call, &head);
        let (_, last) = wire.finish(call).unwrap_or_else(|| panic!("it is told, {what}"));
        assert!(last.ends(), "{what}");
    }
    let said = ways()[0].1.clone();
    // The same on a call that has not been named yet.
    let said = said_on(&said, 101);
    wire.send(&said);
    assert!(is_recorded(&wire.finish(101).expect("it is served").0));
}

/// Frames of call 1 as frames of another.
fn said_on(frames: &[u8], call: u32) -> Vec<u8> {
    let (mut said, mut rest) = (Vec::new(), frames);
    while let [a, b, c, kind, flags, _, _, _, _, behind @ ..] = rest {
        let (payload, others) = behind.split_at(u32::from_be_bytes([0, *a, *b, *c]) as usize);
        said.extend(encoded(*kind, *flags, call, payload));
        rest = others;
    }
    said
}

/// Of HTTP/1.1 nothing tells that a client is gone: one that began a call and was never heard of again had its connection for ever.
#[test]
fn calls_are_made_over_http_2_alone() {
    let quick = Duration::from_millis(500);
    let serving =
        Serving::start(Options { handshake_time: quick, ping_interval: quick, ping_time: quick, ..Options::default() });
    for further in ["Content-Type: application/grpc\r\n", ""] {
        let mut wire = Wire::silent(serving.address);
        let head =
            format!("POST {APPEND} HTTP/1.1\r\nHost: gesta\r\n{further}Transfer-Encoding: chunked\r\n\r\n5\r\n\0");
        wire.send(head.as_bytes());
        wire.closed();
    }
    serves(&serving);
    assert_eq!(serving.get("/health/live").0, 204);
}

#[test]
fn a_client_that_says_nothing_behind_the_preface_is_found() {
    let quick = Duration::from_millis(500);
    let serving =
        Serving::start(Options { handshake_time: quick, ping_interval: quick, ping_time: quick, ..Options::default() });
    for said in [PREFACE.to_vec(), [PREFACE, &[0, 0, 6]].concat(), [PREFACE, &encoded(HEADERS, 0, 1, b"\0")].concat()] {
        let mut wire = Wire::silent(serving.address);
        wire.send(&said);
        wire.closed();
    }
    serves(&serving);
}

/// Clients of KurrentDB ping every ten seconds, others as they like: none of them is sent away for it.
#[test]
fn each_ping_is_answered() {
    let serving = Serving::start(Options::default());
    let mut wire = Wire::open(serving.address, 1 << 20);
    for number in 0..1000_u64 {
        wire.frame(PING, 0, 0, &number.to_be_bytes());
        let answer = wire.await_frame(&[PING, GOAWAY]).expect("an answer");
        assert_eq!((answer.kind, answer.payload), (PING, number.to_be_bytes().to_vec()));
    }
    let call = wire.call(APPEND, &append("order-1", 1, 10));
    assert!(is_recorded(&wire.finish(call).expect("it is served").0));
}
