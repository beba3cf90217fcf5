//! Gesta, an event-sourcing database.
pub use gesta_store::*;
