//! What a group follows.

use super::*;
use gesta_store::{From, Nack, NameExpression, NameOf, Query, QueryItem, Revision, StreamFilter};

fn follow(world: &World, source: Source, settings: GroupSettings) -> (GroupName, Consumer) {
    let group = match &source {
        Source::Stream(stream) => GroupName::on_stream(stream.clone(), "g").unwrap(),
        Source::All | Source::Query(_) => on_all(),
    };
    world.create(&group, source, settings);
    let consumer = world.connect(&group);
    (group, consumer)
}

#[test]
fn a_stream_from_a_revision_and_what_comes_later() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    world.append("b", ["1"]);
    let settings = GroupSettings { start: From::Revision(Revision(1)), ..with(Strategy::RoundRobin) };
    let (_, consumer) = follow(&world, Source::Stream(name("a")), settings);
    assert_eq!(shown(&drain(&consumer)), ["a:2"]);
    world.append("b", ["2"]);
    world.append("a", ["3"]);
    assert_eq!(shown(&drain(&consumer)), ["a:3"]);
}

#[test]
fn a_stream_that_is_not_there_yet() {
    let world = World::new();
    let (_, consumer) = follow(&world, Source::Stream(name("a")), with(Strategy::RoundRobin));
    assert_eq!(drain(&consumer), []);
    world.append("a", ["1"]);
    assert_eq!(shown(&drain(&consumer)), ["a:1"]);
}

/// What an expression does not pick is settled when it was looked at, and is no part of the group; that outlives the process.
#[test]
fn only_what_an_expression_picks() {
    let world = World::new();
    world.append("a-1", ["1", "2"]);
    world.append("b-1", ["1"]);
    let only = NameExpression::new(NameOf::Stream, "^(?!b)").unwrap();
    let settings = GroupSettings { only: Some(only), ..with(Strategy::RoundRobin) };
    let (group, consumer) = follow(&world, Source::All, settings);
    let taken = drain(&consumer);
    assert_eq!(shown(&taken), ["a-1:1", "a-1:2"]);
    consumer.ack(&ids(&taken)).unwrap();
    world.groups.flush(&group).unwrap();
    assert!(world.groups.info(&group).unwrap().checkpoint >= Position(3));
    drop(consumer);
    let world = world.reopened();
    world.append("b-1", ["2"]);
    world.append("c-1", ["1"]);
    assert_eq!(shown(&drain(&world.connect(&group))), ["c-1:1"]);
}

/// An expression that cannot be decided on a name must not pass it over.
#[test]
fn an_expression_that_is_too_costly_is_told() {
    let world = World::new();
    world.append(&"a".repeat(200), ["1"]);
    let only = NameExpression::new(NameOf::Stream, r"(?=(a+)+$)(a|aa)+\1b").unwrap();
    let settings = GroupSettings { only: Some(only), ..with(Strategy::RoundRobin) };
    let (_, consumer) = follow(&world, Source::All, settings);
    assert!(consumer.try_next(10).unwrap_err().to_string().contains("too costly"));
}

#[test]
fn only_what_comes_from_now_on() {
    let world = World::new();
    world.append("a", ["1"]);
    let settings = GroupSettings { start: From::Now, ..with(Strategy::RoundRobin) };
    world.create(&on_all(), Source::All, settings);
    world.append("a", ["2"]);
    assert_eq!(shown(&drain(&world.connect(&on_all()))), ["a:2"]);
}

/// A virtual stream: the id of a message is where its entry is, and what is parked is a link to the event itself.
#[test]
fn a_category() {
    let world = World::new();
    world.append("x-1", ["1"]);
    world.append("y-1", ["1"]);
    world.append("x-2", ["2"]);
    let (group, consumer) = follow(&world, Source::Stream(name("$ce-x")), with(Strategy::RoundRobin));
    let taken = drain(&consumer);
    assert_eq!((shown(&taken), ids(&taken)), (vec!["x-1:1".to_owned(), "x-2:2".to_owned()], at([0, 2])));
    assert_eq!(&*taken[1].event.link.as_ref().unwrap().stream, "$ce-x");
    consumer.nack(&at([2]), Nack::Park, "no").unwrap();
    let parked = &world.groups.parked(&group, Position::START, 9).unwrap()[0];
    assert_eq!((&*parked.event.stream, parked.event.link.is_some()), ("x-2", true));
    let link = world.store.read_stream(group.parked_stream(), ReadOptions::default()).unwrap().next().unwrap().unwrap();
    assert_eq!(&link.data[..], b"0@x-2");
}

