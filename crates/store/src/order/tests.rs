//! The local order under the suite of all orders, and what is its own: poisoning, deadlines, waiting for the head.

use std::{
    future::Future,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Local, contract};
use crate::{
    clock::ManualClock,
    disk::{
        Disk,
        memory::{Fault, MemoryDisk},
    },
    error::ErrorKind,
    opening,
    options::Options,
    position::{ExpectedRevision, Position},
    read::{ReadOptions, Source},
    store::EventStore,
};

fn options(threads: bool) -> Options {
    Options { threads, clock: Arc::new(ManualClock::default()), ..Options::default() }
}

fn local(threads: bool) -> Local {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = opening::open(&disk, &options(threads)).expect("an empty disk can be opened");
    Local::start(opened.parts).expect("threads can be started")
}

#[test]
fn local_order_with_threads_keeps_the_contract() {
    contract::suite(|| local(true));
}

#[test]
fn local_order_driven_by_its_callers_keeps_the_contract() {
    contract::suite(|| local(false));
}

fn append(store: &EventStore, stream: &str, expected: ExpectedRevision) -> crate::append::Outcome {
    let event = crate::event::EventData::json("Happened".try_into().expect("valid"), "{}");
    store.append(stream.try_into().expect("valid"), expected, [event]).wait()
}

/// I1: a rejection may rest on an append of the same group; if that cannot be made durable, the rejection must not be told either.
#[test]
fn i1_a_failed_sync_answers_nobody_and_poisons_the_store() {
    let disk = Arc::new(MemoryDisk::new());
    let store = EventStore::open_on(Arc::clone(&disk) as Arc<dyn Disk>, options(false)).expect("opens");
    append(&store, "a", ExpectedRevision::NoStream).expect("recorded");
    disk.fail_after(0, Fault::forever(io::ErrorKind::Other));
    let event = || [crate::event::EventData::json("Happened".try_into().expect("valid"), "{}")];
    let tickets = [
        store.append("b".try_into().expect("valid"), ExpectedRevision::NoStream, event()),
        store.append("b".try_into().expect("valid"), ExpectedRevision::NoStream, event()),
    ];
    for ticket in tickets {
        match ticket.wait() {
            Err(crate::append::AppendError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Closed),
            other => panic!("neither may be answered with a verdict: {other:?}"),
        }
    }
    disk.heal();
    // Reads go on, appends stay refused, the head does not move.
    let events = store.read(Source::All, ReadOptions::default()).expect("reads go on").count();
    assert_eq!((events, store.head().position()), (1, Position(1)));
    assert!(append(&store, "c", ExpectedRevision::Any).is_err());
    assert!(store.info().expect("info").refusing_appends.is_some());
    drop(store);
    let store = EventStore::open_on(disk, options(false)).expect("opens again");
    append(&store, "c", ExpectedRevision::NoStream).expect("appends go on after reopening");
}

#[test]
fn an_append_that_waited_too_long_is_refused_and_never_ordered() {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: Arc::clone(&clock) as _, queue_timeout: Duration::from_secs(1), ..options(false) };
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens");
    let event = crate::event::EventData::json("Happened".try_into().expect("valid"), "{}");
    let ticket = store.append("a".try_into().expect("valid"), ExpectedRevision::Any, [event]);
    clock.advance(Duration::from_secs(2));
    match ticket.wait() {
        Err(crate::append::AppendError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        other => panic!("must be refused: {other:?}"),
    }
    assert_eq!(store.head().position(), Position::START);
}

#[test]
fn the_head_can_be_awaited() {
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options(false)).expect("opens");
    let head = store.head();
    let mut past = std::pin::pin!(head.past(Position(1)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(past.as_mut().poll(&mut context).is_pending());
    append(&store, "a", ExpectedRevision::Any).expect("recorded");
    assert!(past.as_mut().poll(&mut context).is_pending(), "position 1 is not there yet");
    append(&store, "a", ExpectedRevision::Any).expect("recorded");
    assert!(matches!(past.as_mut().poll(&mut context), Poll::Ready(Ok(Position(2)))));
    let mut closing = std::pin::pin!(head.past(Position(7)));
    assert!(closing.as_mut().poll(&mut context).is_pending());
    store.close().expect("closes");
    assert!(
        matches!(closing.as_mut().poll(&mut context), Poll::Ready(Err(error)) if error.kind() == ErrorKind::Closed)
    );
}
