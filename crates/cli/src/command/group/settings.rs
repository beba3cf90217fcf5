//! How a group behaves, as arguments.

use std::time::Duration;

use clap::{Args, ValueEnum};
use gesta::{AfterPark, GroupSettings, KeyOf, PathPattern, Strategy};

use crate::{
    exit::{Failure, Outcome},
    time,
};

/// What the settings of a group may be; those that are not given stay as they are.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArgs {
    /// Who gets which message [default: key-ordered]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<StrategyArg>,
    /// The key whose events stay in order: `stream`, `tag:PREFIX`, `path:/shops/{shop}/**`, or a field of the data as `/customer/id` [default: stream]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Park what comes after a parked event of the same key, until that is replayed; `--hold=false`: deliver it [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    hold: Option<bool>,
    /// Deliver what links point to instead of the links
    #[arg(long)]
    resolve_links: Option<bool>,
    /// How long a consumer may have a message before it goes to another; `0s`: for ever [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    message_timeout: Option<Duration>,
    /// How often a message is delivered again before it is parked [default: 10]
    #[arg(long, value_name = "COUNT")]
    max_retry_count: Option<u32>,
    /// Messages kept ready while it catches up [default: 500]
    #[arg(long, value_name = "COUNT")]
    history_buffer: Option<usize>,
    /// Messages kept ready at the head [default: 500]
    #[arg(long, value_name = "COUNT")]
    live_buffer: Option<usize>,
    /// Messages read at a time [default: 20]
    #[arg(long, value_name = "COUNT")]
    read_batch: Option<usize>,
    /// Settled messages before progress is written [default: 5]
    #[arg(long, value_name = "COUNT")]
    min_checkpoint_count: Option<u32>,
    /// Settled messages after which progress is written at once; 0: by time only [default: 1000]
    #[arg(long, value_name = "COUNT")]
    max_checkpoint_count: Option<u32>,
    /// How long progress may wait to be written; `0s`: by count only [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    checkpoint_after: Option<Duration>,
    /// Most consumers; 0: as many as come [default: 0]
    #[arg(long, value_name = "COUNT")]
    max_subscribers: Option<usize>,
}

/// Who gets which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StrategyArg {
    /// Events with the same key one after the other; keys to everybody in turn
    KeyOrdered,
    /// Everybody in turn
    RoundRobin,
    /// The consumer that is connected longest, while it has room
    DispatchToSingle,
    /// One consumer for all events of a stream
    Pinned,
    /// One consumer for all events with a correlation id
    PinnedByCorrelation,
}

impl SettingsArgs {
    /// `before`, with what was given changed.
    pub(super) fn apply(&self, before: GroupSettings) -> Outcome<GroupSettings> {
        let timeout = |given: Duration| (!given.is_zero()).then_some(given);
        Ok(GroupSettings {
            resolve_links: self.resolve_links.unwrap_or(before.resolve_links),
            message_timeout: self.message_timeout.map_or(before.message_timeout, timeout),
            max_retry_count: self.max_retry_count.unwrap_or(before.max_retry_count),
            history_buffer: self.history_buffer.unwrap_or(before.history_buffer),
            live_buffer: self.live_buffer.unwrap_or(before.live_buffer),
            read_batch: self.read_batch.unwrap_or(before.read_batch),
            min_checkpoint_count: self.min_checkpoint_count.unwrap_or(before.min_checkpoint_count),
            max_checkpoint_count: self.max_checkpoint_count.unwrap_or(before.max_checkpoint_count),
            checkpoint_after: self.checkpoint_after.unwrap_or(before.checkpoint_after),
            max_subscribers: self.max_subscribers.unwrap_or(before.max_subscribers),
            strategy: self.strategy(&before.strategy)?,
            ..before
        })
    }

