//! What may wait for a disk, or for others, or takes its time: done on a thread made for waiting.

use tonic::Status;

/// Does it there.
///
/// # Errors
/// What it meets.
pub(crate) async fn waiting<T, E>(what: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Status>
where
    T: Send + 'static,
    E: Into<Status> + Send + 'static,
{
    match tokio::task::spawn_blocking(what).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Status::internal("a call panicked: this is a fault of gesta, please report it")),
    }
}
