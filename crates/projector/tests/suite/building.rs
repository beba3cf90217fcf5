//! Versions side by side, and building anew.

use gesta_projector::{Activity, Build, ProjectorOptions, Promotion, Retired, SqlErrorKind, Start, Step, discard};

use crate::shared::{
    Balances, Balances2, Bank, Database, balances, clock, deposited, drive, fold, numbers, options, record, run,
    runner, states, store,
};

fn some(from: i64) -> Vec<Bank> {
    (from..from + 10).map(|n| deposited(u32::from(n % 2 == 0), n)).collect()
}

fn turnover(database: &Database) -> Vec<Vec<i64>> {
    numbers(database, "select account, cents from turnover order by account")
}

pub fn a_higher_version_grows_beside_and_takes_over(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, some(0));
    let mut old = runner(&store, database, Balances, options(&clock));
    drive(&mut old, &clock);
    let before = balances(database);
    let mut new = runner(&store, database, Balances2, options(&clock));
    let mut progress = Vec::new();
    while states(database) != ["balances@v1 Retired", "balances@v2 Live"] {
        assert_eq!(balances(database), before, "readers see the old one, whole");
        assert_eq!(new.step(), Step::Worked);
        progress.push(new.status().progress);
    }
    assert!(progress.is_sorted() && progress.iter().any(|part| (0.2..0.8).contains(part)), "{progress:?}");
    assert_eq!(turnover(database), [[0, 25], [1, 20]]);
    let shown = numbers(database, "select account, cents from balances order by account");
    assert_eq!(shown, [[0, 25], [1, 20]]);

    // Whoever still runs the old one keeps it up to date, out of sight.
    record(&store, [deposited(7, 7)]);
    assert!(new.run_until_idle());
    drive(&mut old, &clock);
    assert_eq!(numbers(database, "select cents, events from balances_v1 where account = 7"), [[7, 1]]);
    assert_eq!(numbers(database, "select cents from balances where account = 7"), [[7]]);
    assert_eq!(states(database), ["balances@v1 Retired", "balances@v2 Live"]);
    let live = Build { name: "balances".into(), version: 2, generation: 0 };
    let mut connection = database().expect("connects");
    assert_eq!(discard(&mut *connection, &live).map_err(|error| error.kind), Err(SqlErrorKind::Refused));
    discard(&mut *connection, &Build { version: 1, ..live }).expect("dropped");
    assert_eq!(states(database), ["balances@v2 Live"]);
    record(&store, [deposited(7, 7)]);
    while old.step() != Step::Ended {
        clock.advance(std::time::Duration::from_secs(1));
    }
    let Activity::Stopped { reason: Some(reason) } = old.status().activity else { panic!("{:?}", old.status()) };
    assert_eq!(reason, "build was dropped, build=balances@v1");
}

pub fn a_lower_version_takes_over_only_by_hand(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, some(0));
    run(&store, database, Balances2);
    let mut old = runner(&store, database, Balances, options(&clock));
    drive(&mut old, &clock);
    assert_eq!(states(database), ["balances@v1 Building", "balances@v2 Live"]);
    assert!(old.status().is_caught_up());
    old.control().promote();
    drive(&mut old, &clock);
    assert_eq!(states(database), ["balances@v1 Live", "balances@v2 Retired"]);
    assert_eq!(balances(database), fold(&some(0)));
    assert!(database().expect("connects").query("select * from turnover", &[]).is_err(), "a view of the other one");
    record(&store, [deposited(9, 9)]);
    drive(&mut old, &clock);
    assert_eq!(balances(database).last(), Some(&vec![9, 9, 1]));
    // And back: what has been live once is not promoted by itself.
    let mut new = run(&store, database, Balances2);
    assert_eq!(states(database), ["balances@v1 Live", "balances@v2 Retired"]);
    new.control().promote();
    assert!(new.run_until_idle());
    assert_eq!(states(database), ["balances@v1 Retired", "balances@v2 Live"]);
    assert_eq!(turnover(database).last(), Some(&vec![9, 9]));
}

pub fn a_rebuild_takes_the_place_of_its_own_version(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, some(0));
    let mut first = runner(&store, database, Balances, options(&clock));
    drive(&mut first, &clock);
    // Somebody spoils the table.
    database().expect("connects").execute("update balances_v1 set cents = 0", &[]).expect("spoilt");
    let anew = ProjectorOptions { start: Start::Anew, ..options(&clock) };
    let mut second = runner(&store, database, Balances, anew.clone());
    for _ in 0..4 {
        second.step();
    }
    assert_eq!(states(database), ["balances@v1 Live", "balances@v1.1 Building"]);
    drop(second);
    let mut second = runner(&store, database, Balances, anew);
    drive(&mut second, &clock);
    assert_eq!(states(database), ["balances@v1 Retired", "balances@v1.1 Live"], "gone on with, not begun again");
    assert_eq!(balances(database), fold(&some(0)));
    record(&store, [deposited(9, 9)]);
    drive(&mut second, &clock);
    while first.step() != Step::Ended {
        clock.advance(std::time::Duration::from_secs(1));
    }
    let Activity::Stopped { reason: Some(reason) } = first.status().activity else { panic!("{:?}", first.status()) };
    assert_eq!(reason, "build was built anew, build=balances@v1");
    drop(second);
    let resumed = run(&store, database, Balances);
    let (build, _) = resumed.status().build.expect("is at one");
    assert_eq!(build.generation, 1, "the one that is live");
    assert_eq!(balances(database).last(), Some(&vec![9, 9, 1]));
}

pub fn retired_tables_may_be_dropped(database: &Database) {
    let (store, clock) = (store(), clock());
    record(&store, some(0));
    run(&store, database, Balances);
    let by_hand = ProjectorOptions { promotion: Promotion::ByHand, retired: Retired::Drop, ..options(&clock) };
    let mut new = runner(&store, database, Balances2, by_hand);
    drive(&mut new, &clock);
    assert_eq!(states(database), ["balances@v1 Live", "balances@v2 Building"]);
    new.control().promote();
    drive(&mut new, &clock);
    assert_eq!(states(database), ["balances@v2 Live"]);
    assert!(database().expect("connects").query("select * from balances_v1", &[]).is_err());
    assert_eq!(turnover(database), [[0, 25], [1, 20]]);
}
