//! Reading from the log: one event, batches forward and backward, whole frames, and by time.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Log,
    batch::Batch,
    entry::Entry,
    frames::Frames,
    layout::{index, u32_at},
    scan::{Budget, Scanned, scan},
    segment::{Segment, Window},
    stored::StoredEvent,
};
use crate::{
    error::Result,
    position::{Position, Timestamp},
};

/// How much of an event is fetched ahead: the header, the names and the beginning of the data of most.
const PREFETCH_BYTES: usize = 384;

impl Log {
    /// The event at `position`. Constant time: one look-up of its offset, one read of its bytes; its checksum is verified.
    ///
    /// # Errors
    /// `Corrupted` when its bytes are bad; `Unavailable` when a file cannot be read; `NotFound` past the end.
    pub fn event(&self, position: Position) -> Result<StoredEvent> {
        let (segment, window) = self.window(position, position.next(), 0)?;
        let defect = |wrong| segment.defect(wrong, window.base + window.entry_at as u64);
        let length = Entry::verify(&window.bytes[window.entry_at..]).map_err(defect)?.len();
        let bytes = window.bytes.slice(window.entry_at..window.entry_at + length);
        StoredEvent::new(bytes, position, window.header.recorded_at, window.header.proposal_id).map_err(defect)
    }

    /// Touches the bytes of the events at `positions`, all of them before any is decoded: the processor then fetches them from memory side
    /// by side, where reading one event after the other waits for each. Best effort: nothing is checked, nothing fails.
    pub fn prefetch(&self, positions: &[Position]) {
        let segments = self.segments.load();
        let place = |position: &Position| {
            let after = segments.partition_point(|segment| segment.header.first <= *position);
            segments.get(after.checked_sub(1)?)?.mapped(*position)
        };
        let places: Vec<(&Bytes, usize)> = positions.iter().filter_map(place).collect();
        let line = |map: &Bytes, at: usize| map.get(at).copied().unwrap_or(0);
        let mut touched = 0;
        for (map, at) in &places {
            touched ^= (0..PREFETCH_BYTES).step_by(64).fold(0, |seen, ahead| seen ^ line(map, at + ahead));
        }
        // Where an event's frame begins stands in the event.
        for (map, at) in &places {
            let back = map.get(at + 8..).and_then(|bytes| u32_at(bytes, 0).ok()).unwrap_or(0);
            touched ^= line(map, at.saturating_sub(back as usize));
        }
        std::hint::black_box(touched);
    }

    /// Events from `from` to before `to`, oldest first: at most `events_max`, and no more than `bytes_max` bytes unless
    /// the first is larger. Every byte is checked once.
    ///
    /// # Errors
    /// As [`Log::event`].
    pub fn read_forward(&self, from: Position, to: Position, events_max: usize, bytes_max: usize) -> Result<Batch> {
        let budget = Budget { events_max, bytes_max };
        let mut batch = Batch::with_capacity(capacity(from, to, events_max));
        let mut next = from;
        while next < to && !budget.is_spent(&batch) {
            let frames = self.tail.frames(next, to, budget.events_left(&batch));
            if frames.is_empty() {
                let segment = self.segment(next)?;
                // Of a file that is not mapped, no more is read than there is room for.
                let end = to.min(Position(next.0.saturating_add(budget.events_left(&batch) as u64)));
                let window = segment.window(&*self.disk, next, end, budget.bytes_left(&batch))?;
                match scan(&segment, window, next, end, budget, &mut batch)? {
                    Scanned::To(position) => next = position,
                    Scanned::Full => return Ok(batch),
                }
            }
            for frame in frames {
                match scan(&frame.segment, frame.window(next), next, to, budget, &mut batch)? {
                    Scanned::To(position) => next = position,
                    Scanned::Full => return Ok(batch),
                }
            }
        }
        Ok(batch)
    }

