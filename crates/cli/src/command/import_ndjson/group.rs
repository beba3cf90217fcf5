//! Lines that will be one commit.

use std::collections::BTreeSet;

use gesta::{ExpectedRevision, StreamName, Timestamp};
use gesta_server::native::{AppendRequest, Change, Write};

use crate::ndjson::ImportedEvent;

/// What names and tags of an event come to on top of its payloads, in bytes, about.
const NAMES_BYTES: usize = 512;

/// Lines with their numbers, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    lines: Vec<(u64, ImportedEvent)>,
    bytes: usize,
}

impl Group {
    /// Whether there is room for one more, in so many lines and bytes of payloads, at the same time.
    pub(super) fn has_room_for(&self, event: &ImportedEvent, lines_max: usize, bytes_max: usize) -> bool {
        self.lines.len() < lines_max
            && self.bytes + payload(event) <= bytes_max
            && self.lines.first().is_none_or(|(_, first)| first.recorded_at == event.recorded_at)
    }

    pub(super) fn add(&mut self, number: u64, event: ImportedEvent) {
        self.bytes += payload(&event);
        self.lines.push((number, event));
    }

    /// Its first line, its last line, and how many there are; nothing, if there are none.
    pub(super) fn extent(&self) -> Option<(u64, u64, u64)> {
        let ((first, _), (last, _)) = (self.lines.first()?, self.lines.last()?);
        Some((*first, *last, self.lines.len() as u64))
    }

    /// About what it takes as a commit, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + NAMES_BYTES * self.lines.len()
    }

    /// The streams it is about: for metadata, what is described.
    pub(super) fn streams(&self) -> BTreeSet<StreamName> {
        let about = |stream: &StreamName| stream.metadata_of().unwrap_or_else(|| stream.clone());
        self.lines.iter().map(|(_, event)| about(&event.stream)).collect()
    }

    /// The lines that are `wanted`, and those that are not.
    pub(super) fn divided(self, mut wanted: impl FnMut(&ImportedEvent) -> bool) -> (Self, Vec<(u64, ImportedEvent)>) {
        let (mut kept, mut others) = (Self::default(), Vec::new());
        for (number, event) in self.lines {
            if wanted(&event) { kept.add(number, event) } else { others.push((number, event)) }
        }
        (kept, others)
    }

    /// The lines before `number`.
    pub(super) fn before(mut self, number: u64) -> Self {
        self.lines.retain(|(line, _)| *line < number);
        self
    }
}

impl From<Group> for AppendRequest {
    fn from(group: Group) -> Self {
        let recorded_at: Option<Timestamp> = group.lines.first().and_then(|(_, first)| first.recorded_at);
        let writes = group.lines.into_iter().map(|(_, event)| write_of(event)).collect();
        Self { writes, recorded_at, ..Self::default() }
    }
}

fn payload(event: &ImportedEvent) -> usize {
    event.event.data.len() + event.event.metadata.len()
}

fn write_of(imported: ImportedEvent) -> Write {
    let change = if imported.ends_stream() { Change::Tombstone } else { Change::Append(vec![imported.event]) };
    Write { stream: imported.stream, expected: ExpectedRevision::Any, change }
}
