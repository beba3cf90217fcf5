//! Who is first: proposals get their place in the total order, and their answers when what they rest on is durable.

#[cfg(test)]
mod contract;
mod facts;
mod followers;
mod foresight;
#[cfg(all(test, loom))]
mod hand_off;
mod head;
mod local;
mod prepare;
mod queue;
mod sync;
#[cfg(test)]
mod tests;
mod threads;
mod ticket;
mod upkeep;
mod waking;

pub(crate) use followers::{Following, Interest, Wait};
pub use head::{Head, Past};
pub(crate) use local::{Local, LocalParts};
pub(crate) use prepare::{Prepared, prepare};
pub(crate) use sync::Parker;
pub(crate) use threads::{Spawn, Threads, spawn};
pub use ticket::Ticket;
pub(crate) use ticket::TicketSender;
pub(crate) use upkeep::{Upkeep, Work};

/// A total order: takes proposals, delivers verdicts in order, and says what is durable. One machine's own queue ([`Local`]) is
/// one; a replicated log is another. Every implementation passes the suite in `contract.rs`.
pub(crate) trait Order: Send + Sync {
    /// Asks for a place in the order. The ticket is answered once the verdict, and everything it rests on, is durable.
    fn propose(&self, prepared: Prepared) -> Ticket;

    /// What is durable and can be read.
    fn head(&self) -> &Head;
}
