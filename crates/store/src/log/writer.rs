//! From commits to groups of bytes: the first stage of an append.
//!
//! The writer decides where every byte goes, knowing nothing but the commits: dense frames, and a new segment when one is
//! full. It does no I/O and cannot fail. What it encodes is at once in the tail, and waits in the pending group for the
//! flusher.

use std::sync::Arc;

use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::{
    Log,
    footer::Trailer,
    frame,
    header::{FRAMES_AT, SegmentHeader},
    layout::{index, narrow},
    segment::{Growing, Segment},
    tail::TailFrame,
};
use crate::{
    commit::Commit,
    disk::{AlignedBuffer, BLOCK},
    position::{Position, Timestamp},
};

/// Memory for frames is taken in pieces of this size, so that a small frame costs no allocation of its own.
const ARENA_BYTES: usize = 256 << 10;
/// First byte of the input of a segment's digest.
const DIGEST: u8 = 0x04;

/// Encodes commits, in order.
pub struct LogWriter {
    log: Arc<Log>,
    segment: Arc<Segment>,
    tally: Tally,
    arena: BytesMut,
    /// Parts of the pending group that are complete: those of segments that are full.
    parts: Vec<Part>,
    /// Bytes of the pending group for the current segment, beginning on a block boundary.
    buffer: AlignedBuffer,
    buffer_offset: u64,
    /// Bytes that are new in the pending group.
    pending_bytes: u64,
}

/// What is counted of a segment while it fills.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) next: Position,
    pub(super) data_end: u64,
    pub(super) chain: u32,
    pub(super) events: u64,
    pub(super) frames: u32,
    pub(super) first_recorded_at: Timestamp,
    pub(super) last_recorded_at: Timestamp,
    pub(super) digest: Sha256,
}

/// Commits encoded together, to be made durable together.
#[derive(Debug)]
pub struct Group {
    pub(super) parts: Vec<Part>,
    pub(super) end: Position,
}

/// Bytes of a group for one segment.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    /// Where in the segment the bytes go: a block boundary.
    pub(super) offset: u64,
    /// Without padding at their end.
    pub(super) bytes: AlignedBuffer,
    /// The state of the segment after these bytes.
    pub(super) tally: Tally,
    /// Whether the segment is full, and to be sealed after them.
    pub(super) fills: bool,
}

impl Group {
    /// The position after its last event.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// Bytes to be written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.len() as u64).sum()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Tally {
    /// The start of the segment with `header`.
    pub(super) fn new(header: &SegmentHeader) -> Self {
        Self {
            next: header.first,
            data_end: FRAMES_AT,
            chain: header.previous,
            events: 0,
            frames: 0,
            first_recorded_at: header.previous_recorded_at,
            last_recorded_at: header.previous_recorded_at,
            digest: Sha256::new_with_prefix([DIGEST]),
        }
    }

    /// Counts a frame.
    pub(super) fn add(&mut self, frame: &frame::FrameHeader) {
        if self.frames == 0 {
            self.first_recorded_at = frame.recorded_at;
        }
        self.last_recorded_at = frame.recorded_at;
        self.next = frame.end();
        self.data_end += frame.padded();
        self.chain = frame.crc;
        self.events += u64::from(frame.events);
        self.frames += 1;
    }

    /// The facts of the segment, once it is full; `table` is its offset table.
    pub(super) fn trailer(&self, table: &[u8]) -> Trailer {
        Trailer {
            data_end: self.data_end,
            table_length: narrow(table.len()),
            table_crc: super::layout::crc32c(table),
            first: Position(self.next.0 - self.events),
            end: self.next,
            frames: self.frames,
            chain: self.chain,
            first_recorded_at: self.first_recorded_at,
            last_recorded_at: self.last_recorded_at,
            digest: self.digest.clone().finalize().into(),
        }
    }

    /// The header of the segment that follows.
    pub(super) fn next_header(&self, header: &SegmentHeader) -> SegmentHeader {
        SegmentHeader { first: self.next, previous: self.chain, previous_recorded_at: self.last_recorded_at, ..*header }
    }
}

impl LogWriter {
    /// Continues `segment` after `tally`; `carry` are the bytes of its last block that has not been filled.
    pub(super) fn new(log: Arc<Log>, segment: Arc<Segment>, tally: Tally, carry: &[u8]) -> Self {
        let mut buffer = AlignedBuffer::with_capacity(BLOCK);
        buffer.extend_from_slice(carry);
        let buffer_offset = tally.data_end - carry.len() as u64;
        debug_assert!(buffer_offset.is_multiple_of(BLOCK as u64));
        let arena = BytesMut::with_capacity(ARENA_BYTES);
        Self { log, segment, tally, arena, parts: Vec::new(), buffer, buffer_offset, pending_bytes: 0 }
    }

