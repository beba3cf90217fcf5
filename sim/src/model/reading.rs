//! What the model says to a reader.

use std::collections::BTreeSet;

use gesta_store::{
    AsOf, Direction, ErrorKind, From, Position, Query, ReadOptions, Revision, Source, StreamName, Timestamp,
};

use super::{Event, Model, streams::stream_of};

/// What a read must give: an event's position, and how the read came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the event is.
    pub position: Position,
    /// The entry of another stream through which it was read.
    pub via: Option<Via>,
}

/// An entry of a virtual stream, or a link event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The stream.
    pub stream: StreamName,
    /// The place in it.
    pub revision: Revision,
    /// Where the entry is in the log.
    pub position: Position,
}

impl Event {
    /// Whether a query matches it.
    #[must_use]
    pub fn matches(&self, query: &Query) -> bool {
        query.matches(&self.stream, &self.event_type, self.tags.iter().map(|tag| &**tag))
    }

    /// The correlation id in its metadata.
    #[must_use]
    pub fn correlation(&self) -> Option<String> {
        let metadata: serde_json::Value = serde_json::from_slice(&self.metadata).ok()?;
        metadata.get("$correlationId")?.as_str().map(str::to_owned)
    }
}

/// Whether a stream is computed.
fn is_virtual(stream: &str) -> bool {
    stream == "$streams" || ["$ce-", "$et-", "$bc-"].iter().any(|prefix| stream.starts_with(prefix))
}

impl Model {
    /// What a read gives at `now`.
    ///
    /// # Errors
    /// The kind of error it gives.
    pub fn read(&self, source: &Source, options: &ReadOptions, now: Timestamp) -> Result<Vec<Entry>, ErrorKind> {
        // A reader of the past finds too old what was too old then.
        let now = match options.as_of {
            None => now,
            Some(AsOf::Position(last)) => self.event(last).map_or(now, |event| event.recorded_at.min(now)),
            Some(AsOf::Time(time)) => time.min(now),
        };
        let to = self.pin(options).ok_or(ErrorKind::Invalid)?;
        if matches!(options.from, From::Revision(_)) && !matches!(source, Source::Stream(_)) {
            return Err(ErrorKind::Invalid);
        }
        let past = self.until(to);
        let matching = |keep: &dyn Fn(usize, &Event) -> bool| -> Vec<Position> {
            let kept = past.iter().enumerate().filter(|(index, event)| keep(*index, event));
            kept.map(|(index, _)| Position(index as u64)).collect()
        };
        let (positions, first, virtual_stream) = match source {
            Source::All => (matching(&|_, _| true), 0, false),
            Source::Query(query) => (matching(&|_, event| event.matches(query)), 0, false),
            Source::Stream(stream) if is_virtual(stream) => (self.virtual_positions(stream, past.len()), 0, true),
            Source::Stream(stream) => {
                let first = visible_from(past, stream, now).ok_or(ErrorKind::NotFound)?;
                (matching(&|_, event| event.stream == *stream), first, false)
            }
        };
        let range = self.range(&positions, first, options, to);
        let mut entries: Vec<Entry> = range
            .map(|rank| {
                let position = positions[rank];
                let entry =
                    |stream: &StreamName| Via { stream: stream.clone(), revision: Revision(rank as u64), position };
                let via = match source {
                    Source::Stream(stream) if virtual_stream => Some(entry(stream)),
                    Source::Stream(_) | Source::All | Source::Query(_) => None,
                };
                if options.resolve_links { self.resolved(position, via, past, now) } else { Entry { position, via } }
            })
            .collect();
        if options.direction == Direction::Backward {
            entries.reverse();
        }
        entries.truncate(self.limit(options));
        Ok(entries)
    }

    /// The head a read sees; `None` when it asks for one that is not there yet.
    fn pin(&self, options: &ReadOptions) -> Option<Position> {
        match options.as_of {
            None => Some(self.head()),
            Some(AsOf::Position(position)) => (position < self.head()).then(|| position.next()),
            Some(AsOf::Time(time)) => Some(self.first_after(time)),
        }
    }

    fn until(&self, to: Position) -> &[Event] {
        &self.events[..usize::try_from(to.0).expect("a position of the log is an index")]
    }

