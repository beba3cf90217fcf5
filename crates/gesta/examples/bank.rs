//! A bank: accounts, moving money between two of them, and balances of the past. `cargo run -p gesta --example bank`.
#![allow(clippy::print_stdout)]

use gesta::{
    Algebraic, Command, Decide, Domain, Event, EventStore, Model, Monoid, Place, Position, SendError,
    algebra::{Count, Invertible, Max, Sum},
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
        }
    }
}

// What is asked for, and how it is decided.
#[derive(Clone, Debug, PartialEq)]
enum Refused {
    AlreadyOpen,
    NotOpen,
    Overdrawn { cents: i128 },
}

#[derive(Command)]
#[command(Account, key = account, or = Refused)]
struct Open {
    account: String,
    owner: String,
}

impl Decide for Open {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        let opened = Bank::Opened { account: self.account.clone(), owner: self.owner.clone() };
        if account.open { Err(Refused::AlreadyOpen) } else { Ok(vec![opened]) }
    }
}

#[derive(Command)]
#[command(Account, key = account, or = Refused)]
struct Deposit {
    account: String,
    cents: i64,
}

impl Decide for Deposit {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        let deposited = Bank::Deposited { account: self.account.clone(), cents: self.cents, transfer: None };
        if account.open { Ok(vec![deposited]) } else { Err(Refused::NotOpen) }
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
        if !from.open || !to.open {
            return Err(Refused::NotOpen);
        }
        if from.cents < self.cents.into() {
            return Err(Refused::Overdrawn { cents: from.cents });
        }
        let (cents, transfer) = (self.cents, Some(self.transfer.clone()));
        let out = Bank::Withdrawn { account: self.from.clone(), cents, transfer: transfer.clone() };
        Ok(vec![out, Bank::Deposited { account: self.to.clone(), cents, transfer }])
    }
}

// What the whole bank holds. Its events compose, which is said once, tested below, and makes any moment of the past cheap.
#[derive(Clone, Debug, Default, PartialEq)]
struct Holdings {
    cents: i128,
    accounts: i128,
    largest: i64,
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
    type Summary = (Sum, Count, Max<i64>);
    fn lift(event: &Bank, _: &Place<'_>) -> Self::Summary {
        match event {
            Bank::Opened { .. } => (Sum::identity(), Count::one(), Max::identity()),
            Bank::Deposited { cents, .. } => (Sum::of(*cents), Count::identity(), Max::of(*cents)),
            Bank::Withdrawn { cents, .. } => (Sum::of(*cents).inverse(), Count::identity(), Max::identity()),
        }
    }
    fn act(&mut self, (cents, accounts, largest): &Self::Summary) {
        self.cents += cents.total();
        self.accounts += accounts.count();
        self.largest = self.largest.max(largest.get().copied().unwrap_or(0));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let bank = Domain::new(EventStore::open(directory.path())?);
    for owner in ["ada", "grace"] {
        bank.send(Open { account: owner.into(), owner: owner.into() }).wait().expect("accepted");
    }
    bank.send(Deposit { account: "ada".into(), cents: 10_000 }).wait().expect("accepted");

    // Once, however often it is sent.
    let lunch = Move { transfer: "t-1".into(), from: "ada".into(), to: "grace".into(), cents: 2_500 };
    let receipt = bank.send_once("lunch", lunch.clone()).wait().expect("accepted");
    let again = bank.send_once("lunch", lunch).wait().expect("accepted");
    assert!(again.replayed && again.last_position == receipt.last_position);

    let too_much = Move { transfer: "t-2".into(), from: "grace".into(), to: "ada".into(), cents: 2_501 };
    match bank.send(too_much).wait() {
        Err(SendError::Refused(reason)) => println!("refused: {reason:?}"),
        other => panic!("{other:?}"),
    }

    // State is a question: now, and as of any position.
    let balance = |owner: &str| bank.get::<Account>(owner).at_least(&receipt).wait().map(|account| account.cents);
    println!("ada has {}, grace has {}", balance("ada")?, balance("grace")?);
    let before = bank.get::<Account>("ada").as_of(Position(2)).wait()?;
    assert_eq!((balance("ada")?, balance("grace")?, before.cents), (7_500, 2_500, 10_000));

    // And what a range of the log has changed.
    let holdings = bank.accelerate::<Holdings>()?;
    let (change, ..) = holdings.between(&(), Position(3)..bank.store().head().position())?;
    println!("the bank holds {:?}; lunch changed that by {}", *bank.get::<Holdings>(()).wait()?, change.total());
    assert_eq!(change.total(), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use gesta::{laws::suite::extreme_i64, testing::given};
    use proptest::prelude::*;

    use super::*;

    fn any_event() -> impl Strategy<Value = Bank> {
        (extreme_i64(), 0..3_u8).prop_map(|(cents, kind)| {
            let (account, transfer) = (String::new(), None);
            match kind {
                0 => Bank::Opened { owner: account.clone(), account },
                1 => Bank::Deposited { account, cents, transfer },
                _ => Bank::Withdrawn { account, cents, transfer },
            }
        })
    }

    gesta::laws!(mod holdings_laws, Holdings, any_event() => commutative);

    #[test]
    fn nobody_overdraws() {
        let open = |owner: &str| Bank::Opened { account: owner.into(), owner: owner.into() };
        let lunch = Move { transfer: "t".into(), from: "ada".into(), to: "grace".into(), cents: 1 };
        given([open("ada"), open("grace")]).when(&lunch).refuses(&Refused::Overdrawn { cents: 0 });
        given([open("ada")]).when(&lunch).refuses(&Refused::NotOpen);
    }

    #[test]
    fn the_example_runs() {
        main().expect("runs");
    }
}
