//! Whole commits in order, every byte checked: what recovery of the commit rules' memory and verification read.

use bytes::Bytes;

use super::{
    Log,
    frame::{self, FrameHeader},
    layout::{Defect, index},
    segment::Segment,
    stored::StoredEvent,
};
use crate::{error::Result, position::Position};

/// Bytes read at once from a segment that is not mapped.
const READ_BYTES: usize = 1 << 20;

/// A commit as it is on disk. All its checksums were verified.
#[derive(Clone, Debug)]
pub struct StoredFrame {
    /// The facts of the commit.
    pub header: FrameHeader,
    bytes: Bytes,
    entries: Vec<u32>,
}

impl StoredFrame {
    /// A frame that was verified, whose entries begin at `entries`.
    pub(super) fn verified(header: FrameHeader, bytes: Bytes, entries: Vec<u32>) -> Self {
        Self { header, bytes, entries }
    }

    /// The frame's bytes, padding included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its events.
    pub fn events(&self) -> impl ExactSizeIterator<Item = StoredEvent> + '_ {
        self.entries.iter().enumerate().map(|(ordinal, at)| {
            let entry = frame::entry_within(&self.bytes, *at as usize);
            let position = Position(self.header.first.0 + ordinal as u64);
            StoredEvent::new(entry, position, self.header.recorded_at, self.header.proposal_id)
                .expect("the entries of a frame are decoded when it is read")
        })
    }
}

/// Iterates over the frames that hold the positions of a range; the first may begin before it.
///
/// After an error nothing more comes.
#[derive(Debug)]
pub struct Frames<'a> {
    log: &'a Log,
    next: Position,
    to: Position,
    previous: Option<u32>,
    buffer: Buffer,
    failed: bool,
}

/// Frames of one segment in memory.
#[derive(Debug, Default)]
struct Buffer {
    segment: Option<std::sync::Arc<Segment>>,
    bytes: Bytes,
    base: u64,
    at: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn new(log: &'a Log, from: Position, to: Position) -> Self {
        Self { log, next: from, to, previous: None, buffer: Buffer::default(), failed: false }
    }

    fn step(&mut self) -> Result<StoredFrame> {
        if let Some(frame) = self.log.tail.frame(self.next) {
            self.buffer = Buffer { segment: Some(frame.segment), bytes: frame.bytes, base: frame.offset, at: 0 };
        } else if !self.buffer_has_frame()? {
            self.fill(READ_BYTES)?;
            if let Some(needed) = self.frame_bytes_at_buffer()?.filter(|needed| *needed > self.buffer_left()) {
                self.fill(needed)?;
            }
        }
        self.take_frame()
    }

    fn buffer_left(&self) -> usize {
        self.buffer.bytes.len().saturating_sub(self.buffer.at)
    }

    fn buffer_has_frame(&self) -> Result<bool> {
        Ok(self.frame_bytes_at_buffer()?.is_some_and(|bytes| bytes <= self.buffer_left()))
    }

    /// Length of the frame the buffer is at, if its header is in the buffer.
    fn frame_bytes_at_buffer(&self) -> Result<Option<usize>> {
        let Some(rest) = self.buffer.bytes.get(self.buffer.at..) else { return Ok(None) };
        if rest.len() < frame::FRAME_HEADER_BYTES {
            return Ok(None);
        }
        let header = FrameHeader::decode(rest).map_err(|defect| self.defect(defect))?;
        Ok(Some(index(header.padded())))
    }

    fn fill(&mut self, bytes_wanted: usize) -> Result<()> {
        let segment = self.log.segment(self.next)?;
        let (bytes, base, at) = segment.frames_from(&*self.log.disk, self.next, bytes_wanted)?;
        self.buffer = Buffer { segment: Some(segment), bytes, base, at };
        Ok(())
    }

    fn take_frame(&mut self) -> Result<StoredFrame> {
        let rest = self.buffer.bytes.slice(self.buffer.at.min(self.buffer.bytes.len())..);
        let mut entries = Vec::new();
        let checked = frame::verify_frame(&rest, |at, entry| {
            entries.push(at);
            super::entry::Entry::decode(entry).map(drop)
        });
        let header = checked.map_err(|defect| self.defect_at(defect, self.buffer.at + frame::bad_at(&rest)))?;
        let continues = match self.previous {
            Some(previous) => header.first == self.next && header.previous == previous,
            None => header.first <= self.next && self.next < header.end(),
        };
        if !continues {
            return Err(self.defect(Defect::Discontinuous));
        }
        let padded = index(header.padded());
        self.buffer.at += padded;
        self.next = header.end();
        self.previous = Some(header.crc);
        Ok(StoredFrame { header, bytes: rest.slice(..padded), entries })
    }

    fn defect(&self, defect: Defect) -> crate::error::Error {
        self.defect_at(defect, self.buffer.at)
    }

    /// The error for bytes that are wrong at `at` of the buffer.
    fn defect_at(&self, defect: Defect, at: usize) -> crate::error::Error {
        let offset = self.buffer.base + at as u64;
        match &self.buffer.segment {
            Some(segment) => segment.defect(defect, offset),
            None => defect.at(std::path::Path::new(super::names::DIRECTORY), offset),
        }
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<StoredFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.next >= self.to {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        Some(step)
    }
}
