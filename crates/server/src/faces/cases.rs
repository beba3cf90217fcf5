//! The cases, in chapters: each goes on where the one before it ended.

use std::time::Duration;

use gesta_store::{Direction, ExpectedRevision, Position, Revision};

use super::{Answer, End, Face, Only, Verdict};
use crate::convert::request::{Links, Place};

pub(super) type Case = fn(&mut dyn Face) -> Verdict;

const ANY: ExpectedRevision = ExpectedRevision::Any;
const NONE: ExpectedRevision = ExpectedRevision::NoStream;
const EXISTS: ExpectedRevision = ExpectedRevision::StreamExists;
const SOFT_DELETED: ExpectedRevision = ExpectedRevision::SoftDeleted;
const TOMBSTONED: ExpectedRevision = ExpectedRevision::Tombstoned;

fn at(revision: u64) -> ExpectedRevision {
    ExpectedRevision::Exact(Revision(revision))
}

const FORWARD: Direction = Direction::Forward;
const BACKWARD: Direction = Direction::Backward;
const ENOUGH: u64 = 100;
const AS_IS: Links = Links::AsTheyAre;

pub(super) const APPENDS: &[(&str, Case)] = &[
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

pub(super) const READS: &[(&str, Case)] = &[
    ("forward", |face| face.read("a-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("forward from", |face| face.read("a-1", Place::At(Revision(2)), FORWARD, ENOUGH, AS_IS)),
    ("forward, some", |face| face.read("a-1", Place::At(Revision(1)), FORWARD, 2, AS_IS)),
    ("forward from the end", |face| face.read("a-1", Place::End, FORWARD, ENOUGH, AS_IS)),
    ("forward from beyond", |face| face.read("a-1", Place::At(Revision(9)), FORWARD, ENOUGH, AS_IS)),
    ("backward", |face| face.read("a-1", Place::End, BACKWARD, ENOUGH, AS_IS)),
    ("backward from", |face| face.read("a-1", Place::At(Revision(1)), BACKWARD, ENOUGH, AS_IS)),
    ("backward from the start", |face| face.read("a-1", Place::Start, BACKWARD, ENOUGH, AS_IS)),
    ("nobody's stream", |face| face.read("none", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("links", |face| face.read("$ce-a", Place::At(Revision(3)), FORWARD, 2, AS_IS)),
    ("links resolved", |face| face.read("$ce-a", Place::At(Revision(3)), FORWARD, 2, Links::Resolved)),
    ("links backward", |face| face.read("$et-Odd", Place::End, BACKWARD, 2, Links::Resolved)),
    ("all", |face| face.read_all(Place::Start, FORWARD, ENOUGH, None)),
    ("all from", |face| face.read_all(Place::At(Position(5)), FORWARD, ENOUGH, None)),
    ("all from the end", |face| face.read_all(Place::End, FORWARD, ENOUGH, None)),
    ("all backward", |face| face.read_all(Place::End, BACKWARD, 2, None)),
    ("all backward from", |face| face.read_all(Place::At(Position(2)), BACKWARD, ENOUGH, None)),
    ("by stream", |face| face.read_all(Place::Start, FORWARD, ENOUGH, Some(&Only::StreamPrefix("a-2")))),
    ("by type", |face| face.read_all(Place::Start, FORWARD, 2, Some(&Only::TypePrefix("Od")))),
    ("by expression", |face| face.read_all(Place::Start, FORWARD, 2, Some(&Only::StreamExpression("2$")))),
    ("by type, backward", |face| face.read_all(Place::End, BACKWARD, 2, Some(&Only::TypePrefix("Ev")))),
];

pub(super) const GROUPS: &[(&str, Case)] = &[
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

pub(super) const ENDS: &[(&str, Case)] = &[
    ("of a stream that is not as expected", |face| face.end(End::Delete, "a-1", at(9))),
    ("of a stream that is not there", |face| face.end(End::Delete, "none", ANY)),
    ("of a stream", |face| face.end(End::Delete, "a-1", at(3)).without_position()),
    ("then it is not there", |face| face.read("a-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("and must not be", |face| face.append("a-1", EXISTS, &[20])),
    ("but goes on", |face| face.append("a-1", NONE, &[20]).without_position()),
    ("from there", |face| face.read("a-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("for ever", |face| face.end(End::Tombstone, "a-2", ANY).without_position()),
    ("not to be read", |face| face.read("a-2", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("not to be written", |face| face.append("a-2", ANY, &[21])),
    ("not to be ended", |face| face.end(End::Delete, "a-2", ANY)),
];

/// Changes to many streams, all or nothing. Clients of the server have two calls for it; the library has one.
pub(super) const MANY: &[(&str, Case)] = &[
    ("two new streams", |face| face.append_many(&[("b-1", NONE, &[40, 41]), ("b-2", NONE, &[42])])),
    ("again, as a retry", |face| face.append_many(&[("b-1", NONE, &[40, 41]), ("b-2", NONE, &[42])])),
    ("half a retry", |face| face.append_many(&[("b-1", ANY, &[40]), ("b-2", ANY, &[43])])),
    ("one not as expected", |face| face.append_many(&[("b-2", ANY, &[43]), ("b-1", at(0), &[44])])),
    ("one that must be there and is not", |face| face.append_many(&[("b-1", ANY, &[43]), ("b-3", EXISTS, &[44])])),
    ("so nothing was written", |face| face.read("b-2", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("as expected", |face| face.append_many(&[("b-2", at(0), &[43]), ("b-1", EXISTS, &[44])])),
    ("one only looked at", |face| face.append_many(&[("b-1", at(2), &[]), ("b-2", ANY, &[45])])),
    ("one only looked at, in vain", |face| face.append_many(&[("b-1", at(1), &[]), ("b-2", ANY, &[46])])),
    ("taking turns", |face| face.append_in_turn(&[("b-1", 46), ("b-3", 47), ("b-1", 48)], &[])),
    ("taking turns again, as a retry", |face| face.append_in_turn(&[("b-1", 46), ("b-3", 47), ("b-1", 48)], &[])),
    ("taking turns if", |face| face.append_in_turn(&[("b-3", 49), ("b-2", 50)], &[("b-3", at(0)), ("b-1", EXISTS)])),
    ("taking turns if not", |face| face.append_in_turn(&[("b-3", 51)], &[("b-2", EXISTS), ("b-1", NONE)])),
    ("taking turns if not written", |face| face.append_in_turn(&[("b-3", 51)], &[("b-3", at(7))])),
    ("taking turns if neither", |face| face.append_in_turn(&[("b-3", 51)], &[("b-3", at(7)), ("b-1", NONE)])),
    ("and the order", |face| face.read_all(Place::At(Position(7)), FORWARD, ENOUGH, None)),
    ("one deleted", |face| face.end(End::Delete, "b-2", ANY)),
    ("one deleted that must be there", |face| face.append_many(&[("b-1", ANY, &[52]), ("b-2", EXISTS, &[53])])),
    ("taking turns if one is deleted", |face| face.append_in_turn(&[("b-1", 56)], &[("b-2", SOFT_DELETED)])),
    ("taking turns if one is ended", |face| face.append_in_turn(&[("b-1", 57)], &[("b-2", TOMBSTONED)])),
    ("one deleted, revived", |face| face.append_many(&[("b-1", ANY, &[52]), ("b-2", NONE, &[53])])),
    ("goes on", |face| face.read("b-2", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("one ended", |face| face.end(End::Tombstone, "b-3", ANY)),
    ("taking turns if one is deleted", |face| face.append_in_turn(&[("b-1", 58)], &[("b-3", SOFT_DELETED)])),
    ("taking turns if one is ended", |face| face.append_in_turn(&[("b-1", 58)], &[("b-3", TOMBSTONED)])),
    ("one ended, written to", |face| face.append_many(&[("b-1", ANY, &[54]), ("b-3", ANY, &[55])])),
    ("taking turns with one ended", |face| face.append_in_turn(&[("b-1", 54), ("b-3", 55)], &[])),
];

/// What a stream's metadata say of it.
pub(super) const METADATA: &[(&str, Case)] = &[
    ("of a stream that is there", |face| face.append("m-1", NONE, &[60, 61, 62, 63])),
    ("none", |face| face.metadata("m-1")),
    ("not where expected", |face| face.set_metadata("m-1", at(0), r#"{"$maxCount":1}"#)),
    ("a count", |face| face.set_metadata("m-1", NONE, r#"{"$maxCount":2,"mine":[1.50,"kept"]}"#)),
    ("as they are", |face| face.metadata("m-1")),
    ("the newest", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("the newest, backward", |face| face.read("m-1", Place::End, BACKWARD, ENOUGH, AS_IS)),
    ("the others are in the log", |face| {
        face.read_all(Place::Start, FORWARD, ENOUGH, Some(&Only::StreamPrefix("m-1")))
    }),
    ("revisions go on", |face| face.append("m-1", at(3), &[64])),
    ("the newest now", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("not there any more", |face| face.set_metadata("m-1", NONE, r#"{}"#)),
    ("a beginning", |face| face.set_metadata("m-1", at(0), r#"{"$tb":1,"mine":true}"#)),
    ("from there", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("a beginning and a count", |face| face.set_metadata("m-1", ANY, r#"{"$tb":1,"$maxCount":3}"#)),
    ("what both leave", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("a beginning beyond the end", |face| face.set_metadata("m-1", ANY, r#"{"$tb":9}"#)),
    ("nothing left", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("values there cannot be", |face| face.set_metadata("m-1", ANY, r#"{"$tb":-1,"$maxCount":0,"$maxAge":"x"}"#)),
    ("mean nothing", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("an age", |face| face.set_metadata("m-1", ANY, r#"{"$maxAge":10,"mine":1e3}"#)),
    ("young enough", |face| face.wait(Duration::from_secs(8))),
    ("and another", |face| face.append("m-1", ANY, &[65])),
    ("all are", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("too old", |face| face.wait(Duration::from_secs(3))),
    ("but one", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("all too old", |face| face.wait(Duration::from_secs(10))),
    ("none but", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("there", |face| face.append("m-1", EXISTS, &[66])),
    ("deleted", |face| face.end(End::Delete, "m-1", at(6))),
    ("not there", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("of what is deleted", |face| face.metadata("m-1")),
    ("revived", |face| face.append("m-1", NONE, &[67])),
    ("of what is revived", |face| face.metadata("m-1")),
    ("what is revived", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("deleted again", |face| face.end(End::Delete, "m-1", EXISTS)),
    ("revived by themselves", |face| face.set_metadata("m-1", ANY, r#"{"$maxCount":2}"#)),
    ("what they revive", |face| face.read("m-1", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("of nobody's stream", |face| face.set_metadata("m-2", NONE, r#"{"$maxCount":1}"#)),
    ("which is not there", |face| face.read("m-2", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("before its events", |face| face.append("m-2", NONE, &[70, 71])),
    ("hold for them", |face| face.read("m-2", Place::Start, FORWARD, ENOUGH, AS_IS)),
    ("ended", |face| face.end(End::Tombstone, "m-2", ANY)),
    ("of what is ended", |face| face.set_metadata("m-2", ANY, r#"{"$maxCount":2}"#)),
];
