//! A bank, and a store in memory to keep it in.
#![allow(dead_code, unreachable_pub)] // each test uses some of it

use std::sync::Arc;

use gesta_model::{
    Algebraic, Command, Decide, Domain, DomainOptions, Event, Model, Monoid, Place,
    algebra::{Affine, Count, Last, MapOf, Max, Sum},
    event::to_recordable,
};
use gesta_store::{
    Append, EventStore, ExpectedRevision, Options, Position, Timestamp, clock::ManualClock, disk::memory::MemoryDisk,
    entropy::Entropy,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Bank {
    #[event("account-opened", at = "account-{account}")]
    Opened { account: u32, owner: String },
    #[event("money-deposited", at = "account-{account}", also = "/transfers/{transfer?}")]
    Deposited { account: u32, cents: i64, transfer: Option<String> },
    #[event("money-withdrawn", at = "account-{account}", also = "/transfers/{transfer?}")]
    Withdrawn { account: u32, cents: i64, transfer: Option<String> },
    #[event("balance-set", at = "account-{account}")]
    Set { account: u32, cents: i64 },
}

pub fn deposited(account: u32, cents: i64) -> Bank {
    Bank::Deposited { account, cents, transfer: None }
}

pub fn withdrawn(account: u32, cents: i64) -> Bank {
    Bank::Withdrawn { account, cents, transfer: None }
}

/// One account; order matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    pub opened: bool,
    pub cents: i128,
    pub events: u64,
    pub last: Option<Position>,
}

impl Model for Account {
    type Event = Bank;
    type Key = u32;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, place: &Place<'_>) {
        self.events += 1;
        self.last = Some(place.position);
        match event {
            Bank::Opened { .. } => self.opened = true,
            Bank::Deposited { cents, .. } => self.cents = self.cents.wrapping_add((*cents).into()),
            Bank::Withdrawn { cents, .. } => self.cents = self.cents.wrapping_sub((*cents).into()),
            Bank::Set { cents, .. } => self.cents = (*cents).into(),
        }
    }
}

#[derive(Monoid, Clone, Debug, PartialEq)]
pub struct AccountEffect {
    opened: Max<bool>,
    cents: Affine,
    events: Count,
    last: Last<bool>,
}

impl Algebraic for Account {
    type Summary = AccountEffect;
    fn lift(event: &Bank, place: &Place<'_>) -> AccountEffect {
        let cents = match event {
            Bank::Opened { .. } => Affine::add(0),
            Bank::Deposited { cents, .. } => Affine::add(*cents),
            Bank::Withdrawn { cents, .. } => Affine::add(-i128::from(*cents)),
            Bank::Set { cents, .. } => Affine::set(*cents),
        };
        let opened = Max::of(matches!(event, Bank::Opened { .. }));
        AccountEffect { opened, cents, events: Count::one(), last: Last::of(place.position, true) }
    }
    fn act(&mut self, effect: &AccountEffect) {
        self.opened |= effect.opened.get() == Some(&true);
        self.cents = effect.cents.apply_to(self.cents);
        self.events += u64::try_from(effect.events.count()).expect("events are counted up");
        self.last = effect.last.place().or(self.last);
    }
}

/// All accounts together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vault {
    pub moved: i128,
    pub largest: Option<i64>,
    pub deposits: std::collections::BTreeMap<u32, i128>,
}

impl Model for Vault {
    type Event = Bank;
    type Key = ();
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        let (Bank::Deposited { cents, .. } | Bank::Withdrawn { cents, .. } | Bank::Set { cents, .. }) = event else {
            return;
        };
        self.moved += i128::from(*cents);
        self.largest = self.largest.max(Some(*cents));
        if let Bank::Deposited { account, .. } = event {
            let total = self.deposits.entry(*account).or_default();
            *total += i128::from(*cents);
            if *total == 0 {
                self.deposits.remove(account);
            }
        }
    }
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.deposits.len() * 40
    }
}