    /// Events from before `from` down to `down_to`, newest first: at most `events_max`, and about `bytes_max` bytes
    /// unless the first is larger. Every byte is checked once.
    ///
    /// # Errors
    /// As [`Log::event`].
    pub fn read_backward(
        &self,
        from: Position,
        down_to: Position,
        events_max: usize,
        bytes_max: usize,
    ) -> Result<Batch> {
        let budget = Budget { events_max, bytes_max };
        let mut batch = Batch::with_capacity(capacity(down_to, from, events_max));
        let mut end = from;
        while end > down_to && !budget.is_spent(&batch) {
            let lowest = Position(end.0.saturating_sub(budget.events_left(&batch) as u64)).max(down_to);
            let before = batch.len();
            end = self.read_run_before(end, lowest, budget, &mut batch)?;
            batch.reverse_from(before);
        }
        Ok(batch)
    }

    /// Adds to `batch`, oldest first, events that end just before `end`, from one frame of the tail or one segment, and returns
    /// where they begin.
    fn read_run_before(&self, end: Position, lowest: Position, budget: Budget, batch: &mut Batch) -> Result<Position> {
        let last = Position(end.0 - 1);
        let bytes_left = budget.bytes_left(batch) as u64;
        let unbounded = Budget { events_max: usize::MAX, bytes_max: usize::MAX };
        if let Some(frame) = self.tail.frame(last) {
            let low = lowest.max(frame.header.first);
            let start = first_within(low, last, |position| {
                Ok(u64::from(frame.entry_at(last) - frame.entry_at(position)) <= bytes_left)
            })?;
            scan(&frame.segment, frame.window(start), start, end, unbounded, batch)?;
            return Ok(start);
        }
        let segment = self.segment(last)?;
        let low = lowest.max(segment.header.first);
        let start =
            first_within(low, last, |position| Ok(segment.distance(&*self.disk, position, last)? <= bytes_left))?;
        let mut next = start;
        while next < end {
            let window = segment.window(&*self.disk, next, end, usize::MAX)?;
            match scan(&segment, window, next, end, unbounded, batch)? {
                Scanned::To(position) => next = position,
                Scanned::Full => break,
            }
        }
        Ok(start)
    }

    /// The frames that hold the positions from `from` to before `to`, whole, everything checked.
    #[must_use]
    pub fn frames(&self, from: Position, to: Position) -> Frames<'_> {
        Frames::new(self, from, to)
    }

    /// The first position below `to` recorded at `time` or later; `to` if there is none. Logarithmic.
    ///
    /// # Errors
    /// As [`Log::event`].
    pub fn position_at(&self, time: Timestamp, to: Position) -> Result<Position> {
        let segments = self.segments.load();
        let at =
            segments.partition_point(|segment| segment.trailer().is_some_and(|facts| facts.last_recorded_at < time));
        let Some(segment) = segments.get(at) else { return Ok(to) };
        let (mut low, mut high) =
            (segment.header.first.min(to), segment.trailer().map_or(to, |facts| facts.end).min(to));
        while low < high {
            let middle = Position(low.0 + (high.0 - low.0) / 2);
            if self.recorded_at(middle)? < time {
                low = middle.next();
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn recorded_at(&self, position: Position) -> Result<Timestamp> {
        match self.tail.frame(position) {
            Some(frame) => Ok(frame.header.recorded_at),
            None => self.segment(position)?.recorded_at(&*self.disk, position),
        }
    }

    fn window(&self, from: Position, to: Position, bytes_max: usize) -> Result<(Arc<Segment>, Window)> {
        if let Some(frame) = self.tail.frame(from) {
            let window = frame.window(from);
            return Ok((frame.segment, window));
        }
        let segment = self.segment(from)?;
        let window = segment.window(&*self.disk, from, to, bytes_max)?;
        Ok((segment, window))
    }
}

/// The first position from `low` to `last` for which `within` holds; it holds for `last`, and for all after one for which it does.
fn first_within(low: Position, last: Position, within: impl Fn(Position) -> Result<bool>) -> Result<Position> {
    let (mut low, mut high) = (low, last);
    while low < high {
        let middle = Position(low.0 + (high.0 - low.0) / 2);
        if within(middle)? {
            high = middle;
        } else {
            low = middle.next();
        }
    }
    Ok(low)
}

/// Slots to make room for.
fn capacity(from: Position, to: Position, events_max: usize) -> usize {
    index(to.0.saturating_sub(from.0)).min(events_max).min(crate::limits::BATCH_EVENTS)
}
