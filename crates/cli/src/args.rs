//! The command line as a whole: what is global, and which commands there are.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    command,
    shell::{Color, Format},
};

/// An event-sourcing database: facts recorded durably in one order, read back by stream, by query, by time.
#[derive(Debug, Parser)]
#[command(name = "gesta", version, arg_required_else_help = true, subcommand_required = true, max_term_width = 100)]
#[command(
    after_help = "Start with `gesta demo`: it records the history of a git repository and shows what can be asked of it.\n\
    Exit codes: 0 ok, 1 other error, 2 usage, 3 not found, 4 refused append, 5 denied, 6 unavailable, 7 integrity, 8 partial, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    // Not read from the environment by clap, which would then show it in the usage of every command as if it were needed.
    /// Directory of the store [env: GESTA_DIR] [default: ./gesta-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Address of a server to ask instead: http://host:port, https://name:password@host:port [env: GESTA_URL]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "dir")]
    pub(crate) url: Option<String>,
    /// Certificate that of the server rests on, for https [env: GESTA_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Shape of the output [default: table on a terminal, ndjson in a pipe]
    #[arg(short, long, global = true, value_name = "FORMAT", hide_possible_values = false)]
    pub(crate) output: Option<Format>,
    /// When to use colours (NO_COLOR and CLICOLOR_FORCE are heard too)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Say nothing but data, warnings and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record the history of a git repository and show what can be asked of it
    Demo(command::demo::DemoArgs),
    /// Record facts from elsewhere
    Import(command::import::ImportArgs),
    /// Write events as NDJSON, to be imported again
    Export(command::export::ExportArgs),
    /// Record one event, or many in one commit
    Append(command::append::AppendArgs),
    /// Read a stream, the whole log, or what a query matches
    Read(command::read::ReadArgs),
    /// Read, and wait for more
    Follow(command::follow::FollowArgs),
    /// Create, look after and delete consumer groups
    Group(command::group::GroupArgs),
    /// Show how far handlers and groups are, and when they will have caught up
    Handlers(command::handlers::HandlersArgs),
    /// Show what the events come to, by the models that any store has
    State(command::state::StateArgs),
    /// Show how a state came about
    History(command::history::HistoryArgs),
    /// Check that laws of models hold on what is recorded
    Laws(command::laws::LawsArgs),
    /// List streams
    Streams(command::streams::StreamsArgs),
    /// Show facts about the store
    Info(command::info::InfoArgs),
    /// Show how a query would be answered, and why
    Explain(command::explain::ExplainArgs),
    /// Check every byte of the store
    Verify(command::verify::VerifyArgs),
    /// Serve the store to clients of KurrentDB's gRPC protocol
    Serve(command::serve::ServeArgs),
    /// Ask a server whether it is ready
    Health(command::health::HealthArgs),
    /// Make certificates for development
    Certs(command::certs::CertsArgs),
    /// Look after the users of a store
    Users(command::users::UsersArgs),
    /// Show the settings of a server, and where each comes from
    Config(command::config::ConfigArgs),
    /// Measure the store beside the raw disk
    Bench(command::bench::BenchArgs),
    /// Print completions for a shell
    Completions(command::completions::CompletionsArgs),
}
