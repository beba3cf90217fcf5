//! Writing an event as a line.

use std::borrow::Cow;

use gesta::{EventRef, Link, Position, RecordedEvent, Revision, Tag, Tags, Timestamp};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{base64, time};

/// A recorded event to be shown, wherever it is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventView<'a> {
    pub(crate) position: Position,
    pub(crate) revision: Revision,
    pub(crate) recorded_at: Timestamp,
    pub(crate) id: Uuid,
    pub(crate) stream: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) content_type: &'a str,
    tags: TagsView<'a>,
    pub(crate) data: &'a [u8],
    pub(crate) metadata: &'a [u8],
    pub(crate) erased: bool,
    pub(crate) link: Option<&'a Link>,
}

#[derive(Clone, Copy, Debug)]
enum TagsView<'a> {
    Encoded(Tags<'a>),
    Owned(&'a [Tag]),
}

impl<'a> From<EventRef<'a>> for EventView<'a> {
    fn from(event: EventRef<'a>) -> Self {
        Self {
            position: event.position,
            revision: event.revision,
            recorded_at: event.recorded_at,
            id: event.id,
            stream: event.stream,
            event_type: event.event_type,
            content_type: event.content_type,
            tags: TagsView::Encoded(event.tags),
            data: event.data,
            metadata: event.metadata,
            erased: event.erased,
            link: None,
        }
    }
}

impl<'a> From<&'a RecordedEvent> for EventView<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        Self {
            position: event.position,
            revision: event.revision,
            recorded_at: event.recorded_at,
            id: event.id,
            stream: &event.stream,
            event_type: &event.event_type,
            content_type: event.content_type.as_str(),
            tags: TagsView::Owned(&event.tags),
            data: &event.data,
            metadata: &event.metadata,
            erased: event.erased,
            link: event.link.as_deref(),
        }
    }
}

impl<'a> EventView<'a> {
    /// The tags, in order.
    pub(crate) fn tags(self) -> Vec<&'a str> {
        match self.tags {
            TagsView::Encoded(tags) => tags.iter().collect(),
            TagsView::Owned(tags) => tags.iter().map(Tag::as_str).collect(),
        }
    }

    /// The data as text for people: JSON and text as they are, other bytes by their number.
    pub(crate) fn data_shown(self) -> Cow<'a, str> {
        if self.erased {
            return "(erased)".into();
        }
        match std::str::from_utf8(self.data) {
            Ok(text) => text.into(),
            Err(_) => format!("({} of {})", crate::shell::bytes(self.data.len() as u64), self.content_type).into(),
        }
    }
}

/// Appends the line of `event`, with its line feed, to `out`.
pub(crate) fn write_event(event: EventView<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"position\":\"");
    out.extend_from_slice(event.position.to_string().as_bytes());
    out.extend_from_slice(b"\",\"stream\":");
    write_string(event.stream, out);
    out.extend_from_slice(b",\"revision\":");
    out.extend_from_slice(event.revision.to_string().as_bytes());
    out.extend_from_slice(b",\"type\":");
    write_string(event.event_type, out);
    out.extend_from_slice(b",\"id\":\"");
    out.extend_from_slice(event.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.extend_from_slice(b"\",\"recordedAt\":\"");
    out.extend_from_slice(time::rfc3339(event.recorded_at).as_bytes());
    out.extend_from_slice(b"\",\"contentType\":");
    write_string(event.content_type, out);
    out.extend_from_slice(b",\"tags\":[");
    for (at, tag) in event.tags().into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(tag, out);
    }
    out.push(b']');
    write_payload("data", event.data, event.content_type == "application/json", out);
    // Metadata has no content type of its own; it is JSON whenever it can be.
    write_payload("metadata", event.metadata, true, out);
    if event.erased {
        out.extend_from_slice(b",\"erased\":true");
    }
    if let Some(link) = event.link {
        write_link(link, out);
    }
    out.extend_from_slice(b"}\n");
}

fn write_link(link: &Link, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"link\":{\"stream\":");
    write_string(&link.stream, out);
    let rest = format!(
        ",\"revision\":{},\"position\":\"{}\",\"id\":\"{}\",\"recordedAt\":\"{}\"}}",
        link.revision,
        link.position,
        link.id,
        time::rfc3339(link.recorded_at)
    );
    out.extend_from_slice(rest.as_bytes());
}

/// Writes `bytes` under `name` if they are JSON, so that `jq` sees a value; and under `nameBase64` unless that value is, byte for
/// byte, what they are: no JSON, spread over lines, or set in spaces. Nothing is written for no bytes.
fn write_payload(name: &str, bytes: &[u8], is_json: bool, out: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let value = if is_json { json_text(bytes) } else { None };
    if let Some(value) = value {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        // Between tokens a line break is as good as a space, and inside them JSON has none.
        out.extend(value.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    }
    let exact = value.is_some_and(|value| value.len() == bytes.len() && !value.contains(['\n', '\r']));
    if !exact {
        out.extend_from_slice(format!(",\"{name}Base64\":\"").as_bytes());
        base64::encode_into(bytes, out);
        out.push(b'"');
    }
}

/// The text of the JSON value `bytes` are, without what surrounds it.
fn json_text(bytes: &[u8]) -> Option<&str> {
    serde_json::from_slice::<&RawValue>(bytes).ok().map(RawValue::get)
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is always JSON, and a vector takes every byte");
}
