//! What does a segment say of itself at its start? One block: whose it is, where it begins, what it continues.
//!
//! A segment's header is durable before the file has its `.seg` name; hence every segment has a valid one.

use uuid::Uuid;

use super::layout::{Defect, FORMAT, array, crc32c, i64_at, put, u16_at, u32_at, u64_at};
use crate::{
    disk::BLOCK,
    position::{Position, Timestamp},
};

const MAGIC: [u8; 8] = *b"GESTASEG";
/// The CRC ends the block and covers everything before it, so that no bit of the block can change unseen.
const CRC_AT: usize = BLOCK - 4;
/// Where the frames begin.
pub(super) const FRAMES_AT: u64 = BLOCK as u64;

/// The first block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Identity of the store.
    pub store_id: Uuid,
    /// Identity of the timeline; nil for the first one of a store.
    pub timeline_id: Uuid,
    /// Position of the first event.
    pub first: Position,
    /// Size at which the store seals segments, in bytes.
    pub segment_bytes: u64,
    /// Events at which the store seals segments.
    pub segment_events: u64,
    /// CRC of the last frame of the segment before; 0 in the first segment.
    pub previous: u32,
    /// When the last event of the segment before was recorded; the earliest time there is in the first segment.
    pub previous_recorded_at: Timestamp,
}

impl SegmentHeader {
    /// Decodes and checks the block at the start of a segment.
    pub fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let block: &[u8; BLOCK] = bytes.first_chunk().ok_or(Defect::Short)?;
        if block[..8] != MAGIC {
            return Err(Defect::Magic);
        }
        if crc32c(&block[..CRC_AT]) != u32_at(block, CRC_AT)? {
            return Err(Defect::Checksum);
        }
        if u16_at(block, 8)? != FORMAT {
            return Err(Defect::Newer);
        }
        Ok(Self {
            store_id: Uuid::from_bytes(array(block, 16)?),
            timeline_id: Uuid::from_bytes(array(block, 32)?),
            first: Position(u64_at(block, 48)?),
            segment_bytes: u64_at(block, 56)?,
            segment_events: u64_at(block, 64)?,
            previous_recorded_at: Timestamp(i64_at(block, 72)?),
            previous: u32_at(block, 80)?,
        })
    }

    /// The block.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put(&mut block, 0, MAGIC);
        put(&mut block, 8, FORMAT.to_le_bytes());
        put(&mut block, 16, self.store_id.into_bytes());
        put(&mut block, 32, self.timeline_id.into_bytes());
        put(&mut block, 48, self.first.0.to_le_bytes());
        put(&mut block, 56, self.segment_bytes.to_le_bytes());
        put(&mut block, 64, self.segment_events.to_le_bytes());
        put(&mut block, 72, self.previous_recorded_at.0.to_le_bytes());
        put(&mut block, 80, self.previous.to_le_bytes());
        let crc = crc32c(&block[..CRC_AT]);
        put(&mut block, CRC_AT, crc.to_le_bytes());
        block
    }
}
