//! A seeded simulation of the whole store: one number decides everything that happens to it.
//!
//! [`workload`] draws [`step`]s; [`world`] lets them happen to a real store on a disk in memory and to a naive [`model`]; whatever a
//! step shows is compared, and what must always hold is checked, one file for each invariant in [`invariants`]. A [`crowd`] is a second scene, with
//! steps of its own: readers, consumer groups and handlers. A violation is a seed; [`trace`] shrinks what led to it.

pub mod crowd;
pub mod invariants;
pub mod model;
pub mod reads;
pub mod settings;
pub mod step;
pub mod trace;
pub mod workload;
pub mod world;

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` to `I6`; the name of the file in [`invariants`]; `model` for an answer the model does not give; `group` for an answer of a group that
    /// cannot be; `panic`, `open`.
    pub promise: &'static str,
    /// How.
    pub what: String,
}

impl Violation {
    /// A broken promise.
    pub fn new(promise: &'static str, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }

    /// A read that differs from the model's.
    pub fn reads(what: impl Into<String>) -> Self {
        Self::new("model", what)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)
    }
}
