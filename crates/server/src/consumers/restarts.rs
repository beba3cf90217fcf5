//! Sending every consumer away, on request: what KurrentDB's clients know as restarting the subsystem.
//!
//! There is none here that could hang: a group nobody is connected to has no life outside the log. So a restart is that everybody connects again.

use std::sync::Arc;

use tokio::sync::watch;

/// Both ends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Restarts(Arc<watch::Sender<u64>>);

impl Default for Restarts {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Restarts {
    /// Sends everybody away.
    pub fn restart(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hears of every restart from now on.
    pub(crate) fn heard(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
