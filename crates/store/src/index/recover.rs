//! What of the index is still good when a store is opened.
//!
//! The runs the manifest names, as long as they are whole and follow each other; everything else is removed and rebuilt from the log.

use std::path::Path;

use uuid::Uuid;

use super::{
    DIRECTORY,
    maintain::RUN_POSITIONS_MAX,
    manifest,
    run::{Extent, Run},
};
use crate::{
    disk::Disk,
    error::{Error, ErrorKind, Result},
};

/// The good runs, and in words what was thrown away.
pub(super) fn recover(disk: &dyn Disk, store_id: Uuid, log_end: u64) -> Result<(Vec<Run>, Vec<String>)> {
    let directory = Path::new(DIRECTORY);
    disk.create_dir(directory).map_err(|error| Error::io("cannot create the index directory, file=index", error))?;
    let mut dropped = Vec::new();
    let (named, mut is_stale) = match manifest::read(disk, store_id) {
        Ok(named) => (named, false),
        Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), false),
        Err(error) if error.kind() == ErrorKind::Corrupted => {
            dropped.push(error.to_string());
            (Vec::new(), true)
        }
        Err(error) => return Err(error),
    };
    let mut runs: Vec<Run> = Vec::new();
    for extent in &named {
        match open_next(disk, store_id, log_end, &runs, *extent) {
            Ok(run) => runs.push(run),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupted) => {
                dropped.push(error.to_string());
                is_stale = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let good: Vec<Extent> = runs.iter().map(|run| run.trailer.extent).collect();
    if is_stale {
        // First the list, then the files: a file must never be named and gone.
        manifest::write(disk, store_id, &good)?;
    }
    remove_others(disk, &good, &mut dropped)?;
    Ok((runs, dropped))
}

fn open_next(disk: &dyn Disk, store_id: Uuid, log_end: u64, runs: &[Run], extent: Extent) -> Result<Run> {
    let expected = runs.last().map_or(0, |run| run.trailer.extent.end);
    if extent.first != expected || extent.end <= extent.first {
        return Err(Error::corrupted("index manifest has a gap", extent.file_name(), 0));
    }
    if extent.end - extent.first > RUN_POSITIONS_MAX {
        return Err(Error::corrupted("index run spans more than a run can", extent.file_name(), 0));
    }
    if extent.end > log_end {
        return Err(Error::corrupted("index run reaches past the end of the log", extent.file_name(), 0));
    }
    Run::open(disk, extent, store_id)
}

/// Removes the files that are not part of the index (any more).
fn remove_others(disk: &dyn Disk, good: &[Extent], dropped: &mut Vec<String>) -> Result<()> {
    let directory = Path::new(DIRECTORY);
    let doing = "cannot clean up the index directory, file=index";
    let names = disk.list(directory).map_err(|error| Error::io(doing, error))?;
    let mut removed = false;
    for name in names {
        if name == manifest::FILE_NAME || good.iter().any(|extent| extent.file_name() == name) {
            continue;
        }
        disk.remove(&directory.join(&name)).map_err(|error| Error::io(doing, error))?;
        dropped.push(format!("removed a file that is not part of the index, file={name}"));
        removed = true;
    }
    if removed {
        disk.sync_dir(directory).map_err(|error| Error::io(doing, error))?;
    }
    Ok(())
}
