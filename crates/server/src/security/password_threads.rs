//! Where passwords are checked and hashed: on threads that may wait, few at once, with a bound on how many wait for their turn.
//!
//! Either is made to be expensive, in time and in memory. Who floods the server with wrong passwords slows down others who sign in, and not those
//! who are known.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    fault::Fault,
    limits::{PASSWORD_CHECKS_AT_ONCE, PASSWORD_CHECKS_WAITING_MAX},
};

/// The turns there are. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PasswordThreads {
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl Default for PasswordThreads {
    fn default() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(PASSWORD_CHECKS_WAITING_MAX)),
            working: Arc::new(Semaphore::new(PASSWORD_CHECKS_AT_ONCE)),
        }
    }
}

impl PasswordThreads {
    /// Does something that takes its time, when it is its turn.
    ///
    /// # Errors
    /// `TooBusy` if too many wait already.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Fault::TooBusy)?;
        // Held by the work and not by the call: a client that gives up and comes again does not get one more thread each time.
        let working = Arc::clone(&self.working).acquire_owned().await.expect("nobody closes the semaphore");
        let worked = tokio::task::spawn_blocking(move || {
            let worked = work();
            drop(working);
            worked
        });
        Ok(worked.await.expect("work on passwords does not panic, and its task is not aborted"))
    }
}
