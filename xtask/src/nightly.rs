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
    Step {
        name: "server-kills",
        what: "`gesta serve` killed under load from 32 clients, 50 times or GESTA_KILLS",
        run: server_kills,
    },
    Step {
        name: "subscriptions",
        what: "10 000 of them, waiting and not read, or GESTA_SUBSCRIPTIONS",
        run: subscriptions,
    },
    Step { name: "server-soak", what: "a server worked on for 15 minutes, or GESTA_SOAK_SECONDS", run: server_soak },
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
    let kills = variable("GESTA_KILLS", "200");
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

/// A variable of the environment, or what is meant without it.
fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn server_kills(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --release --package gesta-cli --test serving -- kill")
        .env("GESTA_KILLS", variable("GESTA_KILLS", "50"))
        .run()?;
    Ok(Ending::Passed)
}

fn subscriptions(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --release --package gesta-server --test many -- --nocapture --test-threads 1")
        .env("GESTA_SUBSCRIPTIONS", variable("GESTA_SUBSCRIPTIONS", "10000"))
        .run()?;
    Ok(Ending::Passed)
}

fn server_soak(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --release --package gesta-cli --test serving -- --nocapture soak")
        .env("GESTA_SOAK_SECONDS", variable("GESTA_SOAK_SECONDS", "900"))
        .run()?;
    Ok(Ending::Passed)
}

fn mutants(shell: &Shell) -> Outcome {
    let mutants = tools::MUTANTS.path(shell)?;
    cmd!(shell, "{mutants} mutants --package gesta-store --all-features --file crates/store/src/commit/**")
        .args(["--output", "target"])
        .run()?;
    Ok(Ending::Passed)
}
