//! Acks, nacks, and time that runs out.

use super::*;
use gesta_store::{ErrorKind, GroupError, Nack, WhyNotInFlight};

fn world(events: usize) -> (World, Consumer) {
    let world = World::new();
    world.append("a", vec!["A"; events]);
    world.create(&on_all(), Source::All, with(Strategy::RoundRobin));
    let consumer = world.connect(&on_all());
    (world, consumer)
}

fn refused(error: GroupError) -> Vec<(u64, WhyNotInFlight)> {
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let GroupError::NotInFlight { refused } = error else { panic!("{error}") };
    refused.into_iter().map(|one| (one.id.0.0, one.why)).collect()
}

#[test]
fn what_is_not_in_flight_is_named_and_the_rest_is_settled() {
    let (world, consumer) = world(3);
    drain(&consumer);
    let error = consumer.ack(&at([0, 9, 1])).unwrap_err();
    assert_eq!(error.to_string(), "not in flight at this consumer, id=9 why=\"never delivered\"");
    assert_eq!(refused(error), [(9, WhyNotInFlight::NeverDelivered)]);
    assert_eq!(refused(consumer.ack(&at([0])).unwrap_err()), [(0, WhyNotInFlight::AlreadySettled)]);
    let other = world.connect(&on_all());
    assert_eq!(refused(other.ack(&at([2])).unwrap_err()), [(2, WhyNotInFlight::HeldByAnother)]);
    assert_eq!(world.groups.info(&on_all()).unwrap().in_flight, 1);
}

#[test]
fn retry_counts_and_parks_when_it_is_one_too_many() {
    let (world, consumer) = world(1);
    world.groups.update(&on_all(), GroupSettings { max_retry_count: 2, ..with(Strategy::RoundRobin) }).unwrap();
    let consumer = {
        drop(consumer);
        world.connect(&on_all())
    };
    for retries in 0..=2 {
        let taken = drain(&consumer);
        assert_eq!((ids(&taken), taken[0].retries), (at([0]), retries));
        consumer.nack(&ids(&taken), Nack::Retry { after: Duration::ZERO }, "no").unwrap();
    }
    assert_eq!(drain(&consumer), []);
    let parked = world.groups.parked(&on_all(), Position::START, 10).unwrap();
    assert_eq!((parked.len(), parked[0].reason.as_str(), parked[0].id), (1, "no", at([0])[0]));
}

#[test]
fn a_retry_waits_as_long_as_it_was_told() {
    let (world, consumer) = world(1);
    let taken = drain(&consumer);
    consumer.nack(&ids(&taken), Nack::Retry { after: SECOND }, "later").unwrap();
    assert_eq!(drain(&consumer), []);
    assert_eq!(consumer.next_deadline(), Some(SECOND));
    world.clock.advance(SECOND);
    assert_eq!(ids(&drain(&consumer)), at([0]));
}

#[test]
fn skip_settles_without_parking() {
    let (world, consumer) = world(2);
    drain(&consumer);
    consumer.nack(&at([0, 1]), Nack::Skip, "").unwrap();
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.settled_to, info.lag_events, info.parked), (info.head, 0, 0), "{info:?}");
}

#[test]
fn stop_gives_everything_back_uncounted_and_drops_the_consumer() {
    let (world, consumer) = world(2);
    drain(&consumer);
    consumer.nack(&at([0]), Nack::Stop, "enough").unwrap();
    match consumer.try_next(1) {
        Err(GroupError::Dropped { .. }) => {}
        other => panic!("{other:?}"),
    }
    let next = world.connect(&on_all());
    let taken = drain(&next);
    assert_eq!((ids(&taken), taken[0].retries), (at([0, 1]), 0));
}

#[test]
fn silence_counts_as_failure() {
    let (world, silent) = world(1);
    drain(&silent);
    let other = world.connect(&on_all());
    world.clock.advance(29 * SECOND);
    assert_eq!(drain(&other), []);
    world.clock.advance(SECOND);
    let taken = drain(&other);
    assert_eq!((ids(&taken), taken[0].retries), (at([0]), 1));
    let why = refused(silent.ack(&at([0])).unwrap_err());
    assert_eq!(why[0].0, 0);
    other.ack(&at([0])).unwrap();
}

#[test]
fn what_a_consumer_has_goes_to_others_when_it_goes() {
    let (world, consumer) = world(2);
    drain(&consumer);
    drop(consumer);
    let next = world.connect(&on_all());
    let taken = drain(&next);
    assert_eq!((ids(&taken), taken[0].retries), (at([0, 1]), 0));
}

#[test]
fn slots_bound_what_a_consumer_has() {
    let (world, _) = world(5);
    let consumer = world.groups.connect(&on_all(), &ConsumerOptions { name: "c".into(), slots: 2 }).unwrap();
    assert_eq!(ids(&drain(&consumer)), at([0, 1]));
    consumer.ack(&at([0])).unwrap();
    assert_eq!(ids(&drain(&consumer)), at([2]));
    consumer.set_slots(4).unwrap();
    assert_eq!(ids(&drain(&consumer)), at([3, 4]));
}

/// With extra statistics a group knows how long its consumers have messages; without, it keeps nothing.
#[test]
fn how_long_answers_take_is_known_where_it_is_asked_for() {
    let world = World::new();
    world.append("a", [""; 100].map(|_| "A"));
    let settings = |extra_statistics| GroupSettings { extra_statistics, ..with(Strategy::RoundRobin) };
    world.create(&on_all(), Source::All, settings(false));
    let consumer = world.connect(&on_all());
    consumer.ack(&ids(&drain(&consumer))).unwrap();
    let info = world.groups.info(&on_all()).unwrap();
    assert_eq!((info.answer_times, info.consumers[0].answer_times), (None, None));

    let other = GroupName::on_all("measured").unwrap();
    world.create(&other, Source::All, settings(true));
    let [first, idle] = [world.connect(&other), world.connect(&other)];
    assert_eq!(world.groups.info(&other).unwrap().answer_times, None, "nobody has answered");
    drop(idle);
    let taken = ids(&drain(&first));
    assert_eq!(taken.len(), 100);
    for (place, id) in (1..).zip(&taken) {
        world.clock.advance(Duration::from_millis(1));
        if place % 10 == 0 {
            first.nack(&[*id], Nack::Skip, "").unwrap();
        } else {
            first.ack(&[*id]).unwrap();
        }
    }
    let info = world.groups.info(&other).unwrap();
    let times = info.answer_times.unwrap();
    assert_eq!(info.consumers[0].answer_times, Some(times));
    assert_eq!(times.answers, 100);
    let micros = |time: Duration| time.as_micros();
    let named = times.named().map(|(name, time)| format!("{name}={}", micros(time)));
    assert_eq!(
        named.join(" "),
        "Highest=100000 Mean=50500 Median=50000 Fastest=1000 Quintile 1=20000 Quintile 2=40000 Quintile 3=60000 \
         Quintile 4=80000 Quintile 5=100000 90%=90000 95%=95000 99%=99000 99.5%=100000 99.9%=100000"
    );
    drop(first);
    let info = world.groups.info(&other).unwrap();
    assert_eq!(info.consumers, [], "what a consumer took goes with it");
}
