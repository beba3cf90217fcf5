//! Groups whose sources, settings and beginnings change while they are at work.

use super::*;
use gesta_store::{From, GroupError, Nack, ParkedOnReset, Query, QueryItem, Replay, Tag};

/// Works everything off that comes; what it was.
fn work_off(consumer: &Consumer) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let taken = drain(consumer);
        if taken.is_empty() {
            return seen;
        }
        consumer.ack(&ids(&taken)).unwrap();
        seen.extend(shown(&taken));
    }
}

fn on_stream(world: &World, stream: &str, settings: GroupSettings) -> GroupName {
    let group = GroupName::on_stream(name(stream), "g").unwrap();
    world.create(&group, Source::Stream(name(stream)), settings);
    group
}

fn set_metadata(world: &World, stream: &str, document: &'static str) {
    world.store.set_stream_metadata(&name(stream), ExpectedRevision::Any, document).wait().unwrap();
}

/// The stream is truncated in front of the group, at it and behind it, and the group restarted each time: it never stands still, and
/// whatever can be read comes.
#[test]
fn a_stream_that_is_truncated_under_a_group() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.append("a", ["1", "2", "3", "4"]);
        let small = GroupSettings { history_buffer: 2, live_buffer: 2, read_batch: 1, ..with(Strategy::RoundRobin) };
        let group = on_stream(&world, "a", small);
        let consumer =
            world.groups.connect(&group, &ConsumerOptions { slots: 1, ..ConsumerOptions::default() }).unwrap();
        let first = drain(&consumer);
        assert_eq!(shown(&first), ["a:1"]);
        consumer.ack(&ids(&first)).unwrap();
        drop(consumer);
        // Behind where it is, and then in front of it.
        set_metadata(&world, "a", r#"{"$tb":1}"#);
        set_metadata(&world, "a", r#"{"$tb":3}"#);
        if restarts {
            world = world.reopened();
        }
        let consumer = world.connect(&group);
        let seen = work_off(&consumer);
        assert_eq!(seen.last().map(String::as_str), Some("a:4"), "{seen:?}");
        set_metadata(&world, "a", r#"{"$tb":4}"#);
        world.append("a", ["5"]);
        assert_eq!(work_off(&consumer), ["a:5"]);
        set_metadata(&world, "a", r#"{"$maxCount":1}"#);
        world.append("a", ["6", "7"]);
        assert_eq!(work_off(&consumer).last().map(String::as_str), Some("a:7"));
        let info = world.groups.info(&group).unwrap();
        assert_eq!((info.lag_events, info.in_flight, info.buffered), (0, 0, 0));
    }
}

#[test]
fn a_stream_that_is_deleted_and_written_anew() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.append("a", ["1", "2"]);
        let group = on_stream(&world, "a", with(Strategy::RoundRobin));
        let consumer = world.connect(&group);
        assert_eq!(work_off(&consumer), ["a:1", "a:2"]);
        world.store.delete_stream(name("a"), ExpectedRevision::Any).wait().unwrap();
        assert_eq!(work_off(&consumer), [""; 0]);
        drop(consumer);
        if restarts {
            world = world.reopened();
        }
        let consumer = world.connect(&group);
        assert_eq!(work_off(&consumer), [""; 0]);
        world.append("a", ["3"]);
        assert_eq!(work_off(&consumer), ["a:3"], "restarts={restarts}");
        // For ever: nothing comes any more, and nothing is in the way of whoever asks.
        world.store.tombstone_stream(name("a"), ExpectedRevision::Any).wait().unwrap();
        work_off(&consumer);
        drop(consumer);
        let world = if restarts { world.crashed() } else { world };
        assert_eq!(work_off(&world.connect(&group)), [""; 0]);
        world.groups.info(&group).unwrap();
        world.groups.delete(&group).unwrap();
    }
}

