//! The project's own commands: `cargo xtask test` and what goes with it.
//!
//! `test` is the one gate, the same on a desk and in continuous integration; it must never write into the source tree.
//! Its twin `fix` writes. `bench` measures, `nightly` does what takes hours.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the doors are the store's; this program works on the source tree"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "most matches here pick from syn's enums, which are large and grow")]

mod acceptance;
mod fuzzing;
mod gate;
mod nightly;
mod protos;
mod steps;
mod tidy;
mod tools;

use std::process::ExitCode;

use steps::Selection;

const USAGE: &str = "\
The project's own commands.

usage: cargo xtask <COMMAND>

  test [--only STEP]…     everything that must hold before a change lands; installs what it needs, writes nothing
                          into the source tree; --list names the steps
  fix                     formats, and applies what clippy can correct by itself
  protos                  generates the code of the wire protocol from crates/server/proto
  bench [ARG]…            builds `gesta` for release and runs `gesta bench ARG…`
  nightly [--only STEP]…  what takes hours: long fuzzing, thousands of seeds, kills, a soak, mutants, advisories
  help                    this text

exit codes: 0 all passed · 1 something failed · 2 not a command
";

/// The names of the commands, as the README may use them.
const COMMANDS: [&str; 6] = ["test", "fix", "protos", "bench", "nightly", "help"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().map_or(("help", &[][..]), |(command, rest)| (command, rest));
    match run(command, rest) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &str, arguments: &[String]) -> Result<ExitCode, String> {
    debug_assert!(!COMMANDS.contains(&command) || USAGE.contains(&format!("\n  {command}")), "{command} lacks usage");
    match command {
        "test" => steps::run("test", gate::STEPS, &Selection::parse(arguments)?),
        "nightly" => steps::run("nightly", nightly::STEPS, &Selection::parse(arguments)?),
        "fix" => one_off(arguments.is_empty().then(gate::fix).ok_or("fix takes no arguments")?),
        "protos" => one_off(arguments.is_empty().then(protos::write).ok_or("protos takes no arguments")?),
        "bench" => one_off(gate::bench(arguments)),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no such command, command={other:?}\n\n{USAGE}")),
    }
}

/// A command that is one thing: it went well, or its own words said why not.
fn one_off<E: std::fmt::Display>(result: Result<(), E>) -> Result<ExitCode, String> {
    Ok(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    })
}
