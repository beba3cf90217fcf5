//! Checking everything that was ever recorded.

use crate::position::Position;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Events checked.
    pub events: u64,
    /// Commits checked.
    pub commits: u64,
    /// Segments checked.
    pub segments: u64,
    /// Streams seen.
    pub streams: u64,
    /// Bytes of the log checked.
    pub log_bytes: u64,
    /// The head at which the verification was pinned.
    pub head: Position,
    /// Digest over all leaf hashes in order, in hexadecimal: equal for equal logs.
    pub digest: String,
    /// What is wrong, at most the first hundred findings: file, offset, what.
    pub problems: Vec<String>,
}
