//! What must hold before a change lands, cheapest first; and the commands that go with it.
//!
//! Nothing here writes into the source tree: every cargo runs `--locked`, everything built goes below `target/`.

use std::{error::Error, ops::Range};

use xshell::{Shell, cmd};

use crate::{
    acceptance, fuzzing, protos,
    steps::{self, Ending, Step},
    tidy, tools,
};

/// The steps of `cargo xtask test`.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "tidy", what: "layers, lengths, names, links, dead files", run: tidy },
    Step { name: "protos", what: "the generated code of the wire protocol is current", run: protos::check },
    Step { name: "format", what: "rustfmt, in all workspaces", run: format },
    Step { name: "lints", what: "clippy on all targets and features, warnings denied", run: lints },
    Step { name: "dependencies", what: "licences, duplicates, banned crates, sources (deny.toml)", run: dependencies },
    Step { name: "tests", what: "unit, integration and property tests", run: tests },
    Step { name: "hand-off", what: "loom: the hand-off between writer and followers, in every order", run: hand_off },
    Step {
        name: "acceptance",
        what: "stock clients, and applications on top of them, against the program",
        run: acceptance::check,
    },
    Step { name: "doc-tests", what: "the examples in the documentation", run: doc_tests },
    Step { name: "docs", what: "the documentation builds without a warning", run: docs },
    Step { name: "simulation", what: "a few hundred seeds of sim/", run: simulation },
    Step { name: "fuzzing", what: "every decoder, a few seconds each", run: fuzzing::short },
];

/// Workspaces of their own, beside the main one: never shipped, and free to depend on what the product must not.
const SIDE_WORKSPACES: [&str; 3] = ["sim", "fuzz", "acceptance/rust"];

type Outcome = Result<Ending, Box<dyn Error>>;

fn side_workspaces(shell: &Shell) -> impl Iterator<Item = String> {
    SIDE_WORKSPACES.iter().map(|name| format!("{name}/Cargo.toml")).filter(|manifest| shell.path_exists(manifest))
}

fn tidy(_: &Shell) -> Outcome {
    let findings = tidy::check(&tidy::Tree::read(&steps::root())?);
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => Ok(Ending::Passed),
        findings => Err(format!("findings={findings}").into()),
    }
}

fn format(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo fmt --all --check").run()?;
    for manifest in side_workspaces(shell) {
        // Without --all, which would look at the main workspace again, as path dependencies.
        cmd!(shell, "cargo fmt --check --manifest-path {manifest}").run()?;
    }
    Ok(Ending::Passed)
}

fn lints(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo clippy --locked --workspace --all-targets --all-features -- -D warnings").run()?;
    for manifest in side_workspaces(shell) {
        cmd!(
            shell,
            "cargo clippy --locked --target-dir target --manifest-path {manifest} --all-targets -- -D warnings"
        )
        .run()?;
    }
    Ok(Ending::Passed)
}

fn dependencies(shell: &Shell) -> Outcome {
    let deny = tools::DENY.path(shell)?;
    cmd!(shell, "{deny} --locked --workspace check licenses bans sources").run()?;
    Ok(Ending::Passed)
}

fn tests(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --workspace --all-features --lib --bins --tests --examples").run()?;
    Ok(Ending::Passed)
}

/// The models of `order/hand_off.rs`. Everything is built once more for them, in a place of its own: what loom takes the place of is not the same code.
fn hand_off(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --target-dir target/loom --package gesta-store --lib -- hand_off")
        .env("RUSTFLAGS", "--cfg loom")
        .env("LOOM_MAX_PREEMPTIONS", "3")
        .run()?;
    Ok(Ending::Passed)
}

fn doc_tests(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --locked --workspace --all-features --doc").run()?;
    Ok(Ending::Passed)
}

fn docs(shell: &Shell) -> Outcome {
    // Libraries only: the program `gesta` and the crate `gesta` would overwrite each other's pages.
    cmd!(shell, "cargo doc --locked --workspace --all-features --no-deps --lib")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Ending::Passed)
}

fn simulation(shell: &Shell) -> Outcome {
    simulate(shell, 0..300)
}

/// Runs these seeds of the simulator, after its own tests.
pub(crate) fn simulate(shell: &Shell, seeds: Range<u64>) -> Outcome {
    if !shell.path_exists("sim/Cargo.toml") {
        return Ok(Ending::Skipped("there is no sim/".to_owned()));
    }
    let seeds = format!("{}..{}", seeds.start, seeds.end);
    cmd!(shell, "cargo test --locked --target-dir target --manifest-path sim/Cargo.toml").run()?;
    cmd!(shell, "cargo run --quiet --locked --target-dir target --manifest-path sim/Cargo.toml -- --seeds {seeds}")
        .run()?;
    Ok(Ending::Passed)
}

/// `cargo xtask fix`: formats, and applies what clippy can correct.
pub(crate) fn fix() -> xshell::Result<()> {
    let shell = &steps::shell()?;
    cmd!(shell, "cargo clippy --fix --allow-dirty --allow-staged --workspace --all-targets --all-features").run()?;
    cmd!(shell, "cargo fmt --all").run()?;
    for manifest in side_workspaces(shell) {
        cmd!(shell, "cargo clippy --fix --allow-dirty --allow-staged --manifest-path {manifest} --all-targets")
            .run()?;
        cmd!(shell, "cargo fmt --manifest-path {manifest}").run()?;
    }
    Ok(())
}

/// `cargo xtask bench`: `gesta bench`, built as it is shipped.
pub(crate) fn bench(arguments: &[String]) -> xshell::Result<()> {
    let shell = &steps::shell()?;
    cmd!(shell, "cargo run --locked --release --package gesta-cli -- bench {arguments...}").run()
}
