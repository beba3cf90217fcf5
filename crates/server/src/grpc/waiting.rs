//! What may wait for a disk, or for others, or takes its time: done on a thread made for waiting.

use tonic::Status;

use crate::fault::Fault;

/// Does it there.
///
/// # Errors
/// What it meets.
pub(super) async fn waiting<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(what).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Status::internal("a call panicked: this is a fault of gesta, please report it")),
    }
}
