//! Did the store close in order? `log/clean` promises where the log ends; a log that ends earlier has lost bytes.
//!
//! The mark is written when a store closes and must be gone, durably, before the first write after the next opening: so it never
//! promises less than there is, and a log that falls short of it is corrupted, not torn.

use std::path::Path;

use super::{
    layout::{Defect, FORMAT, crc32c, put, u16_at, u32_at, u64_at},
    names,
};
use crate::{
    disk::{Disk, OpenMode},
    error::{Error, Result},
    position::Position,
};

const MAGIC: [u8; 8] = *b"GESTACLN";
const MARK_BYTES: usize = 48;

/// Where a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanMark {
    /// The position the next event will get.
    pub head: Position,
    /// First position of the segment it will go to.
    pub segment: Position,
    /// Where in that segment the frames end.
    pub data_end: u64,
    /// CRC of the last frame.
    pub chain: u32,
}

impl CleanMark {
    /// Decodes and checks a mark.
    pub fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let fixed: &[u8; MARK_BYTES] = bytes.try_into().map_err(|_| Defect::Short)?;
        if fixed[..8] != MAGIC {
            return Err(Defect::Magic);
        }
        if crc32c(&fixed[..MARK_BYTES - 4]) != u32_at(fixed, MARK_BYTES - 4)? {
            return Err(Defect::Checksum);
        }
        if u16_at(fixed, 8)? != FORMAT {
            return Err(Defect::Newer);
        }
        Ok(Self {
            head: Position(u64_at(fixed, 16)?),
            segment: Position(u64_at(fixed, 24)?),
            data_end: u64_at(fixed, 32)?,
            chain: u32_at(fixed, 40)?,
        })
    }

    /// The mark's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; MARK_BYTES] {
        let mut fixed = [0; MARK_BYTES];
        put(&mut fixed, 0, MAGIC);
        put(&mut fixed, 8, FORMAT.to_le_bytes());
        put(&mut fixed, 16, self.head.0.to_le_bytes());
        put(&mut fixed, 24, self.segment.0.to_le_bytes());
        put(&mut fixed, 32, self.data_end.to_le_bytes());
        put(&mut fixed, 40, self.chain.to_le_bytes());
        let crc = crc32c(&fixed[..MARK_BYTES - 4]);
        put(&mut fixed, MARK_BYTES - 4, crc.to_le_bytes());
        fixed
    }

    /// The mark of a clean shutdown in a store's directory. A damaged one promises nothing and counts as none: it guards the log
    /// and is not part of it.
    pub(super) fn read(disk: &dyn Disk) -> Result<Option<Self>> {
        Self::read_file(disk, names::CLEAN)
    }

    /// The note of how far the log was durable, written after each group and never synced: whoever kills the process leaves it true to
    /// the last group, a power failure perhaps older. It turns what may look like a torn tail into a proof of lost bytes.
    pub(super) fn read_note(disk: &dyn Disk) -> Result<Option<Self>> {
        Self::read_file(disk, names::DURABLE)
    }

    fn read_file(disk: &dyn Disk, name: &str) -> Result<Option<Self>> {
        let path = Path::new(name);
        let doing = |source| Error::io(format!("cannot read where the log ends, file={name}"), source);
        if !disk.exists(path).map_err(doing)? {
            return Ok(None);
        }
        let file = disk.open(path, OpenMode::Read).map_err(doing)?;
        if file.len().map_err(doing)? != MARK_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; MARK_BYTES];
        file.read_at(&mut bytes, 0).map_err(doing)?;
        Ok(Self::decode(&bytes).ok())
    }

    /// Writes the mark, durably, all or nothing.
    pub(super) fn write(&self, disk: &dyn Disk) -> Result<()> {
        let doing =
            |source| Error::io(format!("cannot write the mark of a clean shutdown, file={}", names::CLEAN), source);
        let temporary = Path::new(names::CLEAN_TEMPORARY);
        names::remove_leftover(disk, temporary)?;
        let file = disk.open(temporary, OpenMode::CreateNew).map_err(doing)?;
        file.write_at(&self.encode(), 0).map_err(doing)?;
        file.sync().map_err(doing)?;
        disk.rename(temporary, Path::new(names::CLEAN)).map_err(doing)?;
        disk.sync_dir(Path::new(names::DIRECTORY)).map_err(doing)
    }

    /// Takes the promise back, durably, if there is one.
    pub(super) fn remove(disk: &dyn Disk) -> Result<()> {
        let doing =
            |source| Error::io(format!("cannot remove the mark of a clean shutdown, file={}", names::CLEAN), source);
        if disk.exists(Path::new(names::CLEAN)).map_err(doing)? {
            disk.remove(Path::new(names::CLEAN)).map_err(doing)?;
            disk.sync_dir(Path::new(names::DIRECTORY)).map_err(doing)?;
        }
        Ok(())
    }
}
