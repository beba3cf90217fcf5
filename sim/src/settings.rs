//! How the store of a run is made and opened.

use std::{sync::Arc, time::Duration};

use gesta_store::{Options, clock::Clock, entropy::Entropy};
use uuid::Uuid;

/// What a seed says of the store itself.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The seed.
    pub seed: u64,
    segment_bytes: u64,
    segment_events: u64,
    tail_cache_bytes: usize,
}

impl Settings {
    /// The settings of a seed: small segments, so that there are many of them.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            segment_bytes: 64 << 10,
            segment_events: [7, 20, 64, 1 << 18][usize::try_from(seed % 4).unwrap_or(0)],
            tail_cache_bytes: [0, 4 << 10, 1 << 20][usize::try_from(seed / 4 % 3).unwrap_or(0)],
        }
    }

    /// How the store is opened the n-th time.
    #[must_use]
    pub fn options(&self, clock: Arc<dyn Clock>, incarnation: u64) -> Options {
        Options {
            store_id: Some(Uuid::from_u64_pair(0x6765_7374_6100_4000, 0x8000_0000_0000_0000 | (self.seed >> 1))),
            segment_bytes: self.segment_bytes,
            segment_events: self.segment_events,
            tail_cache_bytes: self.tail_cache_bytes,
            queue_timeout: Duration::ZERO,
            threads: false,
            clock,
            entropy: Arc::new(Entropy::seeded(self.seed.wrapping_mul(1_000_003) ^ incarnation)),
            ..Options::default()
        }
    }
}
