//! Durable appends of single events: Gesta beside UmaDB and Tephra, each as it comes from the registry, each through its own stock Rust client, on one
//! disk, taking turns: `cargo run --release -- [DIR]`. How to build what it starts: BENCHMARKS.md, "Beside other stores".
//!
//! Every client is an object of its own with what connections it opens; it sends one append and waits for the answer, which each of the three gives when
//! the event is durable. KurrentDB's client, which is Gesta's, has two ways: an append on a call that it keeps open, and a call for each. In each turn, one
//! server works and the others wait for it to end; who is first, and who comes after whom, changes from round to round.
#![allow(clippy::disallowed_methods, reason = "a program that measures, on processes and clocks")]

mod client;
mod server;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use client::Client;
use server::{Server, Store};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];
/// Odd, so that there is one in the middle.
const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_secs(1);
/// For what a server does after its last answer.
const PAUSE: Duration = Duration::from_millis(100);

/// What one store did with one number of clients.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    latencies: Vec<Duration>,
    cpu: Duration,
}

#[tokio::main]
async fn main() {
    let dir = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir).expect("a directory of its own");
    let mut stores = Vec::new();
    for store in Store::ALL {
        let Some(server) = Server::start(store, dir.path()) else {
            println!("{} is not there, and left out", store.name());
            continue;
        };
        let mut clients = Vec::new();
        for _ in 0..CLIENTS[CLIENTS.len() - 1] {
            clients.push(Arc::new(Client::connect(store, server.address).await));
        }
        stores.push((store, server, clients));
    }
    println!(
        "{:>8}  {:<13}{:>12}{:>12}{:>12}{:>18}   {}",
        "clients", "store", "appends/s", "p50 µs", "p99 µs", "server µs each", "Gesta beside it, quartiles (unary)"
    );
    for count in CLIENTS {
        let mut measured: Vec<Measured> = stores.iter().map(|_| Measured::default()).collect();
        for round in 0..ROUNDS {
            for turn in 0..stores.len() {
                // Every other round backwards, so that nobody always comes after the same.
                let turn = if round % 2 == 0 { turn } else { stores.len() - turn };
                let which = (round + turn) % stores.len();
                let (_, server, clients) = &stores[which];
                measured[which].add(take_turn(server, &clients[..count]).await);
                tokio::time::sleep(PAUSE).await;
            }
        }
        tell(count, stores.iter().map(|(store, ..)| *store).zip(measured));
    }
}

/// Each client appends one event after the other into a stream of its own, or with a tag of its own.
async fn take_turn(server: &Server, clients: &[Arc<Client>]) -> Measured {
    let (cpu, begun) = (server.cpu(), Instant::now());
    let tasks = clients.iter().enumerate().map(|(number, client)| {
        let client = Arc::clone(client);
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < TURN {
                let sent = Instant::now();
                client.append(number).await;
                latencies.push(sent.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.expect("a client does not panic"));
    }
    let rates = vec![latencies.len() as f64 / begun.elapsed().as_secs_f64()];
    Measured { rates, latencies, cpu: server.cpu() - cpu }
}

impl Measured {
    fn add(&mut self, other: Self) {
        self.rates.extend(other.rates);
        self.latencies.extend(other.latencies);
        self.cpu += other.cpu;
    }

    fn rate(&self) -> f64 {
        quartiles(self.rates.clone())[1]
    }

    fn micros_at(&mut self, percent: usize) -> f64 {
        self.latencies.sort_unstable();
        self.latencies[(self.latencies.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }
}

fn tell(count: usize, measured: impl Iterator<Item = (Store, Measured)>) {
    let (mut open, mut unary) = (Vec::new(), Vec::new());
    for (store, mut measured) in measured {
        let rate = measured.rate();
        match store {
            Store::Gesta => open.clone_from(&measured.rates),
            Store::GestaUnary => unary.clone_from(&measured.rates),
            Store::UmaDb | Store::Tephra => {}
        }
        let (open, unary) = (beside(&open, &measured.rates), beside(&unary, &measured.rates));
        let (p50, p99) = (measured.micros_at(50), measured.micros_at(99));
        let cpu = measured.cpu.as_secs_f64() * 1e6 / measured.latencies.len() as f64;
        let beside = match (store, count) {
            (Store::Gesta | Store::GestaUnary, _) => String::new(),
            (Store::UmaDb, _) => verdict(open, unary, Some(2.0)),
            (Store::Tephra, ..8) => verdict(open, unary, None),
            (Store::Tephra, _) => verdict(open, unary, Some(1.0)),
        };
        println!("{count:>8}  {:<13}{rate:>12.0}{p50:>12.0}{p99:>12.0}{cpu:>18.1}   {beside}", store.name());
    }
}

/// What Gesta did beside another in the same rounds, quartiles: what changes the machine's speed for a while changes it for both.
fn beside(ours: &[f64], theirs: &[f64]) -> [f64; 3] {
    quartiles(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
}

/// The middle of the lower half, of all, and of the upper half; nothing of nothing.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values.get(values.len().saturating_sub(1) * quarter / 4).copied().unwrap_or(f64::NAN))
}

/// The median, which is judged, and the quartiles around it; in brackets, with a call for each append.
fn verdict([low, median, high]: [f64; 3], [_, unary, _]: [f64; 3], bound: Option<f64>) -> String {
    let judged = bound.map_or("", |bound| if median >= bound { " holds" } else { " FAILS" });
    format!("{median:.2} × {low:.2}..{high:.2} ({unary:.2} ×){judged}")
}
