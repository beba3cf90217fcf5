//! A bank, its read models, and databases that can be killed between any two statements.
#![allow(dead_code, unreachable_pub)] // each database uses some of it

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gesta_model::{Event, Place, event::to_recordable};
use gesta_projector::{
    Connection, Failure, Projector, ProjectorOptions, ProjectorRunner, SqlError, Step, Tables, Value, builds,
};
use gesta_store::{
    EventData, EventStore, ExpectedRevision, Options, Position, Timestamp, clock::ManualClock,
    disk::memory::MemoryDisk, entropy::Entropy,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Bank {
    #[event("money-deposited", at = "account-{account}")]
    Deposited { account: u32, cents: i64 },
    #[event("money-withdrawn", at = "account-{account}")]
    Withdrawn { account: u32, cents: i64 },
}

pub fn deposited(account: u32, cents: i64) -> Bank {
    Bank::Deposited { account, cents }
}

pub fn withdrawn(account: u32, cents: i64) -> Bank {
    Bank::Withdrawn { account, cents }
}

/// A withdrawal that panics.
pub const PANICS: i64 = 1_313;
/// A withdrawal that fails in SQL, in a way the projector does not tell of.
pub const SWALLOWED: i64 = 1_414;

/// Counts and adds: twice is not once. The database refuses what goes below zero.
pub struct Balances;

impl Projector for Balances {
    type Event = Bank;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["balances"];

    fn create(&self, tables: &mut Tables<'_>) -> Result<(), SqlError> {
        tables.execute(
            "create table {balances} (account bigint primary key, cents bigint not null check (cents >= 0), events bigint not null)",
            &[],
        )?;
        tables.execute("create index {balances}_by_cents on {balances} (cents)", &[])?;
        Ok(())
    }

    fn project(&self, event: &Bank, _: &Place<'_>, tables: &mut Tables<'_>) -> Result<(), Failure> {
        let (account, cents) = match event {
            Bank::Deposited { account, cents } => (*account, *cents),
            Bank::Withdrawn { cents: PANICS, .. } => panic!("planted"),
            Bank::Withdrawn { account, cents } => (*account, -cents),
        };
        // Two statements, so that there is a place between them.
        let sql = "insert into {balances} (account, cents, events) values ($1, 0, 0) on conflict (account) do nothing";
        tables.execute(sql, &[account.into()])?;
        if cents == -SWALLOWED {
            let _ = tables.execute("update {balances} set cents = null where account = $1", &[account.into()]);
            return Ok(());
        }
        let sql = "update {balances} set cents = cents + $2, events = events + 1 where account = $1";
        let changed = tables.execute(sql, &[account.into(), cents.into()])?;
        if changed == 1 { Ok(()) } else { Err(Failure::new("no such account")) }
    }
}

/// The next version: one table more, another column less.
pub struct Balances2;

impl Projector for Balances2 {
    type Event = Bank;
    const NAME: &'static str = "balances";
    const VERSION: u32 = 2;
    const TABLES: &'static [&'static str] = &["balances", "turnover"];

    fn create(&self, tables: &mut Tables<'_>) -> Result<(), SqlError> {
        tables.execute("create table {balances} (account bigint primary key, cents bigint not null)", &[])?;
        tables.execute("create table {turnover} (account bigint primary key, cents bigint not null)", &[])?;
        Ok(())
    }

    fn project(&self, event: &Bank, _: &Place<'_>, tables: &mut Tables<'_>) -> Result<(), Failure> {
        let (Bank::Deposited { account, cents } | Bank::Withdrawn { account, cents }) = event;
        let sign = if matches!(event, Bank::Deposited { .. }) { 1 } else { -1 };
        for (table, cents) in [("balances", sign * cents), ("turnover", *cents)] {
            let sql = format!(
                "insert into {{{table}}} (account, cents) values ($1, $2) \
                 on conflict (account) do update set cents = {{{table}}}.cents + $2"
            );
            tables.execute(&sql, &[(*account).into(), cents.into()])?;
        }
        Ok(())
    }
}

/// What a database of a test connects with.
pub type Database = Arc<dyn Fn() -> Result<Box<dyn Connection>, SqlError> + Send + Sync>;

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)))
}

/// A store in memory that runs on the threads of its callers.
pub fn store() -> EventStore {
    store_of(7)
}

pub fn store_of(seed: u64) -> EventStore {
    let entropy = Arc::new(Entropy::seeded(seed));
    let options = Options { threads: false, clock: clock(), entropy, ..Options::default() };
    EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens")
}

pub fn record(store: &EventStore, events: impl IntoIterator<Item = Bank>) {
    for event in events {
        let (stream, event) = to_recordable(&event).expect("recordable");
        store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
    }
}

