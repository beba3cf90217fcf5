//! What an event, or a database, that fails does, and to whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gesta_projector::{Activity, OnFailure, ParkedEvent, ProjectorOptions, SqlError, Step, builds, parked};

use crate::shared::{
    Balances, Bank, Database, PANICS, SWALLOWED, balances, clock, deposited, drive, fold, head, options, record,
    record_garbage, run, runner, store, store_of, withdrawn,
};

fn parked_events(database: &Database) -> Vec<ParkedEvent> {
    let mut connection = database().expect("connects");
    let all = builds(&mut *connection, "balances").expect("reads");
    parked(&mut *connection, &all[0].build).expect("reads")
}

/// Position, key, attempts, and whether there is a reason.
fn shown(database: &Database) -> Vec<(u64, String, u32, bool)> {
    let row = |event: ParkedEvent| (event.position, event.key, event.attempts, event.reason.is_some());
    parked_events(database).into_iter().map(row).collect()
}

/// As somebody does who mends what is wrong.
fn grant(database: &Database, account: i64, cents: i64) {
    let sql = "update balances_v1 set cents = cents + $2 where account = $1";
    assert_eq!(database().expect("connects").execute(sql, &[account.into(), cents.into()]), Ok(1));
}

pub fn a_poison_event_parks_its_key_and_others_go_on(database: &Database) {
    let (store, clock) = (store(), clock());
    let good = [deposited(1, 5), deposited(2, 1)];
    record(&store, good.clone());
    // Below zero: the database says no. What comes after it for the same account has to wait.
    record(&store, [withdrawn(1, 6), deposited(2, 2), deposited(1, 9), withdrawn(1, 14), deposited(2, 4)]);
    let mut runner = runner(&store, database, Balances, options(&clock));
    assert!(runner.run_until_idle());
    let expected = [good.to_vec(), vec![deposited(2, 2), deposited(2, 4)]].concat();
    assert_eq!(balances(database), fold(&expected));
    let key = || "account-1".to_owned();
    assert_eq!(shown(database), [(2, key(), 1, true), (4, key(), 0, false), (5, key(), 0, false)]);
    let reason = parked_events(database)[0].reason.clone().expect("a reason");
    assert!(reason.contains("constraint") || reason.contains("CHECK"), "{reason}");
    let status = runner.status();
    assert_eq!((status.parked_keys, status.parked_events, status.position), (1, 3, head(&store)));

    grant(database, 1, 6);
    runner.control().retry_parked();
    assert!(runner.run_until_idle());
    assert_eq!(shown(database), []);
    assert_eq!(balances(database), [[1, 0, 4], [2, 7, 3]], "all of them, in order");
    assert_eq!(runner.status().parked_events, 0);
    record(&store, [deposited(1, 1)]);
    assert!(runner.run_until_idle());
    assert_eq!(balances(database)[0], [1, 1, 5], "the key is free");
}

pub fn parked_events_are_tried_again_and_then_left(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, [deposited(1, 5), withdrawn(1, 6)]);
    let three = ProjectorOptions { attempts: 3, ..options(&clock) };
    let mut first = runner(&store, database, Balances, three.clone());
    drive(&mut first, &clock);
    assert_eq!(shown(database), [(1, "account-1".to_owned(), 3, true)], "tried three times, then left");
    assert_eq!(first.step(), Step::Idle(None));
    let failures = first.status().failures;
    drop(first);
    let mut second = runner(&store, database, Balances, three);
    drive(&mut second, &clock);
    assert_eq!((failures, second.status().failures), (3, 0), "a restart does not begin from one");
    assert_eq!(second.status().parked_events, 1, "but knows");
    grant(database, 1, 1);
    second.control().retry("account-2");
    second.control().retry("account-1");
    drive(&mut second, &clock);
    assert_eq!((balances(database), shown(database)), (vec![vec![1, 0, 2]], vec![]));
}

pub fn what_is_discarded_lets_the_rest_of_its_key_in(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, [deposited(1, 5), withdrawn(1, 6), deposited(1, 2), withdrawn(1, 8), deposited(1, 4)]);
    let mut runner = runner(&store, database, Balances, options(&clock));
    drive(&mut runner, &clock);
    runner.control().discard("account-1");
    assert!(runner.run_until_idle());
    assert_eq!(balances(database), [[1, 7, 2]], "up to the next one that fails");
    assert_eq!(shown(database)[0].0, 3);
    assert_eq!(runner.status().parked_events, 2);
    drive(&mut runner, &clock);
    runner.control().discard("account-1");
    assert!(runner.run_until_idle());
    assert_eq!((balances(database), shown(database)), (vec![vec![1, 11, 3]], vec![]));
}

pub fn panics_garbage_and_swallowed_errors_are_failures(database: &Database) {
    let store = store();
    record(&store, [deposited(4, 1)]);
    record_garbage(&store, 1);
    record(&store, [withdrawn(2, PANICS), deposited(3, 1), withdrawn(3, SWALLOWED), deposited(4, 1)]);
    run(&store, database, Balances);
    assert_eq!(balances(database), [[3, 1, 1], [4, 2, 2]]);
    let reasons: Vec<String> = parked_events(database).into_iter().filter_map(|event| event.reason).collect();
    let words = ["model=balances position=1 type=money-deposited version=1", "code panicked: planted", "cents"];
    assert_eq!(reasons.len(), words.len(), "{reasons:?}");
    for (reason, word) in reasons.iter().zip(words) {
        assert!(reason.contains(word), "{reason}");
    }
}

