//! How many transfers a process carries out in a second, on disk: `cargo run --release -p gesta-model --example process_rates -- [transfers] [accounts]`.
//!
//! A transfer is four events of the domain, and as many reactions; what is measured is from the first request to the last one that has ended, with
//! one instance at a time and with many, over many accounts and over two, which all transfers then want. And how long one transfer takes that is
//! alone, from its request to whoever waits for its end, beside as many bare appends as it commits until then.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use gesta_model::{
    Command, Decide, Domain, Event, Model, Place,
    process::{Effect, Hearing, Process, ProcessOptions},
};
use gesta_store::{Delivery, EventStore, Source, SubscribeOptions};
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone)]
enum Bank {
    #[event("deposited", at = "account-{account}", also = "/transfers/{transfer?}")]
    Deposited { account: u64, cents: i64, transfer: Option<u64> },
    #[event("withdrawn", at = "account-{account}", also = "/transfers/{transfer?}")]
    Withdrawn { account: u64, cents: i64, transfer: Option<u64> },
    #[event("requested", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Requested { transfer: u64, from: u64, to: u64 },
    #[event("ended", at = "transfer-{transfer}", also = "/transfers/{transfer}")]
    Ended { transfer: u64 },
}

#[derive(Clone, Default)]
struct Account {
    cents: i64,
}
impl Model for Account {
    type Event = Bank;
    type Key = u64;
    const AT: &'static str = "account-*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        match event {
            Bank::Deposited { cents, .. } => self.cents += cents,
            Bank::Withdrawn { cents, .. } => self.cents -= cents,
            Bank::Requested { .. } | Bank::Ended { .. } => {}
        }
    }
}

#[derive(Command, Serialize, Deserialize)]
#[command(Account, key = account, or = String)]
struct Post {
    account: u64,
    cents: i64,
    transfer: u64,
}
impl Decide for Post {
    fn decide(&self, known: &Account) -> Result<Vec<Bank>, String> {
        let Self { account, cents, transfer } = *self;
        if known.cents + cents < 0 {
            return Err("overdrawn".to_owned());
        }
        let transfer = Some(transfer);
        Ok(vec![if cents < 0 {
            Bank::Withdrawn { account, cents: -cents, transfer }
        } else {
            Bank::Deposited { account, cents, transfer }
        }])
    }
}

