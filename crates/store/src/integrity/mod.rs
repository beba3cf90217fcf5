//! Checking everything that was ever recorded, and the index against it; and what is left of a store that cannot be opened.

mod audit;
mod chains;
mod inspection;
mod verify;

pub(crate) use inspection::inspect;
pub use verify::VerifyReport;
pub(crate) use verify::verify;
