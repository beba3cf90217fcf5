//! The local order under the suite of all orders, and what is its own: poisoning, deadlines, waiting for the head.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::{
    Local, Order, Upkeep, Work, contract,
    facts::LogFacts,
    foresight::{Foresight, foresee},
    prepare, spawn,
    threads::Body,
};
use crate::{
    append::Append,
    clock::ManualClock,
    commit::Facts,
    disk::{
        Disk,
        memory::{Fault, MemoryDisk, Operation},
    },
    entropy::Entropy,
    error::{Error, ErrorKind},
    event::EventData,
    index::Index,
    limits,
    log::Log,
    name::{StreamName, Tag},
    opening,
    options::Options,
    position::{ExpectedRevision, Position},
    query::{AppendCondition, Query, QueryItem, StreamFilter, TypeFilter},
    read::{ReadOptions, Source},
    store::EventStore,
};

fn options(threads: bool) -> Options {
    Options { threads, clock: Arc::new(ManualClock::default()), ..Options::default() }
}

fn local(threads: bool) -> Local {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = opening::open(&disk, &options(threads)).expect("an empty disk can be opened");
    Local::start(opened.parts, &mut spawn).expect("threads can be started")
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
    let event = EventData::json("Happened".try_into().expect("valid"), "{}");
    store.append(stream.try_into().expect("valid"), expected, [event]).wait()
}

/// I1: a rejection may rest on an append of the same group; if that cannot be made durable, the rejection must not be told either.
#[test]
fn i1_a_failed_sync_answers_nobody_and_poisons_the_store() {
    let disk = Arc::new(MemoryDisk::new());
    let store = EventStore::open_on(Arc::clone(&disk) as Arc<dyn Disk>, options(false)).expect("opens");
    append(&store, "a", ExpectedRevision::NoStream).expect("recorded");
    disk.fail_after(0, Fault::forever(io::ErrorKind::Other));
    let event = || [EventData::json("Happened".try_into().expect("valid"), "{}")];
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
    let event = EventData::json("Happened".try_into().expect("valid"), "{}");
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

/// A waker that counts how often it was called.
#[derive(Default)]
pub(super) struct Bell(pub(super) AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn tasks_of_one_group_are_woken_together_by_who_asked_for_it() {
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options(false)).expect("opens");
    let (sender, received) = mpsc::channel();
    store.wake_through(move |wakers| sender.send(wakers).expect("is received"));
    let wait_for = |position, waiting: usize| {
        let woken = Arc::<Bell>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut tasks: Vec<_> = (0..waiting).map(|_| Box::pin(store.head().past(position))).collect();
        for task in &mut tasks {
            assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        (woken, tasks)
    };
    let (woken, _tasks) = wait_for(Position(0), 3);
    append(&store, "a", ExpectedRevision::Any).expect("recorded");
    let wakers = received.try_recv().expect("they are handed over");
    assert_eq!((wakers.len(), woken.0.load(Ordering::SeqCst)), (3, 0), "all at once, and woken by nobody else");
    let (lone, _task) = wait_for(Position(1), 1);
    append(&store, "a", ExpectedRevision::Any).expect("recorded");
    assert_eq!(lone.0.load(Ordering::SeqCst), 1, "a lone one is woken where it is met");
    assert!(received.try_recv().is_err());
}

/// Writer threads that were started before one could not be stayed, holding the store's log for as long as the process lived.
#[test]
fn no_writer_is_left_behind_when_one_cannot_be_started() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = opening::open(&disk, &options(true)).expect("an empty disk can be opened");
    let (sender, ended) = mpsc::channel();
    let mut left = 1;
    let mut second_fails = |builder, body: Body| {
        if left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        left -= 1;
        let sender = sender.clone();
        spawn(
            builder,
            Box::new(move || {
                body();
                sender.send(()).expect("somebody listens");
            }),
        )
    };
    let error = Local::start(opened.parts, &mut second_fails).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("name=gesta-writer-1"), "{error}");
    assert!(ended.try_recv().is_ok(), "the first has ended when the error is told");
}

