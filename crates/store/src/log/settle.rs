//! What must be changed on disk before a log that was not closed in order may be written to: the torn tail is kept aside and zeroed, an
//! interrupted seal is completed, and what readers will see is made durable.
//!
//! Every step may be interrupted and is then done again by the next opening.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    header::FRAMES_AT, layout::index, names, opening::CutTail, recovery::Behind, segment::Segment, writer::Tally,
};
use crate::{
    disk::{BLOCK, Disk, DiskFile, OpenMode},
    error::{Error, Result},
    limits,
};

/// Bytes copied or written again at once.
const CHUNK_BYTES: u64 = 1 << 20;

/// What opening found undone.
pub(super) enum Unsettled {
    /// There is no segment yet.
    Nothing,
    /// The last segment has its footer, but its length may not be exact, or not durable.
    Sealed {
        /// Its file.
        path: PathBuf,
        /// Where its frames end.
        data_end: u64,
        /// Its length once it is sealed.
        file_bytes: u64,
    },
    /// The last segment grows.
    Growing {
        /// What is behind its frames.
        behind: Behind,
    },
}

/// Brings the directory into the state its content says, durably.
pub(super) fn settle(
    disk: &dyn Disk,
    unsettled: &Unsettled,
    last: &Segment,
    tally: &Tally,
    opened_clean: bool,
) -> Result<Option<CutTail>> {
    let directory = Path::new(names::DIRECTORY);
    for leftover in [names::SPARE_TEMPORARY, names::SEGMENT_TEMPORARY, names::CLEAN_TEMPORARY] {
        names::remove_leftover(disk, Path::new(leftover))?;
    }
    let mut cut = None;
    match unsettled {
        // The mark was written after everything was durable.
        Unsettled::Sealed { .. } | Unsettled::Growing { behind: Behind::Nothing } if opened_clean => return Ok(None),
        Unsettled::Nothing => return Ok(None),
        Unsettled::Sealed { path, data_end, file_bytes } => {
            let doing = |source| Error::io(format!("cannot seal a segment, file={}", path.display()), source);
            let file = disk.open(path, OpenMode::Write).map_err(doing)?;
            file.set_len(*file_bytes).map_err(doing)?;
            make_durable(&*file, *data_end, *file_bytes).map_err(doing)?;
        }
        Unsettled::Growing { behind } => {
            let file = last.file().expect("a segment that was scanned has a file");
            let doing = |source| Error::io(format!("cannot repair the log, file={}", last.path.display()), source);
            let behind_end = match behind {
                Behind::Nothing | Behind::Footer(_) => tally.data_end,
                Behind::PartOfFooter { end } => *end,
                Behind::Torn { end, .. } => {
                    let bytes = end - tally.data_end;
                    let kept_in = keep_aside(disk, &*file, tally, bytes).map_err(doing)?;
                    cut = Some(CutTail { segment: last.header.first, offset: tally.data_end, bytes, kept_in });
                    *end
                }
            };
            zero(&*file, tally.data_end, behind_end).map_err(doing)?;
            make_durable(&*file, tally.data_end, tally.data_end).map_err(doing)?;
        }
    }
    // Likewise the name of the last segment.
    disk.sync_dir(directory)
        .map_err(|source| Error::io(format!("cannot sync the log, directory={}", names::DIRECTORY), source))?;
    Ok(cut)
}

/// The bytes of the block in which the frames of `last` end, up to there: the writer writes them again with what follows.
pub(super) fn last_block(last: &Segment, data_end: u64) -> Result<Vec<u8>> {
    let within = data_end % BLOCK as u64;
    let mut bytes = vec![0; index(within)];
    if let Some(file) = last.file() {
        file.read_at(&mut bytes, data_end - within).map_err(|source| {
            Error::io(format!("cannot read the log, file={} offset={data_end}", last.path.display()), source)
        })?;
    }
    Ok(bytes)
}

/// Makes durable what readers are about to be shown of a file whose frames end at `data_end`, and whose footer at `end`.
///
/// A process may have died, or given up, between writing and syncing: then what was read is only in memory. And after a sync that failed
/// Linux takes the pages for clean, and no later sync writes them. So what the last group can have written is written again, as it is.
fn make_durable(file: &dyn DiskFile, data_end: u64, end: u64) -> io::Result<()> {
    let mut offset = data_end.saturating_sub(limits::GROUP_BYTES_MAX as u64).max(FRAMES_AT);
    while offset < end {
        let mut chunk = vec![0; index((end - offset).min(CHUNK_BYTES))];
        file.read_at(&mut chunk, offset)?;
        file.write_at(&chunk, offset)?;
        offset += chunk.len() as u64;
    }
    file.sync()
}

/// Copies the torn tail to a file of its own: it was never answered as durable, unless the medium lied, and then it is evidence.
/// On a full disk, where a write cut short is no wonder, the log must open nevertheless.
fn keep_aside(disk: &dyn Disk, file: &dyn DiskFile, tally: &Tally, bytes: u64) -> io::Result<Option<PathBuf>> {
    let path = names::cut(disk, tally.next)?;
    let aside = disk.open(&path, OpenMode::CreateNew)?;
    match copy(file, tally.data_end, bytes, &*aside) {
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            disk.remove(&path)?;
            return Ok(None);
        }
        copied => copied?,
    }
    disk.sync_dir(Path::new(names::DIRECTORY))?;
    Ok(Some(path))
}

fn copy(file: &dyn DiskFile, start: u64, bytes: u64, aside: &dyn DiskFile) -> io::Result<()> {
    let mut copied = 0;
    while copied < bytes {
        let mut chunk = vec![0; index((bytes - copied).min(CHUNK_BYTES))];
        file.read_at(&mut chunk, start + copied)?;
        aside.write_at(&chunk, copied)?;
        copied += chunk.len() as u64;
    }
    aside.sync()
}

/// Overwrites with zeros, block by block and only where something else is: what was never written takes no space, and must not now.
fn zero(file: &dyn DiskFile, start: u64, end: u64) -> io::Result<()> {
    let mut offset = start;
    while offset < end {
        let length = (end - offset).min(BLOCK as u64 - offset % BLOCK as u64);
        let mut block = [0; BLOCK];
        let block = &mut block[..index(length)];
        file.read_at(block, offset)?;
        if block.iter().any(|byte| *byte != 0) {
            block.fill(0);
            file.write_at(block, offset)?;
        }
        offset += length;
    }
    Ok(())
}
