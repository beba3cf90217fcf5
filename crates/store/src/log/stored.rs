//! One event, as read from the log, with the memory it lives in.

use bytes::Bytes;
use uuid::Uuid;

use super::{
    entry::{Entry, Payload},
    layout::Defect,
};
use crate::{
    event::{EventRef, RecordedEvent},
    leaf::{Hash, Salt},
    name::{ContentType, EventType, StreamName, Tag},
    position::{Position, Timestamp},
};

/// An event with its place. Its checksum was verified and its structure decoded once when it was read.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    bytes: Bytes,
    position: Position,
    recorded_at: Timestamp,
    proposal_id: Uuid,
}

impl StoredEvent {
    /// Checks that `bytes`, whose CRC was verified, are an entry.
    pub(super) fn new(
        bytes: Bytes,
        position: Position,
        recorded_at: Timestamp,
        proposal_id: Uuid,
    ) -> Result<Self, Defect> {
        Entry::decode(&bytes)?;
        Ok(Self { bytes, position, recorded_at, proposal_id })
    }

    /// The entry, decoded.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        checked(&self.bytes)
    }

    /// Place in the whole log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// When it was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Identity of the proposal it came with.
    #[must_use]
    pub fn proposal_id(&self) -> Uuid {
        self.proposal_id
    }

    /// The encoded entry.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A view that borrows from this event.
    #[must_use]
    pub fn view(&self) -> EventRef<'_> {
        view(&self.entry(), self.position, self.recorded_at)
    }

    /// The event, owned; payloads share this event's memory.
    #[must_use]
    pub fn to_recorded(&self) -> RecordedEvent {
        to_recorded(&self.bytes, &self.entry(), self.position, self.recorded_at)
    }

    /// Its leaf hash, computed from salt and payload (about 1 µs for 256 bytes).
    #[must_use]
    pub fn leaf(&self) -> Hash {
        self.entry().leaf(self.recorded_at)
    }

    /// Leaf hash of the event before it in its stream; zeros at revision 0.
    #[must_use]
    pub fn previous(&self) -> Hash {
        self.entry().previous.copied().unwrap_or_default()
    }

    /// The salt of its commitments; none once it is erased.
    #[must_use]
    pub fn salt(&self) -> Option<Salt> {
        match self.entry().payload {
            Payload::Kept { salt, .. } => Some(*salt),
            Payload::Erased { .. } => None,
        }
    }

    /// Whether data and metadata were erased.
    #[must_use]
    pub fn erased(&self) -> bool {
        self.entry().erased()
    }
}

/// The entry at the start of bytes that were decoded once when they were read.
pub(super) fn checked(bytes: &[u8]) -> Entry<'_> {
    Entry::decode_again(bytes).expect("an entry is decoded once before it is kept")
}

/// The public view of an entry.
pub(super) fn view<'a>(entry: &Entry<'a>, position: Position, recorded_at: Timestamp) -> EventRef<'a> {
    EventRef {
        position,
        revision: entry.revision,
        recorded_at,
        id: entry.id,
        stream: entry.stream,
        event_type: entry.event_type,
        content_type: entry.content_type,
        tags: entry.tags,
        data: entry.data(),
        metadata: entry.metadata(),
        erased: entry.erased(),
    }
}

/// The owned event; `memory` is where `entry` was decoded from.
pub(super) fn to_recorded(
    memory: &Bytes,
    entry: &Entry<'_>,
    position: Position,
    recorded_at: Timestamp,
) -> RecordedEvent {
    RecordedEvent {
        position,
        revision: entry.revision,
        recorded_at,
        id: entry.id,
        stream: StreamName::trusted(entry.stream),
        event_type: EventType::trusted(entry.event_type),
        // Checked before it was stored; one that breaks the rules after all is bytes of an unknown kind.
        content_type: ContentType::new(entry.content_type).unwrap_or(ContentType::Binary),
        tags: entry.tags.iter().map(Tag::trusted).collect(),
        data: memory.slice_ref(entry.data()),
        metadata: memory.slice_ref(entry.metadata()),
        erased: entry.erased(),
        link: None,
    }
}