    /// Adds a commit to the pending group. Its events can be read from [`Log`] when this returns; they are durable
    /// when the group is flushed.
    ///
    /// Answers with the end of the segment, if the commit fills it.
    ///
    /// # Panics
    /// If the commit does not take the next position.
    pub fn append(&mut self, commit: &Commit) -> Option<Position> {
        assert_eq!(commit.first_position, self.tally.next, "a commit takes the next position");
        let bytes = frame::frame_bytes(commit);
        if self.is_full() {
            self.roll(); // its seal was interrupted by a crash
        }
        if self.arena.capacity() < index(bytes) {
            self.arena = BytesMut::with_capacity(index(bytes).max(ARENA_BYTES));
        }
        let encoded = frame::encode(commit, self.tally.chain, &mut self.arena);
        assert_eq!(encoded.bytes.len() as u64, bytes, "a frame is as long as was computed");
        for event in &commit.events {
            self.tally.digest.update(event.leaf);
        }
        self.buffer.extend_from_slice(&encoded.bytes);
        self.pending_bytes += bytes;
        let offset = self.tally.data_end;
        self.tally.add(&encoded.header);
        let base = narrow(index(offset));
        self.segment.grow(|growing| growing.offsets.extend(encoded.entries.iter().map(|at| base + at)));
        self.log.tail.push(TailFrame {
            header: encoded.header,
            bytes: encoded.bytes,
            segment: Arc::clone(&self.segment),
            offset,
            entries: if encoded.entries.len() == 1 { Arc::default() } else { encoded.entries.into() },
        });
        if self.is_full() {
            self.roll();
            return Some(self.tally.next);
        }
        None
    }

    /// Bytes in the pending group. A group must stay within [`GROUP_BYTES_MAX`](crate::limits::GROUP_BYTES_MAX): take it before adding a commit
    /// of [`frame_bytes`](super::frame_bytes) more.
    #[must_use]
    pub fn group_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// The position the next commit takes.
    #[must_use]
    pub fn next_position(&self) -> Position {
        self.tally.next
    }

    /// When the last commit was recorded; the earliest time there is if there is none.
    #[must_use]
    pub fn last_recorded_at(&self) -> Timestamp {
        self.tally.last_recorded_at
    }

    /// Takes the pending group, for the flusher. Groups must be flushed in the order they are taken.
    #[must_use]
    pub fn take_group(&mut self) -> Group {
        // A segment that was just begun has no bytes yet.
        if self.pending_bytes > 0 && !self.buffer.is_empty() {
            self.close_part(false);
        }
        self.pending_bytes = 0;
        Group { parts: std::mem::take(&mut self.parts), end: self.tally.next }
    }

    /// Whether the current segment takes no further frame. What is in it decides, and not what comes next: a frame that was lost
    /// in a crash must leave no trace (I3).
    fn is_full(&self) -> bool {
        let options = &self.log.options;
        self.tally.data_end >= options.segment_bytes && self.tally.events > 0
            || self.tally.events >= options.segment_events
    }

    /// Ends the current segment and begins the next.
    fn roll(&mut self) {
        self.close_part(true);
        let header = self.tally.next_header(&self.segment.header);
        self.tally = Tally::new(&header);
        self.segment = Arc::new(Segment::growing(header, Growing::new()));
        self.buffer.clear();
        self.buffer_offset = FRAMES_AT;
        self.log.push_segment(Arc::clone(&self.segment));
    }

    /// Moves the bytes for the current segment into the group; those of its last, unfilled block also stay, to be written again with
    /// what follows.
    fn close_part(&mut self, fills: bool) {
        let mut carry = AlignedBuffer::with_capacity(self.buffer.len().max(BLOCK));
        carry.extend_from_slice(&self.buffer.as_slice()[self.buffer.len() / BLOCK * BLOCK..]);
        let bytes = std::mem::replace(&mut self.buffer, carry);
        let offset = self.buffer_offset;
        self.buffer_offset = self.tally.data_end - self.buffer.len() as u64;
        self.parts.push(Part { segment: Arc::clone(&self.segment), offset, bytes, tally: self.tally.clone(), fills });
    }
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter")
            .field("tally", &self.tally)
            .field("pending", &self.pending_bytes)
            .finish_non_exhaustive()
    }
}
