//! Drives fuzz targets from a seed, on any toolchain: `drive [--seconds N] [--inputs N] [--seed N] [--list] [TARGET…]`.
//!
//! `drive --replay FILE TARGET` feeds one file. An input that breaks a promise is written to `target/fuzz-artifacts/`.

use std::{
    env, fs, io, panic,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use gesta_fuzz::{
    corpus,
    drive::{self, Ending},
    targets::{ALL, Target},
};

struct Request {
    targets: Vec<Target>,
    time: Duration,
    inputs_max: u64,
    seed: u64,
    replay: Option<PathBuf>,
    list: bool,
}

fn main() -> ExitCode {
    match parse(env::args().skip(1)).and_then(|request| run(&request).map_err(|error| error.to_string())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut request = Request {
        targets: Vec::new(),
        time: Duration::from_secs(4),
        inputs_max: u64::MAX,
        seed: 1,
        replay: None,
        list: false,
    };
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().ok_or(format!("{argument} needs a number"))?;
            text.parse::<u64>().map_err(|error| format!("{argument} needs a number: {error}"))
        };
        match argument.as_str() {
            "--seconds" => request.time = Duration::from_secs(number()?),
            "--inputs" => request.inputs_max = number()?,
            "--seed" => request.seed = number()?,
            "--replay" => request.replay = Some(arguments.next().ok_or("--replay needs a file")?.into()),
            "--list" => request.list = true,
            name => request.targets.push(
                ALL.iter().find(|target| target.name == name).copied().ok_or(format!("no such target, name={name}"))?,
            ),
        }
    }
    if request.targets.is_empty() {
        request.targets = ALL.to_vec();
    }
    Ok(request)
}

fn run(request: &Request) -> io::Result<bool> {
    if request.list {
        ALL.iter().for_each(|target| println!("{}", target.name));
        return Ok(true);
    }
    if let Some(file) = &request.replay {
        let input = fs::read(file)?;
        // Not caught: the panic shows where.
        request.targets.iter().for_each(|target| (target.run)(&input));
        return Ok(true);
    }
    // Caught panics are told once, made small, below.
    panic::set_hook(Box::new(|_| {}));
    let mut kept = true;
    for target in &request.targets {
        let inputs = corpus::of(target.name)?;
        match drive::drive(*target, &inputs, request.seed, request.time, request.inputs_max) {
            Ending::Kept(fed) => println!("{:<24} {fed:>10} inputs", target.name),
            Ending::Broken { input, message } => {
                kept = false;
                report(*target, request.seed, &input, &message)?;
            }
        }
    }
    Ok(kept)
}

fn report(target: Target, seed: u64, input: &[u8], message: &str) -> io::Result<()> {
    let name = target.name;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz-artifacts");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}-{seed}"));
    fs::write(&file, input)?;
    println!("{name:<24} BROKEN: {message}");
    println!("  input={}", input.escape_ascii());
    println!("  again: cargo run --manifest-path fuzz/Cargo.toml --bin drive -- --replay {} {name}", file.display());
    Ok(())
}
