//! The `gesta` program: an event store in a directory, worked on from the command line.
//!
//! An application that has models makes a program of its own that knows them, beside everything else that `gesta` does:
//!
//! ```no_run
//! use gesta::{Event, Model, Place};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Event, Serialize, Deserialize)]
//! enum Bank {
//!     #[event("money-deposited", at = "account-{account}")]
//!     Deposited { account: u32, cents: i64 },
//! }
//!
//! #[derive(Clone, Default, Serialize)]
//! struct Account { cents: i64 }
//!
//! impl Model for Account {
//!     type Event = Bank;
//!     type Key = u32;
//!     const AT: &str = "account-*";
//!     fn apply(&mut self, Bank::Deposited { cents, .. }: &Bank, _: &Place) {
//!         self.cents += cents;
//!     }
//! }
//!
//! // bank state --model account 7 --at 2026-01-31
//! fn main() -> std::process::ExitCode {
//!     gesta_cli::Program::new().model::<Account>("account").run()
//! }
//! ```
//!
//! `args.rs` is the command line, `command/` has a file for every command, `models.rs` what is known of an application's models, `shell.rs` is the only door to
//! the terminal. A command returns an `Exit` or a `Failure` (`exit.rs`), and here it becomes words and an exit code.
//!
//! **Invariant:** no rule of the store lives here; everything is asked of the `gesta` crate.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the doors are the store's; this program works on files, terminals and processes"
)]

mod args;
mod base64;
mod builtin;
mod command;
mod event_list;
mod exit;
mod git;
mod interrupt;
mod metadata;
mod models;
mod ndjson;
mod pipeline;
mod progress;
mod query_args;
mod reach;
mod sending;
mod settings;
mod shell;
mod table;
mod target;
mod time;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use gesta::{Algebraic, Laws, Model};
use serde::Serialize;

use crate::{
    args::{Cli, Command},
    models::{Lawful, Models, Plain},
    shell::{Format, Shell},
    target::Target,
};

/// The program, with the models it knows.
#[derive(Debug, Default)]
#[must_use = "a program does something when it is run"]
pub struct Program {
    models: Models,
}

impl Program {
    /// One that knows what any store has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows a model, under a name of the command line: `gesta state --model NAME KEY…` and `gesta history --model NAME KEY…` show its states as serde
    /// writes them.
    pub fn model<M: Model + Serialize>(mut self, name: impl Into<String>) -> Self {
        self.models.add(name.into(), Plain::<M>::new());
        self
    }

    /// Knows a model with laws, which `gesta laws check` tries on what is recorded.
    pub fn algebraic<M: Algebraic<Event: Clone> + Serialize>(mut self, name: impl Into<String>, laws: Laws<M>) -> Self {
        self.models.add(name.into(), Lawful::new(laws));
        self
    }

    /// Does what the command line asks for, and gives the exit code of the program.
    pub fn run(self) -> ExitCode {
        let cli = match Cli::try_parse() {
            Ok(cli) => cli,
            Err(error) => return usage::print(error),
        };
        // The demo is written for people, wherever its words go.
        let format = if matches!(cli.command, Command::Demo(_)) { Some(Format::Table) } else { cli.global.output };
        let mut shell = Shell::new(format, cli.global.color, cli.global.quiet);
        let named = cli.global.url.as_deref();
        let allowed = named.map_or(Ok(()), |url| command::must_not_name_a_server(&cli.command, url));
        let target = Target::new(cli.global.dir, cli.global.url, cli.global.ca);
        // What was written before a failure is data too.
        let outcome = allowed.and_then(|()| command::run(cli.command, &target, &self.models, &mut shell));
        let flushed = shell.flush();
        match outcome.and_then(|exit| flushed.map(|()| exit)) {
            Ok(exit) => exit.into(),
            Err(failure) => {
                shell.report(&failure);
                failure.exit.into()
            }
        }
    }
}
