//! Reading a line as an event to be recorded.
//!
//! Strict: a field this format does not know is an error, since a misspelt `tags` would otherwise be lost without a word.

use std::borrow::Cow;

use gesta::{Append, ContentType, EventData, EventType, ExpectedRevision, StreamName, Tag, Timestamp, name::system};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{base64, time};

/// An event a line asks to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportedEvent {
    pub(crate) stream: StreamName,
    pub(crate) event: EventData,
    pub(crate) recorded_at: Option<Timestamp>,
}

impl ImportedEvent {
    /// Whether the line asks for the end of its stream: only the store itself may write this type, and it is what that leaves behind.
    pub(crate) fn ends_stream(&self) -> bool {
        &*self.event.event_type == system::STREAM_DELETED
    }

    /// A request for what the line asks for, and nothing else.
    fn alone(self) -> Append {
        if self.ends_stream() {
            return Append::new().tombstone(self.stream, ExpectedRevision::Any);
        }
        Append::to(self.stream, ExpectedRevision::Any, [self.event])
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventLine<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    id: Option<Uuid>,
    #[serde(borrow)]
    recorded_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata_base64: Option<Cow<'a, str>>,
    // What an export says of the place an event had. It gets a new one.
    #[serde(rename = "position")]
    _position: Option<IgnoredAny>,
    #[serde(rename = "revision")]
    _revision: Option<IgnoredAny>,
    #[serde(rename = "link")]
    _link: Option<IgnoredAny>,
    #[serde(rename = "erased")]
    _erased: Option<IgnoredAny>,
}

/// `null` is a value an event may have; only a missing field is none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The event that `line` asks for; in stream `home`, if the line names none.
///
/// # Errors
/// What is wrong with the line, with the column where JSON says so.
pub(crate) fn parse(line: &[u8], home: Option<&StreamName>) -> Result<ImportedEvent, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("invalid utf-8, byte={}", error.valid_up_to() + 1))?;
    // Checked here: the parser would take an array for the fields in order, and name a type of this program when it finds neither.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    let line: EventLine<'_> = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    let stream = match (&line.stream, home) {
        (Some(stream), _) => StreamName::new(stream).map_err(|error| error.to_string())?,
        (None, Some(home)) => home.clone(),
        (None, None) => return Err("missing field `stream`".to_owned()),
    };
    let recorded_at = match line.recorded_at.as_deref() {
        None => None,
        Some(text) => Some(
            time::parse_rfc3339(text)
                .ok_or_else(|| format!("recordedAt is no RFC 3339 time between 1677 and 2262, recordedAt={text:?}"))?,
        ),
    };
    let imported = ImportedEvent { stream, event: event_of(line)?, recorded_at };
    // Here, and not when it is sent: there it would spoil the commit it shares with good lines.
    imported.clone().alone().check().map_err(|error| error.to_string())?;
    Ok(imported)
}

fn event_of(line: EventLine<'_>) -> Result<EventData, String> {
    let as_text = |error: gesta::Error| error.to_string();
    let content_type = match (line.content_type.as_deref(), line.data, &line.data_base64) {
        (Some(content_type), ..) => ContentType::new(content_type).map_err(as_text)?,
        (None, None, Some(_)) => ContentType::Binary,
        (None, ..) => ContentType::Json,
    };
    Ok(EventData {
        id: line.id,
        event_type: EventType::new(&line.event_type).map_err(as_text)?,
        content_type,
        data: payload("data", line.data, line.data_base64.as_deref())?.into(),
        metadata: payload("metadata", line.metadata, line.metadata_base64.as_deref())?.into(),
        tags: line.tags.iter().map(Tag::new).collect::<Result<_, _>>().map_err(as_text)?,
    })
}

/// The bytes of a payload: the exact ones, if they are given; the text of the value else.
fn payload(name: &str, value: Option<&RawValue>, encoded: Option<&str>) -> Result<Vec<u8>, String> {
    match (value, encoded) {
        (_, Some(encoded)) => base64::decode(encoded)
            .ok_or_else(|| format!("{name}Base64 is not canonical padded base64 of the standard alphabet")),
        (Some(value), None) => Ok(value.get().as_bytes().to_vec()),
        (None, None) => Ok(Vec::new()),
    }
}

/// The message of `serde_json`, with the column only: the line it counts is always the first.
fn json_error(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or(&message);
    format!("{what}, column={}", error.column())
}
