//! The hand-off between whoever moves the head and whoever waits for it, and between who has an append and who orders it, in every order in which their steps can come: models for `loom`, built
//! only under `--cfg loom` and run by `cargo xtask test --only hand-off`.
//!
//! What a model looks for is a wait that never ends, which loom reports as a deadlock; a wait that ends at the wrong place; and a place that is not
//! given back.

use std::{
    collections::VecDeque,
    future::Future,
    ops::Range,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use uuid::Uuid;

use super::{
    Following, Head, Interest, Parker, Ticket, Wait,
    followers::FreshCommit,
    prepare::prepare,
    queue::{Queue, Waiting},
};
use crate::{
    append::Append,
    clock::ManualClock,
    entropy::Entropy,
    error::{ErrorKind, Result},
    event::{EventRef, Tags},
    index::Term,
    position::{ExpectedRevision, Position, Revision, Timestamp},
};

/// A log in which every event is in a stream of its own, `s0`, `s1`, …
struct Log(Vec<EventRef<'static>>);

impl<'a> IntoIterator for &'a Log {
    type Item = EventRef<'a>;
    type IntoIter = std::vec::IntoIter<EventRef<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.clone().into_iter()
    }
}

const STREAMS: [&str; 3] = ["s0", "s1", "s2"];

fn read(range: Range<Position>) -> Result<Log> {
    let event = |position: u64| EventRef {
        position: Position(position),
        revision: Revision::START,
        recorded_at: Timestamp(0),
        id: Uuid::nil(),
        stream: STREAMS[usize::try_from(position).expect("small")],
        event_type: "Happened",
        content_type: "application/json",
        tags: Tags::default(),
        data: b"",
        metadata: b"",
        erased: false,
    };
    Ok(Log((range.start.0..range.end.0).map(event).collect()))
}

/// The events of a range, as they were ordered.
fn ordered(range: Range<u64>) -> Vec<FreshCommit> {
    let log = read(Position(range.start)..Position(range.end)).expect("given");
    (&log).into_iter().map(|event| FreshCommit::of(&event)).collect()
}

/// What a leader does with a group that is durable, and was ordered when nobody waited.
fn lead(head: &Head, end: u64) {
    lead_with(head, end, &[]);
}

/// As `lead`, with what was ordered while somebody waited.
fn lead_with(head: &Head, end: u64, fresh: &[FreshCommit]) {
    head.publish(Position(end)).into_iter().for_each(Waker::wake);
    head.announce(fresh, read);
}

fn wait_for(stream: &'static str, from: Position) -> Wait {
    Wait { interest: Arc::new(Interest::in_stream(Term::Stream(stream))), from, since: None, mark: None }
}

/// Waits as a subscription does, from the head there is, until the event at `wanted`, the only one of its stream, is there. Answers with how
/// often he was woken.
fn follow(head: &Head, wanted: u64) -> usize {
    let stream = STREAMS[usize::try_from(wanted).expect("small")];
    let mut looked_to = Position::START;
    let mut woken = 0;
    loop {
        let to = head.position();
        assert!(to >= looked_to, "the head never moves back");
        if to.0 > wanted {
            return woken;
        }
        let (parker, waker) = Parker::new();
        let Some(mut following) = head.follow(wait_for(stream, to), waker.clone()).expect("open") else { continue };
        while following.poll(waker.clone()).is_pending() {
            parker.park(None);
        }
        woken += 1;
        looked_to = following.end();
        assert_eq!(looked_to, Position(wanted), "woken by the event he waits for, with nothing before it");
    }
}

fn assert_nobody_waits(head: &Head) {
    assert_eq!(head.followers().waiting(), 0, "every place is given back");
}

#[test]
fn hand_off_to_a_follower_loses_nothing() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let leader = thread::spawn({
            let head = head.clone();
            move || lead(&head, 1)
        });
        assert!(follow(&head, 0) <= 1);
        leader.join().expect("no panic");
        assert_nobody_waits(&head);
    });
}

/// The second may announce before the first, and then announces for both: his own from what he has ordered, the first one's from the log.
#[test]
fn hand_off_by_two_leaders_loses_nothing() {
    for wanted in [0, 1] {
        loom::model(move || {
            let head = Head::at(Position::START);
            let follower = thread::spawn({
                let head = head.clone();
                move || follow(&head, wanted)
            });
            // Groups are published one after the other, and announced as it happens.
            head.publish(Position(1)).into_iter().for_each(Waker::wake);
            let second = thread::spawn({
                let head = head.clone();
                move || lead_with(&head, 2, &ordered(1..2))
            });
            head.announce(&ordered(0..1), read);
            second.join().expect("no panic");
            assert!(follower.join().expect("no panic") <= 1, "nothing else wakes him");
            assert_nobody_waits(&head);
        });
    }
}

