//! Two hundred followers of every kind at mixed speeds while clients append at full rate: `cargo run --release -p gesta-store --example soak`.
//!
//! For `GESTA_SOAK_SECONDS` (600), on a directory of its own below `GESTA_SOAK_DIR`, or in the system's place for such. At the end every follower has had
//! every event of its scope exactly as often as it must, counted against what was acknowledged, with a checksum of positions; and the process has not
//! grown. Anything else, and it says what and fails. Not part of the gate: `cargo xtask nightly --only soak`.
//!
//! Slow followers have scopes they can keep up with: what is looked for is what accumulates, not who is slow. When the writers have stopped, everybody must
//! be done within [`DRAIN`].
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

mod groups;
mod handlers;
mod memory;
mod scope;
mod subscribers;
mod writers;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{self, Scope as Threads, ScopedJoinHandle},
    time::{Duration, Instant},
};

use gesta_store::{EventStore, GroupName};

use self::{
    handlers::{Handled, RESTART_EVERY},
    scope::{ACCOUNTS, CATEGORIES, STREAMS, Scope, TYPES, Tally, Truth},
    subscribers::{Temper, UNKNOWN},
};

/// As the program has it: index parts are allocated by one thread and freed by another.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SUBSCRIPTIONS: usize = 100;
const GROUPS: usize = 60;
const HANDLERS: usize = 40;
/// Two each: enough to take each other's messages.
const CONSUMERS: usize = 2;
/// How long followers may take when the writers have stopped.
const DRAIN: Duration = Duration::from_secs(120);
/// Events after which the writers stop before their time: about 8 GB with the index.
const EVENTS_MAX: u64 = 32_000_000;

/// A follower's name, its scope, and what it had.
type Outcome = (String, Scope, Tally);

fn main() -> ExitCode {
    let seconds = std::env::var("GESTA_SOAK_SECONDS").map_or(600, |seconds| seconds.parse().unwrap());
    let dir = match std::env::var("GESTA_SOAK_DIR") {
        Ok(below) => tempfile::tempdir_in(below).unwrap(),
        Err(_) => tempfile::tempdir().unwrap(),
    };
    let store = EventStore::open(dir.path()).unwrap();
    let mut problems = Vec::new();
    let (truth, outcomes) = soak(&store, Duration::from_secs(seconds), &mut problems);
    for (name, scope, had) in &outcomes {
        let expected = truth.of(*scope);
        if *had != expected {
            problems.push(format!("{name} on {scope:?}: expected {expected:?}, had {had:?}"));
        }
    }
    let had: u64 = outcomes.iter().map(|(_, _, had)| had.count).sum();
    println!("{} followers had {had} events of {}", outcomes.len(), truth.of(Scope::All).count);
    problems.iter().for_each(|problem| println!("PROBLEM {problem}"));
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everybody at work; what was acknowledged, and what each follower had.
fn soak(store: &EventStore, time: Duration, problems: &mut Vec<String>) -> (Truth, Vec<Outcome>) {
    let (stop, done, end) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(UNKNOWN));
    thread::scope(|threads| {
        let subscriptions = subscribe(threads, store, &end);
        let (groups, consumers) = consume(threads, store, &done);
        let mut handlers: Vec<Handled> = (0..HANDLERS).map(|number| Handled::new(number, handled(number))).collect();
        handlers.iter_mut().for_each(|handler| handler.start(store));
        let writers: Vec<_> = (0..writers::APPENDS.len())
            .map(|writer| {
                threads.spawn({
                    let stop = &stop;
                    move || writers::write(store, writer, stop)
                })
            })
            .collect();
        let readings = watch(store, time, &mut handlers);
        stop.store(true, Ordering::Relaxed);
        let mut truth = Truth::new();
        writers.into_iter().for_each(|writer| truth.join(&writer.join().unwrap()));
        match memory::judge(&readings) {
            Ok(said) => println!("{said}"),
            Err(said) => problems.push(said),
        }

        let stopped = Instant::now();
        let head = store.head().position().0;
        end.store(head, Ordering::Relaxed);
        let mut outcomes: Vec<Outcome> =
            subscriptions.into_iter().map(|(name, scope, thread)| (name, scope, thread.join().unwrap())).collect();
        let names =
            groups.iter().map(|(group, _)| group).chain(handlers.iter().map(|handler| handler.running().group()));
        for group in names {
            while !groups::has_finished(store, group, head) && stopped.elapsed() < DRAIN {
                thread::sleep(Duration::from_millis(50));
            }
        }
        let drained = stopped.elapsed();
        println!("everybody was done {:.1} s after the writers, may take {} s", drained.as_secs_f64(), DRAIN.as_secs());
        if drained >= DRAIN {
            problems.push(format!("followers were not done after {} s", DRAIN.as_secs()));
        }
        done.store(true, Ordering::Relaxed);
        outcomes.extend(settle(store, &groups, consumers, handlers));
        (truth, outcomes)
    })
}

