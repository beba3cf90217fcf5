//! Random scripts of everything that can happen to a group: see `world.rs` for what is asked of each step.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    super::{Rules, StrategyRule, Urgency},
    world::World,
};
use crate::{
    position::{Position, Revision},
    subscribe::{
        group_error::{Discard, MessageId, Nack, Replay},
        group_settings::AfterPark,
    },
};

#[derive(Clone, Debug)]
enum Step {
    Append {
        events: Vec<(u64, u64, u64)>,
    },
    Offer {
        max: usize,
    },
    Consider {
        beyond: u64,
    },
    Connect {
        slots: usize,
    },
    SetSlots {
        consumer: usize,
        slots: usize,
    },
    Disconnect {
        consumer: usize,
    },
    Take {
        consumer: usize,
        max: usize,
    },
    Ack {
        consumer: usize,
        which: u16,
    },
    Nack {
        consumer: usize,
        which: u16,
        action: Nack,
    },
    /// An answer about whatever is at a place in the log, or beyond it.
    AnswerAnything {
        consumer: usize,
        places: Vec<usize>,
        action: Option<Nack>,
    },
    Pass {
        millis: u64,
        told_back: u64,
    },
    BeginWrite {
        urgency: Urgency,
    },
    EndWrite {
        succeeds: bool,
        skipped_revisions: u64,
    },
    Replay {
        which: Replay,
    },
    ReplayPlace {
        place: usize,
    },
    Load {
        max: usize,
    },
    Discard {
        which: Discard,
    },
    DiscardPlace {
        place: usize,
    },
    Restart {
        strategy: StrategyRule,
        lands: bool,
    },
}

fn strategy() -> impl Strategy<Value = StrategyRule> {
    prop_oneof![
        1 => Just(StrategyRule::RoundRobin),
        1 => Just(StrategyRule::DispatchToSingle),
        1 => Just(StrategyRule::Pinned),
        3 => Just(StrategyRule::KeyOrdered(AfterPark::Flow)),
        5 => Just(StrategyRule::KeyOrdered(AfterPark::Hold)),
    ]
}

prop_compose! {
    fn rules()(
        strategy in strategy(),
        message_timeout in prop_oneof![1 => Just(None), 4 => Just(Some(Duration::from_millis(50)))],
        max_retry_count in 0..3_u32,
        (history_buffer, live_buffer, read_batch) in (2..12_usize, 2..12_usize, 1..5_usize),
        (min_checkpoint_count, max_checkpoint_count) in (0..4_u64, 0..6_u64),
        checkpoint_after in prop_oneof![Just(0_u64), Just(20), Just(200)],
        max_subscribers in 1..5_usize,
        parked_max in prop_oneof![2 => Just(2), 2 => Just(4), 3 => Just(1000)],
        parks_per_write_max in prop_oneof![Just(1), Just(3), Just(100)],
        intervals_max in prop_oneof![Just(1), Just(2), Just(1000)],
    ) -> Rules {
        Rules {
            measures_latency: true,
            retries_max: 1000,
            message_timeout, max_retry_count, history_buffer, live_buffer, read_batch, min_checkpoint_count,
            max_checkpoint_count, max_subscribers, strategy, parked_max, parks_per_write_max, intervals_max,
            checkpoint_after: Duration::from_millis(checkpoint_after),
        }
    }
}

