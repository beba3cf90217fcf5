//! Which events of a stream its readers may see: what truncation, age, count and deletion leave. Hidden events stay in the log
//! and keep their positions; reads of the whole log and queries show them.

use std::time::Duration;

use super::Library;
use crate::{
    commit::metadata::StreamMetadata,
    error::Result,
    index::Term,
    log::StoredEvent,
    name::{StreamName, system},
    position::{Position, Revision, Timestamp},
};

/// What a stream is to its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// It was never written.
    Missing,
    /// It can be read.
    Live {
        /// The first revision that can be read; more than `last` if all are hidden.
        first: Revision,
        /// The revision of its last event.
        last: Revision,
    },
    /// It was deleted, and will continue after this revision when somebody appends to it.
    SoftDeleted {
        /// The revision of its last event.
        last: Revision,
    },
    /// It was ended for ever by the tombstone at this revision.
    Tombstoned {
        /// The tombstone's revision.
        last: Revision,
    },
}

/// The status of a written (not virtual) stream to a reader at head `to`, when the time is `now`.
pub(crate) fn status(library: &Library, stream: &str, to: Position, now: Timestamp) -> Result<StreamStatus> {
    let Some((last, position)) = library.index.stream_last(stream, to)? else {
        return Ok(StreamStatus::Missing);
    };
    if library.log.event(position)?.view().event_type == system::STREAM_DELETED {
        return Ok(StreamStatus::Tombstoned { last });
    }
    let metadata = metadata_event(library, stream, to)?;
    let metadata = metadata.map_or_else(StreamMetadata::default, |event| StreamMetadata::parse(event.view().data));
    let truncate_before = metadata.truncate_before.unwrap_or(0);
    if truncate_before == u64::MAX {
        return Ok(StreamStatus::SoftDeleted { last });
    }
    let by_count = metadata.max_count.map_or(0, |count| (last.0 + 1).saturating_sub(count));
    let by_age = match metadata.max_age_seconds {
        None => 0,
        Some(seconds) => first_since(library, stream, to, now, Duration::from_secs(seconds))?,
    };
    Ok(StreamStatus::Live { first: Revision(truncate_before.max(by_count).max(by_age)), last })
}

/// The revision of the first event of `stream` that is no older than `age`.
fn first_since(library: &Library, stream: &str, to: Position, now: Timestamp, age: Duration) -> Result<u64> {
    let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    let oldest = library.log.position_at(Timestamp(now.0.saturating_sub(age)), to)?;
    library.index.rank(Term::Stream(stream), oldest, to)
}

/// The newest metadata event of a stream.
pub(crate) fn metadata_event(library: &Library, stream: &str, to: Position) -> Result<Option<StoredEvent>> {
    if StreamName::trusted(stream).metadata_of().is_some() {
        return Ok(None); // metadata streams have no metadata of their own
    }
    match library.index.stream_last(&format!("$${stream}"), to)? {
        None => Ok(None),
        Some((_, position)) => library.log.event(position).map(Some),
    }
}
