//! The commands, one file each.

pub(crate) mod append;
pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod follow;
mod follow_group;
mod follow_group_server;
mod follow_server;
pub(crate) mod group;
pub(crate) mod handlers;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod import_git;
pub(crate) mod import_ndjson;
pub(crate) mod info;
pub(crate) mod laws;
pub(crate) mod read;
pub(crate) mod serve;
mod serve_security;
pub(crate) mod state;
pub(crate) mod streams;
pub(crate) mod users;
pub(crate) mod verify;

use gesta_server::client::without_user;

use crate::{
    args::Command,
    exit::{Exit, Failure, Outcome},
    models::Models,
    shell::Shell,
    target::Target,
};

/// Refuses `--url` where it would say nothing: a command that works on files, or on nothing. One that the environment names is for the others.
pub(crate) fn must_not_name_a_server(command: &Command, url: &str) -> Outcome<()> {
    let Some((name, does)) = without_server(command) else { return Ok(()) };
    let what = format!("`gesta {name}` asks no server, it {does}, url={}", without_user(url));
    Err(Failure::usage(what).with_remedy("leave --url away"))
}

/// A command that asks nobody, and what it does instead.
fn without_server(command: &Command) -> Option<(&'static str, &'static str)> {
    match command {
        Command::Demo(_) => Some(("demo", "records a repository in a store of its own")),
        Command::Serve(_) => Some(("serve", "is the server of a directory")),
        Command::Config(_) => Some(("config", "shows how a server of this machine would be set")),
        Command::Certs(_) => Some(("certs", "makes certificates in a directory")),
        Command::Bench(_) => Some(("bench", "measures a store of its own beside the raw disk")),
        Command::Completions(_) => Some(("completions", "prints a script for a shell")),
        Command::Import(_)
        | Command::Export(_)
        | Command::Append(_)
        | Command::Read(_)
        | Command::Follow(_)
        | Command::Group(_)
        | Command::Handlers(_)
        | Command::State(_)
        | Command::History(_)
        | Command::Laws(_)
        | Command::Streams(_)
        | Command::Info(_)
        | Command::Explain(_)
        | Command::Verify(_)
        | Command::Health(_)
        | Command::Users(_) => None,
    }
}

/// Does what the command line asked for.
pub(crate) fn run(command: Command, target: &Target, models: &Models, shell: &mut Shell) -> Outcome<Exit> {
    match command {
        Command::Demo(args) => demo::run(&args, target, shell),
        Command::Import(args) => import::run(&args, target, shell),
        Command::Export(args) => export::run(&args, target, shell),
        Command::Append(args) => append::run(&args, target, shell),
        Command::Read(args) => read::run(&args, target, shell),
        Command::Follow(args) => follow::run(&args, target, shell),
        Command::Group(args) => group::run(&args, target, shell),
        Command::Handlers(args) => handlers::run(&args, target, shell),
        Command::State(args) => state::run(&args, target, models, shell),
        Command::History(args) => history::run(&args, target, models, shell),
        Command::Laws(args) => laws::run(&args, target, models, shell),
        Command::Streams(args) => streams::run(&args, target, shell),
        Command::Info(args) => info::run(&args, target, shell),
        Command::Explain(args) => explain::run(&args, target, shell),
        Command::Verify(args) => verify::run(&args, target, shell),
        Command::Serve(args) => serve::run(&args, target, shell),
        Command::Health(args) => health::run(&args, target, shell),
        Command::Config(args) => config::run(&args, &target.here(), shell),
        Command::Certs(args) => certs::run(&args, shell),
        Command::Users(args) => users::run(&args, target, shell),
        Command::Bench(args) => bench::run(&args, target, shell),
        Command::Completions(args) => completions::run(&args, shell),
    }
}
