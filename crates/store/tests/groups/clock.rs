//! Clocks that are set, by hours in either direction, while groups and subscriptions are at work: what waits, waits as long as it was told to.

use gesta_store::{Delivery, From, Nack, SubscribeOptions};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// By how many hours the clock is off from noon, one after the other.
const JUMPS: [i64; 6] = [5, -5, 1000, -1000, 1, 0];

fn jump(world: &World, hours: i64) {
    world.clock.jump_to(Timestamp(world::NOON.0 + hours * i64::try_from(HOUR.as_nanos()).unwrap()));
}

#[test]
fn messages_are_in_hand_as_long_as_they_may_be() {
    let world = World::new();
    world.append("a", vec!["A"; 2]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    let taken = drain(&consumer);
    assert_eq!(ids(&taken), at([0, 1]));
    consumer.nack(&at([1]), Nack::Retry { after: SECOND }, "later").unwrap();
    for hours in JUMPS {
        jump(&world, hours);
        assert_eq!(drain(&consumer), [], "{hours}");
        assert_eq!(consumer.next_deadline(), Some(SECOND), "{hours}");
    }
    world.clock.advance(SECOND);
    assert_eq!(ids(&drain(&consumer)), at([1]), "its retry is due");
    let timeout = GroupSettings::default().message_timeout.unwrap();
    for hours in JUMPS {
        jump(&world, hours);
        assert_eq!(drain(&consumer), [], "{hours}");
    }
    world.clock.advance(timeout - SECOND);
    let again = drain(&consumer);
    assert_eq!((ids(&again), again[0].retries), (at([0]), 1), "its time is over");
    consumer.ack(&at([0, 1])).unwrap();
}

#[test]
fn progress_is_written_when_it_is_due() {
    let world = World::new();
    world.append("a", vec!["A"; 6]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.ack(&at(0..5)).unwrap();
    let durable = || world.groups.info(&on_all()).unwrap().checkpoint;
    for hours in JUMPS {
        jump(&world, hours);
        drain(&consumer);
        assert_eq!(durable(), Position(0), "{hours}");
    }
    world.clock.advance(GroupSettings::default().checkpoint_after);
    drain(&consumer);
    world.store.settle().unwrap();
    drain(&consumer);
    assert_eq!(durable(), Position(5));
}

/// Nothing that is told of a group is older than it can be.
#[test]
fn a_group_lags_behind_by_no_more_than_there_is() {
    let world = World::new();
    jump(&world, 10);
    world.append("a", ["A"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    let lag = |hours| {
        jump(&world, hours);
        world.groups.info(&on_all()).unwrap().lag
    };
    assert_eq!((lag(10), lag(12), lag(-500)), (Duration::ZERO, HOUR * 2, Duration::ZERO));
    drop(consumer);
}

#[test]
fn subscriptions_tell_everything_in_the_order_of_time() {
    let world = World::new();
    let options = SubscribeOptions { from: From::Now, ..SubscribeOptions::default() };
    let mut following = world.store.subscribe(Source::All, options).unwrap();
    let mut later = world
        .store
        .subscribe(Source::All, SubscribeOptions { from: From::Time(world::NOON), ..SubscribeOptions::default() })
        .unwrap();
    let events = |following: &mut gesta_store::Subscription| {
        let mut events = Vec::new();
        while let Some(delivery) = following.next(Some(Duration::ZERO)).unwrap() {
            if let Delivery::Events(batch) = delivery {
                events.extend(batch.iter().map(|event| (event.position, event.recorded_at)));
            }
        }
        events
    };
    let mut seen = Vec::new();
    for (number, hours) in (0..).zip(JUMPS) {
        jump(&world, hours);
        world.append("a", ["A"]);
        let told = events(&mut following);
        assert_eq!(told.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [Position(number)], "{hours}");
        assert_eq!(events(&mut later), told);
        seen.extend(told);
    }
    assert!(seen.is_sorted_by_key(|(_, at)| *at), "{seen:?}");
}

/// What is too old is hidden and not removed: a clock that is put right shows again what it hid.
#[test]
fn age_is_told_by_the_clock_there_is() {
    let world = World::new();
    world.append("a", ["A"]);
    let metadata = EventData::json("$metadata".try_into().unwrap(), r#"{"$maxAge":7200}"#);
    world.record("$$a", [metadata]);
    let readable = |hours| {
        jump(&world, hours);
        world.store.read_stream(name("a"), ReadOptions::default()).unwrap().count()
    };
    assert_eq!([0, 1, 3, -1000, 3, 1].map(readable), [1, 1, 0, 1, 0, 1]);
}
