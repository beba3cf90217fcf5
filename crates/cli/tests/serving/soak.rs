//! A server that is worked on for a long time: appended to, read, deleted from, stopped, killed and started again. What it holds is what it
//! answered, and it takes no more memory late than early.
//!
//! `GESTA_SOAK_SECONDS` says how long; two lives of the server, if it does not.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use gesta::{AppendError, EventData, EventType, ExpectedRevision, From, ReadOptions, Rejection, Source, StreamName};
use gesta_server::{
    client::{Client, Followed},
    native::{AppendRequest, Change, Write},
};
use rustix::process::Signal;

use super::server::Server;

const CLIENTS: u64 = 4;
/// Appends of each client in one life of the server.
const APPENDS: u64 = 200;
/// Events of each append.
const EVENTS: u64 = 10;
/// What more memory a late life may take than an early one: what an allocator keeps, and an index of more runs.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

fn write(stream: &StreamName, change: Change) -> AppendRequest {
    let write = Write { stream: stream.clone(), expected: ExpectedRevision::Any, change };
    AppendRequest { writes: vec![write], ..AppendRequest::default() }
}

fn stream(life: u64, client: u64) -> StreamName {
    StreamName::new(format!("soak-{life}-{client}")).expect("valid")
}

/// The work of one client in one life: appends, reads back what it appended, and lets every other stream be deleted.
fn work(url: &str, life: u64, number: u64) {
    let client = Client::connect(url, None).expect("it listens");
    let stream = stream(life, number);
    for append in 0..APPENDS {
        let event = |event: u64| {
            let text = format!("{{\"n\":{},\"text\":\"{}\"}}", append * EVENTS + event, "x".repeat(200));
            EventData::json(EventType::new("Noted").expect("valid"), text)
        };
        let request = write(&stream, Change::Append((0..EVENTS).map(event).collect()));
        client.append(request).expect("an answer").expect("recorded");
    }
    let mut read = client.read(&Source::Stream(stream.clone()), &ReadOptions::default()).expect("a read");
    let mut next = 0;
    while let Some(events) = read.next_batch().expect("an answer") {
        for event in events {
            assert_eq!(event.revision.0, next);
            next += 1;
        }
    }
    assert_eq!(next, APPENDS * EVENTS, "what was appended is read");
    if number.is_multiple_of(2) {
        client.append(write(&stream, Change::Tombstone)).expect("an answer").expect("ended");
        let late = EventData::json(EventType::new("Late").expect("valid"), "{}");
        let refused = client.append(write(&stream, Change::Append(vec![late]))).expect("an answer");
        assert!(matches!(refused, Err(AppendError::Rejected(Rejection::StreamDeleted { .. }))), "{refused:?}");
    }
}

/// Follows the log from where the life began until all of it was heard: how many events that were.
fn follow(url: &str, from: u64, until: u64) -> u64 {
    let client = Client::connect(url, None).expect("it listens");
    let from = From::Position(gesta::Position(from));
    let mut following = client.follow(&Source::All, from, false).expect("a subscription");
    let mut heard = 0;
    loop {
        let (events, checked_to) = match following.next(Duration::from_secs(60)).expect("an answer") {
            Followed::Events(events, checked_to) => (events.len(), checked_to),
            Followed::CaughtUp(checked_to) => (0, checked_to),
            Followed::Nothing | Followed::End => panic!("a subscription goes on until it is given up"),
        };
        heard += events as u64;
        if checked_to.0 >= until {
            return heard;
        }
    }
}

/// Memory of its own that a process has: what it maps of files comes and goes as the system likes.
fn anonymous_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("smaps_rollup")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_server_holds_what_it_answered_and_does_not_grow() {
    let seconds = std::env::var("GESTA_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (begun, patience) = (Instant::now(), Duration::from_secs(seconds));
    let place = tempfile::tempdir().expect("a directory");
    let (mut life, mut head, mut memory) = (0, 0, Vec::new());
    // Each client's events, and a tombstone of every other stream.
    let per_life = CLIENTS * APPENDS * EVENTS + CLIENTS / 2;
    while life < 2 || begun.elapsed() < patience {
        let server = Server::start(place.path(), 0, &[]);
        let url = server.url.clone();
        let until = head + per_life;
        let follower = thread::spawn({
            let url = url.clone();
            move || follow(&url, head, until)
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let url = url.clone();
                thread::spawn(move || work(&url, life, number))
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().expect("no client panicked"));
        assert_eq!(follower.join().expect("the follower did not panic"), per_life, "everything is heard once");
        let client = Client::connect(&url, None).expect("it listens");
        head = client.info().expect("an answer").head;
        assert_eq!(head, until, "nothing is lost, and nothing comes twice");
        memory.push(anonymous_bytes(server.pid()));
        // Ends as it should, and as it should not.
        if life % 2 == 0 {
            server.signal(Signal::TERM);
            assert_eq!(server.ended(), Some(0));
        } else {
            server.signal(Signal::KILL);
            assert_eq!(server.ended(), None);
        }
        life += 1;
    }
    let (first, last) = (memory[1], memory[memory.len() - 1]);
    println!("lives: {life}, events: {head}, memory first: {first}, last: {last}, most: {:?}", memory.iter().max());
    assert!(last <= first + GROWTH_BYTES_MAX, "memory is flat: {memory:?}");
}
