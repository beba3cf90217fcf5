//! Gesta, an event-sourcing database.
pub use gesta_store::*;

/// The examples of the project's README, which are run with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
