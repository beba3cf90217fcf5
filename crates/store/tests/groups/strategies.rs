//! Who gets which message.

use super::*;
use gesta_store::{AfterPark, KeyOf, Nack, Tag};

fn two(world: &World, slots: usize) -> [Consumer; 2] {
    ["one", "two"].map(|name| world.groups.connect(&on_all(), &ConsumerOptions { name: name.into(), slots }).unwrap())
}

#[test]
fn round_robin_serves_everybody_in_turn() {
    let world = World::new();
    world.append("a", ["A"; 6]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let [one, two] = two(&world, 10);
    let (first, second) = (drain(&one), drain(&two));
    assert_eq!([first.len(), second.len()], [3, 3]);
    let mut both = ids(&[first, second].concat());
    both.sort_unstable();
    assert_eq!(both, at(0..6));
}

#[test]
fn dispatch_to_single_fills_the_first_before_the_second_gets_anything() {
    let world = World::new();
    world.append("a", ["A"; 6]);
    world.create(&on_all(), Source::All, with(Strategy::DispatchToSingle));
    let [one, two] = two(&world, 4);
    assert_eq!(ids(&one.try_next(10).unwrap()), at(0..4));
    assert_eq!(ids(&two.try_next(10).unwrap()), at(4..6));
}

#[test]
fn pinned_keeps_a_stream_with_its_consumer() {
    let world = World::new();
    for round in 0..3 {
        for stream in 0..20 {
            world.append(&format!("s-{stream}"), [["A", "B", "C"][round]]);
        }
    }
    world.create(&on_all(), Source::All, with(Strategy::Pinned));
    let [one, two] = two(&world, 100);
    let streams = |messages: Vec<Message>| {
        let mut streams: Vec<_> = messages.iter().map(|message| message.event.stream.clone()).collect();
        assert_eq!(streams.len() % 3, 0);
        streams.sort_unstable();
        streams.dedup();
        streams
    };
    let (first, second) = (drain(&one), drain(&two));
    assert_eq!(first.len() + second.len(), 60);
    let (first, second) = (streams(first), streams(second));
    assert!(!first.is_empty() && !second.is_empty(), "both have a share: {first:?} {second:?}");
    assert!(first.iter().all(|stream| !second.contains(stream)), "{first:?} {second:?}");
}

#[test]
fn pinned_by_correlation_follows_the_correlation_id_over_streams() {
    let world = World::new();
    for number in 0..30 {
        let metadata = format!(r#"{{"$correlationId":"c-{}"}}"#, number % 10);
        let event = event("A").with_metadata(metadata);
        world.store.append(name(&format!("s-{number}")), ExpectedRevision::Any, [event]).wait().unwrap();
    }
    world.create(&on_all(), Source::All, with(Strategy::PinnedByCorrelation));
    let [one, two] = two(&world, 100);
    let correlations = |messages: &[Message]| {
        let mut found: Vec<_> = messages.iter().map(|message| message.event.metadata.clone()).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let (first, second) = (drain(&one), drain(&two));
    assert_eq!(first.len() + second.len(), 30);
    let (first, second) = (correlations(&first), correlations(&second));
    assert_eq!(first.len() + second.len(), 10, "no correlation is with both");
}

fn key_ordered(key: KeyOf) -> GroupSettings {
    with(Strategy::KeyOrdered { key, after_park: AfterPark::Flow })
}

#[test]
fn key_ordered_never_has_a_key_in_flight_twice() {
    let world = World::new();
    for stream in ["a", "b"] {
        world.append(stream, ["1", "2", "3"]);
    }
    world.create(&on_all(), Source::All, key_ordered(KeyOf::Stream));
    let [one, two] = two(&world, 10);
    let (mut first, mut second) = (drain(&one), drain(&two));
    for number in ["1", "2", "3"] {
        let both = [first.clone(), second.clone()].concat();
        let mut types = shown(&both);
        types.sort_unstable();
        assert_eq!(types, [format!("a:{number}"), format!("b:{number}")]);
        one.ack(&ids(&first)).unwrap();
        two.ack(&ids(&second)).unwrap();
        (first, second) = (drain(&one), drain(&two));
    }
    assert_eq!((first.len(), second.len()), (0, 0));
}

/// A message that waits for its retry holds its own key, and no other.
#[test]
fn a_retry_holds_its_key_only() {
    let world = World::new();
    for stream in ["a", "b"] {
        world.append(stream, ["1", "2"]);
    }
    world.create(&on_all(), Source::All, key_ordered(KeyOf::Stream));
    let consumer = world.connect(&on_all());
    let taken = drain(&consumer);
    assert_eq!(shown(&taken), ["a:1", "b:1"]);
    consumer.nack(&at([0]), Nack::Retry { after: SECOND }, "not now").unwrap();
    consumer.ack(&at([2])).unwrap();
    assert_eq!(shown(&drain(&consumer)), ["b:2"]);
    world.clock.advance(SECOND);
    let again = drain(&consumer);
    assert_eq!((shown(&again), again[0].retries), (vec!["a:1".to_owned()], 1));
    consumer.ack(&ids(&again)).unwrap();
    assert_eq!(shown(&drain(&consumer)), ["a:2"]);
}

#[test]
fn keys_come_from_tags_path_segments_and_fields() {
    let cases = [
        KeyOf::Tag { prefix: "customer:".into() },
        KeyOf::PathSegment { pattern: "/shops/{shop}/**".parse().unwrap(), name: "shop".into() },
        KeyOf::Field("/who/id".into()),
    ];
    for key in cases {
        let world = World::new();
        for (number, who) in [7, 8, 7, 8].into_iter().enumerate() {
            let event = EventData::json("A".try_into().unwrap(), format!(r#"{{"who":{{"id":{who}}}}}"#))
                .with_tag(Tag::new(format!("customer:{who}")).unwrap())
                .with_tag(Tag::new(format!("/shops/{who}/orders/{number}")).unwrap());
            world.store.append(name(&format!("s-{number}")), ExpectedRevision::Any, [event]).wait().unwrap();
        }
        world.create(&on_all(), Source::All, key_ordered(key.clone()));
        let consumer = world.connect(&on_all());
        let taken = drain(&consumer);
        assert_eq!(ids(&taken), at([0, 1]), "{key:?}");
        consumer.ack(&ids(&taken)).unwrap();
        assert_eq!(ids(&drain(&consumer)), at([2, 3]), "{key:?}");
    }
}
