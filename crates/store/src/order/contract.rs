//! What every [`Order`] must do, as one suite that each implementation runs.

use std::sync::Arc;

use super::{Order, Prepared, prepare};
use crate::{
    append::{Append, AppendError},
    clock::ManualClock,
    commit::Rejection,
    entropy::Entropy,
    event::EventData,
    name::{EventType, StreamName},
    position::{ExpectedRevision, Position, Revision},
};

/// Runs the suite; `make` gives a fresh, empty order each time.
pub(super) fn suite<O: Order + 'static>(make: impl Fn() -> O) {
    places_are_dense_and_in_the_order_of_proposing(&make());
    answers_come_after_the_head(&make());
    rejections_take_no_place(&make());
    concurrent_proposals_get_one_total_order(Arc::new(make()));
    a_dropped_ticket_does_not_withdraw(&make());
}

fn proposal(stream: &str, expected: ExpectedRevision, events: usize) -> Prepared {
    let event = || EventData::json(EventType::new("Happened").expect("valid"), "{}");
    let append = Append::to(StreamName::new(stream).expect("valid"), expected, (0..events).map(|_| event()));
    let (clock, entropy) = (ManualClock::default(), Entropy::from_os());
    prepare(append, &clock, &entropy).expect("valid append")
}

fn places_are_dense_and_in_the_order_of_proposing(order: &impl Order) {
    let tickets: Vec<_> = (1..=20).map(|events| order.propose(proposal("a", ExpectedRevision::Any, events))).collect();
    let mut next = Position::START;
    for (ticket, events) in tickets.into_iter().zip(1_u64..) {
        let appended = ticket.wait().expect("nothing is in the way");
        assert_eq!(appended.first_position, Some(next));
        next = Position(next.0 + events);
        assert_eq!(appended.next_revisions[0].next, Revision(next.0));
    }
    assert_eq!(order.head().position(), next);
}

fn answers_come_after_the_head(order: &impl Order) {
    for _ in 0..50 {
        let appended = order.propose(proposal("a", ExpectedRevision::Any, 2)).wait().expect("nothing is in the way");
        assert!(Some(order.head().position()) > appended.last_position, "answered before it could be read");
    }
}

fn rejections_take_no_place(order: &impl Order) {
    let tickets = [
        order.propose(proposal("a", ExpectedRevision::NoStream, 1)),
        order.propose(proposal("a", ExpectedRevision::NoStream, 1)),
        order.propose(proposal("a", ExpectedRevision::Exact(Revision(0)), 1)),
    ];
    let [first, second, third] = tickets.map(super::Ticket::wait);
    assert_eq!(first.expect("the stream is new").first_position, Some(Position(0)));
    match second {
        // The verdict already sees the proposal before it, durable or not.
        Err(AppendError::Rejected(Rejection::WrongRevision { actual, .. })) => assert_eq!(actual, Some(Revision(0))),
        other => panic!("must be refused: {other:?}"),
    }
    assert_eq!(third.expect("the stream is at 0").first_position, Some(Position(1)));
}

#[allow(clippy::disallowed_methods)] // threads of a test
fn concurrent_proposals_get_one_total_order<O: Order + 'static>(order: Arc<O>) {
    const THREADS: u64 = 8;
    const EACH: u64 = 50;
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let order = Arc::clone(&order);
            std::thread::spawn(move || {
                let stream = format!("s-{thread}");
                let append = |revision: u64| {
                    let expected = revision
                        .checked_sub(1)
                        .map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exact(Revision(last)));
                    let appended =
                        order.propose(proposal(&stream, expected, 1)).wait().expect("only this thread writes");
                    appended.first_position.expect("one event")
                };
                (0..EACH).map(append).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        let positions = thread.join().expect("no panic");
        assert!(positions.is_sorted(), "a client's own appends keep their order");
        all.extend(positions);
    }
    all.sort_unstable();
    assert_eq!(all, (0..THREADS * EACH).map(Position).collect::<Vec<_>>());
}

fn a_dropped_ticket_does_not_withdraw(order: &impl Order) {
    drop(order.propose(proposal("a", ExpectedRevision::Any, 1)));
    let appended = order.propose(proposal("a", ExpectedRevision::Any, 1)).wait().expect("nothing is in the way");
    assert_eq!(appended.first_position, Some(Position(1)));
}
