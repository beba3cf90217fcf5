//! `gesta laws check`: whether the laws of the models that any store has hold on what this one has recorded.

use clap::{Args, Subcommand};
use gesta::{Monoid, ReadOptions};
use serde_json::json;

use crate::{
    builtin::{self, By, Summary, composed},
    exit::{Exit, Outcome},
    query_args::FilterArgs,
    shell::{Format, Shell, counted},
    table::{Column, Table},
    target::Target,
};

/// Arguments of `gesta laws`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta laws check                    on the whole log
  gesta laws check --category order   on the orders")]
pub(crate) struct LawsArgs {
    #[command(subcommand)]
    command: LawsCommand,
}

#[derive(Debug, Subcommand)]
enum LawsCommand {
    /// Try the laws on windows of what is recorded
    Check(CheckArgs),
}

/// Arguments of `gesta laws check`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta laws check                    on the whole log
  gesta laws check --category order   on the orders
Laws of an application's own models are checked in the application: `domain.check_laws(…)`
on what is recorded, and `laws!` on what is generated.")]
struct CheckArgs {
    /// The stream [default: the whole log]
    stream: Option<String>,
    #[command(flatten)]
    filters: FilterArgs,
}

/// Events in a window.
const WINDOW: usize = 256;

/// Checks the laws, and says what was found.
pub(crate) fn run(args: &LawsArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let LawsCommand::Check(args) = &args.command;
    let source = args.filters.source(args.stream.as_deref())?;
    let store = target.reach()?;
    let mut table =
        Table::new([Column::text("model"), Column::text("law"), Column::number("windows"), Column::number("broken")]);
    let mut broken_in_all = 0;
    for by in By::ALL {
        let mut windows = Windows::default();
        builtin::each(&store, source.clone(), ReadOptions::default(), |event| {
            windows.push(builtin::lift(by, event));
            Ok(())
        })?;
        windows.check();
        for (law, broken) in [("associative", windows.associative), ("commutative", windows.commutative)] {
            broken_in_all += broken;
            let (model, count) = (format!("by {}", by.name()), windows.count);
            match shell.format() {
                Format::Table => table.row([model, law.to_owned(), count.to_string(), broken.to_string()]),
                Format::Plain => shell.line(format_args!("{model}\t{law}\t{count}\t{broken}"))?,
                Format::Ndjson => {
                    shell.json(&json!({ "model": model, "law": law, "windows": count, "broken": broken }))?;
                }
            }
        }
    }
    table.print(shell)?;
    if broken_in_all == 0 {
        return Ok(Exit::Ok);
    }
    shell.warn(format_args!("{} where a law does not hold", counted(broken_in_all, "window")));
    Ok(Exit::Integrity)
}

/// Events in their order, cut into windows.
#[derive(Default)]
struct Windows {
    effects: Vec<Summary>,
    count: u64,
    /// Windows that are something else when they are grouped otherwise.
    associative: u64,
    /// Windows that are something else with their halves the other way round.
    commutative: u64,
}

impl Windows {
    fn push(&mut self, effect: Summary) {
        self.effects.push(effect);
        if self.effects.len() == WINDOW {
            self.check();
        }
    }

    /// Checks the window, if there is something in it, and begins the next one.
    fn check(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        if effects.is_empty() {
            return;
        }
        self.count += 1;
        // A different cut in each window.
        let cut = (self.count as usize).wrapping_mul(97) % (effects.len() + 1);
        let whole = composed(&effects, 0..effects.len());
        let (left, right) = (composed(&effects, 0..cut), composed(&effects, cut..effects.len()));
        self.associative += u64::from(left.clone().then(&right) != whole);
        self.commutative += u64::from(right.then(&left) != whole);
    }
}
