//! What the model says to a reader.

use std::collections::BTreeSet;

use gesta_store::{AsOf, Direction, From, Position, Query, ReadOptions, Revision, Source, StreamName, Timestamp};

use super::{Event, Model, streams::stream_of};

/// What a read must give: an event's position, and its revision in the stream that was read, if a stream was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the event is.
    pub position: Position,
    /// Its revision in a virtual stream.
    pub link: Option<Revision>,
}

impl Event {
    /// Whether a query matches it.
    #[must_use]
    pub fn matches(&self, query: &Query) -> bool {
        query.matches(&self.stream, &self.event_type, self.tags.iter().map(|tag| &**tag))
    }

    fn correlation(&self) -> Option<String> {
        let metadata: serde_json::Value = serde_json::from_slice(&self.metadata).ok()?;
        metadata.get("$correlationId")?.as_str().map(str::to_owned)
    }
}

/// Whether a stream is computed.
fn is_virtual(stream: &str) -> bool {
    stream == "$streams" || ["$ce-", "$et-", "$bc-"].iter().any(|prefix| stream.starts_with(prefix))
}

impl Model {
    /// What a read gives at `now`; `None` when the stream is not found.
    #[must_use]
    pub fn read(&self, source: &Source, options: &ReadOptions, now: Timestamp) -> Option<Vec<Entry>> {
        let to = match options.as_of {
            None => self.head(),
            Some(AsOf::Position(position)) => position.next().min(self.head()),
            Some(AsOf::Time(time)) => self.first_after(time),
        };
        let past = &self.events[..usize::try_from(to.0).ok()?];
        let matching = |keep: &dyn Fn(usize, &Event) -> bool| -> Vec<Position> {
            let kept = past.iter().enumerate().filter(|(index, event)| keep(*index, event));
            kept.map(|(index, _)| Position(index as u64)).collect()
        };
        let (positions, first, virtual_stream) = match source {
            Source::All => (matching(&|_, _| true), 0, false),
            Source::Query(query) => (matching(&|_, event| event.matches(query)), 0, false),
            Source::Stream(stream) if is_virtual(stream) => (self.virtual_positions(stream, past.len()), 0, true),
            Source::Stream(stream) => {
                let first = visible_from(past, stream, now)?;
                (matching(&|_, event| event.stream == *stream), first, false)
            }
        };
        let range = self.range(&positions, first, options, to);
        let mut entries: Vec<Entry> = range
            .map(|rank| Entry { position: positions[rank], link: virtual_stream.then_some(Revision(rank as u64)) })
            .collect();
        if options.direction == Direction::Backward {
            entries.reverse();
        }
        entries.truncate(options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        Some(entries)
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
fn visible_from(past: &[Event], stream: &StreamName, now: Timestamp) -> Option<u64> {
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
