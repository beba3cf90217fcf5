//! A verification for somebody who waits for it elsewhere, and sees how far it is.
//!
//! One at a time: each reads every byte of the log. It goes on to its end even if nobody waits any more; it disturbs nobody, and cannot be given up.

use std::sync::Arc;

use gesta_store::EventStore;
use tokio::sync::{Semaphore, mpsc};
use tonic::Status;

use super::{failure, inspecting::report_to_wire, messages::VerifyResp};
use crate::{limits::VERIFY_ANSWERS_AHEAD, pump::Pumped};

/// Whose turn it is. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Verifying(Arc<Semaphore>);

impl Default for Verifying {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Verifying {
    /// Begins to verify, unless somebody is at it.
    pub(super) fn start(&self, store: &EventStore) -> Result<Pumped<VerifyResp>, Status> {
        let turn = Arc::clone(&self.0).try_acquire_owned();
        let turn = turn.map_err(|_| Status::unavailable("the store is being verified already, wait for that"))?;
        let (answers, receiver) = mpsc::channel(VERIFY_ANSWERS_AHEAD);
        let store = store.clone();
        tokio::task::spawn_blocking(move || {
            let verified = store.verify(|checked| {
                // Whoever is slow to listen hears of the next.
                let _ = answers.try_send(Ok(vec![VerifyResp { checked, report: None }]));
            });
            drop(turn);
            let told = match verified {
                Ok(report) => Ok(vec![VerifyResp { checked: report.events, report: Some(report_to_wire(report)) }]),
                Err(error) => Err(failure::status(&error)),
            };
            let _ = answers.blocking_send(told);
        });
        Ok(Pumped::over(receiver))
    }
}
