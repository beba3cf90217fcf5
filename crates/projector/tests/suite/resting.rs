//! Whoever waits until everything has come to rest waits for projectors too.

use std::{sync::Arc, time::Duration};

use gesta_model::{Domain, testing::crash_everywhere};
use gesta_projector::{BuildState, OnFailure, ProjectorOptions, ProjectorRunner, RunningProjector, SqlError};
use gesta_store::{Backoff, EventData, EventStore, ExpectedRevision, Position, clock::ManualClock};

use crate::shared::{Balances, Database, balances, deposited, fold, record, store, withdrawn};

const SOON: Option<Duration> = Some(Duration::from_secs(60));

fn start(store: &EventStore, database: &Database, options: ProjectorOptions) -> RunningProjector {
    let database = Arc::clone(database);
    let runner = ProjectorRunner::new(store.clone(), move || database(), Balances, options).expect("is set up");
    runner.start().expect("starts")
}

fn settles(domain: &Domain, running: &RunningProjector) -> bool {
    domain.settle(&[running], SOON).expect("it works")
}

/// Something that is recorded and no projector's.
fn record_other(store: &EventStore) {
    let event = EventData::json("noted".parse().expect("a type"), "{}");
    store.append("note-1".parse().expect("a name"), ExpectedRevision::Any, [event]).wait().expect("recorded");
}

pub fn who_settles_sees_in_the_tables_what_was_recorded(database: &Database) {
    let (store, mut events) = (store(), Vec::new());
    let domain = Domain::new(store.clone());
    let running = start(&store, database, ProjectorOptions::default());
    assert!(settles(&domain, &running), "nothing was recorded yet");
    assert_eq!(running.status().build.map(|(_, state)| state), Some(BuildState::Live), "its tables can be read");
    for round in 1..30 {
        events.push(deposited(round % 3, round.into()));
        record(&store, [events[events.len() - 1].clone()]);
        if round % 2 == 0 {
            record_other(&store); // which it is not woken for
        }
        assert!(settles(&domain, &running));
        assert_eq!(balances(database), fold(&events), "round {round}");
    }
    running.pause();
    record_other(&store);
    assert!(settles(&domain, &running), "it is paused, and has nothing before it");
    events.push(deposited(1, 1));
    record(&store, [deposited(1, 1)]);
    let at_once = domain.settle(&[&running], Some(Duration::ZERO));
    assert!(!at_once.expect("it works"), "it is paused, and has something before it");
    running.resume();
    assert!(settles(&domain, &running));
    assert_eq!(balances(database), fold(&events));
}

pub fn what_waits_to_be_tried_again_is_not_at_rest(database: &Database) {
    let store = store();
    let domain = Domain::new(store.clone());
    let moment = Duration::from_millis(1);
    let options = ProjectorOptions {
        attempts: 4,
        backoff: Backoff { first: moment, most: moment },
        ..ProjectorOptions::default()
    };
    let running = start(&store, database, options.clone());
    record(&store, [deposited(1, 5), withdrawn(1, 6)]);
    assert!(settles(&domain, &running));
    let status = running.status();
    assert_eq!((status.failures, status.parked_keys), (4, 1), "it was tried as often as it is, and waits for somebody");
    running.discard("account-1");
    assert!(settles(&domain, &running));
    assert_eq!(running.status().parked_keys, 0, "what it was told is done");
    running.stop();

    let running = start(&store, database, ProjectorOptions { on_failure: OnFailure::Stop, ..options });
    record(&store, [withdrawn(1, 6)]);
    let error = domain.settle(&[&running], SOON).expect_err("it has stopped").to_string();
    assert!(error.starts_with("projector has stopped: event fails: "), "{error}");
    assert!(error.ends_with(", projector=balances"), "{error}");
}

pub fn a_world_brings_projectors_forward_whatever_crashes(database: &Database) {
    let runs = crash_everywhere(|world| {
        // Each run begins with a database that nobody has written to.
        super::projecting::forget(database);
        let (clock, connect) = (Arc::<ManualClock>::clone(world.clock()), Arc::clone(database));
        world.runs(move |domain| {
            let options =
                ProjectorOptions { batch_events: 2, clock: Arc::<ManualClock>::clone(&clock), ..Default::default() };
            let connect = Arc::clone(&connect);
            let runner = ProjectorRunner::new(domain.store().clone(), move || connect(), Balances, options);
            Ok(Box::new(runner.map_err(|error: SqlError| error.to_string())?))
        });
        let events = [deposited(1, 4), deposited(2, 7), withdrawn(1, 3), deposited(2, 1), withdrawn(1, 1)];
        world.records(events.clone());
        assert_eq!(balances(database), fold(&events));
        world.records([deposited(3, 9)]);
        assert_eq!(balances(database), fold(&[events.to_vec(), vec![deposited(3, 9)]].concat()));
        assert_eq!(world.domain().store().head().position(), Position(6));
    });
    assert!(runs > 20, "there are many moments, runs={runs}");
}
