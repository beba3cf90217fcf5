//! A process reacts, and everything it does is in the log once, with its cause.

use gesta_model::{
    process::{InstanceState, instance_of},
    testing::given,
};
use gesta_store::{EventRef, From, ReadOptions, correlation::correlation_of};

use super::*;

#[test]
fn money_arrives_or_comes_back_or_never_leaves() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([requested("t1", "ada", "grace")]);
    world.records([
        requested("t2", "ada", "nobody"),
        requested("t3", "grace", "ada"),
        requested("t4", "nobody", "ada"),
    ]);
    assert_eq!(ends(&world, "t1"), ["arrived"]);
    assert_eq!(ends(&world, "t2"), ["refunded"]);
    assert_eq!(ends(&world, "t3"), ["arrived"]);
    assert_eq!(ends(&world, "t4"), ["refused"]);
    assert_eq!((cents(world.domain(), "ada"), cents(world.domain(), "grace")), (30, 0));
    let instances = world.domain().instances::<Transfer>().unwrap();
    for transfer in ["t1", "t2", "t3", "t4"] {
        let status = instances.get(transfer).unwrap().unwrap();
        assert_eq!((status.state, status.open.len()), (InstanceState::Completed, 0), "{transfer}");
    }
    assert_eq!(instances.get("t5").unwrap(), None);
    assert_eq!(instance_of::<Transfer>(&"t1".to_owned()).unwrap(), "t1");
}

#[test]
fn reactions_are_tested_without_a_store() {
    let refund = Effect::send(Deposit { account: "ada".into(), cents: 10, transfer: "t".into() });
    let deposit = Effect::send(Deposit { account: "grace".into(), cents: 10, transfer: "t".into() });
    let withdrawn = Bank::Withdrawn { account: "ada".into(), cents: 10, transfer: Some("t".into()) };
    given([requested("t", "ada", "grace")]).hears::<Transfer>(withdrawn.clone()).reacts([deposit.clone().or(refund)]);
    let ended = Bank::Ended { transfer: "t".into(), how: "arrived".into() };
    given::<Bank>([]).hears::<Transfer>(ended).reacts([Effect::cancel("deadline"), Effect::complete()]);
    let effects = given([requested("t", "ada", "grace")]).hears::<Transfer>(withdrawn).effects();
    assert_ne!(effects, [deposit], "what is done instead is part of an effect");
}

#[test]
fn delivered_again_from_the_beginning_an_event_does_nothing() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([requested("t1", "ada", "grace"), requested("t2", "ada", "nobody")]);
    let before = (world.log(), world.domain().store().head().position());
    let group = {
        let groups = world.domain().store().groups();
        let config = groups.list().unwrap().into_iter().find(|config| config.name.name() == "handler:process:transfer");
        config.unwrap().name
    };
    // All consumers of the group are dropped by that, and come again.
    let groups = world.domain().store().groups();
    groups.reset(&group, From::Beginning, gesta_store::ParkedOnReset::Discard).unwrap();
    world.settle();
    world.restart();
    groups.reset(&group, From::Beginning, gesta_store::ParkedOnReset::Discard).err(); // of the store that is gone
    let groups = world.domain().store().groups();
    groups.reset(&group, From::Beginning, gesta_store::ParkedOnReset::Discard).unwrap();
    world.settle();
    assert_eq!(world.log(), before.0);
}

#[test]
fn correlation_and_causation_lead_from_the_request_to_everything() {
    let mut world = World::new();
    furnish(&mut world);
    world.records([requested("t1", "ada", "grace")]);
    let store = world.domain().store();
    let mut correlations = std::collections::BTreeSet::new();
    let mut ids = std::collections::BTreeMap::new();
    let mut reading = store.read_all(ReadOptions::default()).unwrap();
    let mut roots = Vec::new();
    while let Some(batch) = reading.next_batch().unwrap() {
        for event in batch.iter() {
            let of_transfer = event.tags.iter().any(|tag| tag == "/transfers/t1") || event.stream.ends_with("-t1");
            if !of_transfer {
                continue;
            }
            ids.insert(event.id.to_string(), event.event_type.to_owned());
            match causation_of(&event) {
                None => roots.push(event.id.to_string()),
                Some(cause) => {
                    assert!(ids.contains_key(&cause), "{} has a cause that came before", event.event_type);
                    correlations.extend(correlation_of(event.metadata));
                }
            }
        }
    }
    assert_eq!(roots.len(), 1, "only the request has no cause");
    assert_eq!(correlations.into_iter().collect::<Vec<_>>(), roots, "its id is the correlation id of all");
}

fn causation_of(event: &EventRef<'_>) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_slice(event.metadata).ok()?;
    Some(metadata.get("$causationId")?.as_str()?.to_owned())
}

#[test]
fn a_process_that_starts_now_takes_the_past_as_state_and_does_nothing_about_it() {
    use gesta_model::process::Start;
    let mut world = World::new();
    world.records([opened("ada"), opened("grace"), deposited("ada", 30), requested("t1", "ada", "grace")]);
    world.process_with::<Transfer>(|setup| {
        setup.options(ProcessOptions { start: Start::Now, ..ProcessOptions::default() })
    });
    world.settle();
    world.records([requested("t2", "ada", "grace")]);
    assert_eq!((ends(&world, "t1").len(), ends(&world, "t2")), (0, vec!["arrived".to_owned()]));
    // What was noted at the first start holds, whatever is asked for later.
    world.restart();
    // The state has the request, which was not heard.
    world.records([Bank::Withdrawn { account: "ada".into(), cents: 10, transfer: Some("t1".into()) }]);
    assert_eq!(ends(&world, "t1"), ["arrived"]);
}
