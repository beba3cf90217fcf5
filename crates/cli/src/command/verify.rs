//! `gesta verify`: every byte of the log, and the index against it; of a server, by the server. A store that cannot be opened has its log inspected all the same.

use std::ops::ControlFlow;

use clap::Args;
use gesta::{EventStore, VerifyReport};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    progress::Progress,
    shell::{BAD, Format, GOOD, Shell, bytes, counted, printable},
    target::Target,
};

/// Arguments of `gesta verify`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta verify
  gesta verify -o ndjson | jq -r .digest     equal digests: equal logs
Exit code 7 when something is wrong.")]
pub(crate) struct VerifyArgs {}

/// Prints what was found.
pub(crate) fn run(_args: &VerifyArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    if let Some(url) = target.url() {
        let progress = Progress::new(shell, "checked", "events", None);
        let report = target.connect(url)?.verify(|events| progress.at(events))?;
        drop(progress);
        return tell(&report, true, shell);
    }
    let (report, opened) = match target.open() {
        Ok(store) => (check(&store, shell)?, true),
        Err(failure) if failure.exit == Exit::Integrity => {
            let mut report = inspect(target, shell)?;
            add(&failure, &mut report);
            (report, false)
        }
        // What may only be read is not damaged by that: its log can be checked all the same.
        Err(failure) if failure.exit == Exit::Denied => {
            let Ok(report) = inspect(target, shell) else { return Err(failure) };
            shell.warn(format_args!("{failure}; only the log is checked, not the index"));
            (report, false)
        }
        Err(failure) => return Err(failure),
    };
    tell(&report, opened, shell)
}

/// Prints the report.
fn tell(report: &VerifyReport, opened: bool, shell: &mut Shell) -> Outcome<Exit> {
    match shell.format() {
        Format::Ndjson => shell.json(&as_json(report, opened))?,
        Format::Table => print(report, "", shell)?,
        Format::Plain => print_fields(report, shell)?,
    }
    if report.problems.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(Exit::Integrity, format!("the store is damaged, problems={}", report.problem_count)).with_remedy(
        "keep the directory as it is; restore the files named from a backup, or write what is intact with `gesta export --intact`",
    ))
}

/// What is in the log of a store that did not open.
fn inspect(target: &Target, shell: &Shell) -> Outcome<VerifyReport> {
    let progress = Progress::new(shell, "checked", "events", None);
    target.inspect(|_| {
        progress.advance(1);
        ControlFlow::Continue(())
    })
}

/// Adds the reason why a store did not open.
fn add(refusal: &Failure, report: &mut VerifyReport) {
    let refusal = refusal.to_string();
    if !report.problems.iter().any(|problem| refusal.ends_with(problem)) {
        report.problems.insert(0, refusal);
        report.problem_count += 1;
    }
}

/// Verifies `store`, showing progress.
pub(crate) fn check(store: &EventStore, shell: &Shell) -> Outcome<VerifyReport> {
    let progress = Progress::new(shell, "checked", "events", Some(store.head().position().0));
    Ok(store.verify(|events| progress.at(events))?)
}

fn as_json(report: &VerifyReport, opened: bool) -> serde_json::Value {
    json!({
        "ok": report.problems.is_empty(), "opened": opened, "events": report.events, "commits": report.commits, "segments": report.segments,
        "streams": report.streams, "logBytes": report.log_bytes, "head": report.head.to_string(), "digest": report.digest,
        "problems": report.problems,
    })
}

/// A line for each fact, and one for each problem.
fn print_fields(report: &VerifyReport, shell: &mut Shell) -> Outcome<()> {
    shell.line(format_args!("verdict\t{}", if report.problems.is_empty() { "ok" } else { "damaged" }))?;
    let counts = [
        ("events", report.events),
        ("commits", report.commits),
        ("segments", report.segments),
        ("streams", report.streams),
        ("log bytes", report.log_bytes),
        ("head", report.head.0),
    ];
    for (name, count) in counts {
        shell.line(format_args!("{name}\t{count}"))?;
    }
    shell.line(format_args!("digest\t{}", report.digest))?;
    for problem in &report.problems {
        shell.line(format_args!("problem\t{}", printable(problem)))?;
    }
    Ok(())
}

/// Prints the report in words, set in by `indent`.
pub(crate) fn print(report: &VerifyReport, indent: &str, shell: &mut Shell) -> Outcome<()> {
    let verdict = if report.problems.is_empty() { format!("{GOOD}ok{GOOD:#}") } else { format!("{BAD}damaged{BAD:#}") };
    shell.line(format_args!(
        "{indent}{verdict}  {}, {}, {}, {} checked",
        counted(report.events, "event"),
        counted(report.commits, "commit"),
        counted(report.streams, "stream"),
        bytes(report.log_bytes),
    ))?;
    shell.line(format_args!("{indent}head {}  digest {}", report.head, report.digest))?;
    for problem in &report.problems {
        shell.line(format_args!("{indent}{BAD}problem{BAD:#}  {}", printable(problem)))?;
    }
    Ok(())
}
