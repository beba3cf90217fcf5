//! What was written last, in memory: everything that is not durable yet, and recent frames beyond, for followers at the head.
//!
//! A position is in the tail or its bytes are durable on disk, never neither: frames leave it only once they are durable.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{
    frame::{FRAME_HEADER_BYTES, FrameHeader},
    layout::{index, narrow},
    segment::{Segment, Window},
};
use crate::position::Position;

/// Recent frames.
#[derive(Debug)]
pub(super) struct Tail {
    /// The first position held; grows only. Read without the lock by readers of the past.
    first: AtomicU64,
    frames: RwLock<Frames>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Frames {
    queue: VecDeque<TailFrame>,
    bytes: usize,
    /// Everything below is durable.
    durable: Position,
}

/// A frame in memory.
#[derive(Clone, Debug)]
pub(super) struct TailFrame {
    pub(super) header: FrameHeader,
    pub(super) bytes: Bytes,
    pub(super) segment: Arc<Segment>,
    /// Place of the frame in its segment.
    pub(super) offset: u64,
    /// Where each entry begins in the frame; empty for a single one, which begins after the header.
    pub(super) entries: Arc<[u32]>,
}

impl TailFrame {
    /// Where the entry of the event at `position` begins in the frame.
    pub(super) fn entry_at(&self, position: Position) -> u32 {
        let ordinal = index(position.0 - self.header.first.0);
        self.entries.get(ordinal).copied().unwrap_or(narrow(FRAME_HEADER_BYTES))
    }

    /// The frame from the event at `position` on.
    pub(super) fn window(&self, position: Position) -> Window {
        Window {
            bytes: self.bytes.clone(),
            base: self.offset,
            entry_at: self.entry_at(position) as usize,
            header: self.header,
            frame_offset: self.offset,
            end: self.header.end(),
        }
    }
}

impl Tail {
    /// An empty tail behind a log that is durable up to `head`.
    pub(super) fn new(head: Position, bytes_max: usize) -> Self {
        let frames = Frames { queue: VecDeque::new(), bytes: 0, durable: head };
        Self { first: AtomicU64::new(head.0), frames: RwLock::new(frames), bytes_max }
    }

    /// Adds the frame that follows.
    pub(super) fn push(&self, frame: TailFrame) {
        let mut frames = self.frames.write().unwrap_or_else(PoisonError::into_inner);
        let end = frame.header.end();
        frames.bytes += frame.bytes.len();
        frames.queue.push_back(frame);
        self.evict(&mut frames, end);
    }

    /// Takes note that everything below `durable` can be read from disk.
    pub(super) fn set_durable(&self, durable: Position) {
        let mut frames = self.frames.write().unwrap_or_else(PoisonError::into_inner);
        frames.durable = durable;
        self.evict(&mut frames, durable);
    }

    /// The frame that has `position`, if it is in memory.
    pub(super) fn frame(&self, position: Position) -> Option<TailFrame> {
        self.frames(position, position.next(), 1).pop()
    }

    /// The frames that have positions from `from` to before `to`, at most `frames_max`; none if `from` has left the tail.
    pub(super) fn frames(&self, from: Position, to: Position, frames_max: usize) -> Vec<TailFrame> {
        if from.0 < self.first.load(Ordering::Acquire) {
            return Vec::new();
        }
        let frames = self.frames.read().unwrap_or_else(PoisonError::into_inner);
        let start = frames.queue.partition_point(|frame| frame.header.end() <= from);
        if frames.queue.get(start).is_none_or(|frame| frame.header.first > from) {
            return Vec::new();
        }
        let wanted = |frame: &&TailFrame| frame.header.first < to;
        frames.queue.range(start..).take(frames_max).take_while(wanted).cloned().collect()
    }

    fn evict(&self, frames: &mut Frames, end: Position) {
        while frames.bytes > self.bytes_max
            && let Some(oldest) = frames.queue.front()
            && oldest.header.end() <= frames.durable
        {
            frames.bytes -= oldest.bytes.len();
            frames.queue.pop_front();
        }
        let first = frames.queue.front().map_or(end, |frame| frame.header.first);
        self.first.store(first.0, Ordering::Release);
    }
}
