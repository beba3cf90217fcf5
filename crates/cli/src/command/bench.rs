//! `gesta bench`: the store beside the raw disk, measured in the same run.
//!
//! Every row has the figure it must hold (`BENCHMARKS.md`), what was measured, what the bare disk does with the same bytes where
//! there is a disk in it, and the ratio: an absolute number says as much about the machine as about the store.

use std::path::Path;

use clap::Args;

use crate::{
    exit::{Exit, Failure, Outcome},
    interrupt::Interrupt,
    shell::{Format, Shell, counted},
    target::Target,
};

mod append;
mod boundary;
mod bulk;
mod fill;
mod growth;
mod model;
mod process;
mod raw_disk;
mod reading;
mod restart;
mod row;
mod samples;
mod workload;

use raw_disk::Scratch;
use restart::Role;
use row::{Report, Shape};
use workload::{EVENT_BYTES, Workload};

/// Arguments of `gesta bench`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta bench                          a million events, under two minutes
  gesta bench --full                   ten million
  gesta bench --json > figures.ndjson
Works in a fresh directory inside --dir (or the system's temporary directory) and removes it.")]
pub(crate) struct BenchArgs {
    /// Events to record
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(EVENTS_MIN..))]
    events: u64,
    /// Ten million events
    #[arg(long, conflicts_with = "events")]
    full: bool,
    /// The same as `--output ndjson`
    #[arg(long)]
    json: bool,
    /// What this process does for another one that measures.
    #[arg(long, hide = true, value_enum)]
    role: Option<Role>,
}

/// Events of `--full`.
const EVENTS_FULL: u64 = 10_000_000;
/// Fewest events: every stage of growth still has a commit of a thousand.
const EVENTS_MIN: u64 = 20_000;

/// Measures, and prints the table.
pub(crate) fn run(args: &BenchArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let events = if args.full { EVENTS_FULL } else { args.events };
    let workload = Workload::new(events);
    match args.role {
        Some(Role::Fill) => return fill::run(target.dir(), &workload, shell),
        Some(Role::Reopen) => return restart::run_reopen(target.dir(), events, shell),
        None => {}
    }
    let interrupt = Interrupt::listen()?;
    let parent = target.given().map_or_else(std::env::temp_dir, Path::to_owned);
    let scratch = Scratch::inside(&parent)?;
    shell.say(format_args!("{} of {EVENT_BYTES} B in {}", counted(events, "event"), scratch.path().display()));
    let json = args.json || shell.format() == Format::Ndjson;
    let bench = Bench { scratch: &scratch, workload: &workload, interrupt: &interrupt };
    bench.measure(&mut Report::new(if json { Shape::Json } else { Shape::Table }), shell)?;
    Ok(Exit::Ok)
}

/// A run.
struct Bench<'a> {
    scratch: &'a Scratch,
    workload: &'a Workload,
    interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Group after group of rows, printed as soon as they are known.
    fn measure(&self, report: &mut Report, shell: &mut Shell) -> Outcome<()> {
        let (scratch, events) = (self.scratch.path(), self.workload.events());
        let dir = scratch.join("store");
        report.add(&self.unless_interrupted(append::rows(scratch))?, shell)?;
        report.add(&self.unless_interrupted(restart::fill_and_kill(&dir, events))?, shell)?;
        report.add(&self.unless_interrupted(restart::reopen(&dir, events))?, shell)?;
        let store = gesta::EventStore::open(&dir)?;
        store.settle()?;
        report.add(&self.unless_interrupted(reading::rows(&store, self.workload))?, shell)?;
        report.add(&self.unless_interrupted(boundary::rows(&store, self.workload))?, shell)?;
        store.close()?;
        report.finish(shell)
    }

    /// What a group came to, unless somebody asked the program to end meanwhile: a process that is measured hears it too and ends
    /// at once, which is no failure then.
    fn unless_interrupted<T>(&self, rows: Outcome<T>) -> Outcome<T> {
        if self.interrupt.is_requested() {
            return Err(Failure::new(Exit::Interrupted, "interrupted, nothing is left behind"));
        }
        rows
    }
}