/// What groups and handlers had, when they are done.
fn settle(
    store: &EventStore,
    groups: &[(GroupName, Scope)],
    consumers: Vec<ScopedJoinHandle<'_, Tally>>,
    handlers: Vec<Handled>,
) -> Vec<Outcome> {
    let mut consumers = consumers.into_iter();
    let mut outcomes = Vec::new();
    for (group, scope) in groups {
        let mut had = Tally::default();
        consumers.by_ref().take(CONSUMERS).for_each(|consumer| had.join(consumer.join().unwrap()));
        had.join(groups::parked(store, group));
        outcomes.push((group.to_string(), *scope, had));
    }
    for mut handler in handlers {
        let group = handler.running().group().clone();
        handler.stop();
        let mut had = handler.tally();
        had.join(groups::parked(store, &group));
        outcomes.push((group.to_string(), handler.scope, had));
    }
    outcomes
}

type Subscriber<'s> = (String, Scope, ScopedJoinHandle<'s, Tally>);

fn subscribe<'s>(threads: &'s Threads<'s, '_>, store: &'s EventStore, end: &'s AtomicU64) -> Vec<Subscriber<'s>> {
    let subscriber = |number: usize| {
        let scope = match number {
            0..2 => Scope::All,
            2..18 => Scope::Type(number % TYPES),
            18..34 => Scope::Category(number % CATEGORIES),
            34..66 => Scope::Account(number % ACCOUNTS),
            _ => Scope::Stream(number % STREAMS),
        };
        // Nobody rests who follows everything.
        let temper = if number < 2 { Temper::Fast } else { Temper::of(number) };
        let name = format!("subscription {number} ({temper:?})");
        (name, scope, threads.spawn(move || subscribers::follow(store, scope, temper, end)))
    };
    (0..SUBSCRIPTIONS).map(subscriber).collect()
}

type Consuming<'s> = (Vec<(GroupName, Scope)>, Vec<ScopedJoinHandle<'s, Tally>>);

fn consume<'s>(threads: &'s Threads<'s, '_>, store: &'s EventStore, done: &'s AtomicBool) -> Consuming<'s> {
    let mut groups = Vec::new();
    let mut consumers = Vec::new();
    for number in 0..GROUPS {
        let scope = match number {
            0 => Scope::All,
            1..11 => Scope::Category(number % CATEGORIES),
            11..21 => Scope::Type(number % TYPES),
            21..41 => Scope::Account(number % ACCOUNTS),
            _ => Scope::Stream(number % STREAMS),
        };
        let group = groups::create(store, number, scope);
        for consumer in 0..CONSUMERS {
            let temper = if number == 0 { Temper::Fast } else { Temper::of(number / 5 + consumer) };
            let group = group.clone();
            consumers.push(threads.spawn(move || groups::consume(store, &group, temper, done)));
        }
        groups.push((group, scope));
    }
    (groups, consumers)
}

/// The scope of a handler.
fn handled(number: usize) -> Scope {
    if number < 16 { Scope::Category(number) } else { Scope::Stream(number) }
}

/// Says how it goes, and starts handlers again, until the time is over; the memory at equal intervals.
fn watch(store: &EventStore, time: Duration, handlers: &mut [Handled]) -> Vec<f64> {
    let interval = (time / 60).max(Duration::from_millis(500));
    let (start, mut restarted, mut readings) = (Instant::now(), Instant::now(), Vec::new());
    println!("{:>8}{:>14}{:>12}{:>14}", "seconds", "events", "events/s", "RssAnon MiB");
    let mut before = 0;
    while start.elapsed() < time && store.head().position().0 < EVENTS_MAX {
        thread::sleep(interval);
        let (head, memory) = (store.head().position().0, memory::anonymous_mib());
        let rate = (head - before) as f64 / interval.as_secs_f64();
        println!("{:>8.0}{head:>14}{rate:>12.0}{memory:>14.1}", start.elapsed().as_secs_f64());
        readings.push(memory);
        before = head;
        if restarted.elapsed() >= RESTART_EVERY {
            restarted = Instant::now();
            for handler in handlers.iter_mut().filter(|handler| handler.temper == Temper::Dying) {
                handler.stop();
                handler.start(store);
            }
        }
    }
    readings
}
