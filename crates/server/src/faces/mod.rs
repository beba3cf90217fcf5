//! The same answers in every face: a table of cases, each put to the store as a library and to the server over its wire protocol, on stores of their
//! own. Both must see the same events and come to the same verdicts; and what these are stands here.

mod library;
mod wire;

use expect_test::expect;
use gesta_store::{Direction, EventData, ExpectedRevision, Position, Revision};
use uuid::Uuid;

use crate::convert::request::{Links, Place};

/// A way to ask a store.
trait Face {
    fn append(&mut self, stream: &str, expected: ExpectedRevision, numbers: &[u64]) -> Verdict;
    fn end(&mut self, end: End, stream: &str, expected: ExpectedRevision) -> Verdict;
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
    Events(Vec<String>),
    WrongRevision(i64, i64),
    StreamDeleted,
    StreamNotFound,
    GroupExists,
    NoSuchGroup,
    MaximumSubscribers,
    Other(String),
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

type Case = fn(&mut dyn Face) -> Verdict;

const ANY: ExpectedRevision = ExpectedRevision::Any;
const NONE: ExpectedRevision = ExpectedRevision::NoStream;
const EXISTS: ExpectedRevision = ExpectedRevision::StreamExists;

fn at(revision: u64) -> ExpectedRevision {
    ExpectedRevision::Exact(Revision(revision))
}

const FORWARD: Direction = Direction::Forward;
const BACKWARD: Direction = Direction::Backward;
const MANY: u64 = 100;
const AS_IS: Links = Links::AsTheyAre;

const APPENDS: &[(&str, Case)] = &[
    ("a new stream", |face| face.append("a-1", NONE, &[0, 1, 2])),
    ("again, as a retry", |face| face.append("a-1", NONE, &[0, 1, 2])),
    ("half a retry", |face| face.append("a-1", NONE, &[0, 9])),
    ("a stream that is there", |face| face.append("a-1", NONE, &[7])),
    ("behind what is expected", |face| face.append("a-1", at(7), &[7])),
    ("before what is expected", |face| face.append("a-1", at(1), &[7])),
    ("as expected", |face| face.append("a-1", at(2), &[3])),
    ("anyhow", |face| face.append("a-2", ANY, &[4, 5])),
    ("a stream that must be there", |face| face.append("a-2", EXISTS, &[6])),
    ("a stream that must be there and is not", |face| face.append("a-3", EXISTS, &[7])),
    ("at a revision of a stream that is not there", |face| face.append("a-3", at(0), &[7])),
    ("nothing", |face| face.append("a-1", at(3), &[])),
];

const READS: &[(&str, Case)] = &[
    ("forward", |face| face.read("a-1", Place::Start, FORWARD, MANY, AS_IS)),
    ("forward from", |face| face.read("a-1", Place::At(Revision(2)), FORWARD, MANY, AS_IS)),
    ("forward, some", |face| face.read("a-1", Place::At(Revision(1)), FORWARD, 2, AS_IS)),
    ("forward from the end", |face| face.read("a-1", Place::End, FORWARD, MANY, AS_IS)),
    ("forward from beyond", |face| face.read("a-1", Place::At(Revision(9)), FORWARD, MANY, AS_IS)),
    ("backward", |face| face.read("a-1", Place::End, BACKWARD, MANY, AS_IS)),
    ("backward from", |face| face.read("a-1", Place::At(Revision(1)), BACKWARD, MANY, AS_IS)),
    ("backward from the start", |face| face.read("a-1", Place::Start, BACKWARD, MANY, AS_IS)),
    ("nobody's stream", |face| face.read("none", Place::Start, FORWARD, MANY, AS_IS)),
    ("links", |face| face.read("$ce-a", Place::At(Revision(3)), FORWARD, 2, AS_IS)),
    ("links resolved", |face| face.read("$ce-a", Place::At(Revision(3)), FORWARD, 2, Links::Resolved)),
    ("links backward", |face| face.read("$et-Odd", Place::End, BACKWARD, 2, Links::Resolved)),
    ("all", |face| face.read_all(Place::Start, FORWARD, MANY, None)),
    ("all from", |face| face.read_all(Place::At(Position(5)), FORWARD, MANY, None)),
    ("all from the end", |face| face.read_all(Place::End, FORWARD, MANY, None)),
    ("all backward", |face| face.read_all(Place::End, BACKWARD, 2, None)),
    ("all backward from", |face| face.read_all(Place::At(Position(2)), BACKWARD, MANY, None)),
    ("by stream", |face| face.read_all(Place::Start, FORWARD, MANY, Some(&Only::StreamPrefix("a-2")))),
    ("by type", |face| face.read_all(Place::Start, FORWARD, 2, Some(&Only::TypePrefix("Od")))),
    ("by expression", |face| face.read_all(Place::Start, FORWARD, 2, Some(&Only::StreamExpression("2$")))),
    ("by type, backward", |face| face.read_all(Place::End, BACKWARD, 2, Some(&Only::TypePrefix("Ev")))),
];

const GROUPS: &[(&str, Case)] = &[
    ("nobody's group", |face| face.connect("a-1")),
    ("a group", |face| face.create_group("a-1")),
    ("again", |face| face.create_group("a-1")),
    ("a consumer", |face| face.connect("a-1")),
    ("one too many", |face| face.connect("a-1")),
    ("messages", |face| face.take(4)),
    ("acked", |face| face.answer(Answer::Ack, &[0])),
    ("parked", |face| face.answer(Answer::Park, &[1])),
    ("skipped", |face| face.answer(Answer::Skip, &[2])),
    ("to be retried", |face| face.answer(Answer::Retry, &[3])),
    ("retried", |face| face.take(1)),
    ("and acked", |face| face.answer(Answer::Ack, &[3])),
    ("replayed", |face| face.replay("a-1")),
    ("what was parked", |face| face.take(1)),
    ("deleted", |face| face.delete_group("a-1")),
    ("gone", |face| face.delete_group("a-1")),
];

const ENDS: &[(&str, Case)] = &[
    ("of a stream that is not as expected", |face| face.end(End::Delete, "a-1", at(9))),
    ("of a stream that is not there", |face| face.end(End::Delete, "none", ANY)),
    ("of a stream", |face| face.end(End::Delete, "a-1", at(3)).without_position()),
    ("then it is not there", |face| face.read("a-1", Place::Start, FORWARD, MANY, AS_IS)),
    ("and must not be", |face| face.append("a-1", EXISTS, &[20])),
    ("but goes on", |face| face.append("a-1", NONE, &[20]).without_position()),
    ("from there", |face| face.read("a-1", Place::Start, FORWARD, MANY, AS_IS)),
    ("for ever", |face| face.end(End::Tombstone, "a-2", ANY).without_position()),
    ("not to be read", |face| face.read("a-2", Place::Start, FORWARD, MANY, AS_IS)),
    ("not to be written", |face| face.append("a-2", ANY, &[21])),
    ("not to be ended", |face| face.end(End::Delete, "a-2", ANY)),
];

impl Verdict {
    /// How many positions the progress of groups took is not the same twice.
    fn without_position(self) -> Self {
        if let Self::Written(revision, _) = self { Self::Written(revision, None) } else { self }
    }
}

fn answers(face: &mut dyn Face) -> String {
    let mut answers = String::new();
    for (chapter, cases) in [("append", APPENDS), ("read", READS), ("group", GROUPS), ("end", ENDS)] {
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
    expect![[r#"
        append a new stream: Written(Some(2), Some(2))
        append again, as a retry: Written(Some(2), Some(2))
        append half a retry: WrongRevision(-1, 2)
        append a stream that is there: WrongRevision(-1, 2)
        append behind what is expected: WrongRevision(7, 2)
        append before what is expected: WrongRevision(1, 2)
        append as expected: Written(Some(3), Some(3))
        append anyhow: Written(Some(1), Some(5))
        append a stream that must be there: Written(Some(2), Some(6))
        append a stream that must be there and is not: WrongRevision(-4, -1)
        append at a revision of a stream that is not there: WrongRevision(0, -1)
        append nothing: Written(Some(3), None)
        read forward: Events(["0@a-1 {\"n\":0}", "1@a-1 {\"n\":1}", "2@a-1 {\"n\":2}", "3@a-1 {\"n\":3}"])
        read forward from: Events(["2@a-1 {\"n\":2}", "3@a-1 {\"n\":3}"])
        read forward, some: Events(["1@a-1 {\"n\":1}", "2@a-1 {\"n\":2}"])
        read forward from the end: Events([])
        read forward from beyond: Events([])
        read backward: Events(["3@a-1 {\"n\":3}", "2@a-1 {\"n\":2}", "1@a-1 {\"n\":1}", "0@a-1 {\"n\":0}"])
        read backward from: Events(["1@a-1 {\"n\":1}", "0@a-1 {\"n\":0}"])
        read backward from the start: Events(["0@a-1 {\"n\":0}"])
        read nobody's stream: StreamNotFound
        read links: Events(["3@$ce-a 3@a-1", "4@$ce-a 0@a-2"])
        read links resolved: Events(["3@a-1 {\"n\":3}", "0@a-2 {\"n\":4}"])
        read links backward: Events(["1@a-2 {\"n\":5}", "3@a-1 {\"n\":3}"])
        read all: Events(["0@a-1 {\"n\":0}", "1@a-1 {\"n\":1}", "2@a-1 {\"n\":2}", "3@a-1 {\"n\":3}", "0@a-2 {\"n\":4}", "1@a-2 {\"n\":5}", "2@a-2 {\"n\":6}"])
        read all from: Events(["1@a-2 {\"n\":5}", "2@a-2 {\"n\":6}"])
        read all from the end: Events([])
        read all backward: Events(["2@a-2 {\"n\":6}", "1@a-2 {\"n\":5}"])
        read all backward from: Events(["1@a-1 {\"n\":1}", "0@a-1 {\"n\":0}"])
        read by stream: Events(["0@a-2 {\"n\":4}", "1@a-2 {\"n\":5}", "2@a-2 {\"n\":6}"])
        read by type: Events(["1@a-1 {\"n\":1}", "3@a-1 {\"n\":3}"])
        read by expression: Events(["0@a-2 {\"n\":4}", "1@a-2 {\"n\":5}"])
        read by type, backward: Events(["2@a-2 {\"n\":6}", "0@a-2 {\"n\":4}"])
        group nobody's group: NoSuchGroup
        group a group: Done
        group again: GroupExists
        group a consumer: Done
        group one too many: MaximumSubscribers
        group messages: Events(["0@a-1 {\"n\":0} retries=0", "1@a-1 {\"n\":1} retries=0", "2@a-1 {\"n\":2} retries=0", "3@a-1 {\"n\":3} retries=0"])
        group acked: Done
        group parked: Done
        group skipped: Done
        group to be retried: Done
        group retried: Events(["3@a-1 {\"n\":3} retries=1"])
        group and acked: Done
        group replayed: Done
        group what was parked: Events(["1@a-1 {\"n\":1} retries=0"])
        group deleted: Done
        group gone: NoSuchGroup
        end of a stream that is not as expected: WrongRevision(9, 3)
        end of a stream that is not there: WrongRevision(-2, -1)
        end of a stream: Written(None, None)
        end then it is not there: StreamNotFound
        end and must not be: WrongRevision(-4, -1)
        end but goes on: Written(Some(4), None)
        end from there: Events(["4@a-1 {\"n\":20}"])
        end for ever: Written(None, None)
        end not to be read: StreamDeleted
        end not to be written: StreamDeleted
        end not to be ended: StreamDeleted
    "#]].assert_eq(&library);
    assert_eq!(library, wire);
}
