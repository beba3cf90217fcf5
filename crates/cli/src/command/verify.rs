//! `gesta verify`: every byte of the log, and the index against it.

use clap::Args;
use gesta::{EventStore, VerifyReport};
use serde_json::json;

use crate::{
    exit::{Exit, Failure, Outcome},
    progress::Progress,
    shell::{BAD, Format, GOOD, Shell, bytes, counted},
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
    let store = target.open()?;
    let report = check(&store, shell)?;
    match shell.format() {
        Format::Ndjson => shell.json(&as_json(&report))?,
        Format::Table | Format::Plain => print(&report, "", shell)?,
    }
    if report.problems.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(Exit::Integrity, format!("the store is damaged, problems={}", report.problems.len())).with_remedy(
        "keep the directory as it is; restore the files named from a backup, or export what can still be read",
    ))
}

/// Verifies `store`, showing progress.
pub(crate) fn check(store: &EventStore, shell: &Shell) -> Outcome<VerifyReport> {
    let progress = Progress::new(shell, "checked", "events", Some(store.head().position().0));
    Ok(store.verify(|events| progress.at(events))?)
}

fn as_json(report: &VerifyReport) -> serde_json::Value {
    json!({
        "ok": report.problems.is_empty(), "events": report.events, "commits": report.commits, "segments": report.segments,
        "streams": report.streams, "logBytes": report.log_bytes, "head": report.head.to_string(), "digest": report.digest,
        "problems": report.problems,
    })
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
        shell.line(format_args!("{indent}{BAD}problem{BAD:#}  {problem}"))?;
    }
    Ok(())
}