#[test]
fn links_are_delivered_as_what_they_point_to_under_their_own_ids() {
    let world = World::new();
    world.append("a", ["1"]);
    let link = EventData::binary("$>".try_into().unwrap(), "0@a");
    world.store.append(name("links"), ExpectedRevision::Any, [link]).wait().unwrap();
    let settings = GroupSettings { resolve_links: true, ..with(Strategy::RoundRobin) };
    let (group, consumer) = follow(&world, Source::Stream(name("links")), settings);
    let taken = drain(&consumer);
    assert_eq!((shown(&taken), ids(&taken)), (vec!["a:1".to_owned()], at([1])));
    consumer.nack(&at([1]), Nack::Park, "no").unwrap();
    world.groups.replay(&group, gesta_store::Replay::All).unwrap();
    let again = drain(&consumer);
    assert_eq!((shown(&again), ids(&again)), (vec!["a:1".to_owned()], at([1])));
    consumer.ack(&at([1])).unwrap();
}

/// Two groups that follow everything, and one that asks for the streams of groups by prefix: none gets the documents of any.
#[test]
fn the_streams_of_groups_are_not_delivered_unless_they_are_named() {
    let world = World::new();
    world.append("a", ["1"]);
    let other = GroupName::on_all("other").unwrap();
    world.create(&other, Source::All, with(Strategy::RoundRobin));
    let prefix = StreamFilter::Prefix("$".into());
    let query = Query::of(QueryItem::default().stream(prefix));
    let (_, consumer) = follow(&world, Source::Query(query), with(Strategy::RoundRobin));
    let busy = world.connect(&other);
    let taken = drain(&busy);
    assert_eq!(shown(&taken), ["a:1"]);
    busy.nack(&ids(&taken), Nack::Park, "no").unwrap();
    assert_eq!(drain(&busy), []);
    assert_eq!(drain(&consumer), []);
    let exact = QueryItem::default().stream(StreamFilter::Exact(other.parked_stream()));
    let auditor = GroupName::on_all("auditor").unwrap();
    world.create(&auditor, Source::Query(Query::of(exact)), with(Strategy::RoundRobin));
    assert_eq!(shown(&drain(&world.connect(&auditor))), ["$persistentsubscription-$all::other-parked:$>"]);
}

#[test]
fn a_query() {
    let world = World::new();
    world.append("a", ["1", "2", "3"]);
    let query = Query::of(QueryItem::default().event_type("2".try_into().unwrap()));
    let (_, consumer) = follow(&world, Source::Query(query), with(Strategy::RoundRobin));
    assert_eq!(shown(&drain(&consumer)), ["a:2"]);
    consumer.ack(&at([1])).unwrap();
    world.append("b", ["1", "2"]);
    assert_eq!(shown(&drain(&consumer)), ["b:2"]);
}

/// What a stream does not show any more can still be replayed: the log has it.
#[test]
fn a_parked_event_outlives_the_truncation_of_its_stream() {
    let world = World::new();
    world.append("a", ["1", "2"]);
    let (group, consumer) = follow(&world, Source::Stream(name("a")), with(Strategy::RoundRobin));
    drain(&consumer);
    consumer.nack(&at([0]), Nack::Park, "no").unwrap();
    world.store.set_stream_metadata(&name("a"), ExpectedRevision::Any, r#"{"$tb":2}"#).wait().unwrap();
    world.groups.replay(&group, gesta_store::Replay::All).unwrap();
    assert_eq!(shown(&drain(&consumer)), ["a:1"]);
}
