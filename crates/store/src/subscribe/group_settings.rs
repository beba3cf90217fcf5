//! What a consumer group is called and how it behaves, checked once where it enters.
//!
//! A name, and settings that passed [`GroupSettings::check`], need no checks further in.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use super::{group_error::GroupError, group_key::KeyOf, name_expression::NameExpression};
use crate::{error::Error, limits, name::StreamName, read::From};

/// The name the whole log has as the source of groups.
const ALL: &str = "$all";
/// What stands between the source and the name.
const SEPARATOR: &str = "::";
/// What the names of a group's streams begin with, as KurrentDB has it.
pub(crate) const STREAM_PREFIX: &str = "$persistentsubscription-";
/// What the name of a group's stream of progress documents ends with.
const CHECKPOINT_SUFFIX: &str = "-checkpoint";
/// What the name of a group's stream of parked messages ends with.
const PARKED_SUFFIX: &str = "-parked";

/// Which group: its name, and the stream it is on. Groups on a query are named like groups on the whole log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName {
    stream: Option<StreamName>,
    name: Arc<str>,
}

impl GroupName {
    /// A group on a stream, which may be virtual (`$ce-…`).
    ///
    /// # Errors
    /// `Invalid` when the name is empty, too long, has control characters, has `::` in it or begins with `:`; when it and the
    /// stream's are together too long for the names of the group's own streams; or when the stream is called `$all`, as the whole log is.
    pub fn on_stream(stream: StreamName, name: &str) -> Result<Self, Error> {
        Self::checked(Some(stream), name)
    }

    /// A group on the whole log, or on a query over it.
    ///
    /// # Errors
    /// As [`GroupName::on_stream`].
    pub fn on_all(name: &str) -> Result<Self, Error> {
        Self::checked(None, name)
    }

    fn checked(stream: Option<StreamName>, name: &str) -> Result<Self, Error> {
        let max = limits::GROUP_NAME_BYTES_MAX;
        if name.is_empty() || name.len() > max {
            let bytes = name.len();
            return Err(Error::invalid(format!(
                "the name of a group is empty or too long, bytes={bytes} bytes_max={max}"
            )));
        }
        // Else `a::b` could be read in two ways: the last `::` ends the stream's name.
        if name.contains(SEPARATOR) || name.starts_with(':') || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "the name of a group must not have :: in it, begin with : or contain control characters, name={name:?}"
            )));
        }
        if stream.as_deref() == Some(ALL) {
            return Err(Error::invalid("$all is the whole log and not a stream, name the group as one on all"));
        }
        let group = Self { stream, name: name.into() };
        // The longest name made of it is that of its progress documents' metadata stream.
        StreamName::new(group.own_stream(CHECKPOINT_SUFFIX))?.metadata_stream()?;
        Ok(group)
    }

    /// The stream it is on; `None`: the whole log, or a query.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamName> {
        self.stream.as_ref()
    }

    /// The stream it is on as text: `$all` for the whole log, or a query.
    #[must_use]
    pub fn source(&self) -> &str {
        self.stream.as_ref().map_or(ALL, StreamName::as_str)
    }

    /// Its name among the groups on the same stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stream of its progress documents.
    #[must_use]
    pub fn checkpoint_stream(&self) -> StreamName {
        StreamName::trusted(&self.own_stream(CHECKPOINT_SUFFIX))
    }

    /// The stream of its parked messages.
    #[must_use]
    pub fn parked_stream(&self) -> StreamName {
        StreamName::trusted(&self.own_stream(PARKED_SUFFIX))
    }

    fn own_stream(&self, suffix: &str) -> String {
        format!("{STREAM_PREFIX}{self}{suffix}")
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}", self.source(), self.name)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for GroupName {
    type Err = Error;

    /// Reads `{stream}::{group}`, with `$all` for the whole log.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (stream, name) = text.rsplit_once(SEPARATOR).ok_or_else(|| {
            Error::invalid(format!("a group is named as stream::group, or $all::group, name={text:?}"))
        })?;
        let stream = (stream != ALL).then(|| StreamName::new(stream)).transpose()?;
        Self::checked(stream, name)
    }
}

