//! `gesta bench`: the store beside the raw disk, measured in the same run.
//!
//! Every row has the figure it must hold (DESIGN, section 15), what was measured, what the bare disk does with the same bytes, and
//! the ratio: an absolute number says as much about the machine as about the store.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::{
    exit::{Exit, Outcome},
    shell::{BAD, Format, GOOD, Shell, counted},
    table::{Column, Table},
    target::Target,
};

mod raw_disk;

use raw_disk::{RawDisk, SyncMethod};

/// Arguments of `gesta bench`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta bench                          a million events, under two minutes
  gesta bench --full                   ten million
  gesta bench --json > figures.ndjson
Works in a fresh directory inside --dir (or the system's temporary directory) and removes it.")]
pub(crate) struct BenchArgs {
    /// Events to record
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    events: u64,
    /// Ten million events
    #[arg(long, conflicts_with = "events")]
    full: bool,
    /// The same as `--output ndjson`
    #[arg(long)]
    json: bool,
}

/// Events of `--full`.
const EVENTS_FULL: u64 = 10_000_000;
/// Bytes of an event in the raw loops.
const EVENT_BYTES: usize = 256;

/// A figure beside what it must hold.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// What is measured.
    what: &'static str,
    /// What must hold, in words.
    hold: &'static str,
    /// What was measured.
    measured: f64,
    /// What the bare disk did with the same bytes; null for work without a disk.
    raw: Option<f64>,
    /// Of both.
    unit: &'static str,
    /// Whether it holds; null where only a larger run can say.
    held: Option<bool>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.raw.filter(|raw| *raw > 0.0).map(|raw| self.measured / raw)
    }
}

/// Measures, and prints the table.
pub(crate) fn run(args: &BenchArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let events = if args.full { EVENTS_FULL } else { args.events };
    let parent = target.given().map_or_else(std::env::temp_dir, Path::to_owned);
    let scratch = raw_disk::Scratch::inside(&parent)?;
    shell.say(format_args!("{} of {EVENT_BYTES} B in {}", counted(events, "event"), scratch.path().display()));
    let rows = raw_rows(&scratch)?;
    if args.json || shell.format() == Format::Ndjson {
        for row in &rows {
            shell.json(row)?;
        }
    } else {
        print(&rows, shell)?;
    }
    Ok(Exit::Ok)
}

/// What the bare disk does: the yardstick of the rows of the store.
fn raw_rows(scratch: &raw_disk::Scratch) -> Outcome<Vec<Row>> {
    let methods = [
        (SyncMethod::WriteAndSync, "raw write + fdatasync, 1 client"),
        (SyncMethod::Direct, "raw O_DIRECT|O_DSYNC, 1 client"),
    ];
    let mut rows = Vec::new();
    for (method, what) in methods {
        let Some(measured) = RawDisk::new(scratch, method)?.measure(EVENT_BYTES)? else { continue };
        rows.push(Row {
            what,
            hold: "yardstick",
            measured: measured.per_second(),
            raw: None,
            unit: "syncs/s",
            held: None,
        });
    }
    Ok(rows)
}

fn print(rows: &[Row], shell: &mut Shell) -> Outcome<()> {
    let mut table = Table::new([
        Column::long("what"),
        Column::long("hold"),
        Column::number("measured"),
        Column::number("raw disk"),
        Column::text("unit"),
        Column::number("ratio"),
        Column::text(""),
    ]);
    for row in rows {
        table.row([
            row.what.to_owned(),
            row.hold.to_owned(),
            figure(row.measured),
            row.raw.map_or_else(String::new, figure),
            row.unit.to_owned(),
            row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            match row.held {
                None => "",
                Some(true) => "holds",
                Some(false) => "fails",
            }
            .to_owned(),
        ]);
    }
    table.print(shell)?;
    let failed = rows.iter().filter(|row| row.held == Some(false)).count();
    let judged = rows.iter().filter(|row| row.held.is_some()).count();
    match (judged, failed) {
        (0, _) => Ok(()),
        (_, 0) => shell.line(format_args!("{GOOD}all {judged} hold{GOOD:#}")),
        _ => shell.line(format_args!("{BAD}{failed} of {judged} do not hold{BAD:#}")),
    }
}

/// Three significant digits, thousands apart.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rounded and not negative
fn figure(value: f64) -> String {
    if value >= 1000.0 {
        return crate::shell::grouped(value.round() as u64);
    }
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(0.567), "0.57");
    }
}
