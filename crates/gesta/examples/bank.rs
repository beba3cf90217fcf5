//! A bank: accounts, money moved at once or by a process that gives it back, and balances of the past. `cargo run -p gesta --example bank`.
#![allow(clippy::print_stdout)]

use gesta::{
    Algebraic, Command, Decide, Domain, Effect, Event, EventStore, Hearing, Model, Monoid, Place, Position, Process,
    algebra::{Count, Invertible, Sum},
};
use serde::{Deserialize, Serialize};

// What happens: names and streams on the wire, and the version a fact is recorded in.
#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened { account: String, owner: String },
    #[event("money-deposited", at = "account-{account}", also = "/transfers/{transfer?}")]
    Deposited { account: String, cents: i64, transfer: Option<String> },
    #[event("money-withdrawn", at = "account-{account}", also = "/transfers/{transfer?}")]
    Withdrawn { account: String, cents: i64, transfer: Option<String> },
    #[event("transfer-requested", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Requested { transfer: String, from: String, to: String, cents: i64 },
    #[event("transfer-ended", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Ended { transfer: String, how: String },
}

// What is known of one account.
#[derive(Clone, Debug, Default, PartialEq)]
struct Account {
    open: bool,
    cents: i128,
}

impl Model for Account {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Opened { .. } => self.open = true,
            Bank::Deposited { cents, .. } => self.cents += i128::from(*cents),
            Bank::Withdrawn { cents, .. } => self.cents -= i128::from(*cents),
            Bank::Requested { .. } | Bank::Ended { .. } => {}
        }
    }
}

// What is asked for, and how it is decided. Serde, because the process below writes down what it sends.
#[derive(Clone, Debug, PartialEq)]
enum Refused {
    NotOpen,
    Overdrawn { cents: i128 },
}

#[derive(Command, Serialize, Deserialize)]
#[command(Account, key = account, or = Refused)]
struct Post {
    account: String,
    cents: i64, // below zero: out
    transfer: Option<String>,
}

impl Decide for Post {
    fn decide(&self, known: &Account) -> Result<Vec<Bank>, Refused> {
        let (account, cents, transfer) = (self.account.clone(), self.cents, self.transfer.clone());
        match known.cents + i128::from(cents) {
            _ if !known.open => Err(Refused::NotOpen),
            ..0 => Err(Refused::Overdrawn { cents: known.cents }),
            _ if cents < 0 => Ok(vec![Bank::Withdrawn { account, cents: -cents, transfer }]),
            _ => Ok(vec![Bank::Deposited { account, cents, transfer }]),
        }
    }
}

/// Between two accounts at once, without a process: the decision stands on both, and is recorded only if neither has changed.
#[derive(Command, Clone)]
#[command((Account, Account), key = (from, to), or = Refused)]
struct Move {
    transfer: String,
    from: String,
    to: String,
    cents: i64,
}

impl Decide for Move {
    fn decide(&self, (from, to): (&Account, &Account)) -> Result<Vec<Bank>, Refused> {
        let (cents, transfer) = (self.cents, Some(self.transfer.clone()));
        let out = Bank::Withdrawn { account: self.from.clone(), cents, transfer: transfer.clone() };
        match (from.open && to.open, from.cents < cents.into()) {
            (false, _) => Err(Refused::NotOpen),
            (true, true) => Err(Refused::Overdrawn { cents: from.cents }),
            (true, false) => Ok(vec![out, Bank::Deposited { account: self.to.clone(), cents, transfer }]),
        }
    }
}

/// The same over time, where the accounts cannot be decided on together: first out, then in; and back, if it cannot arrive.
#[derive(Clone, Debug, Default)]
struct Transfer {
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
            (self.from, self.to, self.cents) = (from.clone(), to.clone(), *cents);
        }
    }
}

