//! A small history that the index targets ask about: the same events each time, and an index of them on a disk in memory.

use std::{ops::Range, path::Path, sync::Arc};

use gesta_store::{
    Position, Query, Revision, Tag,
    disk::{Disk, OpenMode, memory::MemoryDisk},
    index::{Index, IndexedEvent, Kind, Step, TagList, Term},
};
use uuid::Uuid;

/// The store the index belongs to.
pub const STORE: Uuid = Uuid::from_u128(7);
/// Where a run, a run, a part that waits in memory and the open part end.
pub const ENDS: [u64; 4] = [300, 340, 360, 370];

const STREAMS: [&str; 9] =
    ["order-1", "order-1", "order-1", "order-2", "order-", "account-2-b", "plain", "$$order-1", "-odd"];
const TYPES: [&str; 4] = ["Placed", "Placed", "Paid", "$>"];
const TAGS: [&str; 6] = ["vip", "/accounts/1", "/accounts/2", "/accounts/1/owner", "/files/src/a.rs", "/files"];

/// An event of the history.
#[derive(Debug)]
pub struct Event {
    /// Its stream.
    pub stream: &'static str,
    /// Its revision there.
    pub revision: u64,
    /// Its type.
    pub event_type: &'static str,
    /// Its tags, sorted.
    pub tags: Vec<Tag>,
    /// Its correlation id.
    pub correlation: Option<&'static str>,
}

/// The history.
#[must_use]
pub fn events() -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for at in 0..*ENDS.last().expect("four ends") as usize {
        let stream = STREAMS[at * at % 13 % STREAMS.len()];
        let revision = events.iter().filter(|event| event.stream == stream).count() as u64;
        let tags = [at % TAGS.len(), at / 7 % 10].into_iter().filter_map(|tag| TAGS.get(tag));
        let mut tags: Vec<Tag> = tags.map(|tag| Tag::new(*tag).expect("a valid tag")).collect();
        tags.sort_unstable();
        tags.dedup();
        let correlation = at.is_multiple_of(5).then_some("c-1");
        events.push(Event { stream, revision, event_type: TYPES[at % TYPES.len()], tags, correlation });
    }
    events
}

/// The events in `range`, for the index.
pub fn indexed(events: &[Event], range: Range<u64>) -> impl Iterator<Item = IndexedEvent<'_>> {
    range.map(|position| {
        let event = &events[position as usize];
        IndexedEvent {
            position: Position(position),
            revision: Revision(event.revision),
            stream: event.stream,
            event_type: event.event_type,
            tags: TagList::Proposed(&event.tags),
            correlation: event.correlation,
        }
    })
}

/// An index of the history in two runs, a waiting part and an open one.
#[must_use]
pub fn index(events: &[Event]) -> (MemoryDisk, Arc<Index>) {
    let disk = MemoryDisk::new();
    let (index, _) = Index::open(Arc::new(disk.clone()), STORE).expect("an empty disk can be opened");
    let mut from = 0;
    for (place, end) in ENDS.into_iter().enumerate() {
        index.insert(indexed(events, from..end));
        if place < 3 {
            index.seal(Position(end));
        }
        if place < 2 {
            while index.maintain(Position(end)).expect("a disk that works") != Step::Idle {}
        }
        from = end;
    }
    (disk, index)
}

/// Every term the history has, and some it has not.
#[must_use]
pub fn terms() -> Vec<Term<'static>> {
    let streams = STREAMS.iter().map(|stream| Term::Stream(stream));
    let tags = TAGS.iter().map(|tag| Term::Tag(tag));
    let others = [
        Term::Category("order"),
        Term::Category("account"),
        Term::Type("Placed"),
        Term::Type("Paid"),
        Term::Type("$>"),
        Term::Correlation("c-1"),
        Term::Created,
        Term::Stream("nobody"),
        Term::Tag(""),
    ];
    streams.chain(tags).chain(others).collect()
}

/// The positions of a term, by looking at every event.
#[must_use]
pub fn positions(events: &[Event], term: Term<'_>) -> Vec<Position> {
    let carries = |event: &Event| match term.kind() {
        Kind::Stream => event.stream == term.text(),
        Kind::Category => event.stream.split_once('-').is_some_and(|(name, _)| name == term.text()),
        Kind::Type => event.event_type == term.text(),
        Kind::Tag => event.tags.iter().any(|tag| tag.as_str() == term.text()),
        Kind::Correlation => event.correlation == Some(term.text()),
        Kind::Created => event.revision == 0,
    };
    (0..).zip(events).filter(|(_, event)| carries(event)).map(|(at, _)| Position(at)).collect()
}

/// The positions in `range` that a query matches, by looking at every event.
#[must_use]
pub fn matches(events: &[Event], query: &Query, range: Range<u64>) -> Vec<Position> {
    let matches = |at: &u64| {
        let event = &events[*at as usize];
        query.matches(event.stream, event.event_type, event.tags.iter().map(Tag::as_str))
    };
    range.filter(matches).map(Position).collect()
}

/// Puts a file onto a disk.
pub fn put(disk: &MemoryDisk, path: &str, bytes: &[u8]) {
    disk.create_dir(Path::new("index")).expect("a disk that works");
    let file = disk.open(Path::new(path), OpenMode::CreateNew).expect("a new file");
    file.write_at(bytes, 0).expect("a disk that works");
}
