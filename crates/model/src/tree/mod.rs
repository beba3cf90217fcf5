//! The interval-summary tree: state as of any moment, and the effect of any range, in logarithmic time, for models whose events compose.
//!
//! Nodes stand for fixed ranges of the log, or of one stream, and are computed when they are first needed: a range that is recorded never
//! changes, so a node is never wrong, only forgotten. There are three uses of one idea:
//!
//! | the model | the line | a node |
//! |---|---|---|
//! | has one instance | positions of the log | its summary |
//! | has many, and one is asked for that is a long stream | revisions of that stream | its summary |
//! | has many, asked for together, or by one on no stream of its own | positions of the log | a sorted run, path → summary |
//!
//! Streams shorter than about a thousand events are folded: that is faster than any tree.

mod audit;
mod cover;
mod forest;
mod line;
mod recorded;
mod run;
mod summaries;
mod workers;

pub use recorded::LawReport;
pub(crate) use recorded::{check as check_recorded, check_all as check_all_recorded};
pub use run::Run;
pub(crate) use summaries::Fast;
pub use summaries::{Summaries, SummariesInfo};
pub use workers::{OnCaller, Threads, Workers};

/// Events of a stream below which a fold beats a tree (measured: about a thousand).
const SHORT: u64 = 1_024;
/// Places in a block of one summary: an answer decodes at most so many events beside its nodes (measured: 64 … 1 024 are all reasonable).
const WHOLE_BLOCK: u64 = 256;
/// Places in a block of runs. Runs of 1 024 places, sixteen of them joined: the lowest level is more than a third of all entries, and what it saves is read
/// by the index just as well.
const RUN_BLOCK: u64 = 16 * 1_024;

/// How summaries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeOptions {
    /// Most bytes of nodes kept, for each of the two kinds. Default: 256 MiB.
    pub cache_bytes: u64,
    /// One node of so many is compared with the fold when it is computed; 0: none. Default: 64.
    pub audit_share: u64,
    /// Places in a block, for tests; `None`: by the measurements, and fewer the denser the model's events lie in the log.
    pub block: Option<u64>,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20, audit_share: 64, block: None }
    }
}
