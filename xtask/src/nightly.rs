//! What takes hours, and what needs more of the network than the registry.

use std::error::Error;

use xshell::{Shell, cmd};

use crate::{
    fuzzing, gate,
    steps::{Ending, Step},
    tools,
};

/// The steps of `cargo xtask nightly`.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "advisories", what: "known vulnerabilities of dependencies (RustSec)", run: advisories },
    Step {
        name: "kills",
        what: "a real process killed with `kill -9` under load, 200 times or GESTA_KILLS",
        run: kills,
    },
    Step {
        name: "soak",
        what: "200 followers of every kind while clients append, ten minutes or GESTA_SOAK_SECONDS",
        run: soak,
    },
    Step { name: "simulation", what: "10 000 seeds of sim/, other ones each day", run: simulation },
    Step { name: "fuzzing", what: "every decoder, ten minutes each", run: fuzzing::long },
    Step { name: "mutants", what: "mutation testing of commit/", run: mutants },
];

type Outcome = Result<Ending, Box<dyn Error>>;

fn advisories(shell: &Shell) -> Outcome {
    let deny = tools::DENY.path(shell)?;
    if cmd!(shell, "{deny} fetch db").run().is_err() {
        return Ok(Ending::Skipped("the advisory database cannot be reached from here".to_owned()));
    }
    cmd!(shell, "{deny} --locked --workspace check --disable-fetch advisories").run()?;
    Ok(Ending::Passed)
}

fn simulation(shell: &Shell) -> Outcome {
    // A red run is red again the whole day, and any day by the seed it prints.
    let days = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() / 86_400;
    gate::simulate(shell, days * 10_000..(days + 1) * 10_000)
}

/// The tests that start themselves as a process and kill it; how often, they read from the environment.
fn kills(shell: &Shell) -> Outcome {
    if !shell.path_exists("crates/store/tests/kill.rs") {
        return Ok(Ending::Skipped("there is no crates/store/tests/kill.rs".to_owned()));
    }
    let kills = std::env::var("GESTA_KILLS").unwrap_or_else(|_| "200".to_owned());
    cmd!(shell, "cargo test --locked --release --package gesta-store --test kill --test kill_followers")
        .env("GESTA_KILLS", kills)
        .run()?;
    Ok(Ending::Passed)
}

/// The example that counts every event at every follower; for how long, it reads from the environment.
fn soak(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo run --locked --release --package gesta-store --example soak").run()?;
    Ok(Ending::Passed)
}

fn mutants(shell: &Shell) -> Outcome {
    let mutants = tools::MUTANTS.path(shell)?;
    cmd!(shell, "{mutants} mutants --package gesta-store --all-features --file crates/store/src/commit/**")
        .args(["--output", "target"])
        .run()?;
    Ok(Ending::Passed)
}