/// Records something that is not what its type says.
pub fn record_garbage(store: &EventStore, account: u32) {
    let event = EventData::json("money-deposited".parse().expect("a type"), r#"{"account":"?"}"#);
    let stream = format!("account-{account}").parse().expect("a name");
    store.append(stream, ExpectedRevision::Any, [event]).wait().expect("recorded");
}

pub fn runner<P: Projector>(
    store: &EventStore,
    database: &Database,
    projector: P,
    options: ProjectorOptions,
) -> ProjectorRunner<P> {
    let database = Arc::clone(database);
    let connect = move || database();
    ProjectorRunner::new(store.clone(), connect, projector, options).expect("is set up")
}

/// Small transactions, on a clock that stands.
pub fn options(clock: &Arc<ManualClock>) -> ProjectorOptions {
    ProjectorOptions { batch_events: 3, clock: Arc::<ManualClock>::clone(clock), ..ProjectorOptions::default() }
}

/// Brings everything that is recorded into the tables, from wherever they are.
pub fn run<P: Projector>(store: &EventStore, database: &Database, projector: P) -> ProjectorRunner<P> {
    let mut runner = runner(store, database, projector, options(&clock()));
    assert!(runner.run_until_idle(), "{:?}", runner.status());
    runner
}

/// Rows of numbers.
pub fn numbers(database: &Database, sql: &str) -> Vec<Vec<i64>> {
    let rows = database().expect("connects").query(sql, &[]).expect("reads");
    rows.iter().map(|row| row.iter().map(|value| value.as_int().expect("a number")).collect()).collect()
}

/// What the view shows: account, cents, events.
pub fn balances(database: &Database) -> Vec<Vec<i64>> {
    numbers(database, "select account, cents, events from balances order by account")
}

/// What it should show.
pub fn fold(events: &[Bank]) -> Vec<Vec<i64>> {
    let mut accounts = BTreeMap::<u32, (i64, i64)>::new();
    for event in events {
        let (Bank::Deposited { account, .. } | Bank::Withdrawn { account, .. }) = event;
        let (cents, count) = accounts.entry(*account).or_default();
        match event {
            Bank::Deposited { cents: more, .. } => *cents += more,
            Bank::Withdrawn { cents: less, .. } => *cents -= less,
        }
        *count += 1;
    }
    accounts.into_iter().map(|(account, (cents, count))| vec![account.into(), cents, count]).collect()
}

/// Builds with their states, as text.
pub fn states(database: &Database) -> Vec<String> {
    let all = builds(&mut *database().expect("connects"), "balances").expect("reads");
    all.iter().map(|info| format!("{} {:?}", info.build, info.state)).collect()
}

/// When a connection dies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Before,
    After,
}

/// Lets the n-th call to the database be the last of its connection.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    left: Option<(u64, When)>,
    struck: bool,
}

impl Faults {
    pub fn at(call: u64, when: When) -> Self {
        Self(Arc::new(Mutex::new(Plan { left: Some((call, when)), struck: false })))
    }

    pub fn struck(&self) -> bool {
        self.lock().struck
    }

    pub fn on(&self, database: &Database) -> Database {
        let (faults, database) = (self.clone(), Arc::clone(database));
        Arc::new(move || Ok(Box::new(Mortal { inner: Some(database()?), faults: faults.clone() })))
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call.
    fn strikes(&self) -> Option<When> {
        let mut plan = self.lock();
        let (left, when) = plan.left?;
        if left > 0 {
            plan.left = Some((left - 1, when));
            return None;
        }
        *plan = Plan { left: None, struck: true };
        Some(when)
    }
}

/// A connection that may die.
struct Mortal {
    inner: Option<Box<dyn Connection>>,
    faults: Faults,
}

impl Mortal {
    fn call<T>(&mut self, call: impl FnOnce(&mut dyn Connection) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let gone = || SqlError::unavailable("connection is gone");
        let strikes = self.faults.strikes();
        if strikes == Some(When::Before) {
            self.inner = None;
        }
        let outcome = call(&mut **self.inner.as_mut().ok_or_else(gone)?);
        if strikes == Some(When::After) {
            self.inner = None;
            return Err(gone());
        }
        outcome
    }
}

impl Connection for Mortal {
    fn begin(&mut self) -> Result<(), SqlError> {
        self.call(|inner| inner.begin())
    }
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.call(|inner| inner.execute(sql, values))
    }
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        self.call(|inner| inner.query(sql, values))
    }
    fn commit(&mut self) -> Result<(), SqlError> {
        self.call(|inner| inner.commit())
    }
    fn rollback(&mut self) -> Result<(), SqlError> {
        self.call(|inner| inner.rollback())
    }
}

/// Takes steps, letting time pass, until there is nothing to do.
pub fn drive<P: Projector>(runner: &mut ProjectorRunner<P>, clock: &ManualClock) {
    for _ in 0..10_000 {
        match runner.step() {
            Step::Worked => {}
            Step::Idle(None) => return,
            Step::Idle(Some(_)) => clock.advance(std::time::Duration::from_millis(50)),
            step @ (Step::Paused | Step::Ended) => panic!("{step:?} {:?}", runner.status()),
        }
    }
    panic!("never rests: {:?}", runner.status());
}

pub fn head(store: &EventStore) -> Position {
    store.head().position()
}
