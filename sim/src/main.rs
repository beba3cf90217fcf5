//! `gesta-sim`: runs seeds, prints the first that breaks a promise with the least trace that still does.

use std::{ops::Range, process::ExitCode};

use gesta_sim::{
    crowd::Crowd,
    trace::{self, Scene},
    world::World,
};

const USAGE: &str = "usage: gesta-sim [--seeds FROM..TO | --seed SEED] [--steps STEPS] [--twice]

  --seeds FROM..TO  run these seeds (default 0..100)
  --seed SEED       run one seed
  --steps STEPS     steps of each run (default 150)
  --twice           run every seed twice and demand the same bytes";

/// Steps of a crowd for each of a store: most of them concern one of many.
const CROWD_STEPS: usize = 8;

struct Arguments {
    seeds: Range<u64>,
    steps: usize,
    twice: bool,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut parsed = Arguments { seeds: 0..100, steps: 150, twice: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seeds" => {
                let value = arguments.next()?;
                let (from, to) = value.split_once("..")?;
                parsed.seeds = from.parse().ok()?..to.parse().ok()?;
            }
            "--seed" => {
                let seed = arguments.next()?.parse().ok()?;
                parsed.seeds = seed..seed + 1;
            }
            "--steps" => parsed.steps = arguments.next()?.parse().ok()?,
            "--twice" => parsed.twice = true,
            _ => return None,
        }
    }
    Some(parsed)
}

fn main() -> ExitCode {
    let Some(Arguments { seeds, steps, twice }) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // Panics are findings here; they are printed with their seed.
    std::panic::set_hook(Box::new(|_| ()));
    let count = seeds.end.saturating_sub(seeds.start);
    for seed in seeds {
        if !(holds::<World>(seed, steps, 1, twice) && holds::<Crowd>(seed, steps, CROWD_STEPS, twice)) {
            return ExitCode::FAILURE;
        }
    }
    println!("{count} seeds of {steps} steps: every promise held");
    ExitCode::SUCCESS
}

/// Runs a seed of a scene that takes so many times the steps asked for; whether every promise held.
fn holds<S: Scene>(seed: u64, asked: usize, times: usize, twice: bool) -> bool {
    let steps = asked * times;
    let run = trace::run::<S>(seed, steps);
    let Some(violation) = &run.violation else {
        let same = !twice || trace::run::<S>(seed, steps).digest == run.digest;
        if !same {
            println!("seed {seed} left other bytes when it was run again");
        }
        return same;
    };
    println!("seed {seed} breaks a promise at step {}: {violation}", run.steps.len());
    println!("shrinking ...");
    let least = trace::shrink::<S>(seed, &run.steps, violation);
    println!("{} steps are enough:", least.len());
    for (number, step) in least.iter().enumerate() {
        println!("{number:4} {step:?}");
    }
    match trace::replay::<S>(seed, &least) {
        Some(violation) => println!("{violation}"),
        None => println!("(the shrunk trace holds when replayed: the run is not deterministic)"),
    }
    println!("again: cargo run --release -- --seed {seed} --steps {asked}");
    false
}
