//! What models cost: `cargo run --release -p gesta-model --example model_rates [--full] [events] [keys]`.
//!
//! Half of the events are on a hundredth of the keys. Every answer that is timed by summaries is compared with the fold. Not a test: it prints.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::{
    num::NonZero,
    time::{Duration, Instant},
};

use gesta_model::{
    Algebraic, Command, Decide, Domain, DomainOptions, Event, Format, Json, Model, Monoid, OnCaller, Place, Summaries,
    Threads, TreeOptions,
    algebra::{Affine, Count, Last, Max, Min, Sum},
    event::to_recordable,
};
use gesta_store::{
    Append, AsOf, EventData, EventStore, ExpectedRevision, From, Options, Position, ReadOptions, entropy::Entropy,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize, Clone, Debug)]
enum Op {
    #[event("added", at = "entry-{key}")]
    Added { key: u64, amount: i64, note: String },
    #[event("set", at = "entry-{key}")]
    Set { key: u64, amount: i64, note: String },
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Entry(i128);
impl Model for Entry {
    type Event = Op;
    type Key = u64;
    const AT: &'static str = "entry-*";
    fn apply(&mut self, op: &Op, _: &Place<'_>) {
        match op {
            Op::Added { amount, .. } => self.0 += i128::from(*amount),
            Op::Set { amount, .. } => self.0 = (*amount).into(),
        }
    }
}
impl Algebraic for Entry {
    type Summary = Affine;
    fn lift(op: &Op, _: &Place<'_>) -> Affine {
        match op {
            Op::Added { amount, .. } => Affine::add(*amount),
            Op::Set { amount, .. } => Affine::set(*amount),
        }
    }
    fn act(&mut self, effect: &Affine) {
        self.0 = effect.apply_to(self.0);
    }
}

#[derive(Monoid, Clone, Debug, PartialEq)]
struct Figures {
    count: Count,
    sum: Sum,
    min: Min<i64>,
    max: Max<i64>,
    last: Last<i64>,
}

#[derive(Clone, Debug, PartialEq)]
struct Total(Figures);
impl Default for Total {
    fn default() -> Self {
        Self(Figures::identity())
    }
}
impl Model for Total {
    type Event = Op;
    type Key = ();
    const AT: &'static str = "entry-*";
    fn apply(&mut self, op: &Op, place: &Place<'_>) {
        self.0.combine(&Self::lift(op, place));
    }
}
impl Algebraic for Total {
    type Summary = Figures;
    fn lift(op: &Op, place: &Place<'_>) -> Figures {
        let (Op::Added { amount, .. } | Op::Set { amount, .. }) = op;
        Figures {
            count: Count::one(),
            sum: Sum::of(*amount),
            min: Min::of(*amount),
            max: Max::of(*amount),
            last: Last::of(place.position, *amount),
        }
    }
    fn act(&mut self, figures: &Figures) {
        self.0.combine(figures);
    }
}

#[derive(Command)]
#[command(Entry, key = key)]
struct Add {
    key: u64,
}
impl Decide for Add {
    fn decide(&self, _: &Entry) -> Result<Vec<Op>, std::convert::Infallible> {
        Ok(vec![op(self.key, 1, false)])
    }
}

fn op(key: u64, amount: i64, set: bool) -> Op {
    let note = "as agreed by telephone".to_owned();
    if set { Op::Set { key, amount, note } } else { Op::Added { key, amount, note } }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().position(|argument| argument == "--full").map(|at| arguments.remove(at)).is_some();
    let mut numbers = arguments.iter().map(|text| text.parse::<u64>().unwrap());
    let events = numbers.next().unwrap_or(if full { 10_000_000 } else { 1_000_000 });
    let keys = numbers.next().unwrap_or(events / 10);
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open_with(dir.path(), Options { entropy: Entropy::seeded(1).into(), ..Options::default() })
        .unwrap();
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let start = Instant::now();
    fill(&store, &mut rng, events, keys);
    let bytes = store.info().unwrap().log_bytes as f64 / events as f64;
    println!(
        "{events} events over {keys} keys, {bytes:.0} bytes of log each, recorded in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    // First, while nothing else has filled the allocator.
    memory(&store, keys);
    let plain = Domain::new(store.clone());
    global(&store, &plain, &mut rng, events);
    points(&store, &plain, &mut rng, events, keys);
    live(&store);
}

fn fill(store: &EventStore, rng: &mut ChaCha12Rng, events: u64, keys: u64) {
    let mut left = events;
    while left > 0 {
        let commit = left.min(1_000);
        let mut append = Append::new();
        for _ in 0..commit {
            let key = if rng.random() { rng.random_range(0..keys.div_ceil(100)) } else { rng.random_range(0..keys) };
            let event = op(key, rng.random_range(-1_000..1_000), rng.random_ratio(1, 5));
            let (stream, event): (_, EventData) = to_recordable(&event).unwrap();
            append = append.stream(stream, ExpectedRevision::Any, [event]);
        }
        store.commit(append).wait().unwrap();
        left -= commit;
    }
    store.settle().unwrap();
}

/// A model of the whole log: fold, nearest snapshot, summaries.
fn global(store: &EventStore, plain: &Domain, rng: &mut ChaCha12Rng, events: u64) {
    println!("\nwhole log (count, sum, min, max, last), as of a position");
    let head = store.head().position();
    let start = Instant::now();
    let reference = plain.get::<Total>(()).as_of(Position(events - 1)).wait().unwrap();
    let fold = start.elapsed();
    println!(
        "  fold                       {:>12}   {:.2} M events/s",
        shown(fold),
        events as f64 / fold.as_secs_f64() / 1e6
    );
    // One snapshot at each hundredth of the log, kept outside of the engine; the rest is folded onto the nearest.
    let every = events / 100;
    let nearest = timed(40, || {
        let to = rng.random_range(every..events);
        let mut state = Total::default();
        let options = ReadOptions {
            from: From::Position(Position(to / every * every)),
            as_of: Some(AsOf::Position(Position(to))),
            ..ReadOptions::default()
        };
        let mut read = store.read_all(options).unwrap();
        while let Some(batch) = read.next_batch().unwrap() {
            for event in batch.iter() {
                let kind = Op::find(event.event_type).unwrap().kind;
                state.apply(&Json::decode_fields(kind, event.data).unwrap(), &Place::of(&event));
            }
        }
    });
    println!("  snapshot every {every:<9}   {:>12}", shown(median(nearest)));

    for (name, workers) in [("1 thread ", 1), ("2 threads", 2)] {
        let summaries: Summaries<Total> = Domain::new(store.clone()).accelerate().unwrap();
        let start = Instant::now();
        summaries.build(&Threads(NonZero::new(workers).unwrap()), head).unwrap();
        let took = start.elapsed();
        println!(
            "  build, {name}           {:>12}   {:.2} x the fold",
            shown(took),
            fold.as_secs_f64() / took.as_secs_f64()
        );
    }
    let domain = Domain::new(store.clone());
    let summaries: Summaries<Total> = domain.accelerate().unwrap();
    summaries.build(&OnCaller, head).unwrap();
    assert_eq!(summaries.state(&(), Position(events)).unwrap(), *reference.value);
    for percent in [1, 50, 99] {
        let around = events * percent / 100;
        let times = timed(200, || {
            let position = Position((around + rng.random_range(0..events / 100)).min(events - 1));
            summaries.state(&(), position).unwrap();
        });
        println!("  summaries, at {percent:>2} %          {:>12}", shown(median(times)));
    }
    let times = timed(200, || {
        let from = rng.random_range(0..events);
        summaries.between(&(), Position(from)..Position(rng.random_range(from..events))).unwrap();
    });
    println!("  summaries, any range       {:>12}", shown(median(times)));
    println!("  {:?}", summaries.info());
}

/// One key of many, as of a position.
fn points(store: &EventStore, plain: &Domain, rng: &mut ChaCha12Rng, events: u64, keys: u64) {
    println!("\none key, as of a position");
    let head = store.head().position();
    let domain = Domain::new(store.clone());
    let summaries: Summaries<Entry> =
        domain.accelerate_with(TreeOptions { cache_bytes: 2 << 30, ..TreeOptions::default() }).unwrap();
    let start = Instant::now();
    summaries.build(&Threads(NonZero::new(2).unwrap()), head).unwrap();
    println!("  build of runs, 2 threads   {:>12}   {:?}", shown(start.elapsed()), summaries.info());
    for (name, range) in [("hot ", 0..keys.div_ceil(100)), ("cold", keys.div_ceil(100)..keys)] {
        let asked: Vec<_> =
            (0..300).map(|_| (rng.random_range(range.clone()), Position(rng.random_range(1..events)))).collect();
        let mut ask = asked.iter();
        let by_fold = timed(300, || {
            let (key, position) = ask.next().unwrap();
            plain.get::<Entry>(*key).as_of(*position).wait().unwrap();
        });
        let mut ask = asked.iter();
        let by_runs = timed(300, || {
            let (key, position) = ask.next().unwrap();
            summaries.point(key, position.next()).unwrap();
        });
        for (key, position) in &asked {
            let fold = plain.get::<Entry>(*key).as_of(*position).wait().unwrap();
            assert_eq!(summaries.point(key, position.next()).unwrap(), *fold.value);
        }
        println!("  {name}: fold of its stream    {:>12}", shown(median(by_fold)));
        println!("  {name}: summaries             {:>12}", shown(median(by_runs)));
    }
}

/// Many different states under a small cache.
fn memory(store: &EventStore, keys: u64) {
    let domain = Domain::with(store.clone(), DomainOptions { cache_bytes: 64 << 20, ..DomainOptions::default() });
    let before = resident();
    let start = Instant::now();
    for key in 0..keys {
        domain.get::<Entry>(key).wait().unwrap();
    }
    let each = start.elapsed() / u32::try_from(keys).unwrap();
    println!(
        "\n{keys} different states under a cache of 64 MiB: {} each, resident {:+.0} MiB, {:?}",
        shown(each),
        resident() - before,
        domain.cache_info()
    );
}

/// Hot reads and commands.
fn live(store: &EventStore) {
    println!("\nlive");
    let domain = Domain::new(store.clone());
    domain.get::<Entry>(0_u64).wait().unwrap();
    println!(
        "  hot latest, nothing new    {:>12}",
        shown(median(timed(10_000, || domain.get::<Entry>(0_u64).wait().map(drop).unwrap())))
    );
    let (stream, event) = to_recordable(&op(u64::MAX, 1, false)).unwrap();
    let append = || store.append(stream.clone(), ExpectedRevision::Any, [event.clone()]).wait().map(drop).unwrap();
    let others: Vec<_> = (0..500)
        .map(|_| {
            append();
            let start = Instant::now();
            domain.get::<Entry>(0_u64).wait().unwrap();
            start.elapsed()
        })
        .collect();
    println!("  hot latest, other streams  {:>12}", shown(median(others)));
    // In turns, so that both meet the same disk.
    let (mut bare, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        bare.extend(timed(1, append));
        sent.extend(timed(1, || domain.send(Add { key: 1 }).wait().map(drop).unwrap()));
    }
    let (bare, sent) = (median(bare), median(sent));
    println!("  durable append             {:>12}", shown(bare));
    println!("  command, hot state         {:>12}   {:.2} x", shown(sent), sent.as_secs_f64() / bare.as_secs_f64());
}

fn timed(rounds: usize, mut what: impl FnMut()) -> Vec<Duration> {
    let time = |_| {
        let start = Instant::now();
        what();
        start.elapsed()
    };
    (0..rounds).map(time).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn shown(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// Resident memory in MiB, without the files that are mapped.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}
