//! What the model says of streams as such: their listing, and what each is to its readers.

use std::collections::BTreeMap;

use gesta_store::{Position, Revision, StreamName, StreamStatus, Timestamp};

use super::{
    Model,
    reading::visible_from,
    streams::{StreamState, stream_of},
};

impl Model {
    /// The streams whose names begin with `prefix` and come after `after`, each with its last revision and position.
    #[must_use]
    pub fn streams(
        &self,
        prefix: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Vec<(StreamName, Revision, Position)> {
        let mut all = BTreeMap::new();
        for (position, event) in (0..).map(Position).zip(&self.events) {
            all.insert(event.stream.as_str(), (event.stream.clone(), event.revision, position));
        }
        let wanted = |name: &str| name.starts_with(prefix) && after.is_none_or(|after| name > after.as_str());
        all.into_iter().filter(|(name, _)| wanted(name)).map(|(_, stream)| stream).take(limit).collect()
    }

    /// How many streams were ever written.
    #[must_use]
    pub fn stream_count(&self) -> u64 {
        self.events.iter().filter(|event| event.revision == Revision::START).count() as u64
    }

    /// What a written stream is to a reader at `now`.
    #[must_use]
    pub fn status(&self, stream: &StreamName, now: Timestamp) -> StreamStatus {
        let state: StreamState = stream_of(&self.events, stream);
        let Some(last) = state.last else { return StreamStatus::Missing };
        if state.tombstoned {
            return StreamStatus::Tombstoned { last };
        }
        match visible_from(&self.events, stream, now) {
            None => StreamStatus::SoftDeleted { last },
            Some(first) => StreamStatus::Live { first: Revision(first), last },
        }
    }

    /// The revision of the newest metadata document of a stream.
    #[must_use]
    pub fn metadata_revision(&self, stream: &StreamName) -> Option<Revision> {
        if stream.metadata_of().is_some() {
            return None;
        }
        self.stream(&stream.metadata_stream().ok()?).last
    }
}
