//! The same answers in every face: a table of cases, each put to the store as a library and to the server over its wire protocol, on stores of their
//! own. Both must see the same events and come to the same verdicts; and what these are stands in `answers.txt`.

mod cases;
mod library;
mod wire;

use std::{sync::Arc, time::Duration};

use expect_test::expect_file;
use gesta_store::{
    Direction, EventData, EventStore, ExpectedRevision, Options, Position, Revision, Timestamp, clock::ManualClock,
};
use tempfile::TempDir;
use uuid::Uuid;

use self::cases::{APPENDS, ENDS, GROUPS, MANY, METADATA, READS};
use crate::convert::request::{Links, Place};

/// A way to ask a store.
trait Face {
    fn append(&mut self, stream: &str, expected: ExpectedRevision, numbers: &[u64]) -> Verdict;
    /// Appends to many streams, all or nothing; where there are no numbers, it is only looked at.
    fn append_many(&mut self, writes: &[(&str, ExpectedRevision, &[u64])]) -> Verdict;
    /// As many events, each to its stream, all or nothing, if the streams are as they should be.
    fn append_in_turn(&mut self, events: &[(&str, u64)], checks: &[(&str, ExpectedRevision)]) -> Verdict;
    fn end(&mut self, end: End, stream: &str, expected: ExpectedRevision) -> Verdict;
    fn set_metadata(&mut self, stream: &str, expected: ExpectedRevision, document: &str) -> Verdict;
    fn metadata(&mut self, stream: &str) -> Verdict;
    /// Lets time pass.
    fn wait(&mut self, time: Duration) -> Verdict;
    fn read(&mut self, stream: &str, from: Place<Revision>, direction: Direction, count: u64, links: Links) -> Verdict;
    fn read_all(&mut self, from: Place<Position>, direction: Direction, count: u64, only: Option<&Only>) -> Verdict;
    /// Creates the group `g` on a stream, from its beginning.
    fn create_group(&mut self, stream: &str) -> Verdict;
    /// Connects to the group `g`; at most one consumer at a time.
    fn connect(&mut self, stream: &str) -> Verdict;
    /// The next so many messages, with how often they came before.
    fn take(&mut self, count: usize) -> Verdict;
    /// Answers messages that were taken, by their numbers.
    fn answer(&mut self, answer: Answer, numbers: &[u64]) -> Verdict;
    fn replay(&mut self, stream: &str) -> Verdict;
    fn delete_group(&mut self, stream: &str) -> Verdict;
}

#[derive(Clone, Copy)]
enum End {
    Delete,
    Tombstone,
}

/// Which events of the log.
enum Only {
    StreamPrefix(&'static str),
    TypePrefix(&'static str),
    StreamExpression(&'static str),
}

#[derive(Clone, Copy)]
enum Answer {
    Ack,
    Retry,
    Park,
    Skip,
}

/// What a face said.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    /// The last revision, and the last position.
    Written(Option<u64>, Option<u64>),
    /// Streams with their last revisions, and the last position.
    WrittenTo(Vec<(String, i64)>, i64),
    /// Their revision, and the document.
    Metadata(Option<(u64, String)>),
    Events(Vec<String>),
    WrongRevision(i64, i64),
    /// Of many streams, which are not as expected, what was, and what is.
    Conflicts(Vec<(String, i64, i64)>),
    StreamDeleted,
    StreamNotFound,
    GroupExists,
    NoSuchGroup,
    MaximumSubscribers,
    Other(String),
}

/// A store of a face's own, in whose time nothing passes by itself.
struct Kept {
    store: EventStore,
    clock: Arc<ManualClock>,
    _directory: TempDir,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000)));
        let options = Options { clock: Arc::<ManualClock>::clone(&clock), ..Options::default() };
        let store = EventStore::open_with(directory.path(), options).unwrap();
        Self { store, clock, _directory: directory }
    }

    fn wait(&self, time: Duration) -> Verdict {
        self.clock.advance(time);
        Verdict::Done
    }
}

/// The event by which cases tell what they see: even numbers are of one type, odd ones of another.
fn event(number: u64) -> EventData {
    let event_type = if number.is_multiple_of(2) { "Even" } else { "Odd" };
    let event = EventData::json(event_type.try_into().unwrap(), format!("{{\"n\":{number}}}"));
    EventData { id: Some(id(number)), ..event }
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(0xfeed_0000 + u128::from(number))
}

/// An event as cases write it: `revision@stream data`.
fn shown(revision: u64, stream: &str, data: &[u8]) -> String {
    format!("{revision}@{stream} {}", String::from_utf8_lossy(data))
}

impl Verdict {
    /// How many positions the progress of groups took is not the same twice.
    fn without_position(self) -> Self {
        if let Self::Written(revision, _) = self { Self::Written(revision, None) } else { self }
    }
}

fn answers(face: &mut dyn Face) -> String {
    let mut answers = String::new();
    let chapters = [
        ("append", APPENDS),
        ("read", READS),
        ("many", MANY),
        ("metadata", METADATA),
        ("group", GROUPS),
        ("end", ENDS),
    ];
    for (chapter, cases) in chapters {
        for (what, case) in cases {
            answers.push_str(&format!("{chapter} {what}: {:?}\n", case(face)));
        }
    }
    answers
}

#[test]
fn the_library_and_the_wire_say_the_same() {
    let library = answers(&mut library::Library::new());
    let wire = answers(&mut wire::Wire::new());
    expect_file!["answers.txt"].assert_eq(&library);
    assert_eq!(library, wire);
}
