//! What are the files of the log called?

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    disk::Disk,
    error::{Error, Result},
    position::Position,
};

/// The directory of the log.
pub(super) const DIRECTORY: &str = "log";
/// A zero-filled file for the next segment.
pub(super) const SPARE: &str = "log/spare";
/// The spare while it is being filled.
pub(super) const SPARE_TEMPORARY: &str = "log/spare.tmp";
/// A segment made without a spare, until it has its header.
pub(super) const SEGMENT_TEMPORARY: &str = "log/segment.tmp";
/// The note of how far the log was durable lately.
pub(super) const DURABLE: &str = "log/durable";
/// The mark of a clean shutdown.
pub(super) const CLEAN: &str = "log/clean";
/// The mark while it is being written.
pub(super) const CLEAN_TEMPORARY: &str = "log/clean.tmp";

const SEGMENT_SUFFIX: &str = ".seg";
const POSITION_DIGITS: usize = 20;

/// The file of the segment that begins at `first`.
pub(super) fn segment(first: Position) -> PathBuf {
    format!("{DIRECTORY}/{:020}{SEGMENT_SUFFIX}", first.0).into()
}

/// A file, not there yet, to keep the bytes cut off behind `head`. What an earlier recovery kept is never replaced: it may have been
/// interrupted when it had kept everything and zeroed a part.
pub(super) fn cut(disk: &dyn Disk, head: Position) -> io::Result<PathBuf> {
    let mut path = PathBuf::from(format!("{DIRECTORY}/{:020}.cut", head.0));
    let mut number = 2_u64;
    while disk.exists(&path)? {
        path = format!("{DIRECTORY}/{:020}.{number}.cut", head.0).into();
        number += 1;
    }
    Ok(path)
}

/// The first positions of the segments in the directory, in order.
pub(super) fn segments(disk: &dyn Disk) -> Result<Vec<Position>> {
    let names = disk
        .list(Path::new(DIRECTORY))
        .map_err(|source| Error::io(format!("cannot list the log, directory={DIRECTORY}"), source))?;
    let mut firsts = names.iter().filter_map(|name| first_of(name)).collect::<Result<Vec<_>>>()?;
    firsts.sort_unstable();
    Ok(firsts)
}

/// The first position of the segment with this name; none for a file that is no segment.
pub(super) fn first_of(name: &str) -> Option<Result<Position>> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let well_formed = digits.len() == POSITION_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some(digits.parse().ok().filter(|_| well_formed).map(Position).ok_or_else(|| {
        let file = format_args!("{DIRECTORY}/{name}");
        Error::corrupted("segment name is not a position of 20 digits, move the file away", file, 0)
    }))
}

/// Removes what an interrupted operation may have left under a temporary name.
pub(super) fn remove_leftover(disk: &dyn Disk, path: &Path) -> Result<()> {
    let doing = |source| Error::io(format!("cannot remove a leftover file, file={}", path.display()), source);
    if disk.exists(path).map_err(doing)? {
        disk.remove(path).map_err(doing)?;
    }
    Ok(())
}
