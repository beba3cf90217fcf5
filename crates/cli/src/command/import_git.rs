//! `gesta import git`: every commit of a repository, and what it did to every file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    exit::{Exit, Outcome},
    git::{self, ImportOptions, Imported, Repository},
    interrupt::Interrupt,
    shell::{Format, Shell, counted},
    target::Target,
    time,
};

/// Arguments of `gesta import git`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  gesta import git .
  gesta import git ~/src/linux --rev v6.12
  gesta import git ../other --under other            a second repository in the same store
Then:
  gesta read repository-NAME -rn 10                  the last commits
  gesta read --path '/files/src/**' --type FileAdded what appeared under src
  gesta read --tag author:ada@example.org            what somebody did
  gesta read '$bc-COMMIT'                            everything a commit did
  gesta read file-README.md --at '1 year ago'        a file, as of then
The first-parent history is recorded. Run again to record what is new.")]
pub(crate) struct ImportGitArgs {
    /// The repository: a clone, or any directory in one
    repository: PathBuf,
    /// The last commit to record: a branch, a tag, a commit
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    rev: String,
    /// What the repository is called in the store [default: the name of its directory]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Put DIR in front of every path
    #[arg(long, value_name = "DIR", value_parser = parse_under)]
    under: Option<String>,
}

fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a repository is found by its name: give it one".to_owned()) } else { Ok(text.to_owned()) }
}

/// A directory as paths of git have it: what is put in front of a path must leave it one.
fn parse_under(text: &str) -> Result<String, String> {
    let under = text.trim_matches('/');
    if under.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(
            "write a directory as in a path of git (`vendor/engine`), without empty segments, `.` and `..`".to_owned()
        );
    }
    Ok(under.to_owned())
}

/// Imports what is new.
pub(crate) fn run(args: &ImportGitArgs, target: &Target, shell: &mut Shell) -> Outcome<Exit> {
    let repository = Repository::at(&args.repository)?;
    let destination = target.destination()?;
    let interrupt = Interrupt::listen()?;
    let options = ImportOptions {
        revision: args.rev.clone(),
        name: args.name.clone().unwrap_or_else(|| repository.name.clone()),
        under: args.under.clone(),
    };
    let imported = git::import(&destination, &repository, &options, &interrupt, shell)?;
    match shell.format() {
        Format::Ndjson => shell.json(&json!({
            "stream": imported.stream.as_str(), "commit": imported.commit, "commits": imported.commits,
            "commitsBefore": imported.commits_before, "events": imported.events, "shallow": repository.shallow,
            "seconds": imported.elapsed.as_secs_f64(), "secondsWaitingForGit": imported.waited_for_git.as_secs_f64(),
        }))?,
        Format::Table | Format::Plain => shell.line(in_words(&imported))?,
    }
    if repository.shallow {
        shell.say(
            "the clone is shallow: what lies before its first commit is not recorded (`git fetch --unshallow` gets it)",
        );
    }
    Ok(Exit::Ok)
}

/// What an import did, on one line.
pub(crate) fn in_words(imported: &Imported) -> String {
    let before = match imported.commits_before {
        0 => String::new(),
        before => format!(" ({} recorded before)", counted(before, "commit")),
    };
    format!(
        "recorded {}{before} as {} in {}, {} of it waiting for git; {} is at {:.12}",
        counted(imported.commits, "commit"),
        counted(imported.events, "event"),
        time::short(imported.elapsed),
        time::short(imported.waited_for_git),
        imported.stream,
        imported.commit,
    )
}