#[derive(Clone, Default)]
struct Transfer {
    to: u64,
}
impl Model for Transfer {
    type Event = Bank;
    type Key = u64;
    const AT: &'static str = "/transfers/*";
    fn apply(&mut self, event: &Bank, _: &Place<'_>) {
        if let Bank::Requested { to, .. } = event {
            self.to = *to;
        }
    }
}
impl Process for Transfer {
    const NAME: &'static str = "transfer";
    type Sends = (Post,);
    fn react(&self, event: &Bank, at: &Hearing<'_>) -> Vec<Effect<Self>> {
        let transfer = at.instance.parse().unwrap();
        match *event {
            Bank::Requested { from, .. } => vec![Effect::send(Post { account: from, cents: -1, transfer })],
            Bank::Withdrawn { .. } => vec![Effect::send(Post { account: self.to, cents: 1, transfer })],
            Bank::Deposited { .. } => vec![Effect::append(Bank::Ended { transfer })],
            Bank::Ended { .. } => vec![Effect::complete()],
        }
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let transfers = numbers.next().unwrap_or(2_000);
    let many = numbers.next().unwrap_or(1_000);
    lone();
    println!("{transfers} transfers at once");
    for accounts in [many, 2] {
        for at_once in [1, 8, 64, 256] {
            let (took, commits) = run(transfers, accounts, at_once);
            let each = took / u32::try_from(transfers).unwrap();
            let rate = transfers as f64 / took.as_secs_f64();
            let commits = commits as f64 / transfers as f64;
            println!(
                "  {accounts:>5} accounts, {at_once:>3} at once   {each:>10.1?} each   {rate:>8.0} transfers/s   {commits:.2} commits each"
            );
        }
    }
}

/// Transfers one after the other, each begun when the one before has ended.
fn lone() {
    const TRANSFERS: u64 = 500;
    let directory = tempfile::tempdir().unwrap();
    let domain = Domain::new(EventStore::open(directory.path()).unwrap());
    domain.record((0..2).map(|account| Bank::Deposited { account, cents: 1_000_000, transfer: None })).unwrap();
    let ends = Source::Stream("$et-ended".parse().unwrap());
    let mut ends = domain.store().subscribe(ends, SubscribeOptions::default()).unwrap();
    let running = domain.process::<Transfer>().start().unwrap();
    let (mut transfers, mut appends) = (Vec::new(), Vec::new());
    let before = domain.store().measures().commits;
    for transfer in 0..TRANSFERS {
        let start = Instant::now();
        domain.record([Bank::Requested { transfer, from: 0, to: 1 }]).unwrap();
        while !matches!(ends.next(None).unwrap(), Some(Delivery::Events(_))) {}
        transfers.push(start.elapsed());
        assert!(running.settle(None).unwrap());
    }
    let commits = (domain.store().measures().commits - before) as f64 / TRANSFERS as f64;
    running.stop().unwrap();
    for account in 0..4 * TRANSFERS {
        let start = Instant::now();
        domain.record([Bank::Deposited { account: 7 + account % 2, cents: 1, transfer: None }]).unwrap();
        appends.push(start.elapsed());
    }
    for times in [&mut transfers, &mut appends] {
        times.sort_unstable();
    }
    let at = |times: &[Duration], share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "{TRANSFERS} transfers, each alone: {commits:.2} commits each, its request and that of its end among them"
    );
    // The tenth: what it takes when nothing else wants the processors.
    for (what, times) in [("from its request to its end", &transfers), ("one bare durable append    ", &appends)] {
        let [tenth, half, most] = [0.1, 0.5, 0.9].map(|share| at(times, share));
        println!("  {what}   p10 {tenth:>9.1?}   p50 {half:>9.1?}   p90 {most:>9.1?}");
    }
}

fn run(transfers: u64, accounts: u64, at_once: usize) -> (Duration, u64) {
    let directory = tempfile::tempdir().unwrap();
    let domain = Domain::new(EventStore::open(directory.path()).unwrap());
    let open = |account| Bank::Deposited { account, cents: 1_000_000, transfer: None };
    domain.record((0..accounts).map(open)).unwrap();
    let ends = Source::Stream("$et-ended".parse().unwrap());
    let mut ends = domain.store().subscribe(ends, SubscribeOptions::default()).unwrap();
    for first in (0..transfers).step_by(100) {
        let request = |transfer| Bank::Requested { transfer, from: transfer % accounts, to: (transfer + 1) % accounts };
        domain.record((first..transfers.min(first + 100)).map(request)).unwrap();
    }
    let (start, before) = (Instant::now(), domain.store().measures().commits);
    let options = ProcessOptions { at_once, batch_events: at_once.max(100), ..ProcessOptions::default() };
    let running = domain.process::<Transfer>().options(options).start().unwrap();
    let mut left = transfers;
    while left > 0 {
        if let Some(Delivery::Events(batch)) = ends.next(None).unwrap() {
            left -= batch.len() as u64;
        }
    }
    let took = start.elapsed();
    assert!(running.settle(None).unwrap());
    let commits = domain.store().measures().commits - before;
    let status = running.status().unwrap();
    assert_eq!((status.parked, status.waiting), (0, 0), "{status:?}");
    let total: i64 = (0..accounts).map(|account| domain.get::<Account>(account).wait().unwrap().cents).sum();
    assert_eq!(total, 1_000_000 * i64::try_from(accounts).unwrap());
    (took, commits)
}
