//! Waiting for messages, on threads and in tasks, and the end of waiting.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::{Context, Poll, Wake, Waker},
    thread,
};

use super::*;
use gesta_store::{
    ErrorKind, EventStore, GroupError, Nack, Options, Replay,
    clock::SystemClock,
    disk::{Disk, memory::Fault},
};

/// A store with its threads and the clock of this machine.
fn threaded() -> World {
    let disk = MemoryDisk::new();
    let options = Options { clock: Arc::new(SystemClock::default()), ..Options::default() };
    let store = EventStore::open_on(Arc::new(disk.clone()) as Arc<dyn Disk>, options).unwrap();
    let groups = store.groups();
    World { disk, clock: Arc::default(), store, groups }
}

#[test]
fn every_message_comes_to_one_of_many_who_wait() {
    let world = threaded();
    world.create(&on_all(), Source::All, GroupSettings::default());
    const EVENTS: u64 = 400;
    let settled = AtomicUsize::new(0);
    let seen: Vec<MessageId> = thread::scope(|scope| {
        let consume = || {
            let consumer = world.connect(&on_all());
            let mut seen = Vec::new();
            while settled.load(Ordering::SeqCst) < EVENTS as usize {
                let messages = consumer.next(7, Some(Duration::from_millis(50))).unwrap();
                consumer.ack(&ids(&messages)).unwrap();
                settled.fetch_add(messages.len(), Ordering::SeqCst);
                seen.extend(ids(&messages));
            }
            seen
        };
        let consumers: Vec<_> = (0..4).map(|_| scope.spawn(consume)).collect();
        for number in 0..EVENTS {
            world.append(&format!("s-{}", number % 13), ["A"]);
        }
        consumers.into_iter().flat_map(|consumer| consumer.join().unwrap()).collect()
    });
    let mut once = seen.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((seen.len(), once.len()), (EVENTS as usize, EVENTS as usize));
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let world = threaded();
    world.create(&on_all(), Source::All, GroupSettings::default());
    let consumer = world.connect(&on_all());
    assert_eq!(consumer.next(1, Some(Duration::from_millis(5))).unwrap(), []);
}

/// Time is waited for by whoever waits: nobody else has to call for a message to come to him from one who is silent.
#[test]
fn who_waits_gets_what_a_silent_consumer_let_lie() {
    let world = threaded();
    world.append("a", ["A"]);
    let settings = GroupSettings { message_timeout: Some(Duration::from_millis(20)), ..GroupSettings::default() };
    world.create(&on_all(), Source::All, settings);
    let silent = world.connect(&on_all());
    assert_eq!(silent.next(1, None).unwrap().len(), 1);
    let other = world.connect(&on_all());
    assert_eq!(other.next(1, None).unwrap()[0].retries, 1);
}

/// A client parked a message and then asked for a replay, which found nothing: the link was not durable yet.
#[test]
fn what_was_parked_just_before_is_replayed() {
    let world = threaded();
    world.append("a", ["A"]);
    world.create(&on_all(), Source::All, GroupSettings::default());
    let consumer = world.connect(&on_all());
    let taken = consumer.next(1, None).unwrap();
    consumer.nack(&ids(&taken), Nack::Park, "no").unwrap();
    assert_eq!(world.groups.replay(&on_all(), Replay::All).unwrap(), 1);
    assert_eq!(ids(&consumer.next(1, None).unwrap()), ids(&taken));
}

