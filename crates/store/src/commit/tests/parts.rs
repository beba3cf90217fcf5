//! The parts that others use too: metadata documents, derived ids.

use bytes::Bytes;
use uuid::Uuid;

use super::super::{
    Found, NextRevision, Rejection, StreamState, Violation,
    identity::{event_id, revival_id, revival_salt},
    metadata::{self, StreamMetadata, described_by, with_truncate_before},
};

use super::notation::name;
use crate::position::{ExpectedRevision, Position, Revision};

#[test]
fn metadata_documents() {
    type Case = (&'static str, Option<u64>, Option<u64>, Option<u64>);
    let cases: [Case; 17] = [
        ("", None, None, None),
        ("{}", None, None, None),
        ("[1]", None, None, None),
        ("null", None, None, None),
        (r#"{"$tb":1"#, None, None, None),
        (r#"{"$maxAge":3,"$maxCount":4,"$tb":5,"$acl":{"$r":"x"},"mine":[]}"#, Some(3), Some(4), Some(5)),
        (r#"{"$maxAge":1,"$maxCount":1,"$tb":0}"#, Some(1), Some(1), Some(0)),
        (r#"{"$maxAge":0,"$maxCount":0,"$tb":-1}"#, None, None, None),
        (r#"{"$maxAge":"3","$maxCount":4}"#, None, Some(4), None),
        (r#"{"$maxAge":3,"$maxCount":null}"#, Some(3), None, None),
        (r#"{"$maxAge":1.5,"$tb":2.0}"#, None, None, None),
        (r#"{"$tb":1,"$tb":2}"#, None, None, Some(2)),
        (r#"{"$tb":9223372036854775806}"#, None, None, Some(9_223_372_036_854_775_806)),
        (r#"{"$tb":9223372036854775807}"#, None, None, Some(u64::MAX)),
        (r#"{"$tb":9223372036854775808}"#, None, None, None),
        (r#"{"$maxCount":9223372036854775807}"#, None, Some(i64::MAX as u64), None),
        (r#"{"maxCount":1,"tb":2}"#, None, None, None),
    ];
    for (document, max_age_seconds, max_count, truncate_before) in cases {
        let expected = StreamMetadata { max_age_seconds, max_count, truncate_before };
        assert_eq!(StreamMetadata::parse(document.as_bytes()), expected, "{document}");
    }
    assert_eq!(StreamMetadata::parse(b"{\"$tb\":1,\"k\":\"\xff\"}"), StreamMetadata::default(), "not UTF-8");
}

#[test]
fn documents_keep_what_is_not_ours() {
    let cases = [
        ("", r#"{"$tb":7}"#),
        ("nonsense", r#"{"$tb":7}"#),
        ("[1]", r#"{"$tb":7}"#),
        (r#"{"$tb":1}"#, r#"{"$tb":7}"#),
        (
            r#"{ "z" : 1e2, "a" : 12345678901234567890123 , "$maxAge":"x" }"#,
            r#"{"$maxAge":"x","$tb":7,"a":12345678901234567890123,"z":1e2}"#,
        ),
        (r#"{"o":{"z": 1, "a":"\u00e9"}}"#, r#"{"$tb":7,"o":{"z": 1, "a":"\u00e9"}}"#),
        (r#"{"k":1,"k":2}"#, r#"{"$tb":7,"k":2}"#),
    ];
    for (document, expected) in cases {
        assert_eq!(with_truncate_before(document.as_bytes(), 7), Bytes::from(expected), "{document}");
    }
    let deleted = with_truncate_before(b"{}", metadata::DELETED);
    assert_eq!(StreamMetadata::parse(&deleted).truncate_before, Some(u64::MAX));
}

#[test]
fn metadata_streams() {
    let cases = [
        ("a", None),
        ("$a", None),
        ("$$", None),
        ("$$a", Some("a")),
        ("$$$settings", Some("$settings")),
        ("$$$$a", None),
        ("$$$$", Some("$$")),
        ("$$$$$", None),
        ("$$$", Some("$")),
        ("a$$b", None),
    ];
    for (stream, described) in cases {
        assert_eq!(described_by(stream), described, "{stream}");
    }
}

/// The ids the rules derive are part of the log: changing how is a new format.
#[test]
fn derived_identities_are_fixed_and_differ() {
    let proposal = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    expect_test::expect!["61424ac9-84ca-82ed-b614-72ea1fa009a7 68e270f0-b738-83f9-9e67-5800741e1b31"]
        .assert_eq(&format!("{} {}", event_id(proposal, 0), event_id(proposal, 1)));
    expect_test::expect!["b9a764de-ee41-8af9-bc26-98d0913d7b61 f09d4f3a-ed84-8e91-a474-d4b35545202f"]
        .assert_eq(&format!("{} {}", revival_id(proposal, "a"), revival_id(proposal, "b")));
    let salts = [
        revival_salt(proposal, "a", &[0; 16]),
        revival_salt(proposal, "a", &[1; 16]),
        revival_salt(proposal, "b", &[0; 16]),
        revival_salt(Uuid::nil(), "a", &[0; 16]),
    ];
    for (i, salt) in salts.iter().enumerate() {
        assert!(!salts[..i].contains(salt), "salts must differ, index={i}");
    }
    expect_test::expect!["8a345b14-4d5c-c0af-bbba-70da6f14b2b5"].assert_eq(&Uuid::from_bytes(salts[0]).to_string());
}

#[test]
fn refusals_say_what_was_found() {
    let stream = || name("a");
    let wrong = |actual| Rejection::WrongRevision { stream: stream(), expected: ExpectedRevision::NoStream, actual };
    let cases = [
        (wrong(Some(Revision(2))), "stream is not at the expected revision, stream=a expected=no-stream actual=2"),
        (wrong(None), "stream is not at the expected revision, stream=a expected=no-stream actual=no-stream"),
        (Rejection::StreamDeleted { stream: stream() }, "stream was deleted for ever, stream=a"),
        (
            Rejection::NotAsExpected {
                violations: [Found::SoftDeleted, Found::Missing]
                    .map(|found| Violation { stream: stream(), expected: ExpectedRevision::Tombstoned, found })
                    .into(),
            },
            "streams are not as expected, streams=2 stream=a expected=tombstoned found=soft-deleted",
        ),
        (
            Rejection::ConditionFailed { index: 1, first_conflict: Position(7) },
            "append condition failed, condition=1 first_conflict=7",
        ),
        (
            Rejection::IdempotencyViolated { stream: stream(), actual: Some(Revision(3)) },
            "some of the event ids were recorded before, stream=a actual=3",
        ),
        (
            Rejection::ProposalReused { id: Uuid::nil() },
            "proposal id was used before for other events, id=00000000-0000-0000-0000-000000000000",
        ),
        (Rejection::StreamFull { stream: stream() }, "stream is full, stream=a revision_max=1099511627775"),
        (
            Rejection::CommitTooLarge { events: 5, bytes: 6 },
            "commit is too large with the metadata to be written for it, \
             events=5 events_max=131072 bytes=6 bytes_max=33554432",
        ),
    ];
    for (rejection, text) in cases {
        assert_eq!(rejection.to_string(), text);
    }
}

#[test]
fn where_a_stream_stands() {
    let stands = |next| NextRevision { stream: name("a"), next: Revision(next) }.current();
    assert_eq!((stands(0), stands(1)), (None, Some(Revision(0))));
    let at = |truncate_before| StreamState {
        last: Some((Revision(4), Position(9), [1; 32])),
        truncate_before,
        ..StreamState::default()
    };
    let deleted = at(u64::MAX);
    assert!(deleted.is_soft_deleted() && deleted.actual().is_none());
    assert_eq!((deleted.current(), deleted.next()), (Some(Revision(4)), Revision(5)));
    let truncated = at(3);
    assert!(!truncated.is_soft_deleted() && truncated.actual() == Some(Revision(4)));
    assert_eq!((StreamState::default().current(), StreamState::default().next()), (None, Revision(0)));
}
