//! `gesta history`: how a state came about: each event, and what there was of its type, or stream, with it.

use clap::Args;
use gesta::{EventRef, Monoid, ReadOptions};
use serde::Serialize;
use serde_json::{json, value::RawValue};

use crate::{
    builtin::{self, By, Summary},
    exit::{Exit, Outcome},
    models::{Asked, Models},
    ndjson::EventView,
    query_args::{SubjectArgs, moment},
    shell::{Format, Shell},
    table::{Column, Table},
    target::Target,
    time,
};

/// Arguments of `gesta history`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta history order-17                each event of an order, and the how manieth of its type it was
  gesta history --by stream -n 20       the first twenty events, and the how manieth of its stream each was
  gesta history --path '/shop/**' --at 2026-01-31
  bank history --model account ada      in the program of an application: each event, and the state of a model after it
How an application makes a program that knows its models: docs/tutorial/program.md")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// What is counted
    #[arg(long, value_name = "WHAT", default_value = "type", conflicts_with = "model")]
    by: By,
    /// As of a moment in the past: a time, or a position as `@118`
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    at: Option<String>,
    /// At most so many events
    #[arg(short = 'n', long, value_name = "COUNT")]
    limit: Option<u64>,
}

/// Rows shown at a time.
const ROWS: usize = 512;

/// Prints the states, one after each event.
pub(crate) fn run(args: &HistoryArgs, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    if let Some(name) = &args.subject.model {
        return run_model(args, name, target, models, shell);
    }
    let source = args.subject.source()?;
    let as_of = args.at.as_deref().map(moment).transpose()?;
    let options = ReadOptions { as_of, limit: args.limit, ..ReadOptions::default() };
    let store = target.reach()?;
    let mut table = Table::new([
        Column::number("position"),
        Column::text("recorded"),
        Column::long("stream"),
        Column::number("revision"),
        Column::long("type"),
        Column::number(if args.by == By::Type { "of its type" } else { "of its stream" }),
        Column::number("events"),
    ]);
    let (mut state, mut events) = (Summary::identity(), 0);
    builtin::each(&store, source, options, |event| {
        state.combine(&builtin::lift(args.by, event));
        events += 1;
        let name = if args.by == By::Type { event.event_type } else { event.stream };
        let own = state.get(name).map_or(0, |(count, ..)| count.count());
        print(args.by, event, own, events, &mut table, shell)?;
        if table.waiting() >= ROWS { table.print(shell) } else { Ok(()) }
    })?;
    table.print(shell)?;
    Ok(Exit::Ok)
}

/// An event and the state of a model after it, as a line of NDJSON.
#[derive(Serialize)]
struct Line<'l> {
    position: String,
    recorded: String,
    stream: &'l str,
    revision: u64,
    #[serde(rename = "type")]
    event_type: &'l str,
    state: &'l RawValue,
}

/// Prints the states of an instance of a model.
fn run_model(args: &HistoryArgs, name: &str, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    let (model, key) = (models.get(name)?, args.subject.key()?);
    let at = args.at.as_deref().map(moment).transpose()?;
    let mut table =
        Table::new([Column::number("position"), Column::text("recorded"), Column::long("type"), Column::long("state")]);
    let asked = Asked { key, at, limit: args.limit };
    model.history(&target.open()?, &asked, &mut |event, state| print_state(event, state, &mut table, shell))?;
    table.print(shell)?;
    Ok(Exit::Ok)
}

fn print_state(event: &EventRef<'_>, state: &RawValue, table: &mut Table, shell: &mut Shell) -> Outcome<()> {
    let EventRef { position, revision, stream, event_type, recorded_at, .. } = *event;
    match shell.format() {
        Format::Table => {
            table.row([position.to_string(), time::civil(recorded_at), event_type.to_owned(), state.get().to_owned()]);
            if table.waiting() >= ROWS { table.print(shell) } else { Ok(()) }
        }
        Format::Plain => {
            let state = state.get();
            shell.line(format_args!("{position}\t{stream}\t{revision}\t{event_type}\t{state}"))
        }
        Format::Ndjson => {
            let (position, recorded, revision) = (position.to_string(), time::rfc3339(recorded_at), revision.0);
            shell.json(&Line { position, recorded, stream, revision, event_type, state })
        }
    }
}

fn print(by: By, event: &EventView<'_>, own: i128, events: u64, table: &mut Table, shell: &mut Shell) -> Outcome<()> {
    let EventView { position, revision, stream, event_type, recorded_at, .. } = *event;
    match shell.format() {
        Format::Table => {
            let (recorded, own) = (time::civil(recorded_at), own.to_string());
            let (position, revision) = (position.to_string(), revision.to_string());
            table.row([position, recorded, stream.to_owned(), revision, event_type.to_owned(), own, events.to_string()]);
            Ok(())
        }
        Format::Plain => shell.line(format_args!("{position}\t{stream}\t{revision}\t{event_type}\t{own}\t{events}")),
        Format::Ndjson => shell.json(&json!({
            "position": position.to_string(), "recorded": time::rfc3339(recorded_at), "stream": stream, "revision": revision.0,
            "type": event_type, (if by == By::Type { "ofType" } else { "ofStream" }): u64::try_from(own).unwrap_or(u64::MAX),
            "events": events,
        })),
    }
}
