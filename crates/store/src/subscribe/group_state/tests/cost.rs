//! What a message costs on its way through the state. Not a test but a measurement, so it runs when asked for by name only.

use std::time::Duration;

use super::super::{GroupState, Offer, Progress, Rules, StrategyRule, Urgency, Written};
use crate::{
    clock::{Clock, SystemClock},
    position::Position,
    subscribe::{
        group_error::MessageId,
        group_settings::{AfterPark, GroupSettings},
    },
};

const MESSAGES: u64 = 2_000_000;
const CONSUMERS: usize = 8;
const BATCH: usize = 100;
const KEYS: u64 = 1000;

/// Offers, dispatches, delivers, acks and writes `MESSAGES`; nanoseconds for each.
fn measure(strategy: StrategyRule) -> f64 {
    let settings = GroupSettings { history_buffer: 2000, live_buffer: 2000, ..GroupSettings::default() };
    let rules = Rules { strategy, ..Rules::from(&settings) };
    let mut state = GroupState::new(rules, Progress::default(), Vec::new(), Duration::ZERO);
    let consumers: Vec<_> = (0..CONSUMERS).map(|_| state.connect(BATCH, Duration::ZERO).unwrap()).collect();
    let clock = SystemClock::default();
    let begun = clock.elapsed();
    let (mut offered, mut acked) = (0, 0);
    let (mut out, mut ids) = (Vec::new(), Vec::new());
    while acked < MESSAGES {
        for consumer in &consumers {
            let now = clock.elapsed().saturating_sub(begun);
            for _ in 0..state.room().min(usize::try_from(MESSAGES - offered).unwrap()) {
                // A multiplicative hash spreads the keys as they come in practice: in no order.
                let key = offered.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                state.offer(Offer { position: Position(offered), key: key % KEYS, pin: key, body: offered }, now);
                offered += 1;
            }
            state.dispatch(now);
            state.take(*consumer, BATCH, &mut out, now).unwrap();
            ids.extend(out.drain(..).map(|message| MessageId(message.id.0)));
            state.ack(*consumer, &ids, now).unwrap();
            acked += ids.len() as u64;
            ids.clear();
            if state.begin_write(Urgency::WhenDue, now).is_some() {
                state.end_write(Written::Done { first_parked: None }, now);
            }
            state.tick(now);
        }
    }
    (clock.elapsed() - begun).as_nanos() as f64 / MESSAGES as f64
}

#[test]
#[ignore = "a measurement: cargo test --release -p gesta-store --lib group_state::tests::cost -- --ignored --nocapture"]
fn nanoseconds_per_message() {
    for strategy in [
        StrategyRule::RoundRobin,
        StrategyRule::DispatchToSingle,
        StrategyRule::Pinned,
        StrategyRule::KeyOrdered(AfterPark::Flow),
        StrategyRule::KeyOrdered(AfterPark::Hold),
    ] {
        println!("{strategy:?}: {:.0} ns", measure(strategy));
    }
}
