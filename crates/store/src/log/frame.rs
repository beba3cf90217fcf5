//! How is one commit laid out? A frame: a header of 64 bytes, then its entries, then zeros up to the alignment.
//!
//! The header has its own CRC, which covers a CRC over the CRCs of the entries: a reader of one event can trust the header without
//! reading the commit's other events, and a reader of the frame reads every byte once. Each header repeats the CRC of
//! the frame before it, over segment boundaries too, so that no frame can go missing or come from elsewhere unnoticed.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{
    entry::{self, ENTRY_BYTES_MIN, Entry},
    layout::{Defect, aligned, array, crc32c, i64_at, index, narrow, put, u32_at, u64_at},
};
use crate::{
    commit::Commit,
    limits,
    position::{Position, Timestamp},
};

/// Bytes before the entries.
pub(super) const FRAME_HEADER_BYTES: usize = 64;
/// First bytes of every frame; the fourth is its kind.
pub(super) const FRAME_MAGIC: [u8; 3] = *b"GFR";
const KIND_COMMIT: u8 = 1;

/// The facts of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// CRC of the header, and through `entries_crc` of the whole frame: what the next frame repeats.
    pub crc: u32,
    /// Bytes of header and entries, without padding.
    pub length: u32,
    /// CRC over the CRCs of the entries.
    pub entries_crc: u32,
    /// Position of the first event.
    pub first: Position,
    /// Events.
    pub events: u32,
    /// CRC of the frame before; 0 for the first of a log.
    pub previous: u32,
    /// When the events were recorded.
    pub recorded_at: Timestamp,
    /// Place in an order outside this log.
    pub order_sequence: u64,
    /// Identity of the proposal.
    pub proposal_id: Uuid,
}

impl FrameHeader {
    /// Decodes and checks the header at the start of `bytes`; the entries are not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let fixed: &[u8; FRAME_HEADER_BYTES] = bytes.first_chunk().ok_or(Defect::Short)?;
        if fixed[..3] != FRAME_MAGIC {
            return Err(Defect::Magic);
        }
        let crc = u32_at(fixed, 4)?;
        if header_crc(fixed) != crc {
            return Err(Defect::Checksum);
        }
        // Only now is the kind what was written: one that is not known is newer, not damaged.
        if fixed[3] != KIND_COMMIT {
            return Err(Defect::Newer);
        }
        let header = Self {
            crc,
            length: u32_at(fixed, 8)?,
            entries_crc: u32_at(fixed, 12)?,
            first: Position(u64_at(fixed, 16)?),
            events: u32_at(fixed, 24)?,
            previous: u32_at(fixed, 28)?,
            recorded_at: Timestamp(i64_at(fixed, 32)?),
            order_sequence: u64_at(fixed, 40)?,
            proposal_id: Uuid::from_bytes(array(fixed, 48)?),
        };
        let smallest = FRAME_HEADER_BYTES as u64 + u64::from(header.events) * ENTRY_BYTES_MIN as u64;
        let wraps = header.first.0.checked_add(u64::from(header.events)).is_none();
        if header.events == 0 || u64::from(header.length) < smallest || wraps {
            return Err(Defect::Length);
        }
        Ok(header)
    }

    /// The header's bytes, with `crc` computed and set.
    pub(super) fn encode(&mut self) -> [u8; FRAME_HEADER_BYTES] {
        let mut fixed = [0; FRAME_HEADER_BYTES];
        put(&mut fixed, 0, FRAME_MAGIC);
        fixed[3] = KIND_COMMIT;
        put(&mut fixed, 8, self.length.to_le_bytes());
        put(&mut fixed, 12, self.entries_crc.to_le_bytes());
        put(&mut fixed, 16, self.first.0.to_le_bytes());
        put(&mut fixed, 24, self.events.to_le_bytes());
        put(&mut fixed, 28, self.previous.to_le_bytes());
        put(&mut fixed, 32, self.recorded_at.0.to_le_bytes());
        put(&mut fixed, 40, self.order_sequence.to_le_bytes());
        put(&mut fixed, 48, self.proposal_id.into_bytes());
        self.crc = header_crc(&fixed);
        put(&mut fixed, 4, self.crc.to_le_bytes());
        fixed
    }

    /// Bytes of the frame with its padding.
    #[must_use]
    pub fn padded(&self) -> u64 {
        aligned(u64::from(self.length))
    }

    /// The position after the last event.
    #[must_use]
    pub fn end(&self) -> Position {
        Position(self.first.0 + u64::from(self.events))
    }
}

