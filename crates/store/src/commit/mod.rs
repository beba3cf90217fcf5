//! The commit rules: what a proposal becomes, given everything ordered before it.
//!
//! Pure: no clock, no randomness, no I/O, no hash-map order, no user code (I3). Everything clever (validation, ids, salts,
//! commitments, times) happens before a proposal is ordered; what is left here is a small frozen language: compare revisions, "has anything
//! matching been recorded after p?", de-duplicate, stamp positions. Facts about the past come through the [`Facts`] trait.

mod draft;
mod expectation;
mod heads;
pub mod identity;
mod judgement;
mod kernel;
mod memory;
pub mod metadata;
mod proposal;
mod retry;

pub use kernel::Kernel;
pub use memory::RememberedCommit;
pub use proposal::{
    Action, Appended, Commit, CommittedEvent, Facts, NextRevision, Proposal, ProposedEvent, Rejection, StreamState,
    Target, Verdict,
};
