//! Appends that stand and appends that are refused.

use serde_json::{Value, json};

use crate::place::Place;

#[test]
fn an_append_says_where_the_event_is() {
    let place = Place::new();
    let ran = place.ok(&["append", "order-17", "OrderPlaced", r#"{"cents":1250}"#, "--expect", "none"]);
    let line = &ran.json()[0];
    assert_eq!((&line["stream"], &line["revision"], &line["position"]), (&json!("order-17"), &json!(0), &json!("0")));
    let ran = place.ok(&["-o", "table", "append", "order-17", "Paid", "--expect", "0"]);
    assert!(ran.out.starts_with("order-17@1  position 1  id "), "{}", ran.out);
}

#[test]
fn a_refused_append_exits_with_4_and_records_nothing() {
    let place = Place::new();
    place.ok(&["append", "order-17", "OrderPlaced", "--expect", "none"]);
    let words = "stream is not at the expected revision, stream=order-17 expected=7 actual=0";
    place.fails(4, words, &["append", "order-17", "Paid", "--expect", "7"]);
    place.fails(4, "--expect 0", &["append", "order-17", "Paid", "--expect", "none"]);
    place.fails(4, "expected=stream-exists actual=no-stream", &["append", "other", "Paid", "--expect", "exists"]);
    assert_eq!(place.ok(&["read"]).json().len(), 1);
}

#[test]
fn a_condition_stands_until_something_matches() {
    let place = Place::new();
    let register = ["append", "user-7", "Registered", "--tag", "name:ada", "--condition-tag", "name:ada"];
    place.ok(&register);
    place.fails(4, "append condition failed, condition=0 first_conflict=0", &register);
    let path = ["append", "user-8", "Moved", "--path", "/cities/rome", "--condition-path", "/cities/*", "--after", "0"];
    place.ok(&path);
    place.fails(4, "first_conflict=1", &path);
    place.ok(&["append", "user-8", "Moved", "--condition-path", "/cities/*", "--after", "@1"]);
    place.fails(4, "first_conflict=2", &["append", "user-9", "Moved", "--after", "1"]);
    place.fails(
        4,
        "first_conflict=0",
        &["append", "user-9", "Moved", "--condition-type", "Reg*", "--condition-stream", "user-*"],
    );
}

#[test]
fn retries_are_recognised() {
    let place = Place::new();
    let id = "019ab3f0-7c1e-7000-8000-000000000001";
    let append = ["append", "s", "T", "1", "--id", id, "--expect", "none"];
    place.ok(&append);
    let again = place.ok(&append);
    assert_eq!(again.json()[0]["idempotent"], json!(true));
    assert!(again.err.contains("recorded before"));
    let proposal = ["append", "t", "T", "--proposal-id", id];
    place.ok(&proposal);
    assert_eq!(place.ok(&["read"]).field("id")[0], id);
    place.fails(4, "proposal id was used before", &["append", "u", "Other", "2", "--proposal-id", id]);
}

#[test]
fn data_comes_from_a_file_or_a_pipe() {
    let place = Place::new();
    place.write("cat.jpg", b"\xff\xd8\x00");
    place.ok(&["append", "photo-1", "Taken", "@cat.jpg", "--content-type", "image/jpeg"]);
    assert_eq!(place.gesta_with(&["append", "photo-1", "Described", "-"], "{\"a\": 1}\n").code, 0);
    let events = place.ok(&["read"]).json();
    assert_eq!(events[0]["dataBase64"], json!("/9gA"));
    assert_eq!(events[0]["contentType"], json!("image/jpeg"));
    assert_eq!(events[1]["data"], json!({"a": 1}));
    place.fails(3, "reading dog.jpg", &["append", "photo-1", "Taken", "@dog.jpg"]);
}

#[test]
fn causes_are_kept_in_the_metadata_and_found_by_them() {
    let place = Place::new();
    let given = ["append", "s", "T", "--metadata", r#"{"user":"ada"}"#, "--correlation", "c1", "--causation", "e1"];
    place.ok(&given);
    place.ok(&["append", "s", "T"]);
    let found = place.ok(&["read", "$bc-c1"]).json();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["metadata"], json!({"user": "ada", "$correlationId": "c1", "$causationId": "e1"}));
    assert_eq!(found[0]["link"]["stream"], json!("$bc-c1"));
    let twice = ["append", "s", "T", "--metadata", r#"{"$correlationId":"x"}"#, "--correlation", "c1"];
    place.fails(2, "--correlation", &twice);
}

#[test]
fn many_events_make_one_commit_or_none() {
    let place = Place::new();
    let lines = "{\"type\":\"A\"}\n\n{\"stream\":\"b\",\"type\":\"B\",\"data\":[1, 2]}\n{\"type\":\"C\"}\n";
    let ran = place.gesta_with(&["append", "a", "--ndjson", "--expect", "none"], lines);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.field("stream"), ["a", "b", "a"]);
    assert_eq!(ran.field("revision"), ["0", "0", "1"]);
    assert_eq!(ran.field("position"), ["0", "1", "2"]);
    let ran = place.gesta_with(&["append", "--ndjson"], "{\"stream\":\"d\",\"type\":\"D\"}\n{\"type\":\"E\"}\n");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("line 2: missing field `stream`") && ran.err.contains("nothing was recorded"),
        "{}",
        ran.err
    );
    assert_eq!(place.ok(&["read"]).json().len(), 3);
}

/// A condition after a position that is not recorded yet would hold whatever was: a slip of the finger would switch it off.
#[test]
fn a_condition_beyond_the_head_is_a_mistake() {
    let place = Place::new();
    place.ok(&["append", "a", "T"]);
    assert_eq!(place.gesta(&["append", "a", "T", "--condition-type", "T", "--after", "1"]).code, 2);
    assert_eq!(place.ok(&["read", "a"]).out.lines().count(), 1);
    assert_eq!(place.gesta(&["append", "a", "T", "--condition-type", "T", "--after", "0"]).code, 0);
}

/// The places of many events were counted on from the first, as if nothing could stand between them: what the store writes to revive a stream
/// does, and so does whatever came between events that are sent again.
#[test]
fn the_places_printed_are_those_in_the_log() {
    let place = Place::new();
    let printed = |lines: &str| place.gesta_with(&["append", "--ndjson"], lines).json();
    let read = || -> Vec<_> { place.ok(&["read"]).json() };
    let agree = |printed: &[Value]| {
        let recorded = read();
        for event in printed {
            let found = recorded.iter().find(|recorded| recorded["id"] == event["id"]).expect("recorded");
            for field in ["stream", "revision", "position"] {
                assert_eq!(event[field], found[field], "{field} of {event}");
            }
        }
    };
    for stream in ["a", "b"] {
        place.ok(&["append", stream, "T"]);
        place.ok(&["append", &format!("$${stream}"), "$metadata", r#"{"$tb":9223372036854775807}"#]);
    }
    let revived = printed("{\"stream\":\"a\",\"type\":\"N\"}\n{\"stream\":\"b\",\"type\":\"N\"}\n");
    assert_eq!(revived.len(), 2);
    agree(&revived);

    let ids = [1, 2].map(|number| format!("019ab3f0-7c1e-7000-8000-00000000000{number}"));
    for id in &ids {
        place.ok(&["append", "c", "T", "--id", id]);
        place.ok(&["append", "d", "T"]);
    }
    let again: String =
        ids.iter().rev().map(|id| format!("{{\"stream\":\"c\",\"type\":\"T\",\"id\":\"{id}\"}}\n")).collect();
    let again = printed(&again);
    assert!(again.len() == 2 && again.iter().all(|event| event["idempotent"] == json!(true)), "{again:?}");
    agree(&again);
}

/// Of data that was too large only the beginning was read, which then was said not to be JSON.
#[test]
fn data_that_is_too_large_is_called_so() {
    let place = Place::new();
    let data = format!("\"{}\"", "x".repeat(17 << 20));
    let ran = place.gesta_with(&["append", "s", "T", "-"], data);
    assert!(ran.code == 2 && ran.err.contains("too large for an event, bytes_max=16777216"), "{ran:?}");
}
