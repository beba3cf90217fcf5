//! Whatever comes between, and however often: the log is that of the undisturbed run.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Request(u8, u8, u8),
    Pass(u8),
    Restart,
    Crash,
    /// Everything is delivered again.
    Redeliver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_u8, 0..4_u8, 0..4_u8).prop_map(|(transfer, from, to)| Step::Request(transfer, from, to)),
        2 => (0..120_u8).prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => Just(Step::Redeliver),
    ];
    prop::collection::vec(step, 1..12)
}

const ACCOUNTS: [&str; 4] = ["ada", "grace", "nobody", "cursed"];

fn run(steps: &[Step], disturbed: bool) -> World {
    let mut world = World::new();
    furnish(&mut world);
    for step in steps {
        match step {
            Step::Request(transfer, from, to) => {
                let [from, to] = [from, to].map(|account| ACCOUNTS[usize::from(*account)]);
                world.records([requested(&format!("t{transfer}"), from, to)]);
            }
            Step::Pass(minutes) => world.advance(Duration::from_secs(60 * u64::from(*minutes))),
            Step::Restart if disturbed => world.restart(),
            Step::Crash if disturbed => {
                world.crash();
                world.settle();
            }
            Step::Redeliver if disturbed => {
                let groups = world.domain().store().groups();
                for config in groups.list().unwrap() {
                    let (from, parked) = (gesta_store::From::Beginning, gesta_store::ParkedOnReset::Discard);
                    groups.reset(&config.name, from, parked).unwrap();
                }
                world.settle();
            }
            Step::Restart | Step::Crash | Step::Redeliver => {}
        }
    }
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn restarts_crashes_and_deliveries_again_change_nothing(steps in steps()) {
        let (undisturbed, disturbed) = (run(&steps, false), run(&steps, true));
        prop_assert_eq!(undisturbed.log(), disturbed.log());
        let total: i64 = ["ada", "grace"].iter().map(|account| cents(disturbed.domain(), account)).sum();
        prop_assert!(total <= 30);
    }
}
