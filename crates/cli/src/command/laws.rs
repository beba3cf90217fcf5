//! `gesta laws check`: whether the laws of models hold on what a store has recorded: of those any store has, and of an application's in its program.

use clap::{Args, Subcommand};
use gesta::{Monoid, ReadOptions, Source, model::LawReport};
use serde_json::json;

use crate::{
    builtin::{self, By, Summary, composed},
    exit::{Exit, Failure, Outcome},
    models::Models,
    query_args::SubjectArgs,
    reach::Reached,
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
  bank laws check --model account     in the program of an application: laws of a model of its own, of all its instances
  bank laws check --model account ada and of one
How an application makes a program that knows its models: docs/tutorial/program.md")]
struct CheckArgs {
    #[command(flatten)]
    subject: SubjectArgs,
}

/// Events in a window.
const WINDOW: usize = 256;

/// Checks the laws, and says what was found.
pub(crate) fn run(args: &LawsArgs, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    let LawsCommand::Check(CheckArgs { subject }) = &args.command;
    let mut table =
        Table::new([Column::text("model"), Column::text("law"), Column::number("tried on"), Column::number("broken")]);
    let broken = match &subject.model {
        Some(name) => {
            let model = models.get(name)?;
            let report = model.check(&target.open()?, subject.key()?);
            let report = report.ok_or_else(|| Failure::usage(format!("the model declares no laws, model={name}")))?;
            print_report(name, &report?, &mut table, shell)?
        }
        None => {
            let (reached, source) = (target.reach()?, subject.source()?);
            let mut broken = check_builtin(&reached, &source, &mut table, shell)?;
            // A part of the log is not what a model of the application is made of.
            if let (Reached::Directory(store), Source::All) = (&reached, &source) {
                for (name, model) in models.iter() {
                    if let Some(report) = model.check(store, &[]) {
                        broken += print_report(name, &report?, &mut table, shell)?;
                    }
                }
            }
            broken
        }
    };
    table.print(shell)?;
    if broken == 0 {
        return Ok(Exit::Ok);
    }
    shell.warn(format_args!("{} where a law does not hold", counted(broken, "case")));
    Ok(Exit::Integrity)
}

/// Prints what became of the laws of a model; how many are broken.
fn print_report(name: &str, report: &LawReport, table: &mut Table, shell: &mut Shell) -> Outcome<u64> {
    let broken = u64::from(report.broken.is_some());
    let events = report.events;
    match shell.format() {
        Format::Table => {
            table.row([name.to_owned(), "declared".to_owned(), counted(events, "event"), broken.to_string()]);
        }
        Format::Plain => shell.line(format_args!("{name}\tdeclared\t{events}\t{broken}"))?,
        Format::Ndjson => {
            let evidence = report.broken.as_ref().map(ToString::to_string);
            shell.json(
                &json!({ "model": name, "law": "declared", "events": events, "broken": broken, "evidence": evidence }),
            )?;
        }
    }
    if let Some(demotion) = &report.broken {
        demotion.to_string().lines().for_each(|line| shell.warn(line));
    }
    Ok(broken)
}

/// Checks the laws of the models that any store has; in how many windows one does not hold.
fn check_builtin(store: &Reached, source: &Source, table: &mut Table, shell: &mut Shell) -> Outcome<u64> {
    let mut broken_in_all = 0;
    for by in By::ALL {
        let mut windows = Windows::default();
        builtin::each(store, source.clone(), ReadOptions::default(), |event| {
            windows.push(builtin::lift(by, event));
            Ok(())
        })?;
        windows.check();
        for (law, broken) in [("associative", windows.associative), ("commutative", windows.commutative)] {
            broken_in_all += broken;
            let (model, count) = (format!("by {}", by.name()), windows.count);
            match shell.format() {
                Format::Table => table.row([model, law.to_owned(), counted(count, "window"), broken.to_string()]),
                Format::Plain => shell.line(format_args!("{model}\t{law}\t{count}\t{broken}"))?,
                Format::Ndjson => {
                    shell.json(&json!({ "model": model, "law": law, "windows": count, "broken": broken }))?;
                }
            }
        }
    }
    Ok(broken_in_all)
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