/// It was no source of its events, and so passed over for ever: a program that could read it found its checkpoint behind it.
pub fn the_next_version_of_a_kind_is_parked(database: &Database) {
    let store = store();
    record(&store, [deposited(1, 5)]);
    let next = gesta_store::EventData::json("money-deposited.v2".parse().expect("a type"), "{}");
    let stream = "account-1".parse().expect("a name");
    store.append(stream, gesta_store::ExpectedRevision::Any, [next]).wait().expect("recorded");
    record(&store, [deposited(1, 1), deposited(2, 1)]);
    run(&store, database, Balances);
    assert_eq!(balances(database), [[1, 5, 1], [2, 1, 1]]);
    let reasons: Vec<String> = parked_events(database).into_iter().filter_map(|event| event.reason).collect();
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].starts_with("event of a kind the model does not know"), "{reasons:?}");
}

pub fn a_projector_may_stop_instead(database: &Database) {
    let (store, clock) = (store(), clock());
    let good = [deposited(1, 5), deposited(2, 1)];
    record(&store, good.clone());
    record(&store, [withdrawn(1, 6), deposited(2, 2)]);
    let stopping = ProjectorOptions { on_failure: OnFailure::Stop, batch_events: 10, ..options(&clock) };
    let run = |options| {
        let mut runner = runner(&store, database, Balances, options);
        loop {
            match runner.step() {
                Step::Ended => break runner.status(),
                Step::Idle(Some(_)) => clock.advance(Duration::from_millis(50)),
                Step::Worked => {}
                step @ (Step::Idle(None) | Step::Paused) => panic!("{step:?}"),
            }
        }
    };
    for _ in 0..2 {
        let status = run(stopping.clone());
        let Activity::Stopped { reason: Some(reason) } = &status.activity else { panic!("{status:?}") };
        assert!(reason.contains("position=2"), "{reason}");
        assert_eq!((status.failures >= 5, status.position.0), (true, 2));
        let table = crate::shared::numbers(database, "select account, cents, events from balances_v1 order by account");
        assert_eq!(table, fold(&good), "all before it is there, and nothing after it");
    }
    let sql = "update balances_v1 set cents = 6 where account = 1";
    database().expect("connects").execute(sql, &[]).expect("mended");
    let mut mended = runner(&store, database, Balances, stopping);
    drive(&mut mended, &clock);
    assert_eq!(balances(database), [[1, 0, 2], [2, 3, 2]]);
}

pub fn a_projector_may_leave_out_instead(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, [deposited(1, 5), withdrawn(1, 6), withdrawn(1, PANICS), deposited(1, 2)]);
    let skipping = ProjectorOptions { on_failure: OnFailure::Skip, ..options(&clock) };
    let mut runner = runner(&store, database, Balances, skipping);
    assert!(runner.run_until_idle());
    assert_eq!((balances(database), runner.status().skipped), (vec![vec![1, 7, 2]], 2));
    assert_eq!(shown(database), []);
}

pub fn a_database_that_is_away_is_waited_for(database: &Database) {
    let (store, clock) = (store(), clock());
    let events: Vec<Bank> = (0..5).map(|n| deposited(n, 1)).collect();
    record(&store, events.clone());
    let there = Arc::new(AtomicBool::new(false));
    let (is_there, behind) = (Arc::clone(&there), Arc::clone(database));
    let away: Database =
        Arc::new(
            move || {
                if is_there.load(Ordering::SeqCst) { behind() } else { Err(SqlError::unavailable("nobody answers")) }
            },
        );
    let mut runner = runner(&store, &away, Balances, options(&clock));
    let mut waits = Vec::new();
    for _ in 0..20 {
        match runner.step() {
            Step::Idle(Some(until)) => {
                let now = gesta_store::clock::Clock::elapsed(&*clock);
                waits.push((until - now).as_millis());
                clock.advance(until - now);
            }
            Step::Worked => {}
            step @ (Step::Idle(None) | Step::Paused | Step::Ended) => panic!("{step:?}"),
        }
    }
    assert_eq!(waits[..8], [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
    assert_eq!(runner.status().activity, Activity::Waiting { reason: "nobody answers".into() });
    there.store(true, Ordering::SeqCst);
    drive(&mut runner, &clock);
    assert_eq!(balances(database), fold(&events));
}

pub fn a_build_of_another_store_is_left_alone(database: &Database) {
    let (ours, theirs) = (store(), store_of(8));
    record(&ours, [deposited(1, 1)]);
    record(&theirs, [deposited(1, 2), deposited(1, 3)]);
    run(&ours, database, Balances);
    let mut runner = runner(&theirs, database, Balances, options(&clock()));
    assert!(!runner.run_until_idle());
    let status = runner.status();
    let Activity::Stopped { reason: Some(reason) } = status.activity else { panic!("{status:?}") };
    assert!(reason.starts_with("build is of another store, build=balances@v1"), "{reason}");
    assert_eq!(balances(database), [[1, 1, 1]]);
}
