//! That the server is asked to stop: told once, heard by every call that would go on for ever.

use tokio::sync::watch;

/// The end that tells.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// The end that hears. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

/// Both ends.
#[must_use]
pub fn stop() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    /// Tells everybody.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Whether the server was asked to stop.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server is asked to stop; at once, if it was.
    pub async fn told(&mut self) {
        // An error means that the teller is gone, and the server with it.
        let _ = self.0.wait_for(|told| *told).await;
    }
}
