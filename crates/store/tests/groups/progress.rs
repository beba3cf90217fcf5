//! What is written of a group's progress, when, and what that saves after a restart.

use super::*;
use gesta_store::{GroupStatus, Nack};

fn checkpoints(world: &World) -> usize {
    let stream = on_all().checkpoint_stream();
    world.all().iter().filter(|event| event.stream == stream).count()
}

/// The stream of progress documents is compacted: its readers see one event, however many were written.
#[test]
fn readers_of_the_checkpoint_stream_see_one_document() {
    let world = World::new();
    world.append("a", ["A"; 20]);
    world.create(&on_all(), Source::All, GroupSettings { max_checkpoint_count: 5, ..with(Strategy::RoundRobin) });
    let consumer = world.connect(&on_all());
    for message in drain(&consumer) {
        consumer.ack(&[message.id]).unwrap();
    }
    assert_eq!(checkpoints(&world), 5, "one at creation, one for every five messages");
    let read = world.store.read_stream(on_all().checkpoint_stream(), ReadOptions::default()).unwrap();
    let seen: Vec<RecordedEvent> = read.collect::<Result<_, _>>().unwrap();
    assert_eq!((seen.len(), &*seen[0].event_type), (1, "$SubscriptionCheckpoint"));
    let document: serde_json::Value = serde_json::from_slice(&seen[0].data).unwrap();
    assert_eq!(document["epoch"], 1);
}

#[test]
fn progress_is_written_by_count_and_by_time_and_not_before() {
    let world = World::new();
    world.append("a", ["A"; 20]);
    world.create(&on_all(), Source::All, GroupSettings { max_checkpoint_count: 10, ..with(Strategy::RoundRobin) });
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.ack(&at(0..9)).unwrap();
    assert_eq!(checkpoints(&world), 1);
    consumer.ack(&at(9..10)).unwrap();
    assert_eq!(checkpoints(&world), 2);
    consumer.ack(&at(10..14)).unwrap();
    world.clock.advance(2 * SECOND);
    drain(&consumer);
    assert_eq!(checkpoints(&world), 2, "fewer than the least");
    consumer.ack(&at(14..15)).unwrap();
    assert_eq!(checkpoints(&world), 3);
}

/// A group on the whole log reads its own progress documents. They must not make it write another.
#[test]
fn a_groups_own_progress_does_not_feed_it() {
    let world = World::new();
    world.append("a", ["A"; 5]);
    world.create(&on_all(), Source::All, GroupSettings { max_checkpoint_count: 5, ..with(Strategy::RoundRobin) });
    let consumer = world.connect(&on_all());
    let taken = drain(&consumer);
    assert_eq!(ids(&taken), at(0..5));
    consumer.ack(&ids(&taken)).unwrap();
    for _ in 0..100 {
        world.clock.advance(SECOND);
        assert_eq!(drain(&consumer), []);
    }
    assert_eq!(checkpoints(&world), 2);
    assert_eq!(world.groups.info(&on_all()).unwrap().lag_events, 0, "it has passed over them");
}

#[test]
fn an_orderly_close_writes_what_is_settled() {
    let world = World::new();
    world.append("a", ["A"; 5]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.ack(&at([0, 1, 3])).unwrap();
    let world = world.reopened();
    drop(consumer);
    let consumer = world.connect(&on_all());
    assert_eq!(ids(&drain(&consumer)), at([2, 4]));
}

#[test]
fn the_last_consumer_to_go_leaves_progress_behind() {
    let world = World::new();
    world.append("a", ["A"; 3]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.ack(&at([0])).unwrap();
    drop(consumer);
    let crashed = World::on(world.disk.crash_losing_all(), world.clock.clone(), false);
    assert_eq!(ids(&drain(&crashed.connect(&on_all()))), at([1, 2]));
}

#[test]
fn retry_counts_survive() {
    let world = World::new();
    world.append("a", ["A"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    for _ in 0..3 {
        let taken = drain(&consumer);
        consumer.nack(&ids(&taken), Nack::Retry { after: Duration::ZERO }, "no").unwrap();
    }
    drop(consumer);
    let world = world.reopened();
    assert_eq!(drain(&world.connect(&on_all()))[0].retries, 3);
}

#[test]
fn info_says_where_a_group_stands() {
    let world = World::new();
    world.append("a", ["A"; 8]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let options = ConsumerOptions { name: "one".into(), slots: 4 };
    let consumer = world.groups.connect(&on_all(), &options).unwrap();
    world.clock.advance(10 * SECOND);
    drain(&consumer);
    consumer.ack(&at([0, 1])).unwrap();
    consumer.nack(&at([2]), Nack::Park, "no").unwrap();
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.in_flight, info.parked, info.total), (4, 1, 4));
    assert_eq!(info.buffered, 1, "slots bound what is in flight");
    assert_eq!((info.settled_to, info.lag), (Position(3), 10 * SECOND));
    assert_eq!(info.status, GroupStatus::Live);
    let one = &info.consumers[0];
    assert_eq!((&*one.name, one.slots, one.in_flight, one.total, one.since_last_asked), ("one", 4, 4, 4, 4));
    assert_eq!(world.groups.info(&on_all()).unwrap().since_last_asked, 0);
    assert_eq!(info.stalled, None);
}