    fn strategy(&self, before: &Strategy) -> Outcome<Strategy> {
        let is_about_keys = self.key.is_some() || self.hold.is_some();
        let asked = match self.strategy {
            Some(StrategyArg::KeyOrdered) => None,
            Some(StrategyArg::RoundRobin) => Some(Strategy::RoundRobin),
            Some(StrategyArg::DispatchToSingle) => Some(Strategy::DispatchToSingle),
            Some(StrategyArg::Pinned) => Some(Strategy::Pinned),
            Some(StrategyArg::PinnedByCorrelation) => Some(Strategy::PinnedByCorrelation),
            None if is_about_keys => None,
            None => Some(before.clone()),
        };
        match asked {
            Some(_) if is_about_keys => Err(Failure::usage("--key and --hold are for --strategy key-ordered")),
            Some(strategy) => Ok(strategy),
            None => {
                let (key_before, hold_before) = match before {
                    Strategy::KeyOrdered { key, after_park } => (key.clone(), *after_park == AfterPark::Hold),
                    Strategy::RoundRobin
                    | Strategy::DispatchToSingle
                    | Strategy::Pinned
                    | Strategy::PinnedByCorrelation => (KeyOf::Stream, false),
                };
                let key = self.key.as_deref().map_or(Ok(key_before), key)?;
                let after_park = if self.hold.unwrap_or(hold_before) { AfterPark::Hold } else { AfterPark::Flow };
                Ok(Strategy::KeyOrdered { key, after_park })
            }
        }
    }
}

/// What keeps events together, from its words.
fn key(words: &str) -> Outcome<KeyOf> {
    if words == "stream" {
        return Ok(KeyOf::Stream);
    }
    if let Some(prefix) = words.strip_prefix("tag:") {
        return Ok(KeyOf::Tag { prefix: prefix.into() });
    }
    if let Some(pattern) = words.strip_prefix("path:") {
        let name = pattern.split(['{', '}', ':']).nth(1).unwrap_or_default();
        return Ok(KeyOf::PathSegment { pattern: PathPattern::new(pattern)?, name: name.into() });
    }
    if words.starts_with('/') {
        return Ok(KeyOf::Field(words.into()));
    }
    Err(Failure::usage(format!("not a key, given={words:?}"))
        .with_remedy("write stream, tag:PREFIX, path:/shops/{shop}/**, or the field of the data as /customer/id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_words() {
        assert_eq!(key("stream").unwrap(), KeyOf::Stream);
        assert_eq!(key("tag:customer:").unwrap(), KeyOf::Tag { prefix: "customer:".into() });
        assert_eq!(key("/customer/id").unwrap(), KeyOf::Field("/customer/id".into()));
        let KeyOf::PathSegment { name, .. } = key("path:/shops/{shop:int}/**").unwrap() else { panic!("a path") };
        assert_eq!(&*name, "shop");
        assert!(key("customer").is_err());
        assert!(key("path:no/{slash}").is_err());
    }

    #[test]
    fn what_is_not_given_stays() {
        let before = GroupSettings { max_retry_count: 3, strategy: Strategy::Pinned, ..GroupSettings::default() };
        let given =
            SettingsArgs { read_batch: Some(7), message_timeout: Some(Duration::ZERO), ..SettingsArgs::default() };
        let after = given.apply(before.clone()).unwrap();
        assert_eq!(after, GroupSettings { read_batch: 7, message_timeout: None, ..before });
        let held = SettingsArgs { hold: Some(true), ..SettingsArgs::default() };
        let strategy = Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Hold };
        assert_eq!(held.apply(GroupSettings::default()).unwrap().strategy, strategy);
        let both = SettingsArgs { hold: Some(true), strategy: Some(StrategyArg::Pinned), ..SettingsArgs::default() };
        assert!(both.apply(GroupSettings::default()).is_err());
    }

    /// `gesta group update g --hold` made a group by customer one by stream, and `--key` ended its holding: what was not given did not stay.
    #[test]
    fn of_a_key_and_its_holding_each_stays_when_the_other_is_given() {
        let by = |after_park| Strategy::KeyOrdered { key: KeyOf::Tag { prefix: "customer:".into() }, after_park };
        let given = |hold, key: Option<&str>, before| {
            let key = key.map(str::to_owned);
            let before = GroupSettings { strategy: before, ..GroupSettings::default() };
            SettingsArgs { hold, key, ..SettingsArgs::default() }.apply(before).unwrap().strategy
        };
        assert_eq!(given(Some(true), None, by(AfterPark::Flow)), by(AfterPark::Hold));
        assert_eq!(given(Some(false), None, by(AfterPark::Hold)), by(AfterPark::Flow));
        assert_eq!(given(None, Some("tag:customer:"), by(AfterPark::Hold)), by(AfterPark::Hold));
        let named = SettingsArgs { strategy: Some(StrategyArg::KeyOrdered), ..SettingsArgs::default() };
        let before = GroupSettings { strategy: by(AfterPark::Hold), ..GroupSettings::default() };
        assert_eq!(named.apply(before.clone()).unwrap(), before);
    }
}
