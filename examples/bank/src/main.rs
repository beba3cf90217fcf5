//! The `gesta` program of a bank: everything that `gesta` does, and the bank's own models.
//! `cargo run -p bank -- state --model account ada`.

use std::process::ExitCode;

use gesta::{
    Algebraic, Event, Laws, Model, Monoid, Place, Unreadable,
    algebra::{Count, Invertible, Sum},
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug)]
enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened { account: String, owner: String },
    #[event("money-deposited", at = "account-{account}")]
    Deposited { account: String, cents: i64 },
    #[event("money-withdrawn", at = "account-{account}")]
    Withdrawn { account: String, cents: i64 },
}

/// One account, as serde writes it. An event that this program cannot read is set aside, and said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Account {
    owner: Option<String>,
    cents: i64,
}

impl Model for Account {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "account-*";
    const UNREADABLE: Unreadable = Unreadable::Park;
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Opened { owner, .. } => self.owner = Some(owner.clone()),
            Bank::Deposited { cents, .. } => self.cents += cents,
            Bank::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

/// All accounts together: what they hold, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Holdings {
    cents: i128,
    accounts: i128,
}

impl Model for Holdings {
    type Event = Bank;
    type Key = ();
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Opened { .. } => self.accounts += 1,
            Bank::Deposited { cents, .. } => self.cents += i128::from(*cents),
            Bank::Withdrawn { cents, .. } => self.cents -= i128::from(*cents),
        }
    }
}

impl Algebraic for Holdings {
    type Summary = (Sum, Count);
    fn lift(event: &Bank, _: &Place<'_>) -> Self::Summary {
        match event {
            Bank::Opened { .. } => (Sum::identity(), Count::one()),
            Bank::Deposited { cents, .. } => (Sum::of(*cents), Count::identity()),
            Bank::Withdrawn { cents, .. } => (Sum::of(*cents).inverse(), Count::identity()),
        }
    }
    fn act(&mut self, (cents, accounts): &Self::Summary) {
        self.cents += cents.total();
        self.accounts += accounts.count();
    }
}

fn main() -> ExitCode {
    gesta_cli::Program::new()
        .model::<Account>("account")
        .algebraic("holdings", Laws::<Holdings>::default().commutative())
        .run()
}