/// Who gets which message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Everybody in turn.
    RoundRobin,
    /// The consumer that is connected longest while it has room, then the next.
    DispatchToSingle,
    /// One consumer for all events of a stream, as long as it is connected.
    Pinned,
    /// One consumer for all events with a correlation id, as long as it is connected; without one, by stream.
    PinnedByCorrelation,
    /// Events with the same key one after the other, in order; different keys to everybody in turn.
    KeyOrdered {
        /// What the key is.
        key: KeyOf,
        /// What happens to the later events of a key of which one is parked.
        after_park: AfterPark,
    },
}

/// What happens to the later events of a key of which one is parked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterPark {
    /// They are delivered.
    #[default]
    Flow,
    /// They are parked behind it, until it is replayed and worked off, or discarded.
    Hold,
}

/// How a group behaves. Begin with the default and change what matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Where a new group begins.
    pub start: From,
    /// Whether links are delivered as what they point to.
    pub resolve_links: bool,
    /// How long a consumer may have a message before it goes to another; `None`: for ever.
    pub message_timeout: Option<Duration>,
    /// How often a message is delivered again before it is parked.
    pub max_retry_count: u32,
    /// Messages kept ready while the group catches up; larger than `read_batch`.
    pub history_buffer: usize,
    /// Messages kept ready at the head; not less than `read_batch`.
    pub live_buffer: usize,
    /// Messages read at a time.
    pub read_batch: usize,
    /// Settled messages before progress is written at all, but for its being closed.
    pub min_checkpoint_count: u32,
    /// Settled messages after which progress is written at once; 0: it is written by time only.
    pub max_checkpoint_count: u32,
    /// How long settled messages may wait for their progress to be written; zero: it is written by count only.
    pub checkpoint_after: Duration,
    /// Most consumers; 0: as many as any group may have.
    pub max_subscribers: usize,
    /// Who gets which message.
    pub strategy: Strategy,
    /// Whether figures about latency are kept.
    pub extra_statistics: bool,
    /// Which events of the source are the group's; `None`: all. A query as the source is answered from an index, this is not.
    pub only: Option<NameExpression>,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            start: From::Beginning,
            resolve_links: false,
            message_timeout: Some(Duration::from_secs(30)),
            max_retry_count: 10,
            history_buffer: 500,
            live_buffer: 500,
            read_batch: 20,
            min_checkpoint_count: 5,
            max_checkpoint_count: 1000,
            checkpoint_after: Duration::from_secs(1),
            max_subscribers: 0,
            strategy: Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Flow },
            extra_statistics: false,
            only: None,
        }
    }
}

impl GroupSettings {
    /// Checks every bound, and that the settings do not contradict one another.
    ///
    /// # Errors
    /// `Setting`, naming the field, its value and what it may be.
    pub fn check(&self) -> Result<(), GroupError> {
        let buffers = limits::GROUP_BUFFER_MAX;
        within("read_batch", self.read_batch, 1, limits::GROUP_READ_BATCH_MAX)?;
        within("history_buffer", self.history_buffer, 1, buffers)?;
        within("live_buffer", self.live_buffer, 1, buffers)?;
        within("max_subscribers", self.max_subscribers, 0, limits::GROUP_SUBSCRIBERS_MAX)?;
        let (history, live) = (self.history_buffer, self.live_buffer);
        if self.read_batch >= history || self.read_batch > live {
            let bounds = format!("below history_buffer={history} and at most live_buffer={live}");
            return Err(setting("read_batch", self.read_batch, bounds));
        }
        if self.message_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(setting("message_timeout", "0s", "more than no time, or none"));
        }
        let (min, max) = (self.min_checkpoint_count, self.max_checkpoint_count);
        if max != 0 && min > max {
            return Err(setting("min_checkpoint_count", min, format!("at most max_checkpoint_count={max}")));
        }
        if max == 0 && self.checkpoint_after.is_zero() {
            return Err(setting("max_checkpoint_count", max, "at least 1 when checkpoint_after is zero"));
        }
        // Which starts fit which source is for whoever opens the source to say.
        match &self.strategy {
            Strategy::KeyOrdered { key, .. } => key.check(),
            Strategy::RoundRobin | Strategy::DispatchToSingle | Strategy::Pinned | Strategy::PinnedByCorrelation => {
                Ok(())
            }
        }
    }
}

