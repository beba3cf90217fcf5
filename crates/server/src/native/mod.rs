//! The store as it is, over the wire: what `gesta --url` asks.
//!
//! The first protocols have no word for tags, queries, conditions or the past; this one has the store's own, and nothing else. Everything is converted
//! both ways here, in pure functions, so that a client and a server of the same version cannot disagree.

mod append;
mod events;
mod failure;
mod info;
mod query;
mod service;

pub use append::{AppendRequest, Change, Write};
pub use failure::ClientError;
pub use info::describe;
pub(crate) use service::StoreService;
pub use service::{read_options, read_request};

pub(crate) use append::{appended_from_wire, rejection_from_wire};
pub(crate) use events::recorded_from_wire;
pub(crate) use query::{from_to_wire, source_to_wire};

/// The messages of this protocol.
pub use crate::proto::gesta::store::v1 as messages;
