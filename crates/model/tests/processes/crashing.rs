//! A crash at every step: the log of the domain is the same.

use gesta_model::testing::crash_everywhere;

use super::*;

#[test]
fn a_crash_anywhere_in_a_transfer_leaves_each_effect_in_the_log_once() {
    let runs = crash_everywhere(|world| {
        furnish(world);
        world.records([requested("t1", "ada", "grace"), requested("t2", "ada", "nobody")]);
        world.records([requested("t3", "nobody", "ada")]);
        assert_eq!(cents(world.domain(), "ada"), 20);
    });
    assert!(runs > 100, "there are many moments, runs={runs}");
}

#[test]
fn a_crash_anywhere_around_a_timer_lets_it_fire_once() {
    crash_everywhere(|world| {
        world.process::<Transfer>();
        world.records([opened("ada"), requested("t1", "slow", "ada")]);
        world.advance(Duration::from_secs(2 * 3600));
    });
}