#[test]
fn hand_off_to_two_followers_loses_nothing() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let other = thread::spawn({
            let head = head.clone();
            move || follow(&head, 1)
        });
        let leader = thread::spawn({
            let head = head.clone();
            move || {
                lead(&head, 1);
                lead(&head, 2);
            }
        });
        follow(&head, 0);
        other.join().expect("no panic");
        leader.join().expect("no panic");
        assert_nobody_waits(&head);
    });
}

/// Whoever stops waiting knows how far nothing matched; never further than what was announced, and no further than his event.
#[test]
fn hand_off_to_a_follower_who_goes_leaves_nothing_behind() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let leader = thread::spawn({
            let head = head.clone();
            move || {
                lead(&head, 1);
                lead(&head, 2);
            }
        });
        let to = head.position();
        if let Some(following) = head.follow(wait_for("s1", to), Waker::noop().clone()).expect("open") {
            let quiet_to = Following::end(following);
            assert!(quiet_to >= to && quiet_to <= head.position(), "no further than the head");
            assert!(quiet_to <= to.max(Position(1)), "an event of his that is still to come is not passed over");
        }
        leader.join().expect("no panic");
        assert_nobody_waits(&head);
    });
}

/// A mark ends a wait without a match.
#[test]
fn hand_off_of_a_mark_is_not_lost() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let leader = thread::spawn({
            let head = head.clone();
            move || lead(&head, 1)
        });
        let (parker, waker) = Parker::new();
        let wait = Wait { mark: Some(Position(1)), ..wait_for("s2", Position::START) };
        if let Some(mut following) = head.follow(wait, waker.clone()).expect("open") {
            while following.poll(waker.clone()).is_pending() {
                parker.park(None);
            }
            assert_eq!(following.end(), Position(1));
        }
        leader.join().expect("no panic");
    });
}

#[test]
fn hand_off_to_who_waits_for_a_position_loses_nothing() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let leader = thread::spawn({
            let head = head.clone();
            move || lead(&head, 1)
        });
        assert_eq!(head.wait_past(Position::START, None).expect("open"), Position(1));
        leader.join().expect("no panic");
    });
}

/// Closing ends every wait: of a thread for a position, of a task that is dropped meanwhile, of a follower.
#[test]
fn hand_off_of_the_end_is_not_lost() {
    loom::model(|| {
        let head = Head::at(Position::START);
        let closer = thread::spawn({
            let head = head.clone();
            move || head.close().into_iter().for_each(Waker::wake)
        });
        {
            let mut past = pin!(head.past(Position(7)));
            let _: Poll<Result<Position>> = past.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let (parker, waker) = Parker::new();
        match head.follow(wait_for("s0", Position::START), waker.clone()) {
            Ok(Some(mut following)) => {
                while following.poll(waker.clone()).is_pending() {
                    parker.park(None);
                }
            }
            Ok(None) => panic!("nothing was recorded"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
        let closed = head.wait_past(Position::START, None).expect_err("nothing was recorded");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        closer.join().expect("no panic");
        assert_nobody_waits(&head);
    });
}

/// Writers that order what they find, and close the queue when they have ordered `wanted` appends: nobody ends before.
fn writers(queue: &Arc<Queue>, number: usize, wanted: usize) -> Vec<thread::JoinHandle<()>> {
    let ordered = Arc::new(AtomicUsize::new(0));
    let writer = |_| {
        let (queue, ordered) = (Arc::clone(queue), Arc::clone(&ordered));
        queue.add_writer();
        thread::spawn(move || {
            while queue.wait_for_work() {
                let mut taken = VecDeque::new();
                queue.take(usize::MAX, &mut taken);
                if ordered.fetch_add(taken.len(), Ordering::Relaxed) + taken.len() == wanted {
                    queue.close();
                }
            }
        })
    };
    (0..number).map(writer).collect()
}

/// Adds an append as a task does that awaits its answer.
fn hand_in(queue: &Queue, writers: usize) {
    let append = Append::to("s0".parse().expect("a name"), ExpectedRevision::Any, []);
    let prepared = prepare(append, &ManualClock::default(), &Entropy::seeded(7)).expect("valid");
    let waiting = Waiting { deadline: Duration::MAX, timeout: Duration::ZERO, writers };
    let (sender, _ticket) = Ticket::pair(None);
    queue.push(prepared, sender, waiting).expect("there is room");
    queue.attend();
}

/// No writer is woken from his doze by an append, but by whoever waits for its answer; who looks first whether one is awake must not see him
/// who has just looked for work for the last time.
#[test]
fn hand_off_of_an_append_is_not_lost() {
    for number in [1, 2] {
        let mut model = loom::model::Builder::new();
        // Of more there are too many orders.
        model.preemption_bound = Some(3);
        model.check(move || {
            let queue = Arc::new(Queue::default());
            let writers = writers(&queue, number, 2);
            hand_in(&queue, number);
            hand_in(&queue, number);
            writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        });
    }
}
