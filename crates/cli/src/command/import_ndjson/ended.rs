//! Which streams have ended for ever: a line for one of them would be refused, and the whole commit it shares with good lines.
//!
//! The import has the store to itself, so what it once learnt of a stream only its own lines can change.

use std::collections::HashSet;

use gesta::{EventStore, StreamName, StreamStatus};

use crate::exit::Outcome;

/// Streams known not to have ended, at most: asking the store again costs a microsecond.
const OPEN_MAX: usize = 1 << 16;

/// What is known of streams.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Ended by a line of this import, perhaps not recorded yet; or met as ended.
    ended: HashSet<StreamName>,
    /// Not ended when the store was asked, and not since.
    open: HashSet<StreamName>,
}

impl Ended {
    /// Whether nothing can be recorded in `stream` any more; in the metadata stream of a stream that ended neither.
    pub(super) fn has(&mut self, stream: &StreamName, store: Option<&EventStore>) -> Outcome<bool> {
        if self.is_known_of(stream) {
            return Ok(true);
        }
        let described = stream.metadata_of();
        let stream = described.as_ref().unwrap_or(stream);
        let Some(store) = store.filter(|_| !self.open.contains(stream)) else { return Ok(false) };
        if let StreamStatus::Tombstoned { .. } = store.stream_status(stream)? {
            self.ended.insert(stream.clone());
            return Ok(true);
        }
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        self.open.insert(stream.clone());
        Ok(false)
    }

    /// Whether that is known of `stream`, without asking.
    pub(super) fn is_known_of(&self, stream: &StreamName) -> bool {
        self.ended.contains(stream.metadata_of().as_ref().unwrap_or(stream))
    }

    /// Takes note that a line ends `stream`.
    pub(super) fn end(&mut self, stream: &StreamName) {
        self.ended.insert(stream.clone());
    }
}
