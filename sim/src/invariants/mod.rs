//! What must always hold, one file each.

pub mod bounded;
pub mod corruption;
pub mod dense;
pub mod deterministic;
pub mod durable;
pub mod following;
