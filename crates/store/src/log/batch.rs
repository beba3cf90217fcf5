//! Events read together: a few pieces of memory and where in them each event is.
//!
//! Every event in a batch has passed its checksum and was decoded once; iterating decodes again without allocating.

use bytes::Bytes;

use super::{
    entry::Entry,
    layout::{Defect, index},
    stored::{self, StoredEvent},
};
use crate::{
    event::{EventRef, RecordedEvent},
    position::{Position, Timestamp},
};

/// Events read together, in the order of the read.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    chunks: Vec<Bytes>,
    slots: Vec<Slot>,
    bytes: usize,
}

/// Where an event is.
#[derive(Clone, Copy, Debug)]
struct Slot {
    chunk: u32,
    offset: u32,
    position: Position,
    recorded_at: Timestamp,
}

impl Batch {
    /// An empty batch with room for `events`.
    #[must_use]
    pub fn with_capacity(events: usize) -> Self {
        Self { slots: Vec::with_capacity(events), ..Self::default() }
    }

    /// Events held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of the events held, as encoded.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Position of the first event in the order of the read.
    #[must_use]
    pub fn first_position(&self) -> Option<Position> {
        self.slots.first().map(|slot| slot.position)
    }

    /// Position of the last event in the order of the read.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        self.slots.last().map(|slot| slot.position)
    }

    /// A view of the event at place `at`, if there is one.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<EventRef<'_>> {
        self.slots.get(at).map(|slot| self.view(slot))
    }

    /// Views of the events.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = EventRef<'_>> + ExactSizeIterator {
        self.slots.iter().map(|slot| self.view(slot))
    }

    /// The entries, decoded, with their positions and times: what a view leaves out is salt and chain.
    pub fn entries(&self) -> impl Iterator<Item = (Position, Timestamp, Entry<'_>)> {
        self.slots.iter().map(|slot| (slot.position, slot.recorded_at, self.entry(slot)))
    }

    /// The event at place `at`, owned; payloads share the batch's memory.
    #[must_use]
    pub fn recorded(&self, at: usize) -> Option<RecordedEvent> {
        let slot = self.slots.get(at)?;
        let chunk = &self.chunks[slot.chunk as usize];
        Some(stored::to_recorded(chunk, &self.entry(slot), slot.position, slot.recorded_at))
    }

    /// The events, owned; payloads share the batch's memory.
    #[must_use]
    pub fn to_recorded(&self) -> Vec<RecordedEvent> {
        (0..self.len()).filter_map(|at| self.recorded(at)).collect()
    }

    /// Keeps only the events that `keep` wants; the memory of the others stays with the batch.
    pub fn retain(&mut self, mut keep: impl FnMut(EventRef<'_>) -> bool) {
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| {
            let kept = keep(self.view(slot));
            if !kept {
                self.bytes -= self.length(slot);
            }
            kept
        });
        self.slots = slots;
    }

    /// Adds an event that was read by itself.
    pub fn push_event(&mut self, event: &StoredEvent) {
        let chunk = self.push_chunk(event.bytes().clone());
        self.bytes += event.bytes().len();
        self.slots.push(Slot { chunk, offset: 0, position: event.position(), recorded_at: event.recorded_at() });
    }

    /// Keeps memory that events pushed next live in.
    pub(super) fn push_chunk(&mut self, chunk: Bytes) -> u32 {
        self.chunks.push(chunk);
        super::layout::narrow(self.chunks.len() - 1)
    }

    /// Adds the entry at `offset` of a chunk; its CRC was verified.
    pub(super) fn push_entry(
        &mut self,
        (chunk, offset): (u32, usize),
        entry: &[u8],
        position: Position,
        recorded_at: Timestamp,
    ) -> Result<(), Defect> {
        Entry::decode(entry)?;
        self.bytes += entry.len();
        self.slots.push(Slot { chunk, offset: super::layout::narrow(offset), position, recorded_at });
        Ok(())
    }

    /// Turns the order of the events from place `from` on.
    pub(super) fn reverse_from(&mut self, from: usize) {
        self.slots[from..].reverse();
    }

    fn entry(&self, slot: &Slot) -> Entry<'_> {
        stored::checked(&self.chunks[slot.chunk as usize][index(u64::from(slot.offset))..])
    }

    /// Length of an entry: its first field.
    fn length(&self, slot: &Slot) -> usize {
        let bytes = &self.chunks[slot.chunk as usize][index(u64::from(slot.offset))..];
        bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize)
    }

    fn view(&self, slot: &Slot) -> EventRef<'_> {
        stored::view(&self.entry(slot), slot.position, slot.recorded_at)
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = EventRef<'a>;
    type IntoIter = Views<'a>;

    fn into_iter(self) -> Views<'a> {
        Views { batch: self, slots: self.slots.iter() }
    }
}

/// Views of the events of a batch, in order.
#[derive(Debug)]
pub struct Views<'a> {
    batch: &'a Batch,
    slots: std::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for Views<'a> {
    type Item = EventRef<'a>;

    fn next(&mut self) -> Option<EventRef<'a>> {
        self.slots.next().map(|slot| self.batch.view(slot))
    }
}
