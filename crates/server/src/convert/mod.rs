//! Between the messages of the wire and the words of the store: pure functions, without store, clock or runtime.
//!
//! Whatever a client sends comes through here once, and leaves as a type that cannot be wrong, or as a [`Fault`](crate::fault::Fault)
//! with the facts.

pub mod batch;
pub mod checkpoints;
pub mod delivered;
pub mod expected;
pub mod filter;
pub mod group;
pub mod group_info;
pub mod group_settings;
pub mod id;
pub mod proposed;
pub mod record;
pub mod recorded;
pub mod request;
pub mod strategy;
pub mod stream;
