//! The settings of a group as JSON. Times are whole nanoseconds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    path::PathPattern,
    position::{Position, Revision, Timestamp},
    read::From as Start,
    subscribe::{AfterPark, GroupSettings, KeyOf, NameExpression, NameOf, Strategy},
};

/// [`GroupSettings`].
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct WireSettings {
    start: WireStart,
    resolve_links: bool,
    message_timeout_ns: Option<u64>,
    max_retry_count: u32,
    history_buffer: usize,
    live_buffer: usize,
    read_batch: usize,
    min_checkpoint_count: u32,
    max_checkpoint_count: u32,
    checkpoint_after_ns: u64,
    max_subscribers: usize,
    strategy: WireStrategy,
    extra_statistics: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<WireExpression>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireExpression {
    Stream(String),
    Type(String),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireStart {
    Beginning,
    Now,
    Revision(u64),
    Position(u64),
    Time(i64),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireStrategy {
    RoundRobin,
    DispatchToSingle,
    Pinned,
    PinnedByCorrelation,
    KeyOrdered { key: WireKey, after_park: WireAfterPark },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireKey {
    Stream,
    Tag { prefix: String },
    PathSegment { pattern: String, name: String },
    Field(String),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum WireAfterPark {
    Flow,
    Hold,
}

/// A time longer than 584 years is for ever.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&GroupSettings> for WireSettings {
    fn from(settings: &GroupSettings) -> Self {
        Self {
            start: WireStart::from(settings.start),
            resolve_links: settings.resolve_links,
            message_timeout_ns: settings.message_timeout.map(nanos),
            max_retry_count: settings.max_retry_count,
            history_buffer: settings.history_buffer,
            live_buffer: settings.live_buffer,
            read_batch: settings.read_batch,
            min_checkpoint_count: settings.min_checkpoint_count,
            max_checkpoint_count: settings.max_checkpoint_count,
            checkpoint_after_ns: nanos(settings.checkpoint_after),
            max_subscribers: settings.max_subscribers,
            strategy: WireStrategy::from(&settings.strategy),
            extra_statistics: settings.extra_statistics,
            only: settings.only.as_ref().map(WireExpression::from),
        }
    }
}

impl WireSettings {
    /// The settings; whether they are within their bounds is for whoever takes them to check.
    pub(super) fn decoded(self) -> Result<GroupSettings> {
        Ok(GroupSettings {
            start: self.start.into(),
            resolve_links: self.resolve_links,
            message_timeout: self.message_timeout_ns.map(Duration::from_nanos),
            max_retry_count: self.max_retry_count,
            history_buffer: self.history_buffer,
            live_buffer: self.live_buffer,
            read_batch: self.read_batch,
            min_checkpoint_count: self.min_checkpoint_count,
            max_checkpoint_count: self.max_checkpoint_count,
            checkpoint_after: Duration::from_nanos(self.checkpoint_after_ns),
            max_subscribers: self.max_subscribers,
            strategy: self.strategy.decoded()?,
            extra_statistics: self.extra_statistics,
            only: self.only.map(WireExpression::decoded).transpose()?,
        })
    }
}

impl From<&NameExpression> for WireExpression {
    fn from(expression: &NameExpression) -> Self {
        let text = expression.as_str().to_owned();
        match expression.of() {
            NameOf::Stream => Self::Stream(text),
            NameOf::Type => Self::Type(text),
        }
    }
}

impl WireExpression {
    fn decoded(self) -> Result<NameExpression> {
        match self {
            Self::Stream(text) => NameExpression::new(NameOf::Stream, &text),
            Self::Type(text) => NameExpression::new(NameOf::Type, &text),
        }
    }
}

impl From<Start> for WireStart {
    fn from(start: Start) -> Self {
        match start {
            Start::Beginning => Self::Beginning,
            Start::Now => Self::Now,
            Start::Revision(revision) => Self::Revision(revision.0),
            Start::Position(position) => Self::Position(position.0),
            Start::Time(time) => Self::Time(time.0),
        }
    }
}

impl From<WireStart> for Start {
    fn from(start: WireStart) -> Self {
        match start {
            WireStart::Beginning => Self::Beginning,
            WireStart::Now => Self::Now,
            WireStart::Revision(revision) => Self::Revision(Revision(revision)),
            WireStart::Position(position) => Self::Position(Position(position)),
            WireStart::Time(time) => Self::Time(Timestamp(time)),
        }
    }
}

impl From<&Strategy> for WireStrategy {
    fn from(strategy: &Strategy) -> Self {
        match strategy {
            Strategy::RoundRobin => Self::RoundRobin,
            Strategy::DispatchToSingle => Self::DispatchToSingle,
            Strategy::Pinned => Self::Pinned,
            Strategy::PinnedByCorrelation => Self::PinnedByCorrelation,
            Strategy::KeyOrdered { key, after_park } => Self::KeyOrdered {
                key: WireKey::from(key),
                after_park: match after_park {
                    AfterPark::Flow => WireAfterPark::Flow,
                    AfterPark::Hold => WireAfterPark::Hold,
                },
            },
        }
    }
}

impl WireStrategy {
    fn decoded(self) -> Result<Strategy> {
        Ok(match self {
            Self::RoundRobin => Strategy::RoundRobin,
            Self::DispatchToSingle => Strategy::DispatchToSingle,
            Self::Pinned => Strategy::Pinned,
            Self::PinnedByCorrelation => Strategy::PinnedByCorrelation,
            Self::KeyOrdered { key, after_park } => Strategy::KeyOrdered {
                key: key.decoded()?,
                after_park: match after_park {
                    WireAfterPark::Flow => AfterPark::Flow,
                    WireAfterPark::Hold => AfterPark::Hold,
                },
            },
        })
    }
}

impl From<&KeyOf> for WireKey {
    fn from(key: &KeyOf) -> Self {
        match key {
            KeyOf::Stream => Self::Stream,
            KeyOf::Tag { prefix } => Self::Tag { prefix: prefix.to_string() },
            KeyOf::PathSegment { pattern, name } => {
                Self::PathSegment { pattern: pattern.to_string(), name: name.to_string() }
            }
            KeyOf::Field(pointer) => Self::Field(pointer.to_string()),
        }
    }
}

impl WireKey {
    fn decoded(self) -> Result<KeyOf> {
        Ok(match self {
            Self::Stream => KeyOf::Stream,
            Self::Tag { prefix } => KeyOf::Tag { prefix: prefix.into() },
            Self::PathSegment { pattern, name } => {
                KeyOf::PathSegment { pattern: PathPattern::new(&pattern)?, name: name.into() }
            }
            Self::Field(pointer) => KeyOf::Field(pointer.into()),
        })
    }
}