/// So that an error of what is started after the order stops the order too.
#[test]
fn an_order_that_is_dropped_ends_its_threads() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = opening::open(&disk, &options(true)).expect("an empty disk can be opened");
    let (sender, ended) = mpsc::channel();
    let mut watched = |builder, body: Body| {
        let sender = sender.clone();
        spawn(
            builder,
            Box::new(move || {
                body();
                sender.send(()).expect("somebody listens");
            }),
        )
    };
    drop(Local::start(opened.parts, &mut watched).expect("starts"));
    assert_eq!(ended.try_iter().count(), 2);
}

/// A queue timeout of zero put every deadline in the past: whatever did not come to its turn within the same tick was refused.
#[test]
fn without_a_queue_timeout_what_has_a_place_is_ordered() {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: Arc::clone(&clock) as _, queue_timeout: Duration::ZERO, ..options(false) };
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens");
    let event = EventData::json("Happened".try_into().expect("valid"), "{}");
    let ticket = store.append("a".try_into().expect("valid"), ExpectedRevision::Any, [event]);
    clock.advance(Duration::from_secs(3600));
    ticket.wait().expect("there was room");
}

/// An append that met a full backlog was refused with the error of a build that had begun long before, or of a merge, though the cause was
/// gone: it must see a build of its own fail.
#[test]
fn appends_are_refused_for_a_build_that_fails_now_and_for_nothing_else() {
    let upkeep = Upkeep::default();
    let full = || Err(Error::new(ErrorKind::Unavailable, "disk is full"));
    let step = |work, outcome| {
        upkeep.begin(work);
        upkeep.end(work, outcome);
    };
    step(Work::Build, full());
    upkeep.begin(Work::Build);
    let asked = upkeep.ask_for_build();
    upkeep.end(Work::Build, full());
    step(Work::Tidy, full());
    assert!(upkeep.built_since(asked).is_none(), "that build began before, and nobody waits for a merge");
    assert!(upkeep.take(Work::Build).is_some(), "another is due");
    step(Work::Build, Ok(()));
    step(Work::Build, full());
    assert!(matches!(upkeep.built_since(asked), Some(Ok(()))), "one went well, whatever came later");

    let asked = upkeep.ask_for_build();
    step(Work::Build, full());
    match upkeep.built_since(asked) {
        Some(Err(refused)) => assert_eq!(refused.to_string(), "disk is full"),
        other => panic!("the try of now failed: {other:?}"),
    }
    let asked = upkeep.ask_for_build();
    upkeep.close();
    assert!(matches!(upkeep.built_since(asked), Some(Err(_))), "there will be none");
}

/// An order over a log in which streams, types and tags take turns; the log and the index.
fn recorded(events: u64) -> (Local, Arc<Log>, Arc<Index>) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let opened = opening::open(&disk, &options(false)).expect("an empty disk can be opened");
    let (log, index) = (Arc::clone(&opened.parts.log), Arc::clone(&opened.parts.index));
    let order = Local::start(opened.parts, &mut spawn).expect("starts");
    let (clock, entropy) = (ManualClock::default(), Entropy::seeded(1));
    let event = |number: u64| {
        let event_type = if number % 97 == 5 { "Rare" } else { "Usual" };
        let tag = format!("/accounts/{}/{}", number % 7, number % 89);
        EventData::json(event_type.try_into().expect("valid"), "{}").with_tag(Tag::new(tag).expect("valid"))
    };
    for first in (0..events).step_by(100) {
        let append = (first..events.min(first + 100)).fold(Append::new(), |append, number| {
            let name = StreamName::new(format!("s{}-{}-{number}", number % 3, number % 11)).expect("valid");
            append.stream(name, ExpectedRevision::Any, [event(number)])
        });
        order.propose(prepare(append, &clock, &entropy).expect("valid")).wait().expect("recorded");
    }
    (order, log, index)
}

fn queries() -> Vec<Query> {
    let item = QueryItem::default;
    vec![
        Query::all(),
        Query::of(QueryItem { types: vec![TypeFilter::Prefix("Ra".into())], ..item() }),
        Query::of(item().event_type("Rare".try_into().expect("valid"))),
        Query::of(item().stream(StreamFilter::Prefix("s1-10-".into()))),
        Query::of(item().stream(StreamFilter::Pattern("*-3-*77".into()))),
        Query::of(item().path("/accounts/3/{n:int}".parse().expect("valid")).stream(StreamFilter::Prefix("s2".into()))),
        Query::of(item().path("/accounts/*/13".parse().expect("valid"))),
        Query::of(item().path("/nothing/**".parse().expect("valid"))),
    ]
}