#[test]
fn types_correlations_and_tags() {
    let world = World::new();
    let correlated = |event_type: &str, id: &str| EventData {
        metadata: format!(r#"{{"$correlationId":"{id}"}}"#).into(),
        ..event(event_type)
    };
    let tagged = |event_type: &str, tags: &[&str]| EventData {
        tags: tags.iter().map(|tag| Tag::new(*tag).unwrap()).collect(),
        ..event(event_type)
    };
    let groups = [
        on_stream(&world, "$et-Paid", GroupSettings::default()),
        on_stream(&world, "$bc-c1", GroupSettings::default()),
        on_all(),
    ];
    let item = QueryItem::default().tag(Tag::new("red").unwrap()).path("/accounts/*".parse().unwrap());
    world.create(&on_all(), Source::Query(Query::of(item)), GroupSettings::default());
    let consumers = groups.each_ref().map(|group| world.connect(group));
    let round = |world: &World| {
        world.record("a", [correlated("Paid", "c1"), correlated("Sent", "c2")]);
        world.record("b", [tagged("Paid", &["red", "/accounts/7"]), tagged("Sent", &["red"])]);
        world.record("c", [correlated("Sent", "c1"), tagged("Sent", &["/accounts/1", "red"])]);
    };
    let expected: [&[&str]; 3] = [&["a:Paid", "b:Paid"], &["a:Paid", "c:Sent"], &["b:Paid", "c:Sent"]];
    round(&world);
    for (consumer, expected) in consumers.iter().zip(expected) {
        assert_eq!(work_off(consumer), expected);
        assert_eq!(drain(consumer), []);
    }
    round(&world);
    assert_eq!(consumers.each_ref().map(work_off), expected);
    // What is left comes again to whoever goes on after a crash; what was flushed does not.
    groups.iter().for_each(|group| world.groups.flush(group).unwrap());
    drop(consumers);
    round(&world);
    let world = world.crashed();
    for (group, expected) in groups.iter().zip(expected) {
        assert_eq!(work_off(&world.connect(group)), expected);
    }
}

/// A reset in the middle of a replay, and a crash at once after it: nothing is left out, nothing is both parked and delivered.
#[test]
fn a_reset_during_a_replay() {
    for (parked, crashes) in [
        (ParkedOnReset::Keep, false),
        (ParkedOnReset::Keep, true),
        (ParkedOnReset::Discard, false),
        (ParkedOnReset::Discard, true),
    ] {
        let mut world = World::new();
        world.append("a", ["1", "2", "3", "4"]);
        world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
        let consumer = world.connect(&on_all());
        let taken = drain(&consumer);
        consumer.nack(&ids(&taken)[..3], Nack::Park, "no").unwrap();
        consumer.ack(&ids(&taken)[3..]).unwrap();
        assert_eq!(world.groups.replay(&on_all(), Replay::All).unwrap(), 3);
        let again = consumer.try_next(2).unwrap();
        consumer.ack(&ids(&again)[..1]).unwrap();
        world.groups.reset(&on_all(), From::Beginning, parked).unwrap();
        assert!(matches!(consumer.ack(&ids(&again)[1..]), Err(GroupError::Dropped { .. })));
        assert!(matches!(consumer.try_next(1), Err(GroupError::Dropped { .. })));
        drop(consumer);
        if crashes {
            world = world.crashed();
        }
        let consumer = world.connect(&on_all());
        let delivered = work_off(&consumer);
        let aside = world.groups.parked(&on_all(), Position::START, 9).unwrap();
        match parked {
            ParkedOnReset::Keep => {
                // What had been asked to be replayed is not asked for any more by a group that begins anew.
                assert_eq!((delivered, aside.len()), (vec!["a:1".to_owned(), "a:4".to_owned()], 2));
                world.groups.replay(&on_all(), Replay::All).unwrap();
                assert_eq!(work_off(&consumer), ["a:2", "a:3"]);
            }
            ParkedOnReset::Discard => {
                assert_eq!((delivered, aside.len()), (["a:1", "a:2", "a:3", "a:4"].map(String::from).to_vec(), 0));
            }
        }
        assert_eq!(world.groups.parked(&on_all(), Position::START, 9).unwrap().len(), 0);
    }
}

/// A refused change changes nothing: consumers stay, and so does what they have.
#[test]
fn settings_that_contradict_each_other_drop_nobody() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    let taken = drain(&consumer);
    let contradicting = GroupSettings { read_batch: 30, live_buffer: 20, ..with(Strategy::Pinned) };
    let refused = world.groups.update(&on_all(), contradicting);
    assert!(matches!(&refused, Err(GroupError::Setting { field: "read_batch", .. })), "{refused:?}");
    consumer.ack(&ids(&taken)).unwrap();
    assert_eq!(world.groups.config(&on_all()).unwrap().settings, with(Strategy::RoundRobin));
    // Fewer consumers than are connected: all of them are dropped, and as many as may come again.
    let second = world.connect(&on_all());
    world.groups.update(&on_all(), GroupSettings { max_subscribers: 1, ..with(Strategy::RoundRobin) }).unwrap();
    for dropped in [&consumer, &second] {
        assert!(matches!(dropped.try_next(1), Err(GroupError::Dropped { .. })));
    }
    let again = world.connect(&on_all());
    let one_more = world.groups.connect(&on_all(), &ConsumerOptions::default());
    assert!(matches!(one_more, Err(GroupError::MaximumSubscribers { limit: 1 })), "{one_more:?}");
    assert_eq!(drain(&again), []);
}

/// The same message is answered again and again, by him who had it, by others, before and after it went on: the first answer stands.
#[test]
fn an_answer_counts_once_whoever_gives_it() {
    let world = World::new();
    world.append("a", ["1", "2", "3"]);
    world.create(&on_all(), Source::All, with(Strategy::DispatchToSingle));
    let (one, two) = (world.connect(&on_all()), world.connect(&on_all()));
    assert_eq!(drain(&one).len(), 3);
    let refused = |answer: Result<(), GroupError>| match answer {
        Err(GroupError::NotInFlight { refused }) => refused.iter().map(|one| one.why.to_string()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // Twice in one call.
    assert_eq!(refused(one.ack(&[at([0]), at([0])].concat())), ["already settled"]);
    assert_eq!(refused(one.nack(&at([0]), Nack::Park, "no")), ["already settled"]);
    assert_eq!(refused(two.ack(&at([1]))), ["held by another"]);
    assert_eq!(refused(two.nack(&at([1, 999]), Nack::Skip, "no")), ["held by another", "never delivered"]);
    one.nack(&[at([1]), at([2])].concat(), Nack::Park, "no").unwrap();
    assert_eq!(refused(one.ack(&at([1, 2]))), ["already settled", "already settled"]);
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.parked, info.in_flight, info.buffered), (2, 0, 0));
    one.ack(&[]).unwrap();
}
