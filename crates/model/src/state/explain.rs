//! How a state came about: what `explain` answers.

use std::{fmt, time::Duration};

use gesta_store::Position;

/// What a fold began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing: the whole scope was folded.
    Nothing,
    /// A cached state of this head.
    Cached(Position),
    /// A snapshot of this head.
    Snapshot(Position),
    /// Summaries: so many nodes were composed.
    Summaries(usize),
}

/// How a state came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explain {
    /// What the fold began with.
    pub base: Base,
    /// Events folded onto it.
    pub events: u64,
    /// Events that could not be read and were left out, of all the state is made of.
    pub skipped: u64,
    /// Events that could not be read and were set aside: [`State::parked`](crate::State::parked).
    pub parked: u64,
    /// The head it is for.
    pub head: Position,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            Base::Nothing => f.write_str("from the beginning")?,
            Base::Cached(head) => write!(f, "from a cached state of head {head}")?,
            Base::Snapshot(head) => write!(f, "from a snapshot of head {head}")?,
            Base::Summaries(nodes) => write!(f, "from {nodes} summaries")?,
        }
        let Self { events, skipped, parked, head, took, .. } = self;
        write!(f, ", events={events} skipped={skipped} parked={parked} head={head} took={took:?}")
    }
}
