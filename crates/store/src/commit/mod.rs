//! The commit rules: what a proposal becomes, given everything ordered before it. The rules themselves are in `docs/commit-rules.md`.
//!
//! Pure: no clock, no randomness, no I/O, no hash-map order, no user code (I3). Everything clever (validation, ids, salts,
//! commitments, times) happens before a proposal is ordered; what is left here is a small frozen language: compare revisions, "has anything
//! matching been recorded after p?", de-duplicate, stamp positions. Facts about the past come through the [`Facts`] trait, and the
//! only way to fail is that they cannot be had.
//!
//! The way of a proposal through the files:
//!
//! 1. `retry` — was a proposal with this id recorded lately (`memory`)? Then that is the answer.
//! 2. `heads` — where do its streams stand? A cache in front of the facts.
//! 3. `expectation` — what does each target come to: expectations, and `retry` by event ids.
//! 4. `judgement` — what do they come to together: all or nothing, new or recorded before.
//! 5. `kernel` — do the conditions hold?
//! 6. `draft` — positions, revisions, leaf hashes; the events the rules add (`metadata`, `identity`).

mod draft;
mod expectation;
mod heads;
pub mod identity;
mod judgement;
mod kernel;
mod memory;
pub mod metadata;
#[cfg(test)]
mod model;
mod proposal;
mod retry;
#[cfg(test)]
mod tests;

pub use kernel::Kernel;
pub use memory::RememberedCommit;
pub use proposal::{
    Action, Appended, Commit, CommittedEvent, Facts, Found, NextRevision, Proposal, ProposedEvent, Rejection,
    StreamState, Target, Tell, Verdict, Violation,
};
pub(crate) use proposal::{at_most, check_ending, check_event};
