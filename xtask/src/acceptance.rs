//! Stock clients, and applications on top of them, against the program as it is built: `acceptance/`.
//!
//! What a client needs is installed below `target/acceptance`, once for each list of versions. The suites start the program themselves, on
//! free ports, and find it by the variable `GESTA`. They run twice: in the open, and with TLS and users.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use xshell::{Shell, cmd};

use crate::steps::{self, Ending};

/// Runs every suite.
pub(crate) fn check(shell: &Shell) -> Result<Ending, Box<dyn Error>> {
    cmd!(shell, "cargo build --locked --package gesta-cli").run()?;
    let program = steps::root().join("target/debug/gesta");
    python(shell, &program)?;
    node(shell, &program)?;
    rust(shell, &program)?;
    println!("the same with TLS and users");
    let secured = secure(shell, &program)?;
    let _secured = shell.push_env(SECURED, secured);
    python(shell, &program)?;
    node(shell, &program)?;
    rust(shell, &program)?;
    Ok(Ending::Passed)
}

/// The variable that tells the suites where certificates are, if they are to use some.
const SECURED: &str = "GESTA_SECURED";

/// Makes certificates, and a password for the administrator.
fn secure(shell: &Shell, program: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let secured = steps::root().join("target/acceptance/secured");
    cmd!(shell, "{program} certs dev --quiet --force --out {secured}").ignore_stdout().run()?;
    fs::write(secured.join("password"), "of-the-acceptance-tests\n")?;
    Ok(secured)
}

fn python(shell: &Shell, program: &Path) -> Result<(), Box<dyn Error>> {
    let wanted = fs::read_to_string(steps::root().join("acceptance/python/requirements.txt"))?;
    let home = steps::root().join("target/acceptance/python");
    let python = home.join("bin/python");
    if !is_installed(&home, &wanted) {
        println!("installing acceptance/python/requirements.txt into target/acceptance/python");
        shell.remove_path(&home)?;
        cmd!(shell, "python3 -m venv {home}").run()?;
        cmd!(shell, "{python} -m pip install --quiet --disable-pip-version-check --no-deps")
            .arg("--requirement")
            .arg("acceptance/python/requirements.txt")
            .run()?;
        note_installed(&home, &wanted)?;
    }
    // -B: nothing is written beside the sources.
    cmd!(shell, "{python} -B -m unittest discover --start-directory acceptance/python").env("GESTA", program).run()?;
    Ok(())
}

fn node(shell: &Shell, program: &Path) -> Result<(), Box<dyn Error>> {
    let wanted = fs::read_to_string(steps::root().join("acceptance/node/package-lock.json"))?;
    let home = steps::root().join("target/acceptance/node");
    if !is_installed(&home, &wanted) {
        println!("installing acceptance/node/package-lock.json into target/acceptance/node");
        shell.remove_path(&home)?;
        fs::create_dir_all(&home)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(steps::root().join("acceptance/node").join(file), home.join(file))?;
        }
        cmd!(shell, "npm ci --prefix {home} --no-audit --no-fund --loglevel=error").run()?;
        note_installed(&home, &wanted)?;
    }
    cmd!(shell, "node --test acceptance/node/")
        .env("GESTA", program)
        .env("NODE_PATH", home.join("node_modules"))
        .run()?;
    Ok(())
}

/// A workspace of its own: what the client brings must not be in the tree of the product.
fn rust(shell: &Shell, program: &Path) -> Result<(), Box<dyn Error>> {
    cmd!(shell, "cargo test --locked --target-dir target --manifest-path acceptance/rust/Cargo.toml")
        .env("GESTA", program)
        .run()?;
    Ok(())
}

/// Where it is noted what stands in a directory: the list it was installed from.
const NOTE: &str = "installed.txt";

fn is_installed(home: &Path, wanted: &str) -> bool {
    fs::read_to_string(home.join(NOTE)).is_ok_and(|installed| installed == wanted)
}

fn note_installed(home: &Path, wanted: &str) -> std::io::Result<()> {
    fs::write(home.join(NOTE), wanted)
}