#[test]
fn closing_the_store_ends_every_wait() {
    let world = threaded();
    world.create(&on_all(), Source::All, GroupSettings::default());
    let consumers: Vec<Consumer> = (0..3).map(|_| world.connect(&on_all())).collect();
    thread::scope(|scope| {
        let waiting: Vec<_> = consumers.iter().map(|consumer| scope.spawn(|| consumer.next(1, None))).collect();
        world.store.close().unwrap();
        for outcome in waiting {
            assert_eq!(outcome.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
        }
    });
    assert_eq!(consumers[0].ack(&at([0])).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(world.groups.flush(&on_all()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(world.groups.connect(&on_all(), &ConsumerOptions::default()).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn deleting_the_group_ends_every_wait() {
    let world = threaded();
    world.create(&on_all(), Source::All, GroupSettings::default());
    let consumer = world.connect(&on_all());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| consumer.next(1, None));
        world.groups.delete(&on_all()).unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(GroupError::Dropped { .. })));
    });
}

/// A store that takes no appends any more takes no progress: consumers hear of it instead of working for nothing.
#[test]
fn a_store_that_refuses_appends_ends_the_group() {
    let world = World::new();
    world.append("a", ["A"; 3]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    world.disk.fail_after(0, Fault::forever(std::io::ErrorKind::Other));
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    let error = consumer.try_next(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    let closed = |outcome: Result<(), GroupError>| assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Closed);
    closed(world.groups.flush(&on_all()));
    closed(world.groups.connect(&on_all(), &ConsumerOptions::default()).map(drop));
    closed(world.groups.flush(&on_all()));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task is woken by what comes for it, by what another gives back, and not when it has gone.
#[test]
fn tasks_wait_as_threads_do() {
    let world = World::new();
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let (one, two) = (world.connect(&on_all()), world.connect(&on_all()));
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    {
        let mut ready = pin!(one.ready());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        world.append("a", ["A"]);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        match ready.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => outcome.unwrap(),
            Poll::Pending => panic!("there is a message"),
        }
        let taken = drain(&one);
        let mut other = pin!(two.ready());
        assert!(other.as_mut().poll(&mut context).is_pending());
        let before = count.0.load(Ordering::SeqCst);
        one.nack(&ids(&taken), Nack::Stop, "enough").unwrap();
        assert!(count.0.load(Ordering::SeqCst) > before);
        assert!(other.as_mut().poll(&mut context).is_ready());
    }
    assert_eq!(drain(&two).len(), 1);
    let woken = count.0.load(Ordering::SeqCst);
    world.append("a", ["B"]);
    assert_eq!(count.0.load(Ordering::SeqCst), woken, "nobody waits any more");
}

/// The progress of a group cannot be written because somebody has ended its stream for ever. Messages still flow, to everybody; what cannot be
/// parked waits; and it is said why.
#[test]
fn a_state_that_cannot_be_written_stalls_nobody() {
    let world = World::new();
    world.append("a", ["A"; 6]);
    world.create(&on_all(), Source::All, GroupSettings { max_checkpoint_count: 5, ..with(Strategy::RoundRobin) });
    let (one, two) = (world.connect(&on_all()), world.connect(&on_all()));
    world.store.tombstone_stream(on_all().checkpoint_stream(), ExpectedRevision::Any).wait().unwrap();
    let (first, second) = (drain(&one), drain(&two));
    one.nack(&ids(&first)[..1], Nack::Park, "no").unwrap();
    one.ack(&ids(&first)[1..]).unwrap();
    two.ack(&ids(&second)).unwrap();
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.parking, info.parked), (1, 0));
    assert!(info.stalled.unwrap().contains("stream was deleted for ever"));
    world.append("a", ["B"; 2]);
    assert_eq!(drain(&one).len() + drain(&two).len(), 2);
    assert_eq!(world.groups.flush(&on_all()).unwrap_err().kind(), ErrorKind::Unavailable);
    // The store itself closes in an orderly way nevertheless.
    world.store.close().unwrap();
}

/// A waker is called for what comes after it was given, once, and by the thread that appends.
#[test]
fn a_consumer_can_be_woken_without_being_polled() {
    #[derive(Default)]
    struct Count(AtomicU64);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let world = World::new();
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    let count = Arc::new(Count::default());
    let woken = || count.0.load(Ordering::SeqCst);
    let wake_up = consumer.wake_up(Arc::clone(&count).into());
    assert_eq!((drain(&consumer).len(), woken()), (0, 0));
    world.append("a", ["1"]);
    world.append("a", ["2"]);
    assert_eq!((drain(&consumer).len(), woken()), (2, 1));
    wake_up.renew(Arc::clone(&count).into());
    assert_eq!((drain(&consumer).len(), woken()), (0, 1));
    drop(wake_up);
    world.append("a", ["3"]);
    assert_eq!((drain(&consumer).len(), woken()), (1, 1));
}

