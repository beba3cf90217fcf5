//! Programs the checks need beyond the toolchain: found, or installed below `target/`, never into the machine.
//!
//! Each is pinned to a version, and built once from the registry (cargo-deny: 1.5 to 3 minutes on two cores).

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::steps;

/// A program that `cargo install` brings.
pub(crate) struct Tool {
    /// Package and program.
    name: &'static str,
    /// The version installed when there is none.
    version: &'static str,
}

/// Licences, bans, sources, advisories.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Mutation testing.
pub(crate) const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };
/// libFuzzer's driver.
pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };

impl Tool {
    /// Where the program is; installs it first, if it is missing.
    pub(crate) fn path(&self, shell: &Shell) -> xshell::Result<PathBuf> {
        let Self { name, version } = self;
        let home = steps::root().join("target/tools");
        let program = home.join("bin").join(name);
        let wanted = format!("{name} {version}");
        let found = program.exists() && cmd!(shell, "{program} --version").quiet().ignore_stderr().read()? == wanted;
        if !found {
            println!("installing {wanted} into target/tools");
            // Unoptimised: it runs for a second and would be compiled for minutes.
            let build = home.join("build");
            cmd!(shell, "cargo install --quiet --locked --debug --config profile.dev.debug=0")
                .args(["--version", version, name, "--force", "--root"])
                .arg(&home)
                .arg("--target-dir")
                .arg(&build)
                .run()?;
            // Only the program is used again; what it was built from would be most of `target/`.
            shell.remove_path(build)?;
        }
        Ok(program)
    }
}
