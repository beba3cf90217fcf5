//! Running a list of steps: a heading and the time of each, and what they came to at the end.
//!
//! A step that fails does not stop the ones after it: one run says everything that is wrong. The last line is
//! `N passed, N failed` (and `, N skipped`, if any), and the exit code says the same.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use xshell::Shell;

/// One thing that is checked.
pub(crate) struct Step {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What it checks, for the heading.
    pub(crate) what: &'static str,
    /// Checks it.
    pub(crate) run: fn(&Shell) -> Result<Ending, Box<dyn Error>>,
}

/// How a step that did not fail ended.
pub(crate) enum Ending {
    /// Everything held.
    Passed,
    /// Nothing was checked, and why.
    Skipped(String),
}

/// Which steps are to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Only these; all, if empty.
    only: Vec<String>,
    /// None: their names are wanted.
    list: bool,
}

impl Selection {
    /// Reads `--only STEP`, any number of times, and `--list`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut selection = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), argument.strip_prefix("--only=")) {
                ("--list", _) => selection.list = true,
                ("--only", _) => {
                    selection.only.push(arguments.next().ok_or("--only needs the name of a step")?.clone())
                }
                (_, Some(step)) => selection.only.push(step.to_owned()),
                (other, None) => return Err(format!("not understood, argument={other:?}")),
            }
        }
        Ok(selection)
    }

    fn of<'s>(&self, steps: &'s [Step]) -> Result<Vec<&'s Step>, String> {
        for name in &self.only {
            if !steps.iter().any(|step| step.name == name) {
                let known: Vec<&str> = steps.iter().map(|step| step.name).collect();
                return Err(format!("no such step, step={name} known={}", known.join(",")));
            }
        }
        Ok(steps.iter().filter(|step| self.only.is_empty() || self.only.iter().any(|name| step.name == name)).collect())
    }
}

/// Runs the selected steps one after the other.
pub(crate) fn run(command: &str, steps: &[Step], selection: &Selection) -> Result<ExitCode, String> {
    let chosen = selection.of(steps)?;
    if selection.list {
        steps.iter().for_each(|step| println!("{:<14}{}", step.name, step.what));
        return Ok(ExitCode::SUCCESS);
    }
    let shell = shell().map_err(|error| error.to_string())?;
    let started = Instant::now();
    let mut lines = Vec::new();
    let [mut passed, mut failed, mut skipped] = [0_usize; 3];
    for (place, step) in chosen.iter().enumerate() {
        println!("\n━━ {}/{} {}: {}", place + 1, chosen.len(), step.name, step.what);
        let step_started = Instant::now();
        let outcome = match (step.run)(&shell) {
            Ok(Ending::Passed) => {
                passed += 1;
                "passed".to_owned()
            }
            Ok(Ending::Skipped(reason)) => {
                skipped += 1;
                format!("skipped: {reason}")
            }
            Err(error) => {
                failed += 1;
                format!("FAILED: {error}")
            }
        };
        println!("── {}: {outcome} ({})", step.name, shown(step_started.elapsed()));
        lines.push(format!("{:>8}  {:<14}{outcome}", shown(step_started.elapsed()), step.name));
    }
    println!("\n━━ cargo xtask {command}, {}", shown(started.elapsed()));
    lines.iter().for_each(|line| println!("{line}"));
    println!("{}", totals(passed, failed, skipped));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn totals(passed: usize, failed: usize, skipped: usize) -> String {
    match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        _ => format!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A shell at the root of the project, with the environment every command of it gets.
pub(crate) fn shell() -> xshell::Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root());
    // Every lock file is committed; a command that would change one fails instead.
    shell.set_var("RUST_BACKTRACE", "1");
    if std::env::var_os("CI").is_some() {
        // A fresh clone is compiled once: what incremental compilation would write is never read.
        shell.set_var("CARGO_INCREMENTAL", "0");
    }
    Ok(shell)
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Selection, String> {
        Selection::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    const STEPS: &[Step] = &[
        Step { name: "one", what: "passes", run: |_| Ok(Ending::Passed) },
        Step { name: "two", what: "fails", run: |_| Err("planted".into()) },
    ];

    #[test]
    fn only_picks_steps_and_refuses_unknown_ones() {
        let picked = |arguments: &[&str]| -> Result<Vec<&str>, String> {
            Ok(parse(arguments)?.of(STEPS)?.iter().map(|step| step.name).collect())
        };
        assert_eq!(picked(&[]), Ok(vec!["one", "two"]));
        assert_eq!(picked(&["--only", "two"]), Ok(vec!["two"]));
        assert_eq!(picked(&["--only=one"]), Ok(vec!["one"]));
        assert_eq!(picked(&["--only", "three"]), Err("no such step, step=three known=one,two".to_owned()));
        assert!(picked(&["--only"]).is_err());
        assert!(picked(&["--fast"]).is_err());
    }

    #[test]
    fn one_failed_step_fails_the_command() {
        let run = |only: &str| run("test", STEPS, &parse(&["--only", only]).expect("valid")).expect("known");
        assert_eq!(format!("{:?}", run("one")), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(format!("{:?}", run("two")), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn the_last_line_is_plain() {
        assert_eq!(totals(12, 0, 0), "12 passed, 0 failed");
        assert_eq!(totals(10, 1, 1), "10 passed, 1 failed, 1 skipped");
    }
}