/// I3: whatever was durable when a condition was looked at ahead, the verdict is the one there would have been without.
#[test]
fn i3_what_is_foreseen_changes_no_verdict() {
    const EVENTS: u64 = 5000;
    let (_order, log, index) = recorded(EVENTS);
    let next = Position(EVENTS);
    let all = log.read_forward(Position::START, next, usize::MAX, usize::MAX).expect("reads");
    for query in queries() {
        let passes: Vec<u64> = all
            .iter()
            .filter(|event| query.matches(event.stream, event.event_type, event.tags.iter()))
            .map(|event| event.position.0)
            .collect();
        for after in [None, Some(0), Some(2500), Some(4990), Some(EVENTS - 1), Some(EVENTS), Some(u64::MAX)] {
            let expected = passes.iter().copied().find(|position| after.is_none_or(|after| *position > after));
            let condition = AppendCondition { none_matching: query.clone(), after: after.map(Position) };
            for head in [0, 1, 500, 2500, 2501, 4000, 4991, EVENTS] {
                let foresights = foresee(std::slice::from_ref(&condition), &index, Position(head));
                let mut facts = LogFacts { log: &log, index: &index, next, foresights: &foresights };
                let found = facts.first_conflict(0, &condition).expect("facts");
                assert_eq!(found, expected.map(Position), "{query:?} after={after:?} head={head} {foresights:?}");
            }
        }
    }
}

/// A condition over a wide prefix walked the dictionaries of the whole index while everybody waited. What was looked at ahead must be
/// believed: told something wrong, the facts repeat it.
#[test]
fn what_was_foreseen_is_not_looked_at_again() {
    let (_order, log, index) = recorded(300);
    let none_matching = Query::of(QueryItem::default().stream(StreamFilter::Prefix("s1".into())));
    let condition = AppendCondition { none_matching, after: None };
    let ask = |foresight| {
        let mut facts = LogFacts { log: &log, index: &index, next: Position(300), foresights: &[foresight] };
        facts.first_conflict(0, &condition).expect("facts").map(|position| position.0)
    };
    assert_eq!(ask(Foresight::Unknown), Some(1));
    assert_eq!(ask(Foresight::ClearBefore(Position(200))), Some(202));
    assert_eq!(ask(Foresight::ClearBefore(Position(299))), None);
    assert_eq!(ask(Foresight::Conflict(Position(7))), Some(7));
}

/// The same through the front door: what is durable is asked of the index, before; in turn there is nothing left to be looked at.
#[test]
fn a_condition_is_judged_before_its_append_has_a_place() {
    let disk = Arc::new(MemoryDisk::new());
    let options = Options { tail_cache_bytes: 0, ..options(false) };
    let store = EventStore::open_on(Arc::clone(&disk) as Arc<dyn Disk>, options).expect("opens");
    for number in 0..300 {
        append(&store, &format!("s-{number}"), ExpectedRevision::NoStream).expect("recorded");
    }
    let none_matching = Query::of(QueryItem::default().stream(StreamFilter::Prefix("s-x".into())));
    let event = EventData::json("Happened".try_into().expect("valid"), "{}");
    let request = Append::to("new".try_into().expect("valid"), ExpectedRevision::NoStream, [event])
        .condition(AppendCondition { none_matching, after: None });
    let reads = disk.operations().of(Operation::Read);
    store.commit(request).wait().expect("nothing matches");
    assert_eq!(disk.operations().of(Operation::Read), reads, "events were read while others had to wait");
}

/// A tag named twice is recorded once, and so it counts once: checks look at what will be recorded.
#[test]
fn tags_named_twice_count_once() {
    let store = EventStore::open_on(Arc::new(MemoryDisk::new()), options(false)).expect("opens");
    let event = || EventData::json("Happened".try_into().expect("valid"), "{}");
    let tagged = |count: usize| {
        (0..2 * count)
            .fold(event(), |event, number| event.with_tag(Tag::new(format!("tag-{}", number % count)).expect("valid")))
    };
    let append = |event| store.append("a".try_into().expect("valid"), ExpectedRevision::Any, [event]).wait();
    append(tagged(limits::TAGS_PER_EVENT_MAX)).expect("as many as may be");
    assert!(append(tagged(limits::TAGS_PER_EVENT_MAX + 1)).is_err());
}
