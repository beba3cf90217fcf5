//! The next segment's file, filled with zeros ahead of time: writing into blocks that were written before syncs two to three times
//! faster than growing a file.

use std::{path::Path, sync::PoisonError};

use super::{Log, names};
use crate::{
    disk::{AlignedBuffer, BLOCK, OpenMode, leaves_room},
    error::{Error, Result},
};

/// Zeros written at once: large enough to be cheap, small enough to let the log's own writes through between.
const CHUNK_BYTES: usize = 1 << 20;

impl Log {
    /// Makes the spare file for the next segment if there is none. For the maintenance thread: takes as long as writing a segment, and is
    /// given up, without a trace, as soon as `go_on` says no, or the disk has too little room for it and for the log's next group.
    ///
    /// # Errors
    /// As the file system says; then there is no spare, and segments begin in growing files, which is slower and as safe.
    pub fn prepare_spare(&self, go_on: &dyn Fn() -> bool) -> Result<()> {
        let Ok(_making) = self.spare.try_lock().or_else(|busy| match busy {
            std::sync::TryLockError::Poisoned(poisoned) => Ok(PoisonError::into_inner(poisoned)),
            std::sync::TryLockError::WouldBlock => Err(()),
        }) else {
            return Ok(());
        };
        let (disk, spare, temporary) = (&*self.disk, Path::new(names::SPARE), Path::new(names::SPARE_TEMPORARY));
        let doing = |source| Error::io(format!("cannot prepare a spare segment, file={}", names::SPARE), source);
        if disk.exists(spare).map_err(doing)? || !leaves_room(disk, self.spare_bytes()) {
            return Ok(());
        }
        names::remove_leftover(disk, temporary)?;
        let filled = self.fill(temporary, go_on).map_err(doing);
        if !matches!(filled, Ok(true)) {
            // Give the space back to the log, which may need it; the error to report is the first one.
            let _ = disk.remove(temporary);
        }
        if !filled? {
            return Ok(());
        }
        disk.rename(temporary, spare).map_err(doing)?;
        disk.sync_dir(Path::new(names::DIRECTORY)).map_err(doing)
    }

    fn spare_bytes(&self) -> u64 {
        self.options.segment_bytes.next_multiple_of(BLOCK as u64)
    }

    /// Fills the file; `false` if it was given up.
    fn fill(&self, path: &Path, go_on: &dyn Fn() -> bool) -> std::io::Result<bool> {
        let file = self.disk.open(path, OpenMode::CreateNew)?;
        let length = self.spare_bytes();
        let mut zeros = AlignedBuffer::with_capacity(CHUNK_BYTES);
        zeros.extend_from_slice(&[0; BLOCK]);
        zeros.pad_to(CHUNK_BYTES);
        let mut offset = 0;
        while offset < length {
            // Others write to the disk too.
            if !go_on() || !leaves_room(&*self.disk, length - offset) {
                return Ok(false);
            }
            let chunk = (length - offset).min(CHUNK_BYTES as u64);
            zeros.truncate(super::layout::index(chunk));
            file.write_durable(&zeros, offset)?;
            offset += chunk;
        }
        file.sync()?;
        Ok(true)
    }
}