/// The CRC of a header: over all of it, with zeros where the CRC itself stands.
fn header_crc(fixed: &[u8; FRAME_HEADER_BYTES]) -> u32 {
    let mut covered = *fixed;
    put(&mut covered, 4, [0; 4]);
    crc32c(&covered)
}

/// Checks the whole frame at the start of `bytes`: header, every entry, padding. `on_entry` gets each entry and its offset in the frame.
pub fn verify_frame<'a>(
    bytes: &'a [u8],
    mut on_entry: impl FnMut(u32, &'a [u8]) -> Result<(), Defect>,
) -> Result<FrameHeader, Defect> {
    let header = FrameHeader::decode(bytes)?;
    let frame = bytes.get(..index(header.padded())).ok_or(Defect::Length)?;
    let (content, padding) = frame.split_at(header.length as usize);
    // `decode` made sure that so many entries fit into the bytes at hand.
    let mut crcs = Vec::with_capacity(header.events as usize * 4);
    let mut at = FRAME_HEADER_BYTES;
    for _ in 0..header.events {
        let entry = Entry::verify(&content[at..])?;
        if u32_at(entry, 8)? as usize != at {
            return Err(Defect::Length);
        }
        crcs.extend_from_slice(&entry[4..8]);
        on_entry(narrow(at), entry)?;
        at += entry.len();
    }
    if at != content.len() {
        return Err(Defect::Length);
    }
    if crc32c(&crcs) != header.entries_crc {
        return Err(Defect::Checksum);
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(Defect::Padding);
    }
    Ok(header)
}

/// Where in a frame at the start of `bytes` that does not verify the bad bytes are: at its first bad entry, which is also where a reader of
/// that event meets them; at its start if nothing smaller is wrong.
pub(super) fn bad_at(bytes: &[u8]) -> usize {
    let Ok(header) = FrameHeader::decode(bytes) else { return 0 };
    let mut at = FRAME_HEADER_BYTES;
    for _ in 0..header.events {
        match bytes.get(at..).map(Entry::verify) {
            Some(Ok(entry)) => at += entry.len(),
            Some(Err(_)) => return at,
            None => return 0,
        }
    }
    0
}

/// A frame ready to be written.
pub(super) struct EncodedFrame {
    /// With padding.
    pub(super) bytes: Bytes,
    pub(super) header: FrameHeader,
    /// Where each entry begins in the frame.
    pub(super) entries: Vec<u32>,
}

/// Bytes the frame of a commit takes, padding included.
#[must_use]
pub fn frame_bytes(commit: &Commit) -> u64 {
    let entries: usize = commit.events.iter().map(entry::encoded_bytes).sum();
    aligned((FRAME_HEADER_BYTES + entries) as u64)
}

/// Encodes a commit that follows a frame with CRC `previous`, in memory taken from `arena`.
pub(super) fn encode(commit: &Commit, previous: u32, arena: &mut BytesMut) -> EncodedFrame {
    assert!(!commit.events.is_empty(), "a commit has events");
    debug_assert!(arena.is_empty());
    arena.put_bytes(0, FRAME_HEADER_BYTES);
    let mut entries = Vec::with_capacity(commit.events.len());
    let mut crcs = Vec::with_capacity(commit.events.len() * 4);
    for event in &commit.events {
        let at = arena.len();
        entries.push(narrow(at));
        crcs.extend_from_slice(&entry::encode(event, at, arena).to_le_bytes());
    }
    let mut header = FrameHeader {
        crc: 0,
        length: narrow(arena.len()),
        entries_crc: crc32c(&crcs),
        first: commit.first_position,
        events: narrow(commit.events.len()),
        previous,
        recorded_at: commit.recorded_at,
        order_sequence: commit.order_sequence,
        proposal_id: commit.proposal_id,
    };
    arena[..FRAME_HEADER_BYTES].copy_from_slice(&header.encode());
    arena.put_bytes(0, arena.len().next_multiple_of(limits::FRAME_ALIGN) - arena.len());
    EncodedFrame { bytes: arena.split().freeze(), header, entries }
}

/// The entry that begins at `at` of a frame that was verified.
pub(super) fn entry_within(frame: &Bytes, at: usize) -> Bytes {
    let length = u32_at(frame, at).expect("the entries of a frame are found when it is verified") as usize;
    frame.slice(at..at + length)
}
