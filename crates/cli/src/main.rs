//! The `gesta` program: an event store in a directory, worked on from the command line.
//!
//! `args.rs` is the command line, `command/` has a file for every command, `shell.rs` is the only door to the terminal. A command
//! returns an [`Exit`](exit::Exit) or a [`Failure`](exit::Failure), and here it becomes words and an exit code.
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
mod ndjson;
mod pipeline;
mod progress;
mod query_args;
mod reach;
mod settings;
mod shell;
mod table;
mod target;
mod time;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    args::{Cli, Command},
    shell::{Format, Shell},
    target::Target,
};

/// Index parts are allocated by the thread that appends and freed by maintenance: the system's allocator keeps what they leave.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::print(error),
    };
    // The demo is written for people, wherever its words go.
    let format = if matches!(cli.command, Command::Demo(_)) { Some(Format::Table) } else { cli.global.output };
    let mut shell = Shell::new(format, cli.global.color, cli.global.quiet);
    let target = Target::new(cli.global.dir, cli.global.url, cli.global.ca);
    // What was written before a failure is data too.
    let outcome = command::run(cli.command, &target, &mut shell);
    let flushed = shell.flush();
    match outcome.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            shell.report(&failure);
            failure.exit.into()
        }
    }
}
