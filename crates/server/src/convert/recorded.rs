//! Recorded events as answers to reads.

use bytes::Bytes;
use gesta_store::{ContentType, EventType, Link, RecordedEvent, Timestamp, name::system};

use super::{
    id::{self, IdForm},
    proposed::{BINARY, CONTENT_TYPE, JSON, TYPE},
    request::Links,
    stream,
};
use crate::proto::event_store::client::streams::read_resp::{ReadEvent, read_event};

/// The property that tells when an event was recorded.
const CREATED: &str = "created";
/// The revision clients expect a tombstone to have.
const TOMBSTONE_REVISION: u64 = i64::MAX as u64;

/// An event as a read delivers it.
///
/// A virtual stream is one of links that nobody wrote: they are made here, since the store delivers what they point to.
#[must_use]
pub fn to_wire(event: &RecordedEvent, form: IdForm, links: Links) -> ReadEvent {
    let is_link = event.event_type.as_str() == system::LINK;
    let (position, content) = match (&event.link, links) {
        (None, Links::Resolved) if is_link => (event.position, (None, Some(recorded(event, form)))),
        (None, _) => (event.position, (Some(recorded(event, form)), None)),
        (Some(link), Links::AsTheyAre) => (link.position, (Some(link_to(event, link, form)), None)),
        // It points to a link whose target is gone.
        (Some(link), Links::Resolved) if is_link => (link.position, (None, Some(link_to(event, link, form)))),
        (Some(link), Links::Resolved) => {
            (link.position, (Some(recorded(event, form)), Some(link_to(event, link, form))))
        }
    };
    let (event, link) = content;
    ReadEvent { event, link, position: Some(read_event::Position::CommitPosition(position.0)) }
}

fn recorded(event: &RecordedEvent, form: IdForm) -> read_event::RecordedEvent {
    let content_type = match event.content_type {
        ContentType::Json => JSON,
        ContentType::Binary | ContentType::Other(_) => BINARY,
    };
    let revision =
        if event.event_type.as_str() == system::STREAM_DELETED { TOMBSTONE_REVISION } else { event.revision.0 };
    read_event::RecordedEvent {
        id: Some(id::to_wire(event.id, form)),
        stream_identifier: Some(stream::to_wire(&event.stream)),
        stream_revision: revision,
        prepare_position: event.position.0,
        commit_position: event.position.0,
        metadata: properties(&event.event_type, content_type, event.recorded_at),
        custom_metadata: event.metadata.clone(),
        data: event.data.clone(),
    }
}

/// The link through which `event` was read.
fn link_to(event: &RecordedEvent, link: &Link, form: IdForm) -> read_event::RecordedEvent {
    recorded(&as_it_is(event, link), form)
}

/// The link through which `event` was read, as an event of its own: what points to another, and has nothing else of it.
#[must_use]
pub fn as_it_is(event: &RecordedEvent, link: &Link) -> RecordedEvent {
    // An entry of a virtual stream that stands for a link points to where that points to.
    let data = if event.event_type.as_str() == system::LINK {
        event.data.clone()
    } else {
        Bytes::from(format!("{}@{}", event.revision, event.stream))
    };
    RecordedEvent {
        position: link.position,
        revision: link.revision,
        recorded_at: link.recorded_at,
        id: link.id,
        stream: link.stream.clone(),
        event_type: EventType::new(system::LINK).expect("the system's types are names"),
        content_type: ContentType::Binary,
        tags: Vec::new(),
        data,
        metadata: Bytes::new(),
        erased: false,
        link: None,
    }
}

fn properties(
    event_type: &str,
    content_type: &str,
    recorded_at: Timestamp,
) -> std::collections::HashMap<String, String> {
    [(TYPE, event_type.to_owned()), (CONTENT_TYPE, content_type.to_owned()), (CREATED, ticks(recorded_at).to_string())]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// A time in the protocol's unit: 100 ns since the Unix epoch.
#[must_use]
pub fn ticks(time: Timestamp) -> i64 {
    time.0.div_euclid(100)
}

/// A time as protobuf has it.
#[must_use]
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    const NANOS: i64 = 1_000_000_000;
    let nanos = i32::try_from(time.0.rem_euclid(NANOS)).expect("less than a thousand million fit 32 bits");
    prost_types::Timestamp { seconds: time.0.div_euclid(NANOS), nanos }
}

#[cfg(test)]
mod tests {
    use gesta_store::{Position, Revision, StreamName};
    use uuid::Uuid;

    use super::*;

    fn event(event_type: &str, data: &str, link: Option<Link>) -> RecordedEvent {
        RecordedEvent {
            position: Position(9),
            revision: Revision(2),
            recorded_at: Timestamp(1_234_567_890),
            id: Uuid::from_u128(1),
            stream: StreamName::new("order-1").unwrap(),
            event_type: event_type.try_into().unwrap(),
            content_type: ContentType::Json,
            tags: Vec::new(),
            data: Bytes::copy_from_slice(data.as_bytes()),
            metadata: Bytes::new(),
            erased: false,
            link: link.map(Box::new),
        }
    }

    fn entry() -> Link {
        Link {
            stream: StreamName::new("$ce-order").unwrap(),
            revision: Revision(5),
            position: Position(9),
            id: Uuid::from_u128(2),
            recorded_at: Timestamp(0),
        }
    }

    /// `revision@stream type data` of the event, and of the link.
    fn shown(event: &RecordedEvent, links: Links) -> [Option<String>; 2] {
        let sent = to_wire(event, IdForm::Text, links);
        [sent.event, sent.link].map(|part| {
            part.map(|part| {
                let stream = part.stream_identifier.unwrap().stream_name;
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                format!("{}@{} {} {}", part.stream_revision, text(&stream), part.metadata[TYPE], text(&part.data))
            })
        })
    }

    #[test]
    fn links_are_followed_only_when_asked() {
        let target = || Some("2@order-1 T {}".to_owned());
        let link = || Some("5@$ce-order $> 2@order-1".to_owned());
        assert_eq!(shown(&event("T", "{}", None), Links::Resolved), [target(), None]);
        assert_eq!(shown(&event("T", "{}", Some(entry())), Links::Resolved), [target(), link()]);
        assert_eq!(shown(&event("T", "{}", Some(entry())), Links::AsTheyAre), [link(), None]);
    }

    #[test]
    fn a_link_to_nothing_comes_without_an_event() {
        let dangling = || Some("2@order-1 $> 0@gone".to_owned());
        assert_eq!(shown(&event("$>", "0@gone", None), Links::Resolved), [None, dangling()]);
        assert_eq!(shown(&event("$>", "0@gone", None), Links::AsTheyAre), [dangling(), None]);
        let entry_of = shown(&event("$>", "0@gone", Some(entry())), Links::Resolved);
        assert_eq!(entry_of, [None, Some("5@$ce-order $> 0@gone".to_owned())]);
    }

    #[test]
    fn times_are_ticks_and_a_tombstone_is_the_last_event_there_can_be() {
        let sent = to_wire(&event("$streamDeleted", "", None), IdForm::Text, Links::Resolved).event.unwrap();
        assert_eq!(sent.metadata[CREATED], "12345678");
        assert_eq!(sent.stream_revision, 9_223_372_036_854_775_807);
    }
}
