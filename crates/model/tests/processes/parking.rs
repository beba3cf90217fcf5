//! What cannot go on waits alone, visible, and goes on where it was.

use gesta_model::process::InstanceState;

use super::*;

fn parked(world: &World, transfer: &str) -> Option<String> {
    match world.domain().instances::<Transfer>().unwrap().get(transfer).unwrap()?.state {
        InstanceState::Parked { reason } => Some(reason),
        _ => None,
    }
}

#[test]
fn panics_of_apply_react_and_decide_park_their_instance_and_no_other() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([
        requested("a", "explosive", "ada"),
        requested("b", "poisonous", "ada"),
        requested("c", "ada", "cursed"),
        requested("d", "ada", "grace"),
    ]);
    assert!(parked(&world, "a").unwrap().starts_with("code panicked: planted in apply, in=Transfer::apply position="));
    assert!(parked(&world, "b").unwrap().starts_with("code panicked: planted in react, in=Transfer::react position="));
    assert_eq!(parked(&world, "c").unwrap(), "code panicked: planted, in=Deposit::decide");
    assert_eq!(ends(&world, "d"), ["arrived"]);
    // Parked they stay, and nothing of it comes twice.
    let log = world.log();
    world.restart();
    world.advance(Duration::from_secs(10));
    assert_eq!((world.log(), parked(&world, "c").is_some()), (log, true));
}

#[test]
fn a_parked_instance_hears_what_came_meanwhile_when_it_goes_on_also_after_a_crash() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([requested("c", "ada", "cursed")]);
    assert!(parked(&world, "c").is_some());
    // Somebody pays by hand; the process is told while it is parked.
    world.records([Bank::Deposited { account: "cursed".into(), cents: 10, transfer: Some("c".into()) }]);
    assert_eq!(ends(&world, "c"), [""; 0]);
    world.crash();
    world.settle();
    world.does(|domain| domain.instances::<Transfer>()?.skip("c"));
    assert_eq!((ends(&world, "c"), parked(&world, "c")), (vec!["arrived".to_owned()], None));
    let error = world.domain().instances::<Transfer>().unwrap().skip("c").unwrap_err();
    assert_eq!(error.to_string(), "instance is not parked, process=transfer instance=c");
}

#[test]
fn resumed_it_tries_again_and_skipped_it_goes_on_without() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([requested("a", "explosive", "ada"), requested("c", "ada", "cursed")]);
    world.does(|domain| domain.instances::<Transfer>()?.resume("c"));
    assert!(parked(&world, "c").is_some(), "nothing has changed, so it is parked again");
    world.does(|domain| domain.instances::<Transfer>()?.skip("a"));
    // Without the event that its state could not take, after a restart too.
    for _ in 0..2 {
        let status = world.domain().instances::<Transfer>().unwrap().get("a").unwrap().unwrap();
        assert_eq!(status.state, InstanceState::Running);
        world.restart();
    }
    world.records([Bank::Ended { transfer: "a".into(), how: "by hand".into() }]);
    let status = world.domain().instances::<Transfer>().unwrap().get("a").unwrap().unwrap();
    assert_eq!(status.state, InstanceState::Completed);
}

#[test]
fn a_refusal_nobody_thought_of_parks_and_an_event_that_cannot_be_read_does_too() {
    let mut world = World::new();
    furnish(&mut world);
    // The refund is refused: where the money came from there is no account.
    let withdrawn = Bank::Withdrawn { account: "ada".into(), cents: 10, transfer: Some("t".into()) };
    world.records([requested("t", "nobody", "nowhere"), withdrawn]);
    let reason = parked(&world, "t").unwrap();
    assert!(reason.starts_with("send Deposit was refused: NotOpen, effect="), "{reason}");
    world.does(|domain| {
        let event = gesta_store::EventData::json("money-minted".try_into()?, "{}").with_tag("/transfers/u".try_into()?);
        let append = gesta_store::Append::to("mint-1".try_into()?, gesta_store::ExpectedRevision::NoStream, [event]);
        drop(domain.store().commit(append).wait());
        Ok::<_, gesta_store::Error>(())
    });
    assert!(
        parked(&world, "u").unwrap().starts_with("event of a kind the model does not know, model=Transfer position=")
    );
    world.does(|domain| domain.instances::<Transfer>()?.skip("u"));
    world.records([requested("u", "ada", "grace")]);
    assert_eq!(ends(&world, "u"), ["arrived"]);
}
