//! Events are in the tables exactly once.

use std::{sync::Arc, time::Duration};

use gesta_projector::{Activity, BuildState, SqlErrorKind, Step, Value};
use gesta_store::Position;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::shared::{
    Balances, Bank, Database, Faults, When, balances, clock, deposited, drive, fold, head, options, record, run,
    runner, store, withdrawn,
};

pub fn values_come_back_as_they_were(database: &Database) {
    let mut connection = database().expect("connects");
    connection
        .execute("create table kinds (a bigint, b text, c double precision, d smallint, e text)", &[])
        .expect("created");
    let rows = [
        [i64::MIN.into(), "ä'\"".into(), 0.5.into(), 7.into(), Value::Null],
        [i64::MAX.into(), Value::Null, Value::Null, (-7).into(), "x".into()],
    ];
    for row in &rows {
        // A value may stand twice, and in any order.
        let sql = "insert into kinds (e, d, c, b, a) values ($5, $4, $3, $2, $1)";
        assert_eq!(connection.execute(sql, row), Ok(1));
    }
    assert_eq!(connection.query("select a, b, c, d, e from kinds order by a", &[]), Ok(rows.map(Vec::from).to_vec()));
    let sql = "select b from kinds where a = $1 and (e = $2 or $2 = $3)";
    let found = connection.query(sql, &[i64::MIN.into(), "y".into(), "y".into()]);
    assert_eq!(found, Ok(vec![vec!["ä'\"".into()]]));
    connection.begin().expect("begins");
    assert_eq!(connection.execute("delete from kinds", &[]), Ok(2));
    connection.rollback().expect("undone");
    assert_eq!(connection.query("select count(*) from kinds", &[]), Ok(vec![vec![2_i64.into()]]));
    connection.begin().expect("begins");
    connection.execute("delete from kinds", &[]).expect("deleted");
    drop(connection);
    let found = database().expect("connects").query("select count(*) from kinds", &[]);
    assert_eq!(found, Ok(vec![vec![2_i64.into()]]), "a connection that is dropped leaves nothing behind");
}

pub fn errors_say_whether_to_try_again(database: &Database) {
    let mut connection = database().expect("connects");
    connection.execute("create table small (a bigint not null check (a < 5))", &[]).expect("created");
    for (sql, values) in [
        ("insert into small (a) values ($1)", vec![5_i64.into()]),
        ("insert into small (a) values ($1)", vec![Value::Null]),
        ("insert into nothing (a) values (1)", vec![]),
        ("insert into", vec![]),
    ] {
        let error = connection.execute(sql, &values).expect_err("is refused");
        assert_eq!(error.kind, SqlErrorKind::Refused, "{error}");
    }
}

/// 12 events, of three accounts.
fn some_events() -> Vec<Bank> {
    (1..=4).flat_map(|n| [deposited(1, n), deposited(2, 10 * n), withdrawn(1, n / 2)]).collect()
}

pub fn events_are_in_the_table_once_and_stay_so(database: &Database) {
    let (store, events) = (store(), some_events());
    record(&store, events.clone());
    let mut first = run(&store, database, Balances);
    assert_eq!(balances(database), fold(&events));
    let status = first.status();
    assert_eq!((status.projected, status.position, status.progress), (12, head(&store), 1.0));
    assert_eq!(
        status.build.map(|(build, state)| (build.to_string(), state)),
        Some(("balances@v1".into(), BuildState::Live))
    );
    assert_eq!(first.step(), Step::Idle(None));

    record(&store, [deposited(3, 5)]);
    assert!(first.run_until_idle());
    let all: Vec<Bank> = events.into_iter().chain([deposited(3, 5)]).collect();
    assert_eq!(balances(database), fold(&all));
    drop(first);
    let again = run(&store, database, Balances);
    assert_eq!(again.status().projected, 0, "everything was there");
    assert_eq!(balances(database), fold(&all));
}

