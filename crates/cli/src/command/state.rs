//! `gesta state`: what the events come to, by the models that any store has, and by those of an application in its own program.

use clap::Args;
use gesta::{ReadOptions, Timestamp};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    builtin::{self, By, Seen},
    exit::{Exit, Outcome},
    models::{Models, Shown},
    query_args::{SubjectArgs, moment},
    shell::{Format, Shell, counted, printable},
    table::{Column, Table},
    target::Target,
    time,
};

/// Arguments of `gesta state`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta state                             how many events there are of each type
  gesta state --by stream                 what was recorded last in each stream
  gesta state order-17 --at 2026-01-31    what had happened to an order by then
  gesta state --path '/shop/**' --at @118 and below a path, up to a position
  bank state --model account ada          in the program of an application: a state of a model of its own
How an application makes a program that knows its models: docs/tutorial/program.md")]
pub(crate) struct StateArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// What is told apart
    #[arg(long, value_name = "WHAT", default_value = "type", conflicts_with = "model")]
    by: By,
    /// As of a moment in the past: a time, or a position as `@118`
    #[arg(long, value_name = "MOMENT", allow_hyphen_values = true)]
    at: Option<String>,
}

/// Prints the state.
pub(crate) fn run(args: &StateArgs, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    if let Some(name) = &args.subject.model {
        return run_model(args, name, target, models, shell);
    }
    let source = args.subject.source()?;
    let options = ReadOptions { as_of: args.at.as_deref().map(moment).transpose()?, ..ReadOptions::default() };
    let store = target.reach()?;
    let (state, head) = builtin::state(&store, args.by, source, options)?;
    let by = args.by.name();
    let mut table = Table::new([
        Column::long(by),
        Column::number("events"),
        Column::text("first recorded"),
        Column::number("last position"),
        Column::text("last recorded"),
        Column::long(if args.by == By::Type { "last stream" } else { "last type" }),
    ]);
    let mut events = 0;
    for (name, seen) in state.iter() {
        events += seen.0.count();
        print(args.by, name, seen, &mut table, shell)?;
    }
    table.print(shell)?;
    let (events, of) = (u64::try_from(events).unwrap_or(u64::MAX), counted(state.len() as u64, by));
    shell.say(format_args!("{} of {of}, head={head}", counted(events, "event")));
    Ok(Exit::Ok)
}

/// A state of a model, as a line of NDJSON.
#[derive(Serialize)]
struct Line<'l> {
    model: &'l str,
    key: &'l [String],
    head: String,
    state: &'l RawValue,
    skipped: u64,
    parked: &'l [Value],
}

/// Prints the state of an instance of a model.
fn run_model(args: &StateArgs, name: &str, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    let (model, key) = (models.get(name)?, args.subject.key()?);
    let at = args.at.as_deref().map(moment).transpose()?;
    let Shown { state, pretty, head, explain, parked } = model.state(&target.open()?, key, at)?;
    match shell.format() {
        Format::Table => {
            // What an event holds is escaped by JSON, but for what only a terminal takes for more than a letter.
            for line in pretty.lines() {
                shell.line(printable(line))?;
            }
        }
        Format::Plain => shell.line(state.get())?,
        Format::Ndjson => {
            let (head, skipped) = (head.to_string(), explain.skipped);
            shell.json(&Line { model: name, key, head, state: &state, skipped, parked: &parked })?;
        }
    }
    shell.say(format_args!("{explain}"));
    if parked.is_empty() {
        return Ok(Exit::Ok);
    }
    for event in &parked {
        shell.warn(format_args!("parked: {}", event["reason"].as_str().unwrap_or_default()));
    }
    Ok(Exit::Partial)
}

fn print(by: By, name: &str, (count, first, last): &Seen, table: &mut Table, shell: &mut Shell) -> Outcome<()> {
    let first = first.get().copied().unwrap_or_default();
    let position = last.place().unwrap_or_default();
    let (of, recorded) = last.get().cloned().unwrap_or_default();
    match shell.format() {
        Format::Table => {
            let [first, last] = [first, recorded].map(|time| time::civil(Timestamp(time)));
            table.row([name.to_owned(), count.count().to_string(), first, position.to_string(), last, of]);
            Ok(())
        }
        Format::Plain => {
            let recorded = time::rfc3339(Timestamp(recorded));
            shell.line(format_args!("{name}\t{}\t{position}\t{recorded}\t{of}", count.count()))
        }
        Format::Ndjson => shell.json(&json!({
            (by.name()): name, "events": u64::try_from(count.count()).unwrap_or(u64::MAX),
            "firstRecorded": time::rfc3339(Timestamp(first)), "lastPosition": position.to_string(),
            "lastRecorded": time::rfc3339(Timestamp(recorded)), (if by == By::Type { "lastStream" } else { "lastType" }): of,
        })),
    }
}
