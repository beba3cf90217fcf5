//! Checking everything that was ever recorded, and the index against it.

mod audit;
mod chains;
mod verify;

pub use verify::VerifyReport;
pub(crate) use verify::verify;
