//! An effect as it is recorded: JSON that says all there is to do, whatever code reads it later.

use std::fmt;

use gesta_store::{ContentType, EventData, EventType, StreamName, Tag, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is to be done, when, and what instead.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[serde(rename = "do")]
    pub(crate) act: Act,
    /// What it is cancelled by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    /// Nanoseconds after the moment it is decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<i64>,
    /// Nanoseconds after which it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<i64>,
    /// What is done if it is refused. `None`: somebody has to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) or: Option<Vec<Plan>>,
}

/// What is to be done.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    Send { command: Box<str>, body: Box<RawValue> },
    Append(Vec<Fact>),
    Call { to: Box<str>, body: Box<RawValue> },
    Cancel { name: Box<str> },
    Complete,
}

/// An event to be recorded.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Fact {
    stream: Box<str>,
    #[serde(rename = "type")]
    event_type: Box<str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Box<str>>,
    data: Data,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Data {
    Json(Box<RawValue>),
    /// Of any other media type: in hexadecimal.
    Other {
        content_type: Box<str>,
        hex: String,
    },
}

/// A value as JSON that is kept as it is written.
pub(crate) fn raw(value: &impl Serialize) -> Result<Box<RawValue>, String> {
    serde_json::value::to_raw_value(value).map_err(|error| error.to_string())
}

impl Plan {
    /// When it is to be done, decided for the moment `base`; `None`: now.
    pub(crate) fn due(&self, base: Timestamp) -> Option<Timestamp> {
        let after = self.after.map(|after| Timestamp(base.0.saturating_add(after)));
        self.at.or(after)
    }
}

impl Fact {
    pub(crate) fn of(stream: &StreamName, event: &EventData) -> Result<Self, String> {
        let data = if event.content_type == ContentType::Json {
            let text = std::str::from_utf8(&event.data).map_err(|error| error.to_string())?;
            Data::Json(RawValue::from_string(text.to_owned()).map_err(|error| error.to_string())?)
        } else {
            let hex = event.data.iter().map(|byte| format!("{byte:02x}")).collect();
            Data::Other { content_type: event.content_type.as_str().into(), hex }
        };
        let tags = event.tags.iter().map(|tag| tag.as_str().into()).collect();
        Ok(Self { stream: stream.as_str().into(), event_type: event.event_type.as_str().into(), tags, data })
    }

    /// The event, and its home stream.
    pub(crate) fn event(&self) -> gesta_store::Result<(StreamName, EventData)> {
        let mut event = match &self.data {
            Data::Json(json) => EventData::json(EventType::new(&self.event_type)?, json.get().as_bytes().to_vec()),
            Data::Other { content_type, hex } => EventData {
                content_type: ContentType::new(content_type)?,
                ..EventData::json(EventType::new(&self.event_type)?, unhex(hex)?)
            },
        };
        for tag in &self.tags {
            event.tags.push(Tag::new(tag)?);
        }
        Ok((StreamName::new(&self.stream)?, event))
    }
}

fn unhex(hex: &str) -> gesta_store::Result<Vec<u8>> {
    let wrong = || gesta_store::Error::invalid("data of a planned event is not hexadecimal");
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16).ok_or_else(wrong)).collect::<Result<_, _>>()?;
    let byte = |pair: &[u32]| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).map_err(|_| wrong());
    digits.chunks(2).map(byte).collect()
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { command, .. } => write!(f, "send {command}"),
            Self::Append(facts) => {
                f.write_str("append")?;
                facts.iter().try_for_each(|fact| write!(f, " {} to {}", fact.event_type, fact.stream))
            }
            Self::Call { to, .. } => write!(f, "call {to}"),
            Self::Cancel { name } => write!(f, "cancel {name}"),
            Self::Complete => f.write_str("complete"),
        }
    }
}

// By what they are on the wire: a `RawValue` has no equality of its own.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Plan {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("a plan is made of what JSON has")
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_any_format_are_planned_as_they_are() {
        let stream = StreamName::new("a-1").expect("a name");
        let json = EventData::json(EventType::new("t").expect("a type"), r#"{"n":123456789012345678901234567890}"#)
            .with_tag(Tag::new("/x/1").expect("a tag"));
        let other = EventData::binary(EventType::new("t").expect("a type"), vec![0, 255, 16]);
        for event in [json, other] {
            let fact = Fact::of(&stream, &event).expect("planned");
            let text = serde_json::to_string(&fact).expect("written");
            let read: Fact = serde_json::from_str(&text).expect("read");
            assert_eq!(read.event().expect("valid"), (stream.clone(), event));
        }
        assert!(unhex("0g").is_err());
    }
}
