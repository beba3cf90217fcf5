//! Events, both ways.

use gesta_store::{
    Batch, ContentType, Error, EventData, EventType, Link, Position, RecordedEvent, Result, Revision, StreamName, Tag,
    Timestamp,
};
use uuid::Uuid;

use super::messages as wire;

pub(super) fn id_from_wire(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| Error::invalid(format!("an id has 16 bytes, bytes={}", bytes.len())))
}

pub(super) fn id_to_wire(id: Uuid) -> bytes::Bytes {
    id.into_bytes().to_vec().into()
}

/// The events of a batch.
pub(super) fn batch_to_wire(batch: &Batch) -> Vec<wire::Event> {
    batch.to_recorded().into_iter().map(recorded_to_wire).collect()
}

pub(super) fn recorded_to_wire(event: RecordedEvent) -> wire::Event {
    wire::Event {
        position: event.position.0,
        revision: event.revision.0,
        recorded_at: event.recorded_at.0,
        id: id_to_wire(event.id),
        stream: event.stream.to_string(),
        r#type: event.event_type.to_string(),
        content_type: event.content_type.as_str().to_owned(),
        tags: event.tags.iter().map(Tag::to_string).collect(),
        data: event.data,
        metadata: event.metadata,
        erased: event.erased,
        link: event.link.map(|link| wire::Link {
            stream: link.stream.to_string(),
            revision: link.revision.0,
            position: link.position.0,
            id: id_to_wire(link.id),
            recorded_at: link.recorded_at.0,
        }),
    }
}

/// An event from the wire.
///
/// # Errors
/// `Invalid`, for names and ids that are none.
pub fn recorded_from_wire(event: wire::Event) -> Result<RecordedEvent> {
    let link = |link: wire::Link| {
        Ok::<_, Error>(Box::new(Link {
            stream: StreamName::new(&link.stream)?,
            revision: Revision(link.revision),
            position: Position(link.position),
            id: id_from_wire(&link.id)?,
            recorded_at: Timestamp(link.recorded_at),
        }))
    };
    Ok(RecordedEvent {
        position: Position(event.position),
        revision: Revision(event.revision),
        recorded_at: Timestamp(event.recorded_at),
        id: id_from_wire(&event.id)?,
        stream: StreamName::new(&event.stream)?,
        event_type: EventType::new(&event.r#type)?,
        content_type: ContentType::new(&event.content_type)?,
        tags: event.tags.iter().map(Tag::new).collect::<Result<_>>()?,
        data: event.data,
        metadata: event.metadata,
        erased: event.erased,
        link: event.link.map(link).transpose()?,
    })
}

pub(super) fn proposed_to_wire(event: EventData) -> wire::EventData {
    wire::EventData {
        id: event.id.map(id_to_wire),
        r#type: event.event_type.to_string(),
        content_type: event.content_type.as_str().to_owned(),
        data: event.data,
        metadata: event.metadata,
        tags: event.tags.iter().map(Tag::to_string).collect(),
    }
}

pub(super) fn proposed_from_wire(event: wire::EventData) -> Result<EventData> {
    Ok(EventData {
        id: event.id.as_deref().map(id_from_wire).transpose()?,
        event_type: EventType::new(&event.r#type)?,
        content_type: ContentType::new(&event.content_type)?,
        data: event.data,
        metadata: event.metadata,
        tags: event.tags.iter().map(Tag::new).collect::<Result<_>>()?,
    })
}