fn within(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), GroupError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(setting(field, value, format!("{min}..={max}"))) }
}

pub(super) fn setting(field: &'static str, value: impl fmt::Display, bounds: impl Into<String>) -> GroupError {
    GroupError::Setting { field, value: value.to_string(), bounds: bounds.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_shown() {
        for (text, source, name) in [
            ("orders-1::mail", "orders-1", "mail"),
            ("$all::mail", "$all", "mail"),
            ("$ce-order::a:b", "$ce-order", "a:b"),
            ("a::b::c", "a::b", "c"),
            ("a:::b", "a:", "b"),
        ] {
            let group: GroupName = text.parse().unwrap();
            assert_eq!((group.source(), group.name(), group.to_string()), (source, name, text.to_owned()));
        }
        let group: GroupName = "orders-1::mail".parse().unwrap();
        assert_eq!(&*group.checkpoint_stream(), "$persistentsubscription-orders-1::mail-checkpoint");
        assert_eq!(&*group.parked_stream(), "$persistentsubscription-orders-1::mail-parked");
    }

    #[test]
    fn names_that_could_be_read_two_ways_or_have_no_room_are_refused() {
        for text in ["mail", "::mail", "a::", "a::b\n", &format!("a::{}", "b".repeat(256))] {
            assert!(text.parse::<GroupName>().is_err(), "{text:?}");
        }
        let stream = StreamName::new("a").unwrap();
        assert!(GroupName::on_stream(stream.clone(), ":b").is_err());
        assert!(GroupName::on_stream(stream, "b::c").is_err());
        let long = StreamName::new("a".repeat(1000)).unwrap();
        assert!(GroupName::on_stream(long, "b").is_err(), "its own streams' names would be too long");
    }

    #[test]
    fn settings_out_of_bounds_or_at_odds_are_refused_by_field() {
        type Change = fn(&mut GroupSettings);
        let refused: [(&str, Change); 11] = [
            ("read_batch", |s| s.read_batch = 0),
            ("read_batch", |s| s.read_batch = s.history_buffer),
            ("read_batch", |s| s.live_buffer = s.read_batch - 1),
            ("history_buffer", |s| s.history_buffer = 1 << 20),
            ("live_buffer", |s| s.live_buffer = 0),
            ("max_subscribers", |s| s.max_subscribers = 1 << 20),
            ("message_timeout", |s| s.message_timeout = Some(Duration::ZERO)),
            ("min_checkpoint_count", |s| s.min_checkpoint_count = s.max_checkpoint_count + 1),
            ("max_checkpoint_count", |s| (s.max_checkpoint_count, s.checkpoint_after) = (0, Duration::ZERO)),
            ("strategy.prefix", |s| s.strategy = keyed(KeyOf::Tag { prefix: "".into() })),
            ("strategy.field", |s| s.strategy = keyed(KeyOf::Field("id".into()))),
        ];
        for (name, change) in refused {
            let mut settings = GroupSettings::default();
            settings.check().unwrap();
            change(&mut settings);
            match settings.check() {
                Err(GroupError::Setting { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        let accepted: [Change; 3] =
            [|s| s.message_timeout = None, |s| s.max_checkpoint_count = 0, |s| s.checkpoint_after = Duration::ZERO];
        for change in accepted {
            let mut settings = GroupSettings::default();
            change(&mut settings);
            settings.check().unwrap();
        }
    }

    fn keyed(key: KeyOf) -> Strategy {
        Strategy::KeyOrdered { key, after_park: AfterPark::Flow }
    }
}
