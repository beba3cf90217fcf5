//! How are events read one after another? From the memory a window shows, every byte once, every checksum checked.

use super::{
    batch::Batch,
    entry::Entry,
    frame::FrameHeader,
    layout::{Defect, aligned, index},
    segment::{Segment, Window},
};
use crate::{error::Result, position::Position};

/// How much a read may still take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) events_max: usize,
    pub(super) bytes_max: usize,
}

impl Budget {
    /// Whether `batch` may take no further event.
    pub(super) fn is_spent(&self, batch: &Batch) -> bool {
        batch.len() >= self.events_max || (!batch.is_empty() && batch.bytes() >= self.bytes_max)
    }

    /// Whether `batch` may take an event of `bytes`; an empty one takes any.
    fn allows(&self, batch: &Batch, bytes: usize) -> bool {
        batch.len() < self.events_max && (batch.is_empty() || batch.bytes() + bytes <= self.bytes_max)
    }

    /// Bytes `batch` may still take.
    pub(super) fn bytes_left(&self, batch: &Batch) -> usize {
        self.bytes_max.saturating_sub(batch.bytes())
    }

    /// Events `batch` may still take.
    pub(super) fn events_left(&self, batch: &Batch) -> usize {
        self.events_max.saturating_sub(batch.len())
    }
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The window has no more events; the next is at this position.
    To(Position),
    /// The batch is full.
    Full,
}

/// Adds to `batch` the events of `window` from `from`, where it begins, to before `to`, within `budget`.
pub(super) fn scan(
    segment: &Segment,
    window: Window,
    from: Position,
    to: Position,
    budget: Budget,
    batch: &mut Batch,
) -> Result<Scanned> {
    let chunk = batch.push_chunk(window.bytes.clone());
    let (bytes, base) = (&window.bytes[..], window.base);
    let defect = |defect: Defect, at: usize| segment.defect(defect, base + at as u64);
    let to = to.min(window.end);
    let (mut header, mut frame_offset, mut at, mut position) =
        (window.header, window.frame_offset, window.entry_at, from);
    loop {
        let frame_end = header.end().min(to);
        while position < frame_end {
            let entry = Entry::verify(&bytes[at..]).map_err(|wrong| defect(wrong, at))?;
            if !budget.allows(batch, entry.len()) {
                return Ok(Scanned::Full);
            }
            batch.push_entry((chunk, at), entry, position, header.recorded_at).map_err(|wrong| defect(wrong, at))?;
            at += entry.len();
            position = position.next();
        }
        if position >= to {
            return Ok(Scanned::To(position));
        }
        if base + at as u64 != frame_offset + u64::from(header.length) {
            return Err(defect(Defect::Length, at));
        }
        frame_offset = aligned(base + at as u64);
        at = index(frame_offset - base);
        let next = FrameHeader::decode(bytes.get(at..).unwrap_or_default()).map_err(|wrong| defect(wrong, at))?;
        if next.first != position || next.previous != header.crc {
            return Err(defect(Defect::Discontinuous, at));
        }
        header = next;
        at += super::frame::FRAME_HEADER_BYTES;
    }
}
