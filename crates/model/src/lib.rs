//! Models of Gesta: typed events; state as a question, lazily answered as of any moment; commands decided on what they read; and laws that are
//! checked and buy speed.
//!
//! ```
//! use gesta_model::{Algebraic, Command, Decide, Domain, Event, Model, Place, algebra::Sum};
//! use gesta_store::{EventStore, Position};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Event, Serialize, Deserialize, Clone, Debug)]
//! enum Bank {
//!     #[event("money-deposited", at = "account-{account}")]
//!     Deposited { account: u32, cents: i64 },
//!     #[event("money-withdrawn", at = "account-{account}")]
//!     Withdrawn { account: u32, cents: i64 },
//! }
//!
//! #[derive(Clone, Debug, Default, PartialEq)]
//! struct Account { cents: i128 }
//!
//! impl Model for Account {
//!     type Event = Bank;
//!     type Key = u32;
//!     const AT: &str = "account-*";
//!     fn apply(&mut self, event: &Bank, _: &Place) {
//!         match event {
//!             Bank::Deposited { cents, .. } => self.cents += i128::from(*cents),
//!             Bank::Withdrawn { cents, .. } => self.cents -= i128::from(*cents),
//!         }
//!     }
//! }
//!
//! #[derive(Command)]
//! #[command(Account, key = account, or = Overdrawn)]
//! struct Withdraw { account: u32, cents: i64 }
//!
//! #[derive(Debug)]
//! struct Overdrawn;
//!
//! impl Decide for Withdraw {
//!     fn decide(&self, account: &Account) -> Result<Vec<Bank>, Overdrawn> {
//!         let Self { account: number, cents } = *self;
//!         if account.cents < cents.into() { return Err(Overdrawn) }
//!         Ok(vec![Bank::Withdrawn { account: number, cents }])
//!     }
//! }
//!
//! // Balances add up: said once, checked by `laws!` and at run time, and used for replays, ranges and states of the past.
//! impl Algebraic for Account {
//!     type Summary = Sum;
//!     fn lift(event: &Bank, _: &Place) -> Sum {
//!         match event {
//!             Bank::Deposited { cents, .. } => Sum::of(*cents),
//!             Bank::Withdrawn { cents, .. } => Sum::of(-cents),
//!         }
//!     }
//!     fn act(&mut self, sum: &Sum) {
//!         self.cents += sum.total();
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let domain = Domain::new(EventStore::open(dir.path())?);
//! let (stream, deposit) = gesta_model::event::to_recordable(&Bank::Deposited { account: 7, cents: 50 })?;
//! domain.store().append(stream, gesta_store::ExpectedRevision::Any, [deposit]).wait()?;
//!
//! let receipt = domain.send(Withdraw { account: 7, cents: 20 }).wait().expect("there is enough");
//! assert_eq!(domain.get::<Account>(7_u32).at_least(&receipt).wait()?.cents, 30);
//! assert_eq!(domain.get::<Account>(7_u32).as_of(Position(0)).wait()?.cents, 50);
//! assert!(domain.send(Withdraw { account: 7, cents: 31 }).wait().is_err());
//!
//! let summaries = domain.accelerate::<Account>()?;
//! let change = summaries.between(&7, Position(1)..domain.store().head().position())?;
//! assert_eq!(change, Sum::of(-20));
//! # Ok(())
//! # }
//! ```
//!
//! # Reading order
//! [`algebra`]: what composes. [`event`]: facts on the wire. [`key`], [`model`]: folds over them; `scope` says which events, `fold` applies them, and is
//! the reference for everything else. [`mod@laws`]: whether what is declared holds. [`tree`]: what laws buy. [`state`]: asking. [`command`]: deciding.
//! [`process`]: reacting. [`domain`] is the front door, [`testing`] does without a store.
//!
//! There is no file but those of snapshots, no thread that outlives a call, and no runtime in this crate: everything goes through the public API of `gesta-store`.

extern crate self as gesta_model;

pub mod algebra;
pub mod command;
pub mod demotion;
mod digest;
pub mod domain;
pub mod error;
pub mod event;
mod fold;
pub mod key;
pub mod laws;
pub mod middleware;
pub mod model;
pub mod options;
pub mod parked;
pub mod process;
mod scope;
pub mod state;
pub mod testing;
pub mod tree;

pub use crate::{
    algebra::Monoid,
    command::{Command, Decide, Knows, SendError, Sending},
    demotion::{Broken, Demotion},
    domain::Domain,
    error::{Error, Result},
    event::{Event, Format, Found, Json, Kind, Place, Upcast},
    key::Key,
    laws::Laws,
    middleware::{Envelope, Failure, Halt, Middleware, Receipt},
    model::{Algebraic, Model, Unreadable},
    options::DomainOptions,
    parked::ParkedEvent,
    process::{Effect, Hearing, Process, ProcessOptions, RunningProcess},
    state::{
        Base, CacheInfo, Explain, Get, History, Moment, ReadLevel, SnapshotInfo, SnapshotOptions, Snapshots, State,
        Token, Watch,
    },
    tree::{LawReport, OnCaller, Run, Summaries, Threads, TreeOptions, Workers},
};
pub use gesta_model_derive::{Command, Event, Key, Monoid};

/// What derives write, and nobody else needs.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        command::{Asked, AskedField, AskedSerialized, AskedUnknown, are_kinds},
        event::Name,
    };
    pub use serde::{Serialize, de::DeserializeOwned};
    pub use uuid::Uuid;
}
