//! What must always hold, one file each.

pub mod advancing;
pub mod bounded;
pub mod corruption;
pub mod crowding;
pub mod dense;
pub mod deterministic;
pub mod durable;
pub mod figures;
pub mod following;
pub mod key_order;
pub mod repeating;
pub mod resuming;
pub mod skipping;
