//! Read models of Gesta in SQL tables.
//!
//! A [`Projector`] says what its tables are, and what an event does to them. Its checkpoint is in the same database and moves in the same
//! transaction, so that every event is in the tables exactly once, whatever dies when. Readers use plain SQL.
//!
//! ```
//! # #[cfg(feature = "sqlite")] mod example {
//! use gesta_model::{Event, Place};
//! use gesta_projector::{Connection, Failure, Projector, ProjectorOptions, ProjectorRunner, SqlError, Tables, sqlite::Sqlite};
//! # use serde::{Deserialize, Serialize};
//!
//! #[derive(Event, Serialize, Deserialize)]
//! enum Bank {
//!     #[event("money-deposited", at = "account-{account}")]
//!     Deposited { account: String, cents: i64 },
//! }
//!
//! struct Balances;
//!
//! impl Projector for Balances {
//!     type Event = Bank;
//!     const NAME: &str = "balances";
//!     const VERSION: u32 = 1;
//!     const TABLES: &[&str] = &["balances"];
//!
//!     fn create(&self, tables: &mut Tables) -> Result<(), SqlError> {
//!         tables.execute("create table {balances} (account text primary key, cents bigint not null)", &[])?;
//!         Ok(())
//!     }
//!
//!     fn project(&self, event: &Bank, _: &Place, tables: &mut Tables) -> Result<(), Failure> {
//!         let Bank::Deposited { account, cents } = event;
//!         let sql = "insert into {balances} (account, cents) values ($1, $2) \
//!                    on conflict (account) do update set cents = {balances}.cents + $2";
//!         tables.execute(sql, &[account.into(), (*cents).into()])?;
//!         Ok(())
//!     }
//! }
//!
//! # pub fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let store = gesta_store::EventStore::open(dir.path().join("store"))?;
//! let database = Sqlite::at(dir.path().join("bank.db"));
//! let balances = ProjectorRunner::new(store.clone(), database.clone(), Balances, ProjectorOptions::default())?.start()?;
//!
//! let (stream, deposit) = gesta_model::event::to_recordable(&Bank::Deposited { account: "ada".into(), cents: 50 })?;
//! let recorded = store.append(stream, gesta_store::ExpectedRevision::Any, [deposit]).wait()?;
//!
//! // One's own writes: wait until they are in the tables.
//! let position = recorded.last_position.expect("one event");
//! let soon = std::time::Duration::from_secs(60);
//! assert!(balances.wait_past(position, soon) && balances.wait_until_live(soon));
//! let rows = database.open()?.query("select cents from balances where account = $1", &["ada".into()])?;
//! assert_eq!(rows, [[50_i64.into()]]);
//! balances.stop();
//! # Ok(())
//! # }
//! # }
//! # #[cfg(feature = "sqlite")] example::main().unwrap();
//! ```
//!
//! # Versions
//! Tables belong to a *build*: `balances_v1`. The plain name is a view. When [`VERSION`](Projector::VERSION) goes up, the new build grows beside the
//! one that is live, while that is read and kept up to date by whoever still runs it; when it has caught up, the views change in one
//! transaction. [`Start::Anew`] does the same for one version: a rebuild. Projecting has no effect but on the tables of its build, so building anew
//! repeats nothing that anybody could notice.
//!
//! # Failures
//! A database that is away is tried again for ever. An event that fails, by an error, a panic, or because it cannot be decoded, is kept aside in
//! `gesta_parked` with the reason, and with it the later events of its key, in their order; all others go on ([`OnFailure`]).
//!
//! # Reading order
//! [`value`], [`connection`]: the seam to a database; [`sqlite`], [`postgres`]: the two there are. [`mod@build`]: names; [`ledger`]: what the database knows.
//! [`projector`]: what an application says; [`options`]; [`control`]: what it is told and says while it works. [`runner`]: its steps; [`running`]: its
//! thread; `rest`: when it has nothing left to do, for `Domain::settle` and, with the feature `testing`, for `World::settle`.

pub mod build;
pub mod connection;
pub mod control;
pub mod ledger;
pub mod options;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod projector;
mod rest;
pub mod runner;
pub mod running;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod value;

pub use crate::{
    build::Build,
    connection::{Connect, Connection, SqlError, SqlErrorKind},
    control::{Activity, Control, ProjectorStatus},
    ledger::{BuildInfo, BuildState, ParkedEvent, builds, discard, parked},
    options::{OnFailure, ProjectorOptions, Promotion, Retired, Start},
    projector::{Failure, Projector, Tables},
    runner::{ProjectorRunner, Step},
    running::RunningProjector,
    value::Value,
};
