//! From an event to what the store records, and back.

use gesta_store::{EventData, EventRef, EventType, StreamName, Tag};

use super::{Event, Format, Found};
use crate::error::{Error, Result};

/// What the store is to record for an event: its home stream, and its type, data and tags.
///
/// # Errors
/// `Unrecordable` when a name made from its fields is not one, or the format cannot write it.
pub fn to_recordable<E: Event>(event: &E) -> Result<(StreamName, EventData)> {
    let kind = &E::KINDS[event.kind_index()];
    let wrong = |reason: String| Error::Unrecordable { event_type: kind.wire, reason };
    let stream = event.home().finish().and_then(|name| StreamName::new(name).map_err(|error| error.to_string()));
    let data = E::Format::encode_fields(event).map_err(wrong)?;
    let mut recordable =
        EventData { content_type: E::Format::content_type(), ..EventData::json(EventType::new(kind.wire)?, data) };
    for name in event.further() {
        let tag = name.finish().and_then(|name| Tag::new(name).map_err(|error| error.to_string()));
        recordable.tags.push(tag.map_err(wrong)?);
    }
    Ok((stream.map_err(wrong)?, recordable))
}

/// What a recorded event is to a type of events.
pub(crate) enum Reading<E> {
    /// One of its kinds.
    Fact(E),
    /// Nothing: the system's own, or known to say nothing.
    Ignored,
}

/// Why an event could not be read.
pub(crate) enum Defect {
    /// Its kind is not known.
    Unknown,
    /// Its data is not what its kind says.
    Undecodable { version: u32, reason: String },
}

impl Defect {
    /// The error it is for a model, or whatever else `model` names.
    pub(crate) fn of(self, event: &EventRef<'_>, model: &'static str) -> Error {
        let (position, event_type) = (event.position, event.event_type.to_owned());
        match self {
            Self::Unknown => Error::UnknownKind { model, position, event_type },
            Self::Undecodable { version, reason } => {
                Error::Undecodable { model, position, event_type, version, reason }
            }
        }
    }
}

/// The event that was recorded; `None` if it is known to say nothing. For those who read events themselves; `reader` is who errors name.
///
/// # Errors
/// `UnknownKind` and `Undecodable`.
pub fn from_recorded<E: Event>(event: &EventRef<'_>, reader: &'static str) -> Result<Option<E>> {
    match read(event) {
        Ok(Reading::Fact(fact)) => Ok(Some(fact)),
        Ok(Reading::Ignored) => Ok(None),
        Err(defect) => Err(defect.of(event, reader)),
    }
}

/// Reads a recorded event.
pub(crate) fn read<E: Event>(event: &EventRef<'_>) -> Result<Reading<E>, Defect> {
    let Some(found) = E::find(event.event_type) else {
        let known = event.event_type.starts_with('$') || E::IGNORES.contains(&event.event_type);
        return if known { Ok(Reading::Ignored) } else { Err(Defect::Unknown) };
    };
    let version = version_of::<E>(found);
    let wrong = |reason| Defect::Undecodable { version, reason };
    if event.erased {
        return Err(wrong("its data was erased".to_owned()));
    }
    let content_type = E::Format::content_type();
    if event.content_type != content_type.as_str() {
        return Err(wrong(format!("its data is {} instead of {content_type}", event.content_type)));
    }
    decode(found, event.data).map(Reading::Fact).map_err(wrong)
}

fn version_of<E: Event>(found: Found) -> u32 {
    let kind = &E::KINDS[found.kind];
    found.upcast.map_or(kind.version, |upcast| kind.upcasts[upcast].version)
}

/// Decodes data, bringing an older version up to date first.
pub(super) fn decode<E: Event>(found: Found, data: &[u8]) -> Result<E, String> {
    let Some(first) = found.upcast else { return E::Format::decode_fields(found.kind, data) };
    let kind = &E::KINDS[found.kind];
    let mut value: serde_json::Value = E::Format::decode(data)?;
    for upcast in &kind.upcasts[first..] {
        let to_next = format!("upcast from version {}", upcast.version);
        value = crate::error::guarded(|| to_next.clone(), || (upcast.to_next)(value))
            .map_err(|error| error.to_string())?
            .map_err(|reason| format!("{to_next}: {reason}"))?;
    }
    super::format::decode_variant(found.kind, value)
}