    /// The positions of a log a read goes through; `None` when it is refused.
    #[must_use]
    pub fn range_of(&self, options: &ReadOptions) -> Option<std::ops::Range<usize>> {
        let to = self.pin(options)?;
        let positions: Vec<Position> = (0..to.0).map(Position).collect();
        Some(self.range(&positions, 0, options, to))
    }

    /// An entry with the link event it may be followed to its target, if that can be read.
    fn resolved(&self, position: Position, via: Option<Via>, past: &[Event], now: Timestamp) -> Entry {
        match self.event(position).and_then(|event| self.target_of(event, past, now).zip(Some(event))) {
            None => Entry { position, via },
            Some((target, link)) => {
                let followed = Via { stream: link.stream.clone(), revision: link.revision, position };
                Entry { position: target, via: via.or(Some(followed)) }
            }
        }
    }

    fn target_of(&self, event: &Event, past: &[Event], now: Timestamp) -> Option<Position> {
        if event.event_type != "$>" {
            return None;
        }
        let (revision, stream) = std::str::from_utf8(&event.data).ok()?.split_once('@')?;
        let (revision, stream) = (revision.parse::<u64>().ok()?, StreamName::new(stream).ok()?);
        if revision < visible_from(past, &stream, now)? {
            return None;
        }
        let at = past.iter().position(|event| event.stream == stream && event.revision.0 == revision)?;
        Some(Position(at as u64))
    }

    /// Which of the matching positions are read, by rank.
    fn range(&self, positions: &[Position], first: u64, options: &ReadOptions, to: Position) -> std::ops::Range<usize> {
        let count = positions.len();
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let rank = |position: Position| positions.iter().filter(|known| **known < position).count();
        let index = |revision: Revision| usize::try_from(revision.0).unwrap_or(usize::MAX);
        match options.direction {
            Direction::Forward => {
                let start = match options.from {
                    From::Beginning => 0,
                    From::Now => count,
                    From::Revision(revision) => index(revision),
                    From::Position(position) => rank(position.min(to)),
                    From::Time(time) => rank(self.first_at(time).min(to)),
                };
                start.max(first).min(count)..count
            }
            Direction::Backward => {
                let end = match options.from {
                    From::Beginning | From::Now => count,
                    From::Revision(revision) => index(revision).saturating_add(1).min(count),
                    From::Position(position) => rank(Position(position.0.saturating_add(1)).min(to)),
                    From::Time(time) => rank(self.first_after(time).min(to)),
                };
                first.min(end)..end
            }
        }
    }

    fn virtual_positions(&self, stream: &StreamName, length: usize) -> Vec<Position> {
        let mut created = BTreeSet::new();
        let keep = |event: &Event| match stream.split_once('-') {
            Some(("$ce", category)) => event.stream.category() == Some(category),
            Some(("$et", event_type)) => event.event_type == event_type,
            Some(("$bc", correlation)) => event.correlation().as_deref() == Some(correlation),
            _ => false,
        };
        let past = self.events[..length].iter().enumerate();
        past.filter(|(_, event)| match stream.as_str() {
            "$streams" => created.insert(event.stream.clone()),
            _ => keep(event),
        })
        .map(|(index, _)| Position(index as u64))
        .collect()
    }

    /// The first position recorded at `time` or later.
    fn first_at(&self, time: Timestamp) -> Position {
        Position(self.events.iter().filter(|event| event.recorded_at < time).count() as u64)
    }

    /// The first position recorded later than `time`.
    fn first_after(&self, time: Timestamp) -> Position {
        Position(self.events.iter().filter(|event| event.recorded_at <= time).count() as u64)
    }
}

/// The first revision of a written stream that can be read; `None` when it is not found.
pub(super) fn visible_from(past: &[Event], stream: &StreamName, now: Timestamp) -> Option<u64> {
    let state = stream_of(past, stream);
    let last = state.last?;
    if state.tombstoned || state.is_soft_deleted() {
        return None;
    }
    let by_count = state.max_count.map_or(0, |count| (last.0 + 1).saturating_sub(count));
    let by_age = state.max_age.map_or(0, |seconds| {
        let oldest = now.0.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000));
        past.iter().filter(|event| event.stream == *stream && event.recorded_at.0 < oldest).count() as u64
    });
    Some(state.truncate_before.max(by_count).max(by_age))
}
