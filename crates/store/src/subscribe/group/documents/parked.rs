//! A parked message: a link to the event, and why it was parked in the link's metadata.

use serde::{Deserialize, Serialize};

use super::{corrupted, decode};
use crate::{
    error::Result,
    event::{EventData, EventRef, RecordedEvent},
    name::{EventType, system},
    position::Position,
};

/// What the metadata of a parked link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ParkedNote {
    pub(in super::super) reason: String,
    /// How often it had been delivered again.
    pub(in super::super) retries: u32,
    /// The hash of its key, under a strategy that has keys.
    pub(in super::super) key: Option<u64>,
    /// The id of the message.
    pub(in super::super) position: Position,
    /// Who had it last.
    pub(in super::super) consumer: String,
    /// It has not failed, but waits for one of its key that did.
    pub(in super::super) held: bool,
}

#[derive(Deserialize, Serialize)]
struct WireNote {
    reason: String,
    retries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    position: u64,
    #[serde(default)]
    consumer: String,
    #[serde(default)]
    held: bool,
    #[serde(default, rename = "$correlationId", skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
}

/// The link that parks `event`. `correlation` is that of the event.
pub(in super::super) fn link_to(event: &RecordedEvent, note: &ParkedNote, correlation: Option<String>) -> EventData {
    let wire = WireNote {
        reason: note.reason.clone(),
        retries: note.retries,
        key: note.key.map(|key| format!("{key:016x}")),
        position: note.position.0,
        consumer: note.consumer.clone(),
        held: note.held,
        correlation,
    };
    let target = format!("{}@{}", event.revision, event.stream);
    let metadata = serde_json::to_vec(&wire).expect("numbers and text are JSON");
    EventData::binary(EventType::trusted(system::LINK), target.into_bytes()).with_metadata(metadata)
}

impl ParkedNote {
    /// Reads a link of a stream of parked messages.
    pub(in super::super) fn read(event: &EventRef<'_>) -> Result<Self> {
        let refuse = |why: String| corrupted("a parked message", why, event);
        let wire: WireNote = decode(event.metadata).map_err(refuse)?;
        let key = wire.key.map(|key| {
            let digits = key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
            let parsed = digits.then(|| u64::from_str_radix(&key, 16).ok()).flatten();
            parsed.ok_or_else(|| refuse(format!("key={key:?}")))
        });
        Ok(Self {
            reason: wire.reason,
            retries: wire.retries,
            key: key.transpose()?,
            position: Position(wire.position),
            consumer: wire.consumer,
            held: wire.held,
        })
    }
}
