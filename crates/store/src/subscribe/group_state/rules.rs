//! The settings of a group as far as its state cares, and the bounds it keeps.

use std::time::Duration;

use crate::{
    limits,
    subscribe::group_settings::{AfterPark, GroupSettings, Strategy},
};

/// By which rules a group's messages move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// `None`: a consumer may keep a message for ever.
    pub(crate) message_timeout: Option<Duration>,
    pub(crate) max_retry_count: u32,
    pub(crate) history_buffer: usize,
    pub(crate) live_buffer: usize,
    /// Parked messages whose bodies are kept ready to be replayed.
    pub(crate) read_batch: usize,
    pub(crate) min_checkpoint_count: u64,
    /// 0: by time only.
    pub(crate) max_checkpoint_count: u64,
    /// Zero: by count only.
    pub(crate) checkpoint_after: Duration,
    /// At least 1.
    pub(crate) max_subscribers: usize,
    pub(crate) strategy: StrategyRule,
    /// Most parked messages.
    pub(crate) parked_max: usize,
    /// Most messages parked in one write.
    pub(crate) parks_per_write_max: usize,
    /// Most intervals of each kind in a progress document.
    pub(crate) intervals_max: usize,
    /// Most retry counts in a progress document.
    pub(crate) retries_max: usize,
    /// Whether it is kept how long answers take.
    pub(crate) measures_latency: bool,
}

/// Who gets which message, where keys and pins are hashes already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StrategyRule {
    RoundRobin,
    DispatchToSingle,
    Pinned,
    KeyOrdered(AfterPark),
}

impl From<&GroupSettings> for Rules {
    fn from(settings: &GroupSettings) -> Self {
        let subscribers = settings.max_subscribers;
        Self {
            message_timeout: settings.message_timeout,
            max_retry_count: settings.max_retry_count,
            history_buffer: settings.history_buffer,
            live_buffer: settings.live_buffer,
            read_batch: settings.read_batch,
            min_checkpoint_count: settings.min_checkpoint_count.into(),
            max_checkpoint_count: settings.max_checkpoint_count.into(),
            checkpoint_after: settings.checkpoint_after,
            max_subscribers: if subscribers == 0 { limits::GROUP_SUBSCRIBERS_MAX } else { subscribers },
            strategy: match &settings.strategy {
                Strategy::RoundRobin => StrategyRule::RoundRobin,
                Strategy::DispatchToSingle => StrategyRule::DispatchToSingle,
                Strategy::Pinned | Strategy::PinnedByCorrelation => StrategyRule::Pinned,
                Strategy::KeyOrdered { after_park, .. } => StrategyRule::KeyOrdered(*after_park),
            },
            parked_max: limits::GROUP_PARKED_MAX,
            parks_per_write_max: limits::GROUP_PARKS_PER_WRITE_MAX,
            intervals_max: limits::GROUP_INTERVALS_MAX,
            retries_max: limits::GROUP_RETRIES_MAX,
            measures_latency: settings.extra_statistics,
        }
    }
}
