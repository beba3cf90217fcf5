//! How a store is opened.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    clock::{Clock, SystemClock},
    entropy::Entropy,
    error::{Error, Result},
    limits,
};

/// Settings of a store handle; none but `segment_bytes`, `segment_events` and `store_id` leave a trace on disk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Make a new store when the directory has none. Default: yes.
    pub create: bool,
    /// Identity of a store that is created: random unless given. Two stores with the same id and the same proposals have the same bytes.
    /// A store that is there and has another id is not opened.
    pub store_id: Option<Uuid>,
    /// Size at which segments are sealed, in bytes; fixed when the store is created. Between 64 KiB and 1 GiB.
    pub segment_bytes: u64,
    /// Events at which segments are sealed; fixed when the store is created. Between 1 and 2 097 152.
    pub segment_events: u64,
    /// How long an append may wait for a place in the queue, and in it, before it is refused as `Unavailable`. Zero: it does not wait for
    /// a place, and is refused when the queue is full; if it has one, it is ordered.
    pub queue_timeout: Duration,
    /// Recent frames kept in memory for followers, in bytes: at most 1 GiB.
    pub tail_cache_bytes: usize,
    /// Whether the store runs its own threads (a writer and maintenance). Without them, whoever waits for a ticket drives
    /// the writer, and maintenance runs when asked: deterministic, for tests and simulation.
    pub threads: bool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and salts come from.
    pub entropy: Arc<Entropy>,
}

impl Options {
    /// Checks what can be checked without a directory. Each setting has a range; none of them rules another out.
    ///
    /// # Errors
    /// `Invalid`, naming the setting and its bounds.
    pub fn check(&self) -> Result<()> {
        within("segment_bytes", self.segment_bytes, limits::SEGMENT_BYTES_MIN..=limits::SEGMENT_BYTES_MAX)?;
        within("segment_events", self.segment_events, 1..=limits::SEGMENT_EVENTS_MAX)?;
        within("tail_cache_bytes", self.tail_cache_bytes as u64, 0..=limits::TAIL_CACHE_BYTES_MAX as u64)
    }
}

/// Fails unless a setting is in its range.
pub(crate) fn within(setting: &str, value: u64, range: RangeInclusive<u64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err(Error::invalid(format!("setting is out of bounds, {setting}={value} {setting}_min={min} {setting}_max={max}")))
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: true,
            store_id: None,
            segment_bytes: limits::SEGMENT_BYTES,
            segment_events: limits::SEGMENT_EVENTS,
            queue_timeout: Duration::from_secs(30),
            tail_cache_bytes: limits::TAIL_CACHE_BYTES,
            threads: true,
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(Entropy::from_os()),
        }
    }
}
