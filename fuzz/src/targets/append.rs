//! Requests to append, through the front door: each is recorded whole, refused whole, or called invalid, and what was recorded
//! reads back as it was asked for.
//!
//! Input: lines. `=stream` (with `!` behind it: must be new; `+`: must exist; `0` to `9`: must be at that revision) names where what follows goes;
//! `:type` begins an event, whose data is the rest after a space; `#tag` tags it; `~` repeats that tag forty times; `%` gives it
//! the id that the number behind it says; `?prefix` adds a condition; `x` deletes the stream, `X` ends it.

use std::{cell::RefCell, sync::Arc};

use gesta_store::{
    Append, AppendCondition, AppendError, ErrorKind, EventData, EventStore, ExpectedRevision, Options, Position, Query,
    QueryItem, ReadOptions, Revision, StreamFilter, StreamName, disk::memory::MemoryDisk, entropy::Entropy,
};
use uuid::Uuid;

/// Pieces of requests.
pub const TOKENS: &[&[u8]] = &[
    b"\n=a-1",
    b"\n=$$a-1",
    b"\n=$ce-a",
    b"!",
    b"+",
    b"0",
    b"\n:A {}",
    b"\n#/a/1",
    b"\n~",
    b"\n%1",
    b"\n?a",
    b"\nx",
    b"\nX",
];
/// Requests a store is asked for before it is replaced by a new one.
const REQUESTS_MAX: u32 = 64;

thread_local! {
    static STORE: RefCell<(u32, Option<EventStore>)> = const { RefCell::new((0, None)) };
}

/// Sends a request.
pub fn run(input: &[u8]) {
    let Some(append) = str::from_utf8(input).ok().and_then(parse) else { return };
    STORE.with_borrow_mut(|(requests, store)| {
        if requests.is_multiple_of(REQUESTS_MAX) {
            *store = Some(open());
        }
        *requests += 1;
        if let Some(store) = store {
            send(store, append);
        }
    });
}

fn open() -> EventStore {
    let options = Options { threads: false, entropy: Arc::new(Entropy::seeded(7)), ..Options::default() };
    EventStore::open_on(Arc::new(MemoryDisk::new()), options).expect("an empty disk can be opened")
}

struct Request {
    append: Append,
    events: Vec<(StreamName, EventData)>,
}

fn send(store: &EventStore, request: Request) {
    let before = store.head().position();
    let outcome = store.commit(request.append).wait();
    let after = store.head().position();
    match outcome {
        Ok(appended) if appended.first_position.is_some_and(|first| first >= before) => {
            check_recorded(store, before, after, &request.events);
        }
        // Recorded before, or nothing but expectations.
        Ok(_) | Err(AppendError::Rejected(_)) => assert_eq!(before, after),
        Err(AppendError::Failed(error)) => {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert_eq!(before, after);
        }
    }
}

/// What was asked for is there, in its order; system events that deleting or reviving a stream writes may stand between.
fn check_recorded(store: &EventStore, before: Position, after: Position, events: &[(StreamName, EventData)]) {
    let options = ReadOptions { from: gesta_store::From::Position(before), ..ReadOptions::default() };
    let recorded: Vec<_> = store.read_all(options).expect("a read").map(|event| event.expect("an event")).collect();
    assert_eq!(recorded.len() as u64, after.0 - before.0);
    let mut recorded = recorded.iter();
    for (stream, event) in events {
        let same = recorded.find(|recorded| recorded.stream == *stream && recorded.event_type == event.event_type);
        let same = same.expect("every event of a request is recorded");
        let mut tags = event.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!((&same.data, &same.tags), (&event.data, &tags));
        assert!(event.id.is_none_or(|id| id == same.id));
    }
}

fn parse(text: &str) -> Option<Request> {
    let mut request = Request { append: Append::new(), events: Vec::new() };
    let (mut stream, mut expected, mut event) = (StreamName::new("a-1").ok()?, ExpectedRevision::Any, None);
    for line in text.lines() {
        let Some((sigil, rest)) = line.split_at_checked(1) else { continue };
        if matches!(sigil, "=" | ":" | "x" | "X") {
            request.take(&stream, expected, &mut event);
        }
        match sigil {
            "=" => (stream, expected) = target(rest)?,
            ":" => {
                let (event_type, data) = rest.split_once(' ').unwrap_or((rest, ""));
                event = Some(EventData::json(event_type.try_into().ok()?, data.as_bytes().to_vec()));
            }
            "#" => event = Some(event?.with_tag(rest.try_into().ok()?)),
            "~" => {
                let again = event?;
                let last = again.tags.last()?.clone();
                event = Some(EventData { tags: vec![last; again.tags.len() + 40], ..again });
            }
            "%" => event = Some(event?.with_id(Uuid::from_u128(rest.parse().ok()?))),
            "?" => {
                let prefix = QueryItem::default().stream(StreamFilter::Prefix(rest.into()));
                let condition = AppendCondition { none_matching: Query::of(prefix), after: Some(Position(3)) };
                request.append = request.append.condition(condition);
            }
            "x" => request.append = request.append.delete(stream.clone(), expected),
            "X" => request.append = request.append.tombstone(stream.clone(), expected),
            _ => {}
        }
    }
    request.take(&stream, expected, &mut event);
    Some(request)
}

impl Request {
    fn take(&mut self, stream: &StreamName, expected: ExpectedRevision, event: &mut Option<EventData>) {
        if let Some(event) = event.take() {
            self.append = std::mem::take(&mut self.append).stream(stream.clone(), expected, [event.clone()]);
            self.events.push((stream.clone(), event));
        }
    }
}

fn target(text: &str) -> Option<(StreamName, ExpectedRevision)> {
    let (name, expected) = match text.char_indices().next_back()? {
        (at, '!') => (&text[..at], ExpectedRevision::NoStream),
        (at, '+') => (&text[..at], ExpectedRevision::StreamExists),
        (at, '-') => (&text[..at], ExpectedRevision::SoftDeleted),
        (at, '~') => (&text[..at], ExpectedRevision::Tombstoned),
        (at, digit @ '0'..='9') if text[..at].ends_with(' ') => {
            (text[..at].trim_end(), ExpectedRevision::Exact(Revision(u64::from(digit as u32 - '0' as u32))))
        }
        _ => (text, ExpectedRevision::Any),
    };
    Some((name.try_into().ok()?, expected))
}
