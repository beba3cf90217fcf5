//! What does a sealed segment say of itself at its end? A table of event offsets, then a trailer of 128 bytes.
//!
//! The trailer is found from the end of the file and is all that opening a store reads of a sealed segment beside its header. The
//! table is read in place from the map of the file, in constant time per look-up; its CRC is in the trailer.

use super::layout::{Defect, FORMAT, array, crc32c, i64_at, index, narrow, put, u16_at, u32_at, u64_at};
use crate::{
    leaf::Hash,
    position::{Position, Timestamp},
};

const MAGIC: [u8; 8] = *b"GESTAEND";
/// Bytes of the trailer.
pub(super) const TRAILER_BYTES: usize = 128;
const CRC_AT: usize = TRAILER_BYTES - 12;
/// Events in one block of the offset table.
const BLOCK_EVENTS: usize = 64;
/// Bytes of one block's place in the table's directory: base offset, place of the rest.
const DIRECTORY_BYTES: usize = 8;
/// Marks a block whose offsets are 32 bits wide.
const WIDE: u32 = 1 << 31;

/// The facts of a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Where the frames end and the offset table begins.
    pub data_end: u64,
    /// Bytes of the offset table.
    pub table_length: u32,
    /// CRC of the offset table.
    pub table_crc: u32,
    /// Position of the first event.
    pub first: Position,
    /// Position after the last event.
    pub end: Position,
    /// Frames.
    pub frames: u32,
    /// The chain value the next segment repeats: the CRC of the last frame as it was first written.
    pub chain: u32,
    /// When the first event was recorded.
    pub first_recorded_at: Timestamp,
    /// When the last event was recorded.
    pub last_recorded_at: Timestamp,
    /// SHA-256 over 0x04 and the leaf hashes in order.
    pub digest: Hash,
}

impl Trailer {
    /// Decodes and checks the trailer; `bytes` are the last ones of the file, which is `file_length` long.
    pub fn decode(bytes: &[u8], file_length: u64) -> Result<Self, Defect> {
        let fixed: &[u8; TRAILER_BYTES] = bytes.last_chunk().ok_or(Defect::Short)?;
        if fixed[TRAILER_BYTES - 8..] != MAGIC {
            return Err(Defect::Magic);
        }
        if crc32c(&fixed[..CRC_AT]) != u32_at(fixed, CRC_AT)? {
            return Err(Defect::Checksum);
        }
        if u16_at(fixed, 96)? != FORMAT {
            return Err(Defect::Newer);
        }
        let trailer = Self {
            data_end: u64_at(fixed, 0)?,
            table_length: u32_at(fixed, 8)?,
            table_crc: u32_at(fixed, 12)?,
            first: Position(u64_at(fixed, 16)?),
            end: Position(u64_at(fixed, 24)?),
            first_recorded_at: Timestamp(i64_at(fixed, 32)?),
            last_recorded_at: Timestamp(i64_at(fixed, 40)?),
            frames: u32_at(fixed, 48)?,
            chain: u32_at(fixed, 52)?,
            digest: array(fixed, 56)?,
        };
        if trailer.data_end.checked_add(trailer.footer_bytes()) != Some(file_length) || trailer.end <= trailer.first {
            return Err(Defect::Length);
        }
        Ok(trailer)
    }

    /// The trailer's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut fixed = [0; TRAILER_BYTES];
        put(&mut fixed, 0, self.data_end.to_le_bytes());
        put(&mut fixed, 8, self.table_length.to_le_bytes());
        put(&mut fixed, 12, self.table_crc.to_le_bytes());
        put(&mut fixed, 16, self.first.0.to_le_bytes());
        put(&mut fixed, 24, self.end.0.to_le_bytes());
        put(&mut fixed, 32, self.first_recorded_at.0.to_le_bytes());
        put(&mut fixed, 40, self.last_recorded_at.0.to_le_bytes());
        put(&mut fixed, 48, self.frames.to_le_bytes());
        put(&mut fixed, 52, self.chain.to_le_bytes());
        put(&mut fixed, 56, self.digest);
        put(&mut fixed, 96, FORMAT.to_le_bytes());
        let crc = crc32c(&fixed[..CRC_AT]);
        put(&mut fixed, CRC_AT, crc.to_le_bytes());
        put(&mut fixed, TRAILER_BYTES - 8, MAGIC);
        fixed
    }

    /// Bytes of table and trailer.
    #[must_use]
    pub fn footer_bytes(&self) -> u64 {
        u64::from(self.table_length) + TRAILER_BYTES as u64
    }

    /// Bytes of the sealed file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.data_end + self.footer_bytes()
    }

    /// Events.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.end.0 - self.first.0
    }
}

/// The offset table of events at `offsets`, which increase.
#[must_use]
pub fn encode_table(offsets: &[u32]) -> Vec<u8> {
    let blocks = offsets.len().div_ceil(BLOCK_EVENTS);
    let mut directory = Vec::with_capacity(blocks * DIRECTORY_BYTES + offsets.len() * 2);
    let mut rest = Vec::with_capacity(offsets.len() * 2);
    for block in offsets.chunks(BLOCK_EVENTS) {
        let (base, others) = (block[0], &block[1..]);
        let place = narrow(blocks * DIRECTORY_BYTES + rest.len());
        let fits = others.last().is_none_or(|last| u16::try_from(last - base).is_ok());
        directory.extend_from_slice(&base.to_le_bytes());
        directory.extend_from_slice(&(place | if fits { 0 } else { WIDE }).to_le_bytes());
        for offset in others {
            let delta = (offset - base).to_le_bytes();
            rest.extend_from_slice(if fits { &delta[..2] } else { &delta });
        }
    }
    directory.extend_from_slice(&rest);
    directory
}

/// The offset of the event with `ordinal` in a segment, read in place from its table. Meaningless at or past the segment's count of events.
pub fn table_offset(table: &[u8], ordinal: u64) -> Result<u64, Defect> {
    let (block, within) = (index(ordinal) / BLOCK_EVENTS, index(ordinal) % BLOCK_EVENTS);
    let directory = block.checked_mul(DIRECTORY_BYTES).ok_or(Defect::Length)?;
    let (base, place) = (u32_at(table, directory)?, u32_at(table, directory + 4)?);
    let delta = match within {
        0 => 0,
        _ if place & WIDE == 0 => u32::from(u16_at(table, place as usize + (within - 1) * 2)?),
        _ => u32_at(table, (place & !WIDE) as usize + (within - 1) * 4)?,
    };
    Ok(u64::from(base) + u64::from(delta))
}
