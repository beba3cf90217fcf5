//! Events as clients propose them: a type and a content type among text properties, and two runs of bytes.

use std::collections::HashMap;

use bytes::Bytes;
use gesta_store::{ContentType, EventData, EventType, limits::EVENT_BYTES_MAX};

use super::id;
use crate::{
    fault::Fault,
    limits::APPEND_BYTES_MAX,
    proto::event_store::client::{
        self,
        streams::{append_req, batch_append_req},
    },
};

/// The property that names the event type.
pub const TYPE: &str = "type";
/// The property that names the content type.
pub const CONTENT_TYPE: &str = "content-type";
/// The one content type that is told from all others.
pub const JSON: &str = "application/json";
/// What all others are.
pub const BINARY: &str = "application/octet-stream";
/// What an event costs in a commit beyond its names and payloads, in bytes, at most.
const EVENT_OVERHEAD: usize = 256;

/// The events of one append, and how many bytes they are.
#[derive(Debug, Default)]
pub struct ProposedEvents {
    /// In their order.
    pub events: Vec<EventData>,
    /// About what they take in a commit.
    pub bytes: usize,
}

impl ProposedEvents {
    /// Adds an event.
    ///
    /// # Errors
    /// `AppendTooLarge` when there is no room for it any more.
    pub fn push(&mut self, event: EventData) -> Result<(), Fault> {
        self.bytes += event.data.len() + event.metadata.len() + event.event_type.len() + EVENT_OVERHEAD;
        if self.bytes > APPEND_BYTES_MAX {
            return Err(Fault::AppendTooLarge);
        }
        self.events.push(event);
        Ok(())
    }
}

/// The same events with payloads in memory of their own. As they were decoded they are parts of whatever memory was read together with them: fields this
/// protocol does not know, and other messages, which nobody counts, are kept as long as they.
///
/// One piece of memory for all of them, copied: some 50 ns, and 0.1 us for each further KiB.
#[must_use]
pub fn apart(mut events: Vec<EventData>) -> Vec<EventData> {
    let bytes = events.iter().map(|event| event.data.len() + event.metadata.len()).sum();
    let mut copied = Vec::with_capacity(bytes);
    for event in &events {
        copied.extend_from_slice(&event.data);
        copied.extend_from_slice(&event.metadata);
    }
    let mut copied = Bytes::from(copied);
    for event in &mut events {
        event.data = copied.split_to(event.data.len());
        event.metadata = copied.split_to(event.metadata.len());
    }
    events
}

/// The event of an append.
///
/// # Errors
/// `Invalid`, `MissingProperty` or `EventTooLarge`.
pub fn from_append(message: append_req::ProposedMessage) -> Result<EventData, Fault> {
    from_parts(message.id.as_ref(), &message.metadata, message.custom_metadata, message.data)
}

/// An event of a batch append.
///
/// # Errors
/// `Invalid`, `MissingProperty` or `EventTooLarge`.
pub fn from_batch(message: batch_append_req::ProposedMessage) -> Result<EventData, Fault> {
    from_parts(message.id.as_ref(), &message.metadata, message.custom_metadata, message.data)
}

fn from_parts(
    event_id: Option<&client::Uuid>,
    properties: &HashMap<String, String>,
    metadata: Bytes,
    data: Bytes,
) -> Result<EventData, Fault> {
    let event_id = id::from_wire(event_id, "event id")?;
    let event_type = properties.get(TYPE).ok_or(Fault::MissingProperty(TYPE))?;
    let content_type = properties.get(CONTENT_TYPE).ok_or(Fault::MissingProperty(CONTENT_TYPE))?;
    let content_type = if content_type == JSON { ContentType::Json } else { ContentType::Binary };
    let bytes = data.len() + metadata.len() + event_type.len();
    if bytes > EVENT_BYTES_MAX {
        return Err(Fault::EventTooLarge { id: event_id, bytes });
    }
    let event = EventData { content_type, ..EventData::json(EventType::new(event_type)?, data) };
    Ok(event.with_id(event_id).with_metadata(metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(properties: &[(&str, &str)], data: usize) -> append_req::ProposedMessage {
        append_req::ProposedMessage {
            id: Some(id::to_wire(uuid::Uuid::from_u128(7), id::IdForm::Text)),
            metadata: properties.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
            custom_metadata: Bytes::new(),
            data: vec![0; data].into(),
        }
    }

    #[test]
    fn properties_become_types() {
        let json = from_append(message(&[(TYPE, "T"), (CONTENT_TYPE, JSON)], 1)).unwrap();
        assert_eq!((json.event_type.as_str(), json.content_type), ("T", ContentType::Json));
        let other = from_append(message(&[(TYPE, "T"), (CONTENT_TYPE, "text/plain")], 1)).unwrap();
        assert_eq!(other.content_type, ContentType::Binary);
    }

    #[test]
    fn an_event_without_its_properties_is_refused() {
        let refused = |properties: &[(&str, &str)]| from_append(message(properties, 1)).unwrap_err();
        assert!(matches!(refused(&[(CONTENT_TYPE, JSON)]), Fault::MissingProperty("type")));
        assert!(matches!(refused(&[(TYPE, "T")]), Fault::MissingProperty("content-type")));
        assert!(matches!(refused(&[(TYPE, ""), (CONTENT_TYPE, JSON)]), Fault::Store(_)));
    }

    #[test]
    fn too_many_bytes_are_refused_with_their_number() {
        let large = message(&[(TYPE, "T"), (CONTENT_TYPE, JSON)], EVENT_BYTES_MAX);
        assert!(matches!(from_append(large), Err(Fault::EventTooLarge { bytes, .. }) if bytes == EVENT_BYTES_MAX + 1));
        let mut proposed = ProposedEvents::default();
        let half = || from_append(message(&[(TYPE, "T"), (CONTENT_TYPE, JSON)], APPEND_BYTES_MAX / 2)).unwrap();
        proposed.push(half()).unwrap();
        assert!(matches!(proposed.push(half()), Err(Fault::AppendTooLarge)));
    }
}
