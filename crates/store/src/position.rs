//! Where an event is: its place in the whole log, in its stream, and in time.
//!
//! Lowest layer of the vocabulary; knows nothing of events or files.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The 0-based place of an event in the whole log. Dense: 0, 1, 2, … without gaps (I2).
///
/// The *head* of a log is the position its next event will get; a reader at head `h` has seen every position `< h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The place of the first event of a log.
    pub const START: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The 0-based place of an event in its stream. Dense, and at most [`Revision::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the first event of a stream.
    pub const START: Self = Self(0);
    /// The largest revision the log format holds (40 bits): a stream of a million events a second fills it in twelve days,
    /// of ten thousand a second in three and a half years.
    pub const MAX: Self = Self((1 << 40) - 1);

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Nanoseconds since the Unix epoch, UTC, leap seconds ignored. Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The earliest moment that can be named.
    pub const MIN: Self = Self(i64::MIN);

    /// Whole milliseconds since the epoch, rounded towards the past.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ns", self.0)
    }
}

/// What an append expects of a stream before it may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpectedRevision {
    /// No expectation: whatever the stream holds.
    Any,
    /// The stream has no event that can be read: it was never written, or is soft-deleted.
    NoStream,
    /// The stream has events, or a metadata stream, and is not deleted.
    StreamExists,
    /// The stream was soft-deleted, and not written since: what is appended revives it.
    SoftDeleted,
    /// The stream was ended by a tombstone. To be checked only: nothing can be appended to such a stream, or done to it.
    Tombstoned,
    /// The last event of the stream has exactly this revision.
    Exact(Revision),
}

impl fmt::Display for ExpectedRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("no-stream"),
            Self::StreamExists => f.write_str("stream-exists"),
            Self::SoftDeleted => f.write_str("soft-deleted"),
            Self::Tombstoned => f.write_str("tombstoned"),
            Self::Exact(revision) => revision.fmt(f),
        }
    }
}
