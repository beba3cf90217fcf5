//! A directory with a store in it, and the program run on it.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A place to run the program at.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().expect("a temporary directory") }
    }

    /// A file or directory beside the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).expect("a file in a temporary directory");
    }

    /// The program with what it reads.
    pub(crate) fn gesta_with(&self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(arguments));
        command.write_stdin(input).output().expect("the program runs").into()
    }

    /// The program, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("gesta"));
        command.current_dir(self.dir.path()).env("GESTA_DIR", self.path("store")).env("TZ", "UTC");
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "GIT_DIR"] {
            command.env_remove(variable);
        }
        command.args(arguments);
        command
    }

    pub(crate) fn gesta(&self, arguments: &[&str]) -> Ran {
        self.gesta_with(arguments, "")
    }

    /// The program, which must do what it is asked.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.gesta(arguments);
        assert_eq!(ran.code, 0, "gesta {arguments:?}: {ran:?}");
        ran
    }

    /// The program, which must end with `code` and say `words`.
    pub(crate) fn fails(&self, code: i32, words: &str, arguments: &[&str]) {
        let ran = self.gesta(arguments);
        assert_eq!(ran.code, code, "gesta {arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "gesta {arguments:?} says {:?}, not {words:?}", ran.err);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program was not killed"),
            out: String::from_utf8(output.stdout).expect("output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("talk is UTF-8"),
        }
    }
}

impl Ran {
    /// The lines of the output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line of NDJSON")).collect()
    }

    /// One field of every line.
    pub(crate) fn field(&self, name: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.json().iter().map(|line| text(&line[name])).collect()
    }
}
