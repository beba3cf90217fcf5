//! Programs the checks need beyond the toolchain: found, or installed below `target/`, never into the machine.
//!
//! Each is pinned to a version, and built once from the registry (cargo-deny: one to two minutes on two cores).

use std::path::{Path, PathBuf};

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
    /// Where the program is: on the path, if it has the right version there; else installed, if it is missing.
    pub(crate) fn path(&self, shell: &Shell) -> xshell::Result<PathBuf> {
        let home = steps::root().join("target/tools");
        let candidates = [PathBuf::from(self.name), home.join("bin").join(self.name)];
        match candidates.into_iter().find(|program| self.is(shell, program)) {
            Some(program) => Ok(program),
            None => self.install(shell, &home),
        }
    }

    fn is(&self, shell: &Shell, program: &Path) -> bool {
        let version = cmd!(shell, "{program} --version").quiet().ignore_stderr().read();
        version.is_ok_and(|version| version == format!("{} {}", self.name, self.version))
    }

    fn install(&self, shell: &Shell, home: &Path) -> xshell::Result<PathBuf> {
        let Self { name, version } = self;
        println!("installing {name} {version} into target/tools");
        let build = home.join("build");
        // Unoptimised: it runs for a second and would be compiled for minutes.
        cmd!(shell, "cargo install --quiet --locked --debug --config profile.dev.debug=0")
            .args(["--version", version, name, "--force", "--root"])
            .arg(home)
            .arg("--target-dir")
            .arg(&build)
            .run()?;
        // Only the program is used again; what it was built from would be most of `target/`.
        shell.remove_path(build)?;
        Ok(home.join("bin").join(name))
    }
}