impl Process for Transfer {
    const NAME: &'static str = "transfer";
    type Sends = (Post,);
    fn react(&self, event: &Bank, at: &Hearing<'_>) -> Vec<Effect<Self>> {
        let ended = |how: &str| Effect::append(Bank::Ended { transfer: at.instance.to_owned(), how: how.to_owned() });
        let post = |account: &str, cents| {
            Effect::send(Post { account: account.to_owned(), cents, transfer: Some(at.instance.to_owned()) })
        };
        match event {
            Bank::Requested { .. } => {
                let overdue = ended("overdue").after(std::time::Duration::from_secs(86_400));
                vec![post(&self.from, -self.cents).or(ended("refused")), overdue]
            }
            Bank::Withdrawn { .. } => vec![post(&self.to, self.cents).or(post(&self.from, self.cents))],
            Bank::Deposited { account, .. } => vec![ended(if *account == self.to { "arrived" } else { "refunded" })],
            Bank::Ended { .. } => vec![Effect::complete()], // and nothing is overdue any more
            Bank::Opened { .. } => vec![],
        }
    }
}

// What the whole bank holds. Its events compose, which is said once, tested below, and makes any moment of the past cheap.
#[derive(Clone, Debug, Default, PartialEq)]
struct Holdings {
    cents: i128,
    accounts: i128,
}

impl Model for Holdings {
    type Event = Bank;
    type Key = ();
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, place: &Place<'_>) {
        self.act(&Self::lift(event, place));
    }
}

impl Algebraic for Holdings {
    type Summary = (Sum, Count);
    fn lift(event: &Bank, _: &Place<'_>) -> Self::Summary {
        match event {
            Bank::Opened { .. } => (Sum::identity(), Count::one()),
            Bank::Deposited { cents, .. } => (Sum::of(*cents), Count::identity()),
            Bank::Withdrawn { cents, .. } => (Sum::of(*cents).inverse(), Count::identity()),
            Bank::Requested { .. } | Bank::Ended { .. } => Self::Summary::identity(),
        }
    }
    fn act(&mut self, (cents, accounts): &Self::Summary) {
        self.cents += cents.total();
        self.accounts += accounts.count();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let bank = Domain::new(EventStore::open(directory.path())?);
    bank.record(["ada", "grace"].map(|owner| Bank::Opened { account: owner.into(), owner: owner.into() }))?;
    bank.send(Post { account: "ada".into(), cents: 10_000, transfer: None }).wait().expect("accepted");

    // Once, however often it is sent.
    let lunch = Move { transfer: "t-1".into(), from: "ada".into(), to: "grace".into(), cents: 2_500 };
    let receipt = bank.send_once("lunch", lunch.clone()).wait().expect("accepted");
    assert!(bank.send_once("lunch", lunch).wait().expect("accepted").replayed);

    // State is a question: now, and as of any position.
    let balance = |owner: &str| bank.get::<Account>(owner).at_least(&receipt).wait().map(|account| account.cents);
    println!("ada has {}, grace has {}", balance("ada")?, balance("grace")?);
    let before = bank.get::<Account>("ada").as_of(Position(2)).wait()?;
    assert_eq!((balance("ada")?, balance("grace")?, before.cents), (7_500, 2_500, 10_000));

    // What a process hears, it reacts to: here step by step, with `start()` on a thread of its own.
    let (transfer, from, to) = ("t-2".to_owned(), "ada".to_owned(), "nobody".to_owned());
    bank.record([Bank::Requested { transfer, from, to, cents: 500 }])?;
    bank.process::<Transfer>().runner()?.settle();
    println!("t-2: {:?}, ada has {}", bank.instances::<Transfer>()?.get("t-2")?, balance("ada")?);
    assert_eq!(balance("ada")?, 7_500, "refunded");

    // And what a range of the log has changed.
    let (change, _) = bank.accelerate::<Holdings>()?.between(&(), Position(3)..bank.store().head().position())?;
    println!("the bank holds {:?}; all that changed it by {}", *bank.get::<Holdings>(()).wait()?, change.total());
    Ok(())
}

#[cfg(test)]
#[path = "bank/tests.rs"]
mod tests;
