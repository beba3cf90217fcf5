//! A bank's balances in a table of SQLite, always as the log has them. `cargo run -p gesta --features sqlite --example bank_table`.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use gesta::{
    Event, EventStore, ExpectedRevision, Place, Position,
    model::event::to_recordable,
    projector::{
        Connection, Failure, Projector, ProjectorOptions, ProjectorRunner, RunningProjector, SqlError, Tables,
        sqlite::Sqlite,
    },
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened { account: String, owner: String },
    #[event("money-deposited", at = "account-{account}")]
    Deposited { account: String, cents: i64 },
    #[event("money-withdrawn", at = "account-{account}")]
    Withdrawn { account: String, cents: i64 },
}

// The table, and what an event does to it. Adding twice would be wrong: it happens once, whatever dies when.
struct Balances;

impl Projector for Balances {
    type Event = Bank;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["balances"];

    fn create(&self, tables: &mut Tables<'_>) -> Result<(), SqlError> {
        let sql = "create table {balances} (account text primary key, owner text not null, cents bigint not null)";
        tables.execute(sql, &[]).map(drop)
    }

    fn project(&self, event: &Bank, _: &Place<'_>, tables: &mut Tables<'_>) -> Result<(), Failure> {
        let (account, cents) = match event {
            Bank::Opened { account, owner } => {
                let sql = "insert into {balances} (account, owner, cents) values ($1, $2, 0)";
                tables.execute(sql, &[account.into(), owner.into()])?;
                return Ok(());
            }
            Bank::Deposited { account, cents } => (account, *cents),
            Bank::Withdrawn { account, cents } => (account, -cents),
        };
        let sql = "update {balances} set cents = cents + $2 where account = $1";
        match tables.execute(sql, &[account.into(), cents.into()])? {
            1 => Ok(()),
            // It is kept aside, and whatever else there is about this account; the others go on.
            _ => Err(Failure::new(format!("account was not opened, account={account}"))),
        }
    }
}

// The same facts, seen otherwise: how much goes through the hands of an owner.
struct Turnover;

impl Projector for Turnover {
    type Event = Bank;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 2;
    const TABLES: &'static [&'static str] = &["balances", "turnover"];

    fn create(&self, tables: &mut Tables<'_>) -> Result<(), SqlError> {
        Balances.create(tables)?;
        tables.execute("create table {turnover} (account text primary key, cents bigint not null)", &[]).map(drop)
    }

    fn project(&self, event: &Bank, place: &Place<'_>, tables: &mut Tables<'_>) -> Result<(), Failure> {
        Balances.project(event, place, tables)?;
        if let Bank::Deposited { account, cents } | Bank::Withdrawn { account, cents } = event {
            let sql = "insert into {turnover} (account, cents) values ($1, $2) \
                       on conflict (account) do update set cents = {turnover}.cents + $2";
            tables.execute(sql, &[account.into(), (*cents).into()])?;
        }
        Ok(())
    }
}

fn record(store: &EventStore, event: &Bank) -> Result<Position, Box<dyn std::error::Error>> {
    let (stream, event) = to_recordable(event)?;
    let recorded = store.append(stream, ExpectedRevision::Any, [event]).wait()?;
    Ok(recorded.last_position.expect("one event was recorded"))
}

fn start(
    store: &EventStore,
    database: &Sqlite,
    projector: impl Projector,
) -> Result<RunningProjector, Box<dyn std::error::Error>> {
    Ok(ProjectorRunner::new(store.clone(), database.clone(), projector, ProjectorOptions::default())?.start()?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let store = EventStore::open(directory.path().join("store"))?;
    let database = Sqlite::at(directory.path().join("bank.db"));
    let balances = start(&store, &database, Balances)?;

    for owner in ["ada", "grace"] {
        record(&store, &Bank::Opened { account: owner.into(), owner: owner.into() })?;
    }
    record(&store, &Bank::Deposited { account: "ada".into(), cents: 10_000 })?;
    let last = record(&store, &Bank::Withdrawn { account: "ada".into(), cents: 2_500 })?;

    // One's own writes: wait until they are in the table. Readers need nothing but SQL.
    let soon = Duration::from_secs(60);
    assert!(balances.wait_past(last, soon) && balances.wait_until_live(soon));
    let mut reader = database.open()?;
    let found = reader.query("select account, cents from balances order by account", &[])?;
    println!("{found:?}");
    assert_eq!(found, [["ada".into(), 7_500_i64.into()], ["grace".into(), 0_i64.into()]]);

    // A new version is built beside the one that is read, and takes its place when it has caught up.
    let turnover = start(&store, &database, Turnover)?;
    assert!(turnover.wait_until_live(soon));
    balances.stop();
    let last = record(&store, &Bank::Deposited { account: "grace".into(), cents: 500 })?;
    assert!(turnover.wait_past(last, soon));
    println!("{:?}", turnover.status());
    turnover.stop();
    let found = reader.query("select account, cents from turnover order by account", &[])?;
    assert_eq!(found, [["ada".into(), 12_500_i64.into()], ["grace".into(), 500_i64.into()]]);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_runs() {
        super::main().expect("runs");
    }
}
