//! How a projector works.

use std::{sync::Arc, time::Duration};

use gesta_store::{
    Backoff,
    clock::{Clock, SystemClock},
};

/// How a projector works. Begin with the default and change what matters.
#[derive(Clone, Debug)]
pub struct ProjectorOptions {
    /// Most events in a transaction. Default: 256.
    pub batch_events: usize,
    /// What happens to an event that fails. Default: its key is parked.
    pub on_failure: OnFailure,
    /// How often an event is tried before it is left to its fate. Default: 5.
    pub attempts: u32,
    /// How long it waits before it tries again, be it an event or the database. Default: 100 ms, doubled up to 10 s.
    pub backoff: Backoff,
    /// Which build it works at. Default: the one there is.
    pub start: Start,
    /// When a build that has caught up takes the place of the live one. Default: at once.
    pub promotion: Promotion,
    /// What becomes of the tables of a build whose place was taken. Default: they are kept.
    pub retired: Retired,
    /// What waiting is measured with.
    pub clock: Arc<dyn Clock>,
}

impl Default for ProjectorOptions {
    fn default() -> Self {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10) };
        Self {
            batch_events: 256,
            on_failure: OnFailure::ParkKey,
            attempts: 5,
            backoff,
            start: Start::Resume,
            promotion: Promotion::WhenCaughtUp,
            retired: Retired::Keep,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl ProjectorOptions {
    /// How long to wait after so many failures in a row.
    pub(crate) fn wait_after(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.first.saturating_mul(doubled).min(self.backoff.most)
    }
}

/// What happens to an event that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is kept aside with the reason, and with it the later events of its key; all others go on. It is tried again after the back-off, then
    /// when somebody says so.
    ParkKey,
    /// Everything waits for it; after the last attempt the projector stops.
    Stop,
    /// It is left out, and counted.
    Skip,
}

/// Which build a projector works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The one of its version that is live, or being built; else a new one.
    Resume,
    /// A new one of the same version, beside the one that is live: what a rebuild is. One that was begun and is not live yet is gone on with.
    Anew,
}

/// When a build that has caught up takes the place of the live one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promotion {
    /// At once. A lower version never takes the place of a higher one by itself.
    WhenCaughtUp,
    /// When [`promote`](crate::Control::promote) is called.
    ByHand,
}

/// What becomes of the tables of a build whose place was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// They are kept, and kept up to date by whoever still runs that version: a way back.
    Keep,
    /// They are dropped, in the transaction that takes their place.
    Drop,
}
