//! Processes through the front door: on a store in memory, in virtual time, with crashes.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::wildcard_enum_match_arm, missing_docs)]

mod calling;
mod committing;
mod crashing;
mod interleaving;
mod parking;
mod running;
mod side_by_side;
mod timing;
mod transferring;

use std::time::Duration;

use gesta_model::{
    Command, Decide, Domain, Event, Model, Place,
    process::{Effect, Hearing, Process, ProcessOptions},
    testing::World,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened { account: String },
    #[event("money-deposited", at = "account-{account}", also = "/transfers/{transfer?}")]
    Deposited { account: String, cents: i64, transfer: Option<String> },
    #[event("money-withdrawn", at = "account-{account}", also = "/transfers/{transfer?}")]
    Withdrawn { account: String, cents: i64, transfer: Option<String> },
    #[event("transfer-requested", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Requested { transfer: String, from: String, to: String, cents: i64 },
    #[event("transfer-ended", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Ended { transfer: String, how: String },
}

#[derive(Clone, Debug, Default)]
pub struct Account {
    open: bool,
    pub cents: i64,
}

impl Model for Account {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Opened { .. } => self.open = true,
            Bank::Deposited { cents, .. } => self.cents += cents,
            Bank::Withdrawn { cents, .. } => self.cents -= cents,
            Bank::Requested { .. } | Bank::Ended { .. } => {}
        }
    }
}

#[derive(Debug, PartialEq)]
pub enum Refused {
    NotOpen,
    Overdrawn,
}

#[derive(Command, Serialize, Deserialize, Clone)]
#[command(Account, key = account, or = Refused)]
pub struct Withdraw {
    account: String,
    cents: i64,
    transfer: String,
}

impl Decide for Withdraw {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        if account.cents < self.cents {
            return Err(Refused::Overdrawn);
        }
        let Self { account, cents, transfer } = self.clone();
        Ok(vec![Bank::Withdrawn { account, cents, transfer: Some(transfer) }])
    }
}

#[derive(Command, Serialize, Deserialize, Clone)]
#[command(Account, key = account, or = Refused)]
pub struct Deposit {
    account: String,
    cents: i64,
    transfer: String,
}

impl Decide for Deposit {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        assert!(self.account != "cursed", "planted");
        if !account.open {
            return Err(Refused::NotOpen);
        }
        let Self { account, cents, transfer } = self.clone();
        Ok(vec![Bank::Deposited { account, cents, transfer: Some(transfer) }])
    }
}

/// Money from one account to another, and back if it cannot arrive.
#[derive(Clone, Debug, Default)]
pub struct Transfer {
    from: String,
    to: String,
    cents: i64,
}

impl Model for Transfer {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "/transfers/*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        if let Bank::Requested { from, to, cents, .. } = event {
            assert!(from != "explosive", "planted in apply");
            (self.from, self.to, self.cents) = (from.clone(), to.clone(), *cents);
        }
    }
}

impl Process for Transfer {
    const NAME: &'static str = "transfer";
    type Sends = (Withdraw, Deposit);

    fn react(&self, event: &Bank, at: &Hearing<'_>) -> Vec<Effect<Self>> {
        let (transfer, cents) = (at.instance.to_owned(), self.cents);
        let ended = |how: &str| Effect::append(Bank::Ended { transfer: at.instance.to_owned(), how: how.to_owned() });
        match event {
            Bank::Requested { from, .. } => {
                assert!(from != "poisonous", "planted in react");
                let account = from.clone();
                let deadline = ended("too late").after(Duration::from_secs(3600)).named("deadline");
                vec![deadline, Effect::send(Withdraw { account, cents, transfer }).or(ended("refused"))]
            }
            Bank::Withdrawn { .. } => {
                let refund = Effect::send(Deposit { account: self.from.clone(), cents, transfer: transfer.clone() });
                vec![Effect::send(Deposit { account: self.to.clone(), cents, transfer }).or(refund)]
            }
            Bank::Deposited { account, .. } if *account == self.to => vec![ended("arrived")],
            Bank::Deposited { .. } => vec![ended("refunded")],
            Bank::Ended { .. } => vec![Effect::cancel("deadline"), Effect::complete()],
            Bank::Opened { .. } => vec![],
        }
    }
}

pub fn opened(account: &str) -> Bank {
    Bank::Opened { account: account.into() }
}

pub fn deposited(account: &str, cents: i64) -> Bank {
    Bank::Deposited { account: account.into(), cents, transfer: None }
}

pub fn requested(transfer: &str, from: &str, to: &str) -> Bank {
    Bank::Requested { transfer: transfer.into(), from: from.into(), to: to.into(), cents: 10 }
}

/// Two accounts, one with money for three transfers.
pub fn furnish(world: &mut World) {
    // A roster after every few records, so that starts begin at one.
    world.process_with::<Transfer>(|setup| {
        setup.options(ProcessOptions { roster_records: 3, ..ProcessOptions::default() })
    });
    world.records([opened("ada"), opened("grace"), deposited("ada", 30)]);
}

pub fn cents(domain: &Domain, account: &str) -> i64 {
    domain.get::<Account>(account).wait().unwrap().cents
}

/// How a transfer ended, each time it did.
pub fn ends(world: &World, transfer: &str) -> Vec<String> {
    let log = world.log();
    let lines = log.get(&format!("transfer-{transfer}")).cloned().unwrap_or_default();
    let how = |line: &String| line.split("\"how\":\"").nth(1).map(|how| how.split('"').next().unwrap().to_owned());
    lines.iter().filter_map(how).collect()
}