impl Algebraic for Vault {
    type Summary = (Sum, Max<i64>, MapOf<u32, Sum>);
    fn lift(event: &Bank, _: &Place<'_>) -> Self::Summary {
        let (Bank::Deposited { cents, account, .. }
        | Bank::Withdrawn { cents, account, .. }
        | Bank::Set { cents, account }) = event
        else {
            return Monoid::identity();
        };
        let deposits = match event {
            Bank::Deposited { .. } => MapOf::of(*account, Sum::of(*cents)),
            Bank::Opened { .. } | Bank::Withdrawn { .. } | Bank::Set { .. } => MapOf::default(),
        };
        (Sum::of(*cents), Max::of(*cents), deposits)
    }
    fn act(&mut self, (moved, largest, deposits): &Self::Summary) {
        self.moved += moved.total();
        self.largest = self.largest.max(largest.get().copied());
        for (account, cents) in deposits.iter() {
            let total = self.deposits.entry(*account).or_default();
            *total += cents.total();
            if *total == 0 {
                self.deposits.remove(account);
            }
        }
    }
}

/// One transfer: on no stream of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transfer {
    pub out: i128,
    pub arrived: i128,
}

impl Model for Transfer {
    type Event = Bank;
    type Key = String;
    const AT: &'static str = "/transfers/*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Deposited { cents, .. } => self.arrived += i128::from(*cents),
            Bank::Withdrawn { cents, .. } => self.out += i128::from(*cents),
            Bank::Opened { .. } | Bank::Set { .. } => {}
        }
    }
}

impl Algebraic for Transfer {
    type Summary = (Sum, Sum);
    fn lift(event: &Bank, _: &Place<'_>) -> (Sum, Sum) {
        match event {
            Bank::Deposited { cents, .. } => (Sum::of(0_u8), Sum::of(*cents)),
            Bank::Withdrawn { cents, .. } => (Sum::of(*cents), Sum::of(0_u8)),
            Bank::Opened { .. } | Bank::Set { .. } => Monoid::identity(),
        }
    }
    fn act(&mut self, (out, arrived): &(Sum, Sum)) {
        self.out += out.total();
        self.arrived += arrived.total();
    }
}

#[derive(Debug, PartialEq, Clone)]
pub enum Refused {
    NotOpen,
    Overdrawn { cents: i128 },
}

#[derive(Command, Clone)]
#[command(Account, key = account, or = Refused)]
pub struct Withdraw {
    pub account: u32,
    pub cents: i64,
}

impl Decide for Withdraw {
    fn decide(&self, account: &Account) -> Result<Vec<Bank>, Refused> {
        let Self { account: number, cents } = *self;
        if !account.opened {
            return Err(Refused::NotOpen);
        }
        if account.cents < cents.into() {
            return Err(Refused::Overdrawn { cents: account.cents });
        }
        Ok(if cents == 0 { vec![] } else { vec![withdrawn(number, cents)] })
    }
}

/// From one account to another, at once.
#[derive(Command, Clone)]
#[command((Account, Account), key = (from, to), or = Refused)]
pub struct Move {
    pub from: u32,
    pub to: u32,
    pub cents: i64,
}

impl Decide for Move {
    fn decide(&self, (from, to): (&Account, &Account)) -> Result<Vec<Bank>, Refused> {
        if !to.opened || !from.opened {
            return Err(Refused::NotOpen);
        }
        if from.cents < self.cents.into() {
            return Err(Refused::Overdrawn { cents: from.cents });
        }
        Ok(vec![withdrawn(self.from, self.cents), deposited(self.to, self.cents)])
    }
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)))
}

/// A store in memory that runs on the threads of its callers.
pub fn store() -> EventStore {
    store_with(clock())
}

pub fn store_with(clock: Arc<ManualClock>) -> EventStore {
    let options = Options { threads: false, clock, entropy: Arc::new(Entropy::seeded(7)), ..Options::default() };
    EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("opens")
}

pub fn domain(store: &EventStore) -> Domain {
    Domain::with(store.clone(), DomainOptions::default())
}

/// Records events one commit after the other.
pub fn record(store: &EventStore, events: impl IntoIterator<Item = Bank>) {
    events.into_iter().for_each(|event| record_together(store, [event]));
}

/// Records events in one commit.
pub fn record_together(store: &EventStore, events: impl IntoIterator<Item = Bank>) {
    let append = events.into_iter().fold(Append::new(), |append, event| {
        let (stream, event) = to_recordable(&event).expect("recordable");
        append.stream(stream, ExpectedRevision::Any, [event])
    });
    store.commit(append).wait().expect("recorded");
}
