//! Commands: what must be known, and what is decided from it.
//!
//! The consistency boundary of a decision is whatever it reads: one instance, two of them, a rule over many. Sending a command loads its
//! models at one head, decides, and appends on condition that nothing the models are made of was recorded meanwhile; if something was, it
//! decides again with fresh state.

mod around;
mod asked;
mod knows;
mod lane;
mod prepare;
mod send;

use std::fmt;

use uuid::Uuid;

pub use asked::{Asked, AskedField, AskedSerialized, AskedUnknown};
pub use knows::{Knows, are_kinds};
pub(crate) use lane::Lane;
pub(crate) use prepare::{Along, would};
pub use send::Sending;
pub(crate) use send::{record, send_along};

use crate::{error::Error, event::Event};

/// What is asked for, and what must be known to decide it. By `#[derive(Command)]`:
///
/// ```
/// use gesta_model::{Command, Decide, Event, Model, Place};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
/// # enum Bank {
/// #     #[event("money-deposited", at = "account-{account}")] Deposited { account: String, cents: i64 },
/// #     #[event("money-withdrawn", at = "account-{account}")] Withdrawn { account: String, cents: i64 },
/// # }
/// # #[derive(Clone, Default)] struct Account { cents: i64 }
/// # impl Model for Account {
/// #     type Event = Bank; type Key = String; const AT: &str = "account-*";
/// #     fn apply(&mut self, event: &Bank, _: &Place) {
/// #         match event { Bank::Deposited { cents, .. } => self.cents += cents, Bank::Withdrawn { cents, .. } => self.cents -= cents }
/// #     }
/// # }
/// #[derive(Debug, PartialEq)]
/// struct Overdrawn;
///
/// #[derive(Command)]
/// #[command(Account, key = account, or = Overdrawn)]
/// struct Withdraw { account: String, cents: i64 }
///
/// impl Decide for Withdraw {
///     fn decide(&self, account: &Account) -> Result<Vec<Bank>, Overdrawn> {
///         if account.cents < self.cents { return Err(Overdrawn) }
///         Ok(vec![Bank::Withdrawn { account: self.account.clone(), cents: self.cents }])
///     }
/// }
///
/// use gesta_model::testing::given;
/// let deposit = |cents| Bank::Deposited { account: "7".into(), cents };
/// given([deposit(50)]).when(&Withdraw { account: "7".into(), cents: 20 })
///     .then([Bank::Withdrawn { account: "7".into(), cents: 20 }]);
/// given([deposit(10)]).when(&Withdraw { account: "7".into(), cents: 20 }).refuses(&Overdrawn);
/// ```
///
/// Several models are a tuple, with a key for each: `#[command((Account, Account), key = (from, to), or = Refused)]`; `decide` then takes
/// `(from, to): (&Account, &Account)`. Without `or`, it cannot refuse. `event = …` names the type of its events, if it is not the first model's.
pub trait Command: Send + Sync {
    /// What it is called in the metadata of its events.
    const NAME: &'static str;
    /// What it must know: a model, or a tuple of models.
    type Knows: Knows;
    /// What it records.
    type Event: Event;
    /// How it refuses: the domain's own type.
    type Refusal;

    /// Kinds of events, by their names, that cannot change its verdict: what is decided stands, even if such was recorded meanwhile. Tried by
    /// `testing::ignores_hold` (feature `laws`), for a claim that is false loses updates. To the derive, a name that is no kind of its models is an error:
    ///
    /// ```compile_fail,E0080
    /// # use gesta_model::{Command, Event, Model, Place};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Event, Serialize, Deserialize)]
    /// # enum Bank { #[event("money-deposited", at = "account-{account}")] Deposited { account: String, cents: i64 } }
    /// # #[derive(Clone, Default)] struct Account;
    /// # impl Model for Account {
    /// #     type Event = Bank; type Key = String; const AT: &str = "account-*";
    /// #     fn apply(&mut self, _: &Bank, _: &Place) {}
    /// # }
    /// #[derive(Command)]
    /// #[command(Account, key = account, ignores("money-deposit"))] // misspelt
    /// struct Withdraw { account: String }
    /// ```
    const IGNORES: &'static [&'static str] = &[];

    /// Which instances it must know.
    fn keys(&self) -> <Self::Knows as Knows>::Keys;

    /// What it asks for, as far as that can be told: what a request key was used with. The derive makes it of all fields that serde can write; `None`: only
    /// the name tells commands apart.
    fn asked(&self) -> Option<Uuid> {
        None
    }
}

/// How a command is decided. Pure: it may be called again, with fresher state, before its events are recorded.
pub trait Decide: Command {
    /// The events to record, in order and all or none; or a refusal.
    ///
    /// # Errors
    /// The domain's own reason to refuse.
    fn decide(&self, known: <Self::Knows as Knows>::Ref<'_>) -> Result<Vec<Self::Event>, Self::Refusal>;
}

/// Why a command recorded nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError<R, E = Error> {
    /// The domain refused: a result like another.
    Refused(R),
    /// It could not be decided, or not be recorded.
    Failed(E),
}

impl<R> SendError<R> {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&R> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) => None,
        }
    }
}

impl<R> From<Error> for SendError<R> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<R> From<gesta_store::Error> for SendError<R> {
    fn from(error: gesta_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl<R: fmt::Display> fmt::Display for SendError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<R: fmt::Display + fmt::Debug> std::error::Error for SendError<R> {}
