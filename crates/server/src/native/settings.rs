//! How groups behave, both ways.

use std::time::Duration;

use gesta_store::{Error, GroupSettings, NameExpression, NameOf, Result};

use super::{
    messages as wire,
    query::{from_from_wire, from_to_wire, missing},
};
use crate::convert::strategy;

/// A time longer than 584 years is for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn large(count: usize) -> u64 {
    count as u64
}

fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

pub(crate) fn settings_to_wire(settings: &GroupSettings) -> wire::GroupSettings {
    use wire::group_settings::{Expression, expression::On};
    let only = settings.only.as_ref().map(|only| Expression {
        on: Some(match only.of() {
            NameOf::Stream => On::Stream(only.as_str().to_owned()),
            NameOf::Type => On::Type(only.as_str().to_owned()),
        }),
    });
    wire::GroupSettings {
        start: Some(from_to_wire(settings.start)),
        resolve_links: settings.resolve_links,
        message_timeout_ns: settings.message_timeout.map(nanos),
        max_retry_count: settings.max_retry_count,
        history_buffer: large(settings.history_buffer),
        live_buffer: large(settings.live_buffer),
        read_batch: large(settings.read_batch),
        min_checkpoint_count: settings.min_checkpoint_count,
        max_checkpoint_count: settings.max_checkpoint_count,
        checkpoint_after_ns: nanos(settings.checkpoint_after),
        max_subscribers: large(settings.max_subscribers),
        strategy: strategy::name(&settings.strategy),
        extra_statistics: settings.extra_statistics,
        only,
    }
}

/// Settings from the wire.
///
/// # Errors
/// `Invalid`, for what is missing, no strategy or no expression. Bounds are the store's to check.
pub fn settings_from_wire(settings: wire::GroupSettings) -> Result<GroupSettings> {
    use wire::group_settings::expression::On;
    let only = settings.only.map(|only| match only.on.ok_or_else(|| missing("expression"))? {
        On::Stream(text) => NameExpression::new(NameOf::Stream, &text),
        On::Type(text) => NameExpression::new(NameOf::Type, &text),
    });
    Ok(GroupSettings {
        start: from_from_wire(settings.start)?,
        resolve_links: settings.resolve_links,
        message_timeout: settings.message_timeout_ns.map(Duration::from_nanos),
        max_retry_count: settings.max_retry_count,
        history_buffer: count(settings.history_buffer),
        live_buffer: count(settings.live_buffer),
        read_batch: count(settings.read_batch),
        min_checkpoint_count: settings.min_checkpoint_count,
        max_checkpoint_count: settings.max_checkpoint_count,
        checkpoint_after: Duration::from_nanos(settings.checkpoint_after_ns),
        max_subscribers: count(settings.max_subscribers),
        strategy: strategy::named(&settings.strategy).map_err(Error::invalid)?,
        extra_statistics: settings.extra_statistics,
        only: only.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use gesta_store::{AfterPark, From, KeyOf, Revision, Strategy};

    use super::*;

    #[test]
    fn settings_come_back_as_they_went() {
        let cases = [
            GroupSettings::default(),
            GroupSettings {
                start: From::Revision(Revision(7)),
                message_timeout: None,
                strategy: Strategy::KeyOrdered {
                    key: KeyOf::PathSegment { pattern: "/shops/{shop}/**".parse().unwrap(), name: "shop".into() },
                    after_park: AfterPark::Hold,
                },
                ..GroupSettings::default()
            },
            GroupSettings {
                resolve_links: true,
                strategy: Strategy::Pinned,
                extra_statistics: true,
                only: Some(NameExpression::new(NameOf::Type, "^Paid").unwrap()),
                ..GroupSettings::default()
            },
        ];
        for settings in cases {
            assert_eq!(settings_from_wire(settings_to_wire(&settings)).unwrap(), settings);
        }
    }
}
