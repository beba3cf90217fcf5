//! Everything at once: consumers on threads of their own, and somebody who changes, resets, deletes, asks and replays meanwhile. Whatever the order is in
//! which that happens, nobody hangs, panics, or is told what cannot be.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;
use gesta_store::{AfterPark, Discard, From, GroupError, KeyOf, Nack, ParkedOnReset, Replay, clock::ManualClock};

/// Whether an answer may be what comes of somebody else's change.
fn is_of_the_crowd(error: &GroupError) -> bool {
    matches!(
        error,
        GroupError::Dropped { .. }
            | GroupError::NoSuchGroup { .. }
            | GroupError::GroupExists { .. }
            | GroupError::NotInFlight { .. }
            | GroupError::NotParked { .. }
    )
}

fn accept<T>(answer: Result<T, GroupError>) -> Option<T> {
    answer.inspect_err(|error| assert!(is_of_the_crowd(error), "{error}")).ok()
}

fn consume(world: &World, group: &GroupName, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let Some(consumer) = accept(world.groups.connect(group, &ConsumerOptions::default())) else {
            thread::yield_now();
            continue;
        };
        for turn in 0..20 {
            let Some(messages) = accept(consumer.next(5, Some(Duration::from_millis(5)))) else { break };
            let (few, most): (Vec<_>, Vec<_>) = ids(&messages).into_iter().partition(|id| id.0.0 % 7 == 3);
            let nack = if turn % 2 == 0 { Nack::Park } else { Nack::Retry { after: Duration::ZERO } };
            accept(consumer.nack(&few, nack, "no"));
            accept(consumer.ack(&most));
        }
    }
}

fn administer(world: &World, group: &GroupName, turn: u64) {
    let groups = &world.groups;
    let strategy = match turn % 4 {
        0 => Strategy::RoundRobin,
        1 => Strategy::Pinned,
        2 => Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Flow },
        _ => Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Hold },
    };
    match turn % 11 {
        0 => drop(accept(groups.update(group, with(strategy)))),
        1 | 6 => drop(accept(groups.replay(group, Replay::All))),
        2 => drop(accept(groups.reset(group, From::Beginning, ParkedOnReset::Keep))),
        3 => drop(accept(groups.reset(group, From::Beginning, ParkedOnReset::Discard))),
        4 => drop(accept(groups.delete(group))),
        5 => drop(accept(groups.create(group, Source::All, with(strategy)))),
        7 => drop(accept(groups.discard_parked(group, Discard::All))),
        8 => drop(accept(groups.flush(group))),
        9 => world.append("a", ["x", "y"]),
        _ => world.append("b", ["x"]),
    }
}

/// Found so: two who asked at the same time where a group stands could count what was taken backwards, and panicked.
#[test]
fn changes_and_consumers_and_questions_at_once() {
    let world = World::on(MemoryDisk::new(), Arc::new(ManualClock::at(world::NOON)), true);
    for stream in ["a", "b", "c-1", "c-2"] {
        world.append(stream, ["1", "2", "3", "4", "5"]);
    }
    let group = on_all();
    world.create(&group, Source::All, GroupSettings::default());
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| consume(&world, &group, &done));
        }
        for _ in 0..2 {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    if let Some(info) = accept(world.groups.info(&group)) {
                        assert!(info.since_last_asked <= info.total, "{info:?}");
                        assert!(info.settled_to <= info.head && info.checkpoint <= info.settled_to, "{info:?}");
                    }
                }
            });
        }
        for turn in 0..400 {
            administer(&world, &group, turn);
        }
        done.store(true, Ordering::Relaxed);
    });
    accept(world.groups.create(&group, Source::All, GroupSettings::default()));
    world.groups.reset(&group, From::Beginning, ParkedOnReset::Discard).unwrap();
    let consumer = world.connect(&group);
    let mut seen = BTreeSet::new();
    loop {
        let messages = drain(&consumer);
        if messages.is_empty() {
            break;
        }
        consumer.ack(&ids(&messages)).unwrap();
        for id in ids(&messages) {
            assert!(seen.insert(id), "{id} came twice though it was acked");
        }
    }
    let own = |event: &RecordedEvent| !event.stream.trim_start_matches('$').starts_with("persistent");
    assert_eq!(seen.len(), world.all().iter().filter(|event| own(event)).count());
}
