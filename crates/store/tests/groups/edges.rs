//! The edges of what a group may be and may meet: names and settings at their limits, sources that end, streams of its own that somebody else changes.

use super::*;
use gesta_store::{
    AfterPark, Append, Delivery, Discard, ErrorKind, From, GroupError, KeyOf, Nack, ParkedOnReset, Query, QueryItem,
    Replay, Revision, StreamFilter, SubscribeOptions,
};

/// A group with a key, or a query, of many megabytes was created, and no group of the store could be used from then on: the event that says what the group
/// is was larger than anybody reads.
#[test]
fn a_group_that_could_not_be_read_back_is_refused_and_harms_no_other() {
    let world = World::new();
    world.create(&on_all(), Source::All, GroupSettings::default());
    let huge = GroupName::on_all("huge").unwrap();
    let long: Arc<str> = "x".repeat(9 << 20).into();
    let keyed = |key| with(Strategy::KeyOrdered { key, after_park: AfterPark::Flow });
    let field: Arc<str> = format!("/{long}").into();
    for (key, named) in
        [(KeyOf::Tag { prefix: long.clone() }, "strategy.prefix"), (KeyOf::Field(field), "strategy.field")]
    {
        let error = world.groups.create(&huge, Source::All, keyed(key)).unwrap_err();
        assert!(matches!(&error, GroupError::Setting { field, .. } if *field == named), "{named}");
        assert!(error.to_string().len() < 1000, "{named}: the refusal does not repeat all of it");
    }
    let query = Query::of(QueryItem::default().stream(StreamFilter::Prefix(long)));
    let error = world.groups.create(&huge, Source::Query(query), GroupSettings::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(world.groups.list().unwrap().len(), 1);
}

/// `$all` is what the whole log is called as a source. A stream of that name made a group whose event of creation could not be read back, and no group
/// of the store could be used from then on.
#[test]
fn a_stream_cannot_be_called_as_the_whole_log_is() {
    let world = World::new();
    let error = GroupName::on_stream(name("$all"), "g").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let error = world.groups.create(&on_all(), Source::Stream(name("$all")), GroupSettings::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(world.groups.list().unwrap().is_empty());
}

/// Under `Hold` a parked message that fails again stays where it is. Nothing told the next life of the group so: it was delivered again after every
/// orderly restart, as if its replay had not been answered.
#[test]
fn a_replay_that_was_answered_is_over_after_a_restart() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    world.create(
        &on_all(),
        Source::All,
        with(Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Hold }),
    );
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    assert_eq!(world.groups.replay(&on_all(), Replay::One(at([0])[0])).unwrap(), 2);
    assert_eq!(ids(&drain(&consumer)), at([0]));
    consumer.nack(&at([0]), Nack::Park, "still not").unwrap();
    assert!(drain(&consumer).is_empty());
    drop(consumer);
    let world = world.reopened();
    assert!(drain(&world.connect(&on_all())).is_empty(), "nobody has asked for it again");
    assert_eq!(world.groups.info(&on_all()).unwrap().parked, 2);
}

#[test]
fn names_as_long_as_they_may_be_work() {
    let world = World::new();
    let group = "g".repeat(255);
    let longest = (1..1100)
        .rev()
        .filter_map(|bytes| StreamName::new("s".repeat(bytes)).ok())
        .find(|stream| GroupName::on_stream(stream.clone(), &group).is_ok())
        .unwrap();
    world.append(&longest, ["1", "2"]);
    let group = GroupName::on_stream(longest.clone(), &group).unwrap();
    world.create(&group, Source::Stream(longest.clone()), with(Strategy::RoundRobin));
    let consumer = world.connect(&group);
    assert_eq!(drain(&consumer).len(), 2);
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    drop(consumer);
    let world = world.reopened();
    assert_eq!(world.groups.parked(&group, Position::START, 9).unwrap().len(), 1);
    assert_eq!(world.groups.discard_parked(&group, Discard::All).unwrap(), 1);
    world.groups.reset(&group, From::Beginning, ParkedOnReset::Discard).unwrap();
    world.groups.delete(&group).unwrap();
    assert!(world.groups.list().unwrap().is_empty());
}

#[test]
fn a_group_on_a_stream_that_is_ended_for_ever_still_has_what_it_parked() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    let group = GroupName::on_stream(name("a"), "g").unwrap();
    world.create(&group, Source::Stream(name("a")), with(Strategy::RoundRobin));
    let consumer = world.connect(&group);
    drain(&consumer);
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    consumer.ack(&at([1])).unwrap();
    drop(consumer);
    world.store.commit(Append::new().tombstone(name("a"), ExpectedRevision::Any)).wait().unwrap();
    let world = world.reopened();
    assert_eq!(&*world.groups.parked(&group, Position::START, 9).unwrap()[0].event.event_type, "1");
    assert_eq!(world.groups.replay(&group, Replay::All).unwrap(), 1);
    let consumer = world.connect(&group);
    assert_eq!(ids(&drain(&consumer)), at([0]));
    consumer.ack(&at([0])).unwrap();
    assert_eq!(world.groups.info(&group).unwrap().parked, 0);
    let ended = GroupName::on_stream(name("a"), "later").unwrap();
    world.create(&ended, Source::Stream(name("a")), GroupSettings::default());
    assert!(drain(&world.connect(&ended)).is_empty());
}

