//! The checked-in seed inputs: few, small, each there for a reason its name gives. Only read here.

use std::{fs, io, path::PathBuf};

/// Where the inputs of a target are.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs of a target, in order of their names.
///
/// # Errors
/// When the folder cannot be read.
pub fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder(target))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    paths.iter().map(fs::read).collect()
}
