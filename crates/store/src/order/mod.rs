//! Who is first: proposals get their place in the total order, and their answers when what they rest on is durable.

mod ticket;

pub use ticket::Ticket;
pub(crate) use ticket::TicketSender;
