//! Creating, changing, deleting and resetting groups, and what bad input gets.

use super::*;
use gesta_store::{
    AfterPark, Error, ErrorKind, From, GroupError, GroupStatus, KeyOf, Nack, ParkedOnReset, Query, QueryItem, Revision,
    StreamFilter, StreamStatus,
};

fn message<T: std::fmt::Debug>(result: Result<T, GroupError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn unknown_groups_and_second_creations_are_refused() {
    let world = World::new();
    let group = on_all();
    let no_such = r#"no such consumer group, group="$all::g""#;
    assert_eq!(message(world.groups.info(&group)), no_such);
    assert_eq!(message(world.groups.connect(&group, &ConsumerOptions::default())), no_such);
    assert_eq!(message(world.groups.update(&group, GroupSettings::default())), no_such);
    assert_eq!(message(world.groups.delete(&group)), no_such);
    assert_eq!(message(world.groups.reset(&group, From::Beginning, ParkedOnReset::Keep)), no_such);
    world.create(&group, Source::All, GroupSettings::default());
    let twice = world.groups.create(&group, Source::All, GroupSettings::default());
    assert_eq!(message(twice), r#"the consumer group exists already, group="$all::g""#);
}

#[test]
fn settings_are_refused_with_their_bounds() {
    let world = World::new();
    world.append("a", ["A"]);
    let create = |settings| message(world.groups.create(&on_all(), Source::All, settings));
    let default = GroupSettings::default;
    let cases = [
        (GroupSettings { read_batch: 500, ..default() }, "field=read_batch value=500"),
        (GroupSettings { message_timeout: Some(Duration::ZERO), ..default() }, "field=message_timeout"),
        (
            GroupSettings { min_checkpoint_count: 9, max_checkpoint_count: 8, ..default() },
            "field=min_checkpoint_count value=9",
        ),
        (GroupSettings { start: From::Position(Position(9)), ..default() }, "position=9 head=1"),
        (GroupSettings { start: From::Revision(Revision(0)), ..default() }, "field=start value=revision 0"),
        (GroupSettings { start: From::Time(Timestamp(i64::MAX)), ..default() }, "field=start value=time"),
        (
            with(Strategy::KeyOrdered { key: KeyOf::Field("x".into()), after_park: AfterPark::Flow }),
            "field=strategy.field",
        ),
    ];
    for (settings, expected) in cases {
        let found = create(settings);
        assert!(found.contains(expected), "{found} lacks {expected}");
    }
    let elsewhere = world.groups.create(&on_all(), Source::Stream(name("a")), default());
    assert!(message(elsewhere).contains("field=source value=a"));
    assert_eq!(world.groups.list().unwrap(), [], "none of them was created");
    let group = GroupName::on_stream(name("a"), "g").unwrap();
    let beyond = GroupSettings { start: From::Revision(Revision(2)), ..default() };
    assert!(message(world.groups.create(&group, Source::Stream(name("a")), beyond)).contains("at most 1"));
}

#[test]
fn consumers_are_limited() {
    let world = World::new();
    world.create(&on_all(), Source::All, GroupSettings { max_subscribers: 1, ..GroupSettings::default() });
    let first = world.connect(&on_all());
    match world.groups.connect(&on_all(), &ConsumerOptions::default()) {
        Err(GroupError::MaximumSubscribers { limit: 1 }) => {}
        other => panic!("{other:?}"),
    }
    drop(first);
    world.connect(&on_all());
    let slots = ConsumerOptions { slots: 0, ..ConsumerOptions::default() };
    assert!(message(world.groups.connect(&on_all(), &slots)).contains("field=slots value=0"));
}

/// What a group is comes back as it was, whatever it is.
#[test]
fn groups_survive_a_restart_as_they_are() {
    let world = World::new();
    world.append("a-1", ["A", "B"]);
    let query = Query::of(QueryItem::default().stream(StreamFilter::Category("a".try_into().unwrap())));
    let settings = GroupSettings {
        start: From::Position(Position(1)),
        resolve_links: true,
        message_timeout: None,
        max_retry_count: 3,
        strategy: Strategy::KeyOrdered {
            key: KeyOf::PathSegment { pattern: "/x/{y}".parse().unwrap(), name: "y".into() },
            after_park: AfterPark::Hold,
        },
        ..GroupSettings::default()
    };
    world.create(&on_all(), Source::Query(query), settings);
    let stream = GroupName::on_stream(name("$ce-a"), "h").unwrap();
    world.create(&stream, Source::Stream(name("$ce-a")), with(Strategy::Pinned));
    world.clock.advance(SECOND);
    world.groups.update(&stream, with(Strategy::RoundRobin)).unwrap();
    let before = world.groups.list().unwrap();
    assert_eq!(before.iter().map(|config| config.name.to_string()).collect::<Vec<_>>(), ["$all::g", "$ce-a::h"]);
    assert_eq!(before[1].updated.0 - before[1].created.0, 1_000_000_000);
    let world = world.reopened();
    assert_eq!(world.groups.list().unwrap(), before);
    assert_eq!(ids(&drain(&world.connect(&on_all()))), at([1]));
    assert_eq!(ids(&drain(&world.connect(&stream))), at([0, 1]));
}

fn dropped(consumer: &Consumer, because: &str) {
    for refused in [consumer.try_next(1).map(drop), consumer.ack(&at([0]))] {
        match refused {
            Err(GroupError::Dropped { reason }) => assert_eq!(reason, because),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn update_drops_consumers_and_keeps_what_is_settled() {
    let world = World::new();
    world.append("a", ["A", "B"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.ack(&at([0])).unwrap();
    world.groups.update(&on_all(), with(Strategy::Pinned)).unwrap();
    dropped(&consumer, "the settings of the group were changed");
    let next = world.connect(&on_all());
    assert_eq!(ids(&drain(&next)), at([1]));
}

#[test]
fn a_deleted_group_leaves_nothing_that_is_read_and_is_created_anew() {
    let world = World::new();
    world.append("a", ["A", "B"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    consumer.ack(&at([1])).unwrap();
    let before = world.groups.info(&on_all()).unwrap();
    assert_eq!((before.epoch, before.parked), (1, 1));
    world.groups.delete(&on_all()).unwrap();
    dropped(&consumer, "the group was deleted");
    for stream in [on_all().checkpoint_stream(), on_all().parked_stream()] {
        let status = world.store.stream_status(&stream).unwrap();
        assert!(matches!(status, StreamStatus::SoftDeleted { .. }), "{stream}: {status:?}");
    }
    assert_eq!(world.groups.list().unwrap(), []);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.epoch, info.parked, info.status), (2, 0, GroupStatus::Idle));
    let next = world.connect(&on_all());
    assert_eq!(ids(&drain(&next)), at([0, 1]));
    next.nack(&at([0]), Nack::Park, "no").unwrap();
    assert_eq!(world.groups.parked(&on_all(), Position::START, 9).unwrap().len(), 1);
}

#[test]
fn reset_begins_anew_and_keeps_or_discards_what_is_parked() {
    let world = World::new();
    world.append("a", ["A", "B", "C"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([1]), Nack::Park, "no").unwrap();
    consumer.ack(&at([0, 2])).unwrap();
    world.groups.reset(&on_all(), From::Beginning, ParkedOnReset::Keep).unwrap();
    dropped(&consumer, "the group was reset");
    let next = world.connect(&on_all());
    assert_eq!(ids(&drain(&next)), at([0, 2]), "what is parked is not delivered too");
    next.ack(&at([0, 2])).unwrap();
    world.groups.reset(&on_all(), From::Position(Position(1)), ParkedOnReset::Discard).unwrap();
    let last = world.connect(&on_all());
    assert_eq!(ids(&drain(&last)), at([1, 2]));
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.parked, info.epoch), (0, 3));
    let beyond = world.groups.reset(&on_all(), From::Position(Position(1000)), ParkedOnReset::Keep);
    assert!(matches!(beyond, Err(GroupError::BeyondHead { position: Position(1000), .. })), "{beyond:?}");
    last.ack(&at([1])).unwrap();
}

#[test]
fn names_are_checked() {
    let refused = |name: &str| -> Error { name.parse::<GroupName>().unwrap_err() };
    for bad in [
        "",
        "a",
        "a::",
        "::",
        "a:::",
        "a::b\n",
        &format!("a::{}", "x".repeat(256)),
        &format!("{}::g", "x".repeat(1000)),
    ] {
        assert_eq!(refused(bad).kind(), ErrorKind::Invalid, "{bad}");
    }
    assert_eq!("a::b::c".parse::<GroupName>().unwrap().source(), "a::b");
}

/// The config stream said every change there ever was, and every opening read them all: of a group whose settings are changed once a minute, half
/// a million in a year.
#[test]
fn what_is_said_of_groups_is_as_long_as_there_are_groups() {
    let mut world = World::new();
    world.append("a", ["A"]);
    let group = |number: u64| GroupName::on_all(&format!("g{number}")).unwrap();
    let mut random = 1_u64;
    let mut seen = 0;
    for round in 0..12 {
        for _ in 0..60 {
            world.clock.advance(SECOND);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (number, what) = ((random >> 33) % 20, (random >> 40) % 8);
            let settings = GroupSettings { max_retry_count: (random >> 50) as u32, ..GroupSettings::default() };
            let group = group(number);
            match world.groups.config(&group) {
                Err(_) => world.create(&group, Source::All, settings),
                Ok(_) if what == 0 => world.groups.delete(&group).unwrap(),
                Ok(_) => world.groups.update(&group, settings).unwrap(),
            }
        }
        let before = world.groups.list().unwrap();
        let crashed = round % 2 == 0;
        world = if crashed { world.crashed() } else { world.reopened() };
        assert_eq!(world.groups.list().unwrap(), before, "{round}");
        let said = world.store.read_stream(name(CONFIG), ReadOptions::default()).unwrap().count();
        assert!(said <= 2 * 20 + 64 + 32, "{said}");
        seen += said;
    }
    assert!(seen > 12 * 20, "they are said at all");
    // Whoever sets something on that stream makes nobody be forgotten.
    let before = world.groups.list().unwrap();
    let keep_one = EventData::json("$metadata".try_into().unwrap(), r#"{"$maxCount":1}"#);
    world.store.append(name(&format!("$${CONFIG}")), ExpectedRevision::Any, [keep_one]).wait().unwrap();
    let world = world.reopened();
    assert_eq!(world.groups.list().unwrap(), before);
}

const CONFIG: &str = "$persistentSubscriptionConfig";

/// Each group that is asked for looked at all that were in use.
#[test]
fn a_thousand_groups_are_listed_and_forgotten() {
    let world = World::new();
    world.append("a", ["A", "B"]);
    let group = |number: usize| GroupName::on_all(&format!("g{number}")).unwrap();
    for number in 0..1000 {
        world.create(&group(number), Source::All, with(Strategy::RoundRobin));
    }
    let consumers: Vec<_> = (0..1000).step_by(100).map(|number| world.connect(&group(number))).collect();
    for _ in 0..2 {
        for number in 0..1000 {
            let info = world.groups.info(&group(number)).unwrap();
            assert_eq!(info.consumers.len(), usize::from(number % 100 == 0));
        }
    }
    assert!(consumers.iter().all(|consumer| ids(&drain(consumer)).len() == 2));
    let open = format!("{:?}", world.groups).matches("LiveGroup {").count();
    assert!(open < 20, "{open} are kept in memory");
}

#[test]
fn what_a_group_is_can_be_asked_without_loading_it() {
    let world = World::new();
    assert!(matches!(world.groups.config(&on_all()), Err(GroupError::NoSuchGroup { .. })));
    world.create(&on_all(), Source::All, with(Strategy::Pinned));
    let config = world.groups.config(&on_all()).unwrap();
    assert_eq!((config.name, config.source, config.settings), (on_all(), Source::All, with(Strategy::Pinned)));
    assert_eq!(format!("{:?}", world.groups).matches("LiveGroup {").count(), 0);
}
