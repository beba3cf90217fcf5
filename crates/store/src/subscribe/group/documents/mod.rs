//! What a group keeps in the log: the documents of its streams, to bytes and back.
//!
//! The types here are wire twins: what they say on disk changes only with this folder, whatever the types of the group's state become. Bytes come
//! from a log anybody with access may have written to, so each decoder looks at the size first, and then at every bound the state
//! rests on; what it refuses is `Corrupted`, with the place of the event. The format in words: `docs/formats/groups.md`.

mod change;
mod parked;
mod progress;
mod settings;
mod source;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

use crate::{
    error::Error,
    event::{EventData, EventRef},
    limits,
    name::{EventType, StreamName},
};

pub(super) use change::{Action, Change};
pub(super) use parked::{ParkedNote, link_to};
pub(super) use progress::{decode_progress, encode_progress};

/// The stream of the changes of all groups.
pub(super) const CONFIG_STREAM: &str = "$persistentSubscriptionConfig";

/// The category of the streams of all groups.
pub(super) const CATEGORY: &str = "$persistentsubscription";

/// The metadata document of a stream of progress documents: its readers see the newest only.
pub(super) const KEEP_ONE: &str = r#"{"$maxCount":1}"#;

/// A JSON event of the system.
fn system_event(event_type: &'static str, document: Vec<u8>) -> EventData {
    EventData::json(EventType::trusted(event_type), document)
}

/// Reads a JSON document of at most [`limits::GROUP_DOCUMENT_BYTES_MAX`] bytes. Fields it does not know are left to later versions.
fn decode<T: DeserializeOwned>(document: &[u8]) -> Result<T, String> {
    if document.len() > limits::GROUP_DOCUMENT_BYTES_MAX {
        let (bytes, max) = (document.len(), limits::GROUP_DOCUMENT_BYTES_MAX);
        return Err(format!("document is too large, bytes={bytes} bytes_max={max}"));
    }
    serde_json::from_slice(document).map_err(|error| error.to_string())
}

/// A document that cannot be what a group wrote.
fn corrupted(what: &str, why: impl std::fmt::Display, event: &EventRef<'_>) -> Error {
    let EventRef { stream, revision, position, .. } = event;
    Error::corrupted(format!("{what} cannot be read ({why}), stream={stream} revision={revision}"), "log", position.0)
}

/// Whether only groups write this stream: their own streams, and the metadata of those.
pub(super) fn belongs_to_groups(stream: &str) -> bool {
    let described = stream.strip_prefix("$$").unwrap_or(stream);
    described == CONFIG_STREAM || described.starts_with(super::super::group_settings::STREAM_PREFIX)
}

/// The name of the stream of the changes of all groups.
pub(super) fn config_stream() -> StreamName {
    StreamName::trusted(CONFIG_STREAM)
}