/// Somebody deletes the stream of parked messages, as users of KurrentDB do to be rid of them. What was deleted came back: the group wrote its own, lower
/// mark over the deletion.
#[test]
fn parked_messages_whose_stream_was_deleted_do_not_come_back() {
    let world = World::new();
    world.append("a", ["1", "2", "3", "4"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([0, 1]), Nack::Park, "no").unwrap();
    world.groups.flush(&on_all()).unwrap();
    drop(consumer);
    let delete = Append::new().delete(on_all().parked_stream(), ExpectedRevision::Any);
    world.store.commit(delete).wait().unwrap();
    let world = world.reopened();
    let parked = |world: &World| -> Vec<u64> {
        world.groups.parked(&on_all(), Position::START, 9).unwrap().iter().map(|message| message.id.0.0).collect()
    };
    assert_eq!(parked(&world), [0_u64; 0]);
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([2]), Nack::Park, "no").unwrap();
    world.groups.flush(&on_all()).unwrap();
    consumer.ack(&at([3])).unwrap();
    drop(consumer);
    let world = world.reopened();
    assert_eq!(parked(&world), [2]);
    let read = world.store.read_stream(on_all().parked_stream(), ReadOptions::default()).unwrap();
    assert_eq!(read.count(), 1);
}

/// As above, but while the group is in use: it knows its parked messages by heart.
#[test]
fn a_mark_somebody_has_set_on_the_parked_stream_is_never_lowered() {
    let world = World::new();
    world.append("a", ["1", "2", "3", "4"]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    drain(&consumer);
    consumer.nack(&at([0, 1, 2]), Nack::Park, "no").unwrap();
    world.groups.flush(&on_all()).unwrap();
    let metadata = on_all().parked_stream().metadata_stream().unwrap();
    let hide = EventData::json("$metadata".try_into().unwrap(), r#"{"$tb":2}"#);
    world.store.append(metadata, ExpectedRevision::Any, [hide]).wait().unwrap();
    world.groups.discard_parked(&on_all(), Discard::One(at([0])[0])).unwrap();
    let read = world.store.read_stream(on_all().parked_stream(), ReadOptions::default()).unwrap();
    assert_eq!(read.map(|event| event.unwrap().revision.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn places_at_the_ends_of_what_can_be_said_are_waited_for_or_refused() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    let zero = Some(Duration::ZERO);
    for (source, from) in [
        (Source::Stream(name("a")), From::Revision(Revision(u64::MAX))),
        (Source::Stream(name("b")), From::Revision(Revision(u64::MAX))),
        (Source::Stream(name("$ce-a")), From::Revision(Revision(u64::MAX))),
        (Source::Stream(name("a")), From::Time(Timestamp(i64::MAX))),
        (Source::All, From::Time(Timestamp(i64::MAX))),
    ] {
        let mut following = world.store.subscribe(source, SubscribeOptions::from(from)).unwrap();
        assert!(matches!(following.next(zero).unwrap(), Some(Delivery::CaughtUp(_))), "{from:?}");
        world.append("a", ["3"]);
        assert!(!matches!(following.next(zero).unwrap(), Some(Delivery::Events(_))), "{from:?}");
        assert_eq!(following.resume_from(), from);
    }
    let mut all = world.store.subscribe(Source::All, SubscribeOptions::from(From::Time(Timestamp(i64::MIN)))).unwrap();
    assert!(matches!(all.next(zero).unwrap(), Some(Delivery::Events(batch)) if batch.len() == 7));
    let beyond = SubscribeOptions::from(From::Position(Position(u64::MAX)));
    assert_eq!(world.store.subscribe(Source::All, beyond).unwrap_err().kind(), ErrorKind::Invalid);
    let group = GroupName::on_stream(name("a"), "g").unwrap();
    for from in
        [From::Revision(Revision(u64::MAX)), From::Time(Timestamp(i64::MAX)), From::Position(Position(u64::MAX))]
    {
        let settings = GroupSettings { start: from, ..GroupSettings::default() };
        let error = world.groups.create(&group, Source::Stream(name("a")), settings).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{from:?}");
    }
}

#[test]
fn a_pointer_that_can_point_at_nothing_is_refused() {
    let world = World::new();
    for (pointer, fits) in [("/a~1b/c~0d", true), ("/a~2b", false), ("/a~", false), ("/", true)] {
        let strategy = Strategy::KeyOrdered { key: KeyOf::Field(pointer.into()), after_park: AfterPark::Flow };
        let group = GroupName::on_all(&pointer.replace('~', "-")).unwrap();
        assert_eq!(world.groups.create(&group, Source::All, with(strategy)).is_ok(), fits, "{pointer}");
    }
}

/// Somebody deletes the stream that says which groups there are. They stayed, but with the next change of any, which let the stream begin anew, they were gone
/// after a restart.
#[test]
fn groups_outlive_the_deletion_of_the_stream_that_says_which_there_are() {
    let world = World::new();
    world.create(&on_all(), Source::All, GroupSettings::default());
    let delete = Append::new().delete(name("$persistentSubscriptionConfig"), ExpectedRevision::Any);
    world.store.commit(delete).wait().unwrap();
    let world = world.reopened();
    assert_eq!(world.groups.list().unwrap().len(), 1);
    world.create(&GroupName::on_all("h").unwrap(), Source::All, GroupSettings::default());
    assert_eq!(world.reopened().groups.list().unwrap().len(), 2);
}

/// What groups write in the log is not what one that follows all of it is behind with: neither how many events, nor how old the first is.
#[test]
fn the_lag_of_a_group_on_everything_is_not_made_of_what_groups_write() {
    let world = World::new();
    world.append("a", ["1"]);
    let settings = GroupSettings { start: From::Now, ..GroupSettings::default() };
    world.create(&on_all(), Source::All, settings);
    let lag = |world: &World| {
        let info = world.groups.info(&on_all()).unwrap();
        (info.lag_events, info.lag)
    };
    assert_eq!(lag(&world), (0, Duration::ZERO), "what its creation has written");
    world.create(&GroupName::on_all("h").unwrap(), Source::All, GroupSettings::default());
    assert_eq!(lag(&world), (0, Duration::ZERO), "what the creation of another has written");
    world.clock.advance(100 * SECOND);
    world.append("a", ["2"]);
    world.clock.advance(SECOND);
    assert_eq!(lag(&world), (1, SECOND));
    world.append("a", ["3"; 600]);
    assert_eq!(lag(&world), (601, SECOND));
}

/// A parked message is a link, and links have the correlation of what they point to. A group that follows links was given its own parked messages as what
/// they point to, under new ids: an event nobody could work off was parked, came again, and was parked again, without end.
#[test]
fn no_group_is_fed_by_what_groups_have_parked_not_even_through_links() {
    let all = Source::Query(Query::of(QueryItem::default().stream(StreamFilter::Prefix("$".into()))));
    for source in [Source::All, Source::Stream(name("$bc-c1")), Source::Stream(name("$et-$>")), all] {
        let world = World::new();
        let correlated = event("1").with_metadata(r#"{"$correlationId":"c1"}"#);
        world.record("a", [correlated]);
        let link = EventData::binary("$>".try_into().unwrap(), "0@a").with_metadata(r#"{"$correlationId":"c1"}"#);
        world.record("$links", [link]);
        let group = match &source {
            Source::Stream(stream) => GroupName::on_stream(stream.clone(), "g").unwrap(),
            Source::All | Source::Query(_) => on_all(),
        };
        let settings = GroupSettings { resolve_links: true, ..with(Strategy::RoundRobin) };
        world.create(&group, source.clone(), settings);
        let consumer = world.connect(&group);
        let messages = drain(&consumer);
        assert!(!messages.is_empty() && messages.iter().all(|message| &*message.event.stream == "a"), "{source:?}");
        consumer.nack(&ids(&messages), Nack::Park, "no").unwrap();
        world.groups.flush(&group).unwrap();
        assert_eq!(shown(&drain(&consumer)), [""; 0], "{source:?}");
        drop(consumer);
        assert_eq!(drain(&world.connect(&group)).len(), 0, "{source:?}");
    }
}

/// Found by the simulation: a handler that was to begin at a time could not be started again when the clock had been set back behind it, though it had
/// begun long ago.
#[test]
fn whether_a_beginning_has_come_is_not_asked_of_a_group_that_has_begun() {
    let world = World::new();
    let settings = GroupSettings { start: From::Time(world::NOON), ..GroupSettings::default() };
    world.create(&on_all(), Source::All, settings.clone());
    world.clock.jump_to(Timestamp(world::NOON.0 - 1));
    let error = world.groups.create(&on_all(), Source::All, settings.clone()).unwrap_err();
    assert!(matches!(error, GroupError::GroupExists { .. }), "{error}");
    let error = world.groups.create(&GroupName::on_all("h").unwrap(), Source::All, settings).unwrap_err();
    assert!(matches!(error, GroupError::Setting { field: "start", .. }), "{error}");
}
