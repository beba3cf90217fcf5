//! Consumers of groups as calls have them, whichever protocol they come by.
//!
//! In reading order: `reception` is how a call becomes a consumer's, and until when; `seat` is a consumer as a call has it; `connections` is who is
//! connected; `restarts` sends everybody away. How a call brings messages and takes answers is a matter of its protocol: `grpc/persistent/reading.rs`, `native/consuming.rs`.

mod connections;
mod reception;
mod restarts;
mod seat;

pub(crate) use connections::Connections;
pub(crate) use reception::{Farewell, Leave, Received, Reception};
pub use restarts::Restarts;
use seat::Guest;
pub(crate) use seat::{Bell, Seat, Seen, Unseated, unless_late};
