//! The state of a model as a question: the nearest base there is, and a fold of what came after it.
//!
//! Invariant I7: whatever base is used, the answer equals the fold from the beginning. A cached state is never taken for the newest: it is
//! only where the fold begins, and the tail is read each time.

mod cache;
mod distrust;
mod explain;
mod get;
mod history;
mod load;
mod reader;
mod snapshot;
mod unreadable;
mod watch;

use std::{fmt, ops::Deref, sync::Arc};

use gesta_store::{Position, Revision, Timestamp};

use crate::parked::ParkedEvent;

pub(crate) use cache::Cache;
pub use cache::CacheInfo;
use cache::Known;
pub use explain::{Base, Explain};
pub use get::{Get, Token};
pub use history::History;
pub use load::AtHead;
pub(crate) use load::load_exactly;
pub use reader::Reader;
pub use snapshot::{SnapshotInfo, SnapshotOptions, Snapshots};
pub(crate) use unreadable::unreadable;
pub use watch::Watch;

/// A model's state as of some moment. Cheap to clone, and never changes.
pub struct State<M> {
    /// The state.
    pub value: Arc<M>,
    /// The head it is for: every event below counts, none from here on.
    pub head: Position,
    /// The revision of the stream it is made of, if it is made of one stream and that has events.
    pub revision: Option<Revision>,
    parked: Option<Arc<Vec<ParkedEvent>>>,
}

impl<M> State<M> {
    fn of(known: Known<M>) -> Self {
        let Known { state, head, last_revision, parked, .. } = known;
        Self { value: state, head, revision: last_revision, parked }
    }

    /// The events it is without, in order, because they cannot be read and the model [parks](crate::Unreadable::Park) such.
    #[must_use]
    pub fn parked(&self) -> &[ParkedEvent] {
        self.parked.as_ref().map_or(&[], |parked| parked)
    }
}

impl<M> Clone for State<M> {
    fn clone(&self) -> Self {
        let Self { value, head, revision, parked } = self;
        Self { value: Arc::clone(value), head: *head, revision: *revision, parked: parked.clone() }
    }
}

impl<M> fmt::Debug for State<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, revision, .. } = self;
        f.debug_struct("State")
            .field("head", head)
            .field("revision", revision)
            .field("parked", &self.parked())
            .finish_non_exhaustive()
    }
}

impl<M> Deref for State<M> {
    type Target = M;
    fn deref(&self) -> &M {
        &self.value
    }
}

/// How fresh a state must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadLevel {
    /// Everything that was recorded when the question was asked. The default.
    #[default]
    Latest,
    /// At least what a receipt stands for: one's own writes. Waits for it.
    AtLeast(Position),
    /// What is in the cache, if that was checked no longer ago than this; else the latest.
    Stale(std::time::Duration),
    /// When this position was the last one.
    AsOf(Moment),
}

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When this position was the last one.
    Position(Position),
    /// At the end of this nanosecond.
    Time(Timestamp),
    /// When this revision was the last of the stream; only of models that are made of one stream.
    Revision(Revision),
}

impl From<Position> for Moment {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl From<Revision> for Moment {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}
