//! Fuzzing, twice: by the project's own seeded driver on any toolchain, and by libFuzzer where there is a nightly one.
//!
//! The targets are plain functions in `fuzz/src/targets/`. The driver mutates the checked-in corpus blindly; libFuzzer is led
//! by coverage, finds more, and is what `nightly` uses when it can.

use std::error::Error;

use xshell::{Shell, cmd};

use crate::{steps::Ending, tools};

type Outcome = Result<Ending, Box<dyn Error>>;

/// Seconds the test command gives each target: with some twenty targets, under two minutes.
const SHORT_SECONDS: &str = "4";
/// Seconds each target gets overnight.
const LONG_SECONDS: &str = "600";

/// A short run of every target, after the harness's own tests; seed fixed, so that a red run is red again.
pub(crate) fn short(shell: &Shell) -> Outcome {
    cmd!(shell, "cargo test --quiet --locked --target-dir target --manifest-path fuzz/Cargo.toml").run()?;
    drive(shell, SHORT_SECONDS, "1")
}

/// A long run of every target, from a seed of its own each night.
pub(crate) fn long(shell: &Shell) -> Outcome {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs().to_string();
    if cmd!(shell, "cargo +nightly --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        println!("there is no nightly toolchain, so the seeded driver does it");
        return drive(shell, LONG_SECONDS, &seed);
    }
    libfuzzer(shell, &seed)
}

fn drive(shell: &Shell, seconds: &str, seed: &str) -> Outcome {
    cmd!(shell, "cargo run --quiet --locked --target-dir target --manifest-path fuzz/Cargo.toml --bin drive --")
        .args(["--seconds", seconds, "--seed", seed])
        .run()?;
    Ok(Ending::Passed)
}

fn libfuzzer(shell: &Shell, seed: &str) -> Outcome {
    let fuzz = tools::FUZZ.path(shell)?;
    let list = "cargo run --quiet --locked --target-dir target --manifest-path fuzz/Cargo.toml --bin drive -- --list";
    let targets = cmd!(shell, "sh -c {list}").quiet().read()?;
    for target in targets.lines() {
        // New inputs go below `target/`; the checked-in corpus is only read.
        let found = format!("target/fuzz-corpus/{target}");
        shell.create_dir(&found)?;
        let (corpus, artifacts) =
            (format!("fuzz/corpus/{target}"), format!("-artifact_prefix=target/fuzz-artifacts/{target}-"));
        shell.create_dir("target/fuzz-artifacts")?;
        cmd!(shell, "{fuzz} run --features libfuzzer --target-dir target/fuzz {target} {found} {corpus} --")
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .args([format!("-max_total_time={LONG_SECONDS}"), format!("-seed={seed}"), artifacts])
            .run()?;
    }
    Ok(Ending::Passed)
}