fn nack() -> impl Strategy<Value = Nack> {
    prop_oneof![
        3 => prop_oneof![Just(0_u64), Just(30)].prop_map(|after| Nack::Retry { after: Duration::from_millis(after) }),
        4 => Just(Nack::Park),
        1 => Just(Nack::Skip),
        1 => Just(Nack::Stop),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let event = (prop_oneof![3 => Just(0_u64), 1 => 1..4_u64], 0..4_u64, 0..2000_u64);
    let consumer = 0..4_usize;
    prop_oneof![
        6 => prop::collection::vec(event, 1..6).prop_map(|events| Step::Append { events }),
        8 => (1..12_usize).prop_map(|max| Step::Offer { max }),
        2 => prop_oneof![3 => Just(0_u64), 1 => 1..5_u64].prop_map(|beyond| Step::Consider { beyond }),
        4 => (1..6_usize).prop_map(|slots| Step::Connect { slots }),
        1 => (consumer.clone(), 1..6_usize).prop_map(|(consumer, slots)| Step::SetSlots { consumer, slots }),
        2 => consumer.clone().prop_map(|consumer| Step::Disconnect { consumer }),
        12 => (consumer.clone(), 0..6_usize).prop_map(|(consumer, max)| Step::Take { consumer, max }),
        7 => (consumer.clone(), any::<u16>()).prop_map(|(consumer, which)| Step::Ack { consumer, which }),
        7 => (consumer.clone(), any::<u16>(), nack())
            .prop_map(|(consumer, which, action)| Step::Nack { consumer, which, action }),
        3 => (consumer, prop::collection::vec(0..40_usize, 1..5), prop::option::of(nack()))
            .prop_map(|(consumer, places, action)| Step::AnswerAnything { consumer, places, action }),
        5 => (prop_oneof![Just(0_u64), 1..70_u64, Just(20_000_u64)], prop_oneof![Just(0_u64), Just(60)])
            .prop_map(|(millis, told_back)| Step::Pass { millis, told_back }),
        6 => prop_oneof![Just(Urgency::WhenDue), Just(Urgency::Now)].prop_map(|urgency| Step::BeginWrite { urgency }),
        7 => (prop::bool::weighted(0.8), prop_oneof![5 => Just(0_u64), 1 => Just(1)])
            .prop_map(|(succeeds, skipped_revisions)| Step::EndWrite { succeeds, skipped_revisions }),
        2 => prop_oneof![Just(Replay::All), (0..3_u64).prop_map(Replay::Count)].prop_map(|which| Step::Replay { which }),
        2 => (0..40_usize).prop_map(|place| Step::ReplayPlace { place }),
        5 => (1..6_usize).prop_map(|max| Step::Load { max }),
        1 => prop_oneof![Just(Discard::All), (0..9_u64).prop_map(|end| Discard::Before(Revision(end)))]
            .prop_map(|which| Step::Discard { which }),
        3 => (0..40_usize).prop_map(|place| Step::DiscardPlace { place }),
        3 => (strategy(), prop::bool::ANY).prop_map(|(strategy, lands)| Step::Restart { strategy, lands }),
    ]
}

fn id_at(world: &World, place: usize) -> MessageId {
    let beyond = world.log.last().map_or(0, |event| event.position + 1);
    MessageId(Position(world.log.get(place).map_or(beyond, |event| event.position)))
}

fn some_of(positions: Vec<u64>, which: u16) -> Vec<u64> {
    positions.into_iter().enumerate().filter(|(bit, _)| which & (1 << (bit % 16)) != 0).map(|(_, p)| p).collect()
}

fn act(world: &mut World, step: &Step) {
    let consumer = |world: &World, number: &usize| world.consumer(*number);
    match step {
        Step::Append { events } => events.iter().for_each(|&(gap, key, pin)| world.append(gap, key, pin)),
        Step::Offer { max } => world.offer(*max),
        Step::Consider { beyond } => world.consider(*beyond),
        Step::Connect { slots } => world.connect(*slots),
        Step::SetSlots { consumer: number, slots } => {
            consumer(world, number).into_iter().for_each(|id| world.set_slots(id, *slots));
        }
        Step::Disconnect { consumer: number } => {
            consumer(world, number).into_iter().for_each(|id| world.disconnect(id));
        }
        Step::Take { consumer: number, max } => {
            consumer(world, number).into_iter().for_each(|id| world.take(id, *max));
        }
        Step::Ack { consumer: number, which } => consumer(world, number)
            .into_iter()
            .for_each(|id| world.answer(id, &some_of(world.in_hand(id), *which), None)),
        Step::Nack { consumer: number, which, action } => consumer(world, number)
            .into_iter()
            .for_each(|id| world.answer(id, &some_of(world.in_hand(id), *which), Some(*action))),
        Step::AnswerAnything { consumer: number, places, action } => {
            let positions: Vec<u64> = places.iter().map(|place| id_at(world, *place).0.0).collect();
            consumer(world, number).into_iter().for_each(|id| world.answer(id, &positions, *action));
        }
        Step::Pass { millis, told_back } => {
            world.tick(Duration::from_millis(*millis), Duration::from_millis(*told_back));
        }
        Step::BeginWrite { urgency } => world.begin_write(*urgency),
        Step::EndWrite { succeeds, skipped_revisions } => world.end_write(*succeeds, *skipped_revisions),
        Step::Replay { which } => world.replay(*which),
        Step::ReplayPlace { place } => world.replay(Replay::One(id_at(world, *place))),
        Step::Load { max } => world.load_replays(*max),
        Step::Discard { which } => world.discard(*which),
        Step::DiscardPlace { place } => world.discard(Discard::One(id_at(world, *place))),
        Step::Restart { strategy, lands } => world.restart(*strategy, *lands),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The state does what the naive model does, and keeps its promises, at every step; and in the end everything is worked off.
    #[test]
    fn a_group_keeps_its_promises(rules in rules(), steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new(rules);
        for step in &steps {
            act(&mut world, step);
            world.check();
            world.dispatch();
            world.check();
        }
        world.drain();
    }
}
