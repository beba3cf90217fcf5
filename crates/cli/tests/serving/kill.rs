//! A server killed under load, again and again: what it answered is there, and clients come back; and one killed while messages are in flight.
//!
//! `GESTA_KILLS` says how often; a few times if it does not.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use gesta::{
    ConsumerOptions, EventData, EventStore, EventType, ExpectedRevision, GroupName, GroupSettings, MessageId, Position,
    ReadOptions, Source, Strategy, StreamName,
};
use gesta_server::{
    client::Client,
    client_consumer::RemoteConsumer,
    native::{AppendRequest, Change, GroupChange, Write},
};
use rustix::process::Signal;

use super::server::Server;

const CLIENTS: usize = 32;
/// Answers between two kills.
const ANSWERS: u64 = 300;

fn kills() -> usize {
    std::env::var("GESTA_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

/// Connects, as soon as somebody listens.
fn connect(url: &str) -> Option<Client> {
    if TcpStream::connect(url.trim_start_matches("http://")).is_err() {
        thread::yield_now();
        return None;
    }
    Client::connect(url, None).ok()
}

/// One client: appends to a stream of its own until it is told to stop, and comes back whenever the server is gone. The revisions that were
/// acknowledged, with the number that is in the event.
fn client(number: usize, url: &str, stop: &AtomicBool, answers: &AtomicU64) -> BTreeMap<u64, u64> {
    let stream = StreamName::new(format!("client-{number}")).expect("valid");
    let (mut acknowledged, mut next) = (BTreeMap::new(), 0);
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(client) = connection.take().or_else(|| connect(url)) else { continue };
        next += 1;
        let data = EventData::json(EventType::new("Noted").expect("valid"), next.to_string());
        let change = Change::Append(vec![data]);
        let write = Write { stream: stream.clone(), expected: ExpectedRevision::Any, change };
        let request = AppendRequest { writes: vec![write], ..AppendRequest::default() };
        // What was not answered may be there or not.
        if let Ok(outcome) = client.append(request) {
            let appended = outcome.expect("nothing is refused");
            let revision = appended.next_revisions[0].current().expect("an event").0;
            acknowledged.insert(revision, next);
            answers.fetch_add(1, Ordering::Relaxed);
            connection = Some(client);
        }
    }
    acknowledged
}

#[test]
fn nothing_that_was_answered_is_lost() {
    let place = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(place.path(), 0, &[]);
    let (port, url) = (server.port(), server.url.clone());
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (url, stop, answers) = (url.clone(), Arc::clone(&stop), Arc::clone(&answers));
            let acknowledged = Arc::clone(&acknowledged);
            thread::spawn(move || {
                let mine = client(number, &url, &stop, &answers);
                acknowledged.lock().expect("nobody panicked").insert(number, mine);
            })
        })
        .collect();
    for _ in 0..kills() {
        let before = answers.load(Ordering::Relaxed);
        while answers.load(Ordering::Relaxed) < before + ANSWERS {
            thread::yield_now();
        }
        server.signal(Signal::KILL);
        assert_eq!(server.ended(), None);
        server = Server::start(place.path(), port, &[]);
    }
    // Clients have come back.
    let before = answers.load(Ordering::Relaxed);
    while answers.load(Ordering::Relaxed) < before + ANSWERS {
        thread::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().expect("no client panicked"));
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));

    let store = EventStore::open(place.path()).expect("opens");
    for (number, acknowledged) in acknowledged.lock().expect("nobody panicked").iter() {
        let stream = StreamName::new(format!("client-{number}")).expect("valid");
        let read = store.read_stream(stream, ReadOptions::default()).expect("a read");
        let found: BTreeMap<u64, u64> = read
            .map(|event| event.expect("whole"))
            .map(|event| (event.revision.0, str::from_utf8(&event.data).expect("digits").parse().expect("a number")))
            .collect();
        for (revision, number) in acknowledged {
            assert_eq!(found.get(revision), Some(number), "an answered event is where it was said to be");
        }
    }
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// The next messages of a consumer, by where they stand.
fn next(consumer: &mut RemoteConsumer) -> Vec<u64> {
    let messages = consumer.next(10, LONG, LONG).expect("served").expect("in time");
    messages.into_iter().map(|(MessageId(Position(at)), _)| at).collect()
}

/// What was in flight comes again, as often as it did before and once more; what was acked, and that was durable, does not.
#[test]
fn messages_in_flight_come_again_with_their_counts() {
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), 0, &[]);
    let client = Client::connect(&server.url, None).expect("connects");
    let events = (0..5).map(|n: u64| EventData::json(EventType::new("Noted").expect("valid"), n.to_string()));
    let stream = StreamName::new("s").expect("valid");
    let change = Change::Append(events.collect());
    let write = Write { stream: stream.clone(), expected: ExpectedRevision::Any, change };
    let request = AppendRequest { writes: vec![write], ..AppendRequest::default() };
    client.append(request).expect("answered").expect("nothing is refused");
    // Progress is written with each ack, and time runs out soon.
    let settings = GroupSettings {
        strategy: Strategy::RoundRobin,
        min_checkpoint_count: 1,
        max_checkpoint_count: 1,
        message_timeout: Some(Duration::from_millis(50)),
        max_retry_count: 1_000_000,
        ..GroupSettings::default()
    };
    let (source, group) = (Source::Stream(stream.clone()), "s::g".parse::<GroupName>().expect("valid"));
    client.change_group(&group, &GroupChange::Create(source, settings)).expect("created");
    let options = ConsumerOptions { name: "till".to_owned(), slots: 5 };
    let mut consumer = client.consume(&group, &options).expect("connects");
    let mut came = BTreeMap::new();
    let mut is_acked = false;
    while !is_acked {
        let taken = next(&mut consumer);
        taken.iter().for_each(|at| *came.entry(*at).or_insert(0) += 1);
        let all_came_again = came.len() == 5 && came.values().all(|times| *times > 1);
        // Its time may be over again.
        is_acked = all_came_again && taken.contains(&0) && consumer.ack(&[MessageId(Position(0))]).is_ok();
    }
    while client.groups(Some(&group)).expect("told")[0].checkpoint == 0 {}
    server.signal(Signal::KILL);
    assert_eq!(server.ended(), None);

    let store = EventStore::open(place.path()).expect("opens");
    let again = store.groups().connect(&group, &options).expect("connects");
    let mut messages = Vec::new();
    while messages.len() < 4 {
        messages.extend(again.next(10, Some(LONG)).expect("there are some"));
    }
    assert_eq!(messages.iter().map(|message| message.id.0.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(messages.iter().all(|message| message.retries > 0), "{messages:?}");
    drop(again);
    store.close().expect("closes");

    let server = Server::start(place.path(), 0, &[]);
    let client = Client::connect(&server.url, None).expect("connects");
    let mut consumer = client.consume(&group, &options).expect("connects");
    let mut left = Vec::new();
    while left.len() < 4 {
        left.extend(next(&mut consumer));
    }
    assert_eq!(left, [1, 2, 3, 4]);
}
