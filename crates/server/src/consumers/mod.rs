//! Consumers of groups as calls have them, whichever protocol they come by.
//!
//! In reading order: `seat` is a consumer as a call has it; `connections` is who is connected; `restarts` sends everybody away. How a call brings
//! messages and takes answers is a matter of its protocol: `grpc/persistent/reading.rs`, `native/consuming.rs`.

mod connections;
mod restarts;
mod seat;

pub(crate) use connections::Connections;
pub use restarts::Restarts;
pub(crate) use seat::{Bell, Guest, Seat, Seen, Unseated, unless_late};
