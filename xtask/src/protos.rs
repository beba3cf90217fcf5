//! The Rust code of the wire protocol: generated from `crates/server/proto`, committed, and checked to be current.
//!
//! Parsed by `protox` and not by a `protoc` of the machine, so that anybody can generate it; committed, so that nobody who builds the
//! server must.

use std::{
    collections::BTreeMap,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;
use xshell::Shell;

use crate::steps::{self, Ending};

/// What the code is generated from.
const DEFINITIONS: &str = "crates/server/proto";
/// Where it stands; tidy leaves exactly this directory alone.
pub(crate) const GENERATED: &str = "crates/server/src/generated";

/// Files by name.
type Files = BTreeMap<String, String>;

/// `cargo xtask protos`: generates the code anew.
pub(crate) fn write() -> Result<(), Box<dyn Error>> {
    let target = steps::root().join(GENERATED);
    let generated = generate()?;
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir_all(&target)?;
    for (name, text) in &generated {
        fs::write(target.join(name), text)?;
    }
    println!("generated, files={} into={GENERATED}", generated.len());
    Ok(())
}

/// The step of `cargo xtask test`: what is committed is what would be generated.
pub(crate) fn check(_: &Shell) -> Result<Ending, Box<dyn Error>> {
    let differing = differences(&files(&steps::root().join(GENERATED))?, &generate()?);
    if differing.is_empty() {
        return Ok(Ending::Passed);
    }
    Err(format!("not current, run `cargo xtask protos`, files={}", differing.join(",")).into())
}

fn differences(committed: &Files, generated: &Files) -> Vec<String> {
    let names = committed.keys().chain(generated.keys());
    let mut differing: Vec<String> =
        names.filter(|name| committed.get(*name) != generated.get(*name)).cloned().collect();
    differing.sort();
    differing.dedup();
    differing
}

fn generate() -> Result<Files, Box<dyn Error>> {
    let root = steps::root();
    let definitions = root.join(DEFINITIONS);
    let sources: Vec<PathBuf> = WalkDir::new(&definitions)
        .sort_by_file_name()
        .into_iter()
        .filter_map(|entry| entry.ok().map(walkdir::DirEntry::into_path))
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    let parsed = protox::compile(&sources, [&definitions])?;
    let out = root.join("target/protos");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .codec_path("crate::codec::Sparing")
        // Payloads are handed on without being copied.
        .bytes(".")
        .out_dir(&out)
        .compile_fds(parsed)?;
    Ok(files(&out)?)
}

fn files(folder: &Path) -> io::Result<Files> {
    if !folder.exists() {
        return Ok(Files::new());
    }
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_changed_or_too_much_is_named() {
        let files = |files: &[(&str, &str)]| -> Files {
            files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
        };
        let committed = files(&[("same.rs", "a"), ("changed.rs", "a"), ("gone.rs", "a")]);
        let generated = files(&[("same.rs", "a"), ("changed.rs", "b"), ("new.rs", "a")]);
        assert_eq!(differences(&committed, &generated), ["changed.rs", "gone.rs", "new.rs"]);
        assert_eq!(differences(&generated, &generated), [""; 0]);
    }
}