pub fn whatever_dies_between_two_statements_the_table_is_the_fold(database: &Database) {
    // With an event that fails and is parked for a while, so that this is cut through as well.
    let events = [deposited(1, 4), deposited(2, 7), withdrawn(1, 5), deposited(2, 1), deposited(1, 3)];
    let expected = fold(&[deposited(1, 4), deposited(2, 7), deposited(2, 1)]);
    let mut deaths = 0;
    for call in 0.. {
        let mut cut = 0;
        for when in [When::Before, When::After] {
            let store = store();
            record(&store, events.clone());
            let faults = Faults::at(call, when);
            let (mortal, clock) = (faults.on(database), clock());
            let mut victim = runner(&store, &mortal, Balances, options(&clock));
            // Until it dies, or is done.
            while !faults.struck() && !matches!(victim.step(), Step::Idle(None)) {
                if let Step::Idle(Some(_)) = victim.step() {
                    clock.advance(Duration::from_millis(50));
                }
            }
            // A process that is started anew, and one that goes on.
            let mut survivor = if call % 2 == 0 { runner(&store, database, Balances, options(&clock)) } else { victim };
            drive(&mut survivor, &clock);
            assert_eq!(balances(database), expected, "call={call} {when:?}");
            let parked = parked_positions(database);
            assert_eq!(parked, [2, 4], "call={call} {when:?}: the withdrawal, and what came after it");
            cut += u32::from(faults.struck());
            forget(database);
        }
        deaths += cut;
        if cut == 0 {
            break;
        }
    }
    assert!(deaths > 60, "there is something to cut: {deaths}");
}

fn parked_positions(database: &Database) -> Vec<i64> {
    let rows = crate::shared::numbers(database, "select position from gesta_parked order by position");
    rows.into_iter().flatten().collect()
}

/// As if no projector ever ran.
pub(super) fn forget(database: &Database) {
    let mut connection = database().expect("connects");
    let tables = ["drop view if exists balances", "drop table if exists balances_v1"];
    for sql in tables.iter().chain(["delete from gesta_parked", "delete from gesta_builds"].iter()) {
        // Where none ever ran, there is nothing to forget.
        let _ = connection.execute(sql, &[]);
    }
}

pub fn two_at_one_build_never_do_it_twice(database: &Database) {
    let (store, events) = (store(), some_events());
    let clock = clock();
    let mut both = [0, 1].map(|_| runner(&store, database, Balances, options(&clock)));
    for chunk in events.chunks(2) {
        record(&store, chunk.to_vec());
        for _ in 0..6 {
            for runner in &mut both {
                runner.step();
            }
            clock.advance(Duration::from_secs(20));
        }
    }
    both.iter_mut().for_each(|runner| drive(runner, &clock));
    assert_eq!(balances(database), fold(&events));
    let failures: u64 = both.iter().map(|runner| runner.status().failures).sum();
    assert!(failures > 0, "they were in each other's way");
}

pub fn random_logs_and_random_deaths(database: &Database) {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let mut cases = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let event = (0..4_u32, 0..100_i64).prop_map(|(account, cents)| deposited(account, cents));
    let plan = (vec(event, 0..40), vec((0..60_u64, any::<bool>()), 0..6), 1..9_usize);
    let checked = cases.run(&plan, |(events, deaths, batch)| {
        let (store, clock) = (store(), clock());
        let mut left = events.as_slice();
        for (call, before) in deaths {
            let (now, later) = left.split_at(left.len() / 2);
            record(&store, now.to_vec());
            left = later;
            let faults = Faults::at(call, if before { When::Before } else { When::After });
            let options = gesta_projector::ProjectorOptions { batch_events: batch, ..options(&clock) };
            let mut victim = runner(&store, &faults.on(database), Balances, options);
            while !faults.struck() && !matches!(victim.step(), Step::Idle(None)) {}
        }
        record(&store, left.to_vec());
        run(&store, database, Balances);
        prop_assert_eq!(balances(database), fold(&events));
        forget(database);
        Ok(())
    });
    checked.expect("holds");
}

pub fn a_thread_works_until_it_is_stopped(database: &Database) {
    let store = store();
    let database_of_thread = Arc::clone(database);
    let connect = move || database_of_thread();
    let options = gesta_projector::ProjectorOptions::default();
    let running = gesta_projector::ProjectorRunner::new(store.clone(), connect, Balances, options)
        .expect("is set up")
        .start()
        .expect("starts");
    let soon = Duration::from_secs(60);
    for n in 1..=3 {
        record(&store, [deposited(1, n)]);
        assert!(running.wait_past(Position(head(&store).0 - 1), soon), "{:?}", running.status());
        assert!(running.wait_until_live(soon));
        assert_eq!(balances(database), [[1, n * (n + 1) / 2, n]]);
    }
    assert!(running.status().is_caught_up());
    running.pause();
    running.resume();
    record(&store, [deposited(1, 4)]);
    assert!(running.wait_past(Position(3), soon));
    let control = running.status();
    assert_eq!(control.activity, Activity::Working);
    running.stop();
    assert_eq!(balances(database), [[1, 10, 4]]);
}
