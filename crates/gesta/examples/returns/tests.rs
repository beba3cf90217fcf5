//! Tests of the returns: what happens when, and the same with a crash at every moment.

use gesta::testing::{crash_everywhere, given};

use super::*;

fn requested() -> Returns {
    Returns::Requested { id: 1, cents: 500 }
}

fn kinds(world: &World) -> Vec<String> {
    world.log()["return-1"].iter().map(|line| line.split(' ').next().expect("a type").to_owned()).collect()
}

fn world() -> World {
    let mut world = World::new();
    world.process_with::<Return>(with_payments);
    world.records([requested()]);
    world
}

#[test]
fn what_never_comes_is_reminded_of_and_expires() {
    let mut world = world();
    world.advance(30 * DAY);
    assert_eq!(kinds(&world), ["return-requested", "customer-reminded", "return-expired"]);
}

#[test]
fn what_nobody_inspects_is_accepted_and_paid_though_the_bank_is_busy_at_first() {
    let mut world = world();
    world.advance(DAY);
    world.records([Returns::Received { id: 1 }]);
    world.advance(30 * DAY);
    assert_eq!(kinds(&world), ["return-requested", "goods-received", "goods-inspected", "money-refunded"]);
}

#[test]
fn reactions_are_values() {
    let received = Returns::Received { id: 1 };
    let accepted = Effect::append(Returns::Inspected { id: 1, sound: true }).after(3 * DAY);
    given([requested()]).hears::<Return>(received.clone()).reacts([Effect::cancel("label"), accepted]);
    given([requested(), received.clone()]).hears::<Return>(received).reacts([]);
    let declined = Returns::Inspected { id: 1, sound: false };
    given([requested(), Returns::Received { id: 1 }]).hears::<Return>(declined).reacts([Effect::complete()]);
}

#[test]
fn a_crash_at_any_moment_changes_nothing() {
    crash_everywhere(|world| {
        world.process_with::<Return>(with_payments);
        world.records([requested()]);
        world.advance(8 * DAY);
        world.records([Returns::Received { id: 1 }]);
        world.advance(4 * DAY);
    });
}

#[test]
fn the_example_runs() {
    main();
}
