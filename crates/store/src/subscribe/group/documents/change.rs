//! One change of one group: an event of the config stream. It says all there is to know of the group, so that only the newest of each counts.

use serde::{Deserialize, Serialize};

use super::{corrupted, decode, settings::WireSettings, source::WireSource, system_event};
use crate::{
    error::{Error, Result},
    event::{EventData, EventRef},
    position::Timestamp,
    read::Source,
    subscribe::{GroupName, GroupSettings},
};

/// The type of the events of the config stream.
const CONFIG_TYPE: &str = "$PersistentConfig";

/// What was done to a group.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Action {
    Created,
    Updated,
    Deleted,
}

/// A change of a group, and what it is since then; for a deleted one, what it was.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Change {
    pub(in super::super) action: Action,
    pub(in super::super) group: GroupName,
    pub(in super::super) source: Source,
    pub(in super::super) settings: GroupSettings,
    /// When it was created, if that is not known from an event that is still read.
    pub(in super::super) created: Option<Timestamp>,
    pub(in super::super) at: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct WireChange {
    action: Action,
    stream: String,
    group: String,
    source: WireSource,
    settings: WireSettings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
    at: i64,
}

impl Change {
    /// The event that says it.
    pub(in super::super) fn event(&self) -> EventData {
        let wire = WireChange {
            action: self.action,
            stream: self.group.source().to_owned(),
            group: self.group.name().to_owned(),
            source: WireSource::from(&self.source),
            settings: WireSettings::from(&self.settings),
            created: self.created.map(|time| time.0),
            at: self.at.0,
        };
        system_event(CONFIG_TYPE, serde_json::to_vec(&wire).expect("numbers and text are JSON"))
    }

    /// Reads an event of the config stream.
    pub(in super::super) fn read(event: &EventRef<'_>) -> Result<Self> {
        let refuse = |why: String| corrupted("the change of a consumer group", why, event);
        if event.event_type != CONFIG_TYPE {
            return Err(refuse(format!("type={}", event.event_type)));
        }
        let wire: WireChange = decode(event.data).map_err(refuse)?;
        let invalid = |error: Error| refuse(error.to_string());
        let group: GroupName = format!("{}::{}", wire.stream, wire.group).parse().map_err(invalid)?;
        let source = Source::try_from(wire.source).map_err(invalid)?;
        let settings = wire.settings.decoded().map_err(invalid)?;
        settings.check().map_err(|error| refuse(error.to_string()))?;
        let fits = match &source {
            Source::Stream(stream) => group.stream() == Some(stream),
            Source::All | Source::Query(_) => group.stream().is_none(),
        };
        if !fits {
            return Err(refuse(format!("the source is not that of its name, group={group}")));
        }
        let created = wire.created.map(Timestamp);
        Ok(Self { action: wire.action, group, source, settings, created, at: Timestamp(wire.at) })
    }
}
