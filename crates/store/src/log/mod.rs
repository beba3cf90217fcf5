//! The log: facts as bytes on disk, in one order.
//!
//! A commit is a frame ([`FrameHeader`]), an event an entry in it ([`Entry`]); frames fill segments, one file each. The byte layouts, what is
//! assumed of the medium and why recovery is right are in `docs/formats/log.md`.
//!
//! On the path of an append: [`LogWriter::append`] encodes a commit into the pending group and shows its events to readers at once,
//! from memory; [`LogFlusher::flush`] makes a group durable, seals segments and begins new ones. They are two so that encoding
//! the next group overlaps the sync of this one. On the path of a read: [`Log`], shared by all, gives single events, batches in both
//! directions, and whole frames.
//!
//! **Invariants.** A position is in memory or durable on disk, never neither. The bytes of a log depend on the
//! commits and nothing else: not on time, grouping or restarts (I3). A segment exists only if the one before it is sealed and durable. Bad bytes
//! are reported with file and offset, never skipped; only a torn tail of the last segment is cut (I6).

mod batch;
mod entry;
mod flusher;
mod footer;
mod frame;
mod frames;
mod header;
mod inspection;
mod layout;
mod mark;
mod names;
mod opening;
mod reader;
mod recovery;
mod scan;
mod segment;
mod settle;
mod spare;
mod stored;
mod tail;
mod writer;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use uuid::Uuid;

use crate::{
    disk::Disk,
    error::{Error, ErrorKind, Result},
    limits,
    position::Position,
};

pub use batch::Batch;
pub use entry::{Entry, Payload};
pub use flusher::{Flushed, LogFlusher};
pub use footer::Trailer;
pub use frame::{FrameHeader, frame_bytes};
pub use frames::{Frames, StoredFrame};
pub use header::SegmentHeader;
pub use inspection::{Inspection, Sight};
pub use layout::{Defect, FORMAT};
pub use opening::{CutTail, Recovered};
pub use stored::StoredEvent;
pub use writer::{Group, LogWriter};

use segment::Segment;
use tail::Tail;

/// The decoders of the format: pure functions of bytes that never panic and allocate no more than their input justifies.
pub mod decode {
    #[cfg(any(test, feature = "testing"))]
    pub use super::entry::erase;
    pub use super::{
        entry::Entry,
        footer::{Trailer, encode_table, table_offset},
        frame::{FrameHeader, verify_frame},
        header::SegmentHeader,
        layout::Defect,
        mark::CleanMark,
    };
}

/// How a log is opened. All but the cache are fixed when the store is created.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Identity of the store; a segment of another store is refused.
    pub store_id: Uuid,
    /// Size at which segments are sealed, in bytes.
    pub segment_bytes: u64,
    /// Events at which segments are sealed.
    pub segment_events: u64,
    /// Recent frames kept in memory, in bytes, beyond those that are not durable yet.
    pub tail_cache_bytes: usize,
}

impl LogOptions {
    /// The default sizes, for the store `store_id`.
    #[must_use]
    pub fn new(store_id: Uuid) -> Self {
        Self {
            store_id,
            segment_bytes: limits::SEGMENT_BYTES,
            segment_events: limits::SEGMENT_EVENTS,
            tail_cache_bytes: limits::TAIL_CACHE_BYTES,
        }
    }
}

/// The log, for reading. Shared by everyone; holds locks only for moments.
///
/// Positions are the caller's care: what is asked for must be below the published head, or, on the path of an append, below
/// the end of the last commit appended.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    segments: ArcSwap<Vec<Arc<Segment>>>,
    tail: Tail,
    /// Held while a spare is made.
    spare: Mutex<()>,
}

/// Facts about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// Segments that have events.
    pub segments: u64,
    /// Bytes on disk, without preallocated space.
    pub bytes: u64,
}

/// The range of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRange {
    /// Position of its first event.
    pub first: Position,
    /// Position after its last event, durable or not.
    pub end: Position,
    /// SHA-256 over 0x04 and the leaf hashes of its events in order, if it is sealed and durable.
    pub digest: Option<crate::leaf::Hash>,
}

impl SegmentRange {
    /// Whether it is complete and durable.
    #[must_use]
    pub fn sealed(&self) -> bool {
        self.digest.is_some()
    }
}

impl Log {
    /// How much there is.
    #[must_use]
    pub fn info(&self) -> LogInfo {
        let segments = self.segments.load();
        let filled = segments.iter().filter(|segment| segment.end() > segment.header.first);
        filled.fold(LogInfo { segments: 0, bytes: 0 }, |info, segment| LogInfo {
            segments: info.segments + 1,
            bytes: info.bytes + segment.bytes(),
        })
    }

    /// The ranges of the segments that have events, in order; only the last ones can be unsealed.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentRange> {
        let segments = self.segments.load();
        let ranges = segments.iter().map(|segment| SegmentRange {
            first: segment.header.first,
            end: segment.end(),
            digest: segment.trailer().map(|trailer| trailer.digest),
        });
        ranges.filter(|range| range.end > range.first).collect()
    }

    /// The segment that has `position`, or will have it.
    fn segment(&self, position: Position) -> Result<Arc<Segment>> {
        let segments = self.segments.load();
        let after = segments.partition_point(|segment| segment.header.first <= position);
        after.checked_sub(1).map(|at| Arc::clone(&segments[at])).ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("log begins after the position asked for, position={position}"))
        })
    }

    /// Adds the segment that follows.
    fn push_segment(&self, segment: Arc<Segment>) {
        let mut segments = Vec::clone(&self.segments.load());
        segments.push(segment);
        self.segments.store(Arc::new(segments));
    }
}

#[cfg(test)]
mod tests;