/// Half of the consumers take what they can and never answer. The others get everything else, and in the end that too.
#[test]
fn dead_consumers_stall_nobody() {
    let world = World::new();
    for number in 0..100 {
        world.append(["a", "b", "c", "d", "e"][number % 5], ["A"]);
    }
    let settings = GroupSettings { history_buffer: 20, live_buffer: 20, read_batch: 5, ..GroupSettings::default() };
    world.create(&on_all(), Source::All, settings);
    let options = ConsumerOptions { slots: 2, ..ConsumerOptions::default() };
    let dead: Vec<Consumer> = (0..2).map(|_| world.groups.connect(&on_all(), &options).unwrap()).collect();
    let lost: usize = dead.iter().map(|consumer| drain(consumer).len()).sum();
    assert_eq!(lost, 4);
    let alive = world.groups.connect(&on_all(), &options).unwrap();
    let mut worked_off = 0;
    for round in 0..200 {
        let taken = drain(&alive);
        alive.ack(&ids(&taken)).unwrap();
        worked_off += taken.len();
        if taken.is_empty() {
            world.clock.advance(31 * SECOND);
        }
        if worked_off == 100 {
            assert!(round > 10);
            return;
        }
    }
    panic!("only {worked_off} of 100 messages came");
}

/// Tells how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Who waited, waited until what was due when he began. An answer given by another thread made something due sooner, of which nobody knew: progress was not
/// written, nor did a retry come, until something else happened.
#[test]
fn an_answer_that_makes_something_due_sooner_is_told_to_who_waits() {
    let world = World::new();
    world.append("a", ["A"; 8]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    assert_eq!(ids(&drain(&consumer)), at(0..8));
    let wakes = Arc::new(Wakes::default());
    let waits = consumer.wake_up(Arc::clone(&wakes).into());
    let woken = || {
        waits.renew(Arc::clone(&wakes).into());
        wakes.0.swap(0, Ordering::SeqCst)
    };
    assert_eq!(drain(&consumer), []);
    consumer.ack(&at(0..4)).unwrap();
    assert_eq!(woken(), 0, "fewer than are written");
    consumer.ack(&at([4])).unwrap();
    assert_eq!((woken(), consumer.next_deadline()), (1, Some(GroupSettings::default().checkpoint_after)));
    consumer.ack(&at([5])).unwrap();
    assert_eq!(woken(), 0, "it is due already");
    consumer.nack(&at([6]), Nack::Retry { after: SECOND / 2 }, "soon").unwrap();
    assert_eq!((woken(), consumer.next_deadline()), (1, Some(SECOND / 2)));
    world.clock.advance(SECOND);
    assert_eq!(ids(&drain(&consumer)), at([6]));
    world.groups.flush(&on_all()).unwrap();
    assert_eq!(world.groups.info(&on_all()).unwrap().checkpoint, Position(6));
}

/// A consumer that began to wait when nothing was in flight waited for ever: also when another took messages then, and did not come back.
#[test]
fn who_waits_looks_after_what_others_took_meanwhile() {
    let world = World::new();
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let (waits, takes) = (world.connect(&on_all()), world.connect(&on_all()));
    assert_eq!((drain(&waits), waits.next_deadline()), (vec![], None));
    let timeout = GroupSettings::default().message_timeout.unwrap();
    assert_eq!(waits.due_in(), Some(timeout));
    world.append("a", ["A"; 2]);
    assert_eq!(ids(&drain(&takes)).len() + ids(&drain(&waits)).len(), 2);
    world.clock.advance(timeout);
    assert!(!drain(&waits).is_empty(), "they come to who is there");
    let forever = GroupSettings { message_timeout: None, ..with(Strategy::RoundRobin) };
    drop((waits, takes));
    world.groups.update(&on_all(), forever).unwrap();
    assert_eq!(world.connect(&on_all()).due_in(), None, "nothing is taken from anybody");
}
