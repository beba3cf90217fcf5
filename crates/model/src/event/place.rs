//! Where and when an event was recorded: what a model may know beside the fact itself.

use gesta_store::{EventRef, Position, Revision, Timestamp};
use uuid::Uuid;

/// Where and when an event was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'e> {
    /// Place in the whole log.
    pub position: Position,
    /// Place in its stream.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its identity.
    pub id: Uuid,
    /// Its home stream.
    pub stream: &'e str,
    /// Facts about the fact.
    pub metadata: &'e [u8],
}

impl<'e> Place<'e> {
    /// The place of a recorded event.
    #[must_use]
    pub fn of(event: &EventRef<'e>) -> Self {
        let EventRef { position, revision, recorded_at, id, stream, metadata, .. } = *event;
        Self { position, revision, recorded_at, id, stream, metadata }
    }

    /// A place for an event that was not recorded: the `index`-th of a test.
    #[must_use]
    pub fn imagined(index: u64, stream: &'e str) -> Self {
        let (position, revision) = (Position(index), Revision(index));
        let recorded_at = Timestamp(i64::try_from(index).unwrap_or(i64::MAX));
        Self { position, revision, recorded_at, id: Uuid::from_u128(u128::from(index) + 1), stream, metadata: b"" }
    }
}
