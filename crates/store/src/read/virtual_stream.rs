//! Streams nobody writes: served from the index, always there, with revisions that never change.

use uuid::Uuid;

use crate::{
    event::{EventRef, Link},
    index::Term,
    name::{StreamName, system},
    position::Revision,
};

/// What a stream name stands for in the index.
pub(crate) fn term_of(stream: &str) -> Term<'_> {
    let prefixed = |prefix: &str| stream.strip_prefix(prefix).filter(|rest| !rest.is_empty());
    if stream == system::STREAMS {
        Term::Created
    } else if let Some(category) = prefixed(system::CATEGORY_PREFIX) {
        Term::Category(category)
    } else if let Some(event_type) = prefixed(system::TYPE_PREFIX) {
        Term::Type(event_type)
    } else if let Some(correlation) = prefixed(system::CORRELATION_PREFIX) {
        Term::Correlation(correlation)
    } else {
        Term::Stream(stream)
    }
}

/// The entry at `revision` of the virtual stream `stream` that stands for an event. Its id is the same at every read: UUID v5 of the
/// stream's name, in the event's id as name space.
pub(crate) fn entry(stream: &StreamName, revision: Revision, event: &EventRef<'_>) -> Link {
    Link {
        stream: stream.clone(),
        revision,
        position: event.position,
        id: Uuid::new_v5(&event.id, stream.as_bytes()),
        recorded_at: event.recorded_at,
    }
}
