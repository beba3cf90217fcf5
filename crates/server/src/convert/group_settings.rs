//! The settings of a group: the wire's numbers, signed and in two units, as what the store takes.
//!
//! What the store bounds is left for the store to refuse; here only what it has no word for.

use std::time::Duration;

use gesta_store::{GroupName, GroupSettings};

use super::strategy;
use crate::{
    fault::Fault,
    group_fault::GroupFault,
    proto::event_store::client::persistent_subscriptions::{create_req, update_req},
};

/// A time in the wire's units: 100 ns, or milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Span {
    Ticks(i64),
    Millis(i32),
}

impl Span {
    /// `None`: negative.
    fn duration(self) -> Option<Duration> {
        match self {
            Self::Ticks(ticks) => {
                let ticks = u64::try_from(ticks).ok()?;
                // 584 years and more are as good as for ever.
                Some(Duration::from_nanos(ticks.saturating_mul(100)))
            }
            Self::Millis(millis) => u64::try_from(millis).ok().map(Duration::from_millis),
        }
    }
}

/// What was asked for, whichever request it came with.
#[derive(Clone, Debug)]
pub struct Asked {
    resolve_links: bool,
    extra_statistics: bool,
    max_retry_count: i32,
    min_checkpoint_count: i32,
    max_checkpoint_count: i32,
    max_subscriber_count: i32,
    live_buffer_size: i32,
    read_batch_size: i32,
    history_buffer_size: i32,
    /// By name; empty where it is one of the numbered ones.
    strategy: String,
    numbered_strategy: i32,
    message_timeout: Option<Span>,
    checkpoint_after: Option<Span>,
}

macro_rules! asked {
    ($request:ident, |$settings:ident| $strategy:expr) => {
        impl From<&$request::Settings> for Asked {
            #[allow(deprecated, reason = "older clients send them")]
            fn from($settings: &$request::Settings) -> Self {
                use $request::settings::{CheckpointAfter, MessageTimeout};
                Self {
                    resolve_links: $settings.resolve_links,
                    extra_statistics: $settings.extra_statistics,
                    max_retry_count: $settings.max_retry_count,
                    min_checkpoint_count: $settings.min_checkpoint_count,
                    max_checkpoint_count: $settings.max_checkpoint_count,
                    max_subscriber_count: $settings.max_subscriber_count,
                    live_buffer_size: $settings.live_buffer_size,
                    read_batch_size: $settings.read_batch_size,
                    history_buffer_size: $settings.history_buffer_size,
                    strategy: $strategy,
                    numbered_strategy: $settings.named_consumer_strategy,
                    message_timeout: $settings.message_timeout.map(|timeout| match timeout {
                        MessageTimeout::MessageTimeoutTicks(ticks) => Span::Ticks(ticks),
                        MessageTimeout::MessageTimeoutMs(millis) => Span::Millis(millis),
                    }),
                    checkpoint_after: $settings.checkpoint_after.map(|after| match after {
                        CheckpointAfter::CheckpointAfterTicks(ticks) => Span::Ticks(ticks),
                        CheckpointAfter::CheckpointAfterMs(millis) => Span::Millis(millis),
                    }),
                }
            }
        }
    };
}

asked!(create_req, |settings| settings.consumer_strategy.clone());
asked!(update_req, |settings| String::new());

