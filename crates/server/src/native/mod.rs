//! The store as it is, over the wire: what `gesta --url` asks.
//!
//! The first protocols have no word for tags, queries, conditions or the past; this one has the store's own, and nothing else. Everything is converted
//! both ways here, in pure functions, so that a client and a server of the same version cannot disagree.

mod append;
mod consuming;
mod events;
mod failure;
mod groups;
mod info;
mod inspecting;
mod query;
mod service;
mod settings;
mod verifying;

pub use append::{AppendRequest, Change, Write};
pub use failure::{ClientError, GroupRefusal};
pub use groups::{GroupChange, describe_group, describe_groups, describe_parked, source_of};
pub use info::describe;
pub(crate) use service::StoreService;
pub use service::{read_options, read_request};
pub use settings::settings_from_wire;

pub(crate) use append::{appended_from_wire, rejection_from_wire};
pub use events::recorded_from_wire;
pub(crate) use failure::no_runtime;
pub(crate) use inspecting::{plan_from_wire, report_from_wire};
pub(crate) use query::{from_to_wire, query_to_wire, source_to_wire};

/// The messages of this protocol.
pub use crate::proto::gesta::store::v1 as messages;