/// The settings, beginning at the beginning and with nothing left out.
///
/// # Errors
/// `Group` for what is negative, and a strategy nobody knows.
pub fn from_wire(group: &GroupName, asked: &Asked) -> Result<GroupSettings, Fault> {
    let negative = |what: &str| GroupFault::failed(group, format!("{what} is negative"));
    let number = |what: &str, number: i32| u32::try_from(number).map_err(|_| negative(what));
    let size = |what: &str, number: i32| usize::try_from(number).map_err(|_| negative(what));
    let span = |what: &str, span: Option<Span>, unsaid: Duration| {
        span.map_or(Ok(unsaid), |span| span.duration().ok_or_else(|| negative(what)))
    };
    let defaults = GroupSettings::default();
    let timeout = span("message_timeout", asked.message_timeout, defaults.message_timeout.unwrap_or_default())?;
    let strategy = match &*asked.strategy {
        "" => strategy::numbered(asked.numbered_strategy),
        name => strategy::named(name),
    };
    let read_batch = size("read_batch_size", asked.read_batch_size)?;
    Ok(GroupSettings {
        resolve_links: asked.resolve_links,
        message_timeout: (!timeout.is_zero()).then_some(timeout),
        max_retry_count: number("max_retry_count", asked.max_retry_count)?,
        history_buffer: size("history_buffer_size", asked.history_buffer_size)?,
        // Clients may ask for less than is read at a time, which has to be kept somewhere.
        live_buffer: size("live_buffer_size", asked.live_buffer_size)?.max(read_batch),
        read_batch,
        min_checkpoint_count: number("min_checkpoint_count", asked.min_checkpoint_count)?,
        max_checkpoint_count: number("max_checkpoint_count", asked.max_checkpoint_count)?,
        checkpoint_after: span("checkpoint_after", asked.checkpoint_after, defaults.checkpoint_after)?,
        max_subscribers: size("max_subscriber_count", asked.max_subscriber_count)?,
        strategy: strategy.map_err(|reason| GroupFault::failed(group, reason))?,
        extra_statistics: asked.extra_statistics,
        ..defaults
    })
}

#[cfg(test)]
mod tests {
    use gesta_store::Strategy;

    use super::*;
    use create_req::settings::{CheckpointAfter, MessageTimeout};

    fn wire() -> create_req::Settings {
        create_req::Settings {
            max_retry_count: 3,
            min_checkpoint_count: 10,
            max_checkpoint_count: 1000,
            max_subscriber_count: 5,
            live_buffer_size: 500,
            read_batch_size: 200,
            history_buffer_size: 600,
            message_timeout: Some(MessageTimeout::MessageTimeoutMs(1500)),
            checkpoint_after: Some(CheckpointAfter::CheckpointAfterTicks(20_000_000)),
            consumer_strategy: "Pinned".to_owned(),
            ..Default::default()
        }
    }

    fn converted(settings: &create_req::Settings) -> Result<GroupSettings, Fault> {
        from_wire(&GroupName::on_all("mail").unwrap(), &Asked::from(settings))
    }

    #[test]
    fn every_setting_arrives() {
        let expected = GroupSettings {
            message_timeout: Some(Duration::from_millis(1500)),
            max_retry_count: 3,
            history_buffer: 600,
            live_buffer: 500,
            read_batch: 200,
            min_checkpoint_count: 10,
            max_checkpoint_count: 1000,
            checkpoint_after: Duration::from_secs(2),
            max_subscribers: 5,
            strategy: Strategy::Pinned,
            ..GroupSettings::default()
        };
        assert_eq!(converted(&wire()).unwrap(), expected);
    }

    #[test]
    fn no_time_is_for_ever_and_a_small_live_buffer_takes_a_batch() {
        let settings = create_req::Settings {
            message_timeout: Some(MessageTimeout::MessageTimeoutTicks(0)),
            live_buffer_size: 0,
            ..wire()
        };
        let converted = converted(&settings).unwrap();
        assert_eq!((converted.message_timeout, converted.live_buffer), (None, 200));
    }

    #[test]
    fn what_is_negative_or_unknown_is_refused_by_name() {
        type Break = fn(&mut create_req::Settings);
        let cases: [(&str, Break); 4] = [
            ("max_retry_count is negative", |settings| settings.max_retry_count = -1),
            ("message_timeout is negative", |settings| {
                settings.message_timeout = Some(MessageTimeout::MessageTimeoutMs(-1));
            }),
            ("history_buffer_size is negative", |settings| settings.history_buffer_size = -1),
            ("no such consumer strategy", |settings| settings.consumer_strategy = "Whoever".to_owned()),
        ];
        for (expected, break_it) in cases {
            let mut settings = wire();
            break_it(&mut settings);
            let told = converted(&settings).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }
}
