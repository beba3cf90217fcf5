//! NDJSON in and out.

use serde_json::json;

use crate::place::Place;

/// Events of every kind a payload can be, with times an hour apart.
const FACTS: &str = concat!(
    r#"{"stream":"a-1","type":"T","id":"019ab3f0-7c1e-7000-8000-000000000001","recordedAt":"2020-01-01T00:00:00.000000001Z","tags":["z","/p/q"],"data":{"n": 1.000000000000000000001},"metadata":{"user":"ada"}}"#,
    "\n",
    r#"{"stream":"a-1","type":"T","recordedAt":"2020-01-01T01:00:00Z","dataBase64":"/wA="}"#,
    "\n",
    r#"{"stream":"b-1","type":"U","recordedAt":"2020-01-01T02:00:00Z","contentType":"application/json","dataBase64":"ewogfQ==","metadataBase64":"/w=="}"#,
    "\n",
    r#"{"stream":"b-1","type":"U","recordedAt":"2020-01-01T03:00:00Z","data":null}"#,
    "\n",
    r#"{"stream":"b-1","type":"U","recordedAt":"2020-01-01T03:00:00Z"}"#,
    "\n",
);

#[test]
fn an_export_imports_to_the_same_export() {
    let place = Place::new();
    assert_eq!(place.gesta_with(&["import", "ndjson", "-"], FACTS).code, 0);
    place.ok(&["append", "$$a-1", "$metadata", r#"{"$maxCount":5}"#]);
    let first = place.ok(&["export"]).out;
    assert_eq!(first.lines().count(), 6);
    assert!(first.contains(r#""data":{"n": 1.000000000000000000001}"#), "{first}");
    assert!(first.contains(r#""recordedAt":"2020-01-01T00:00:00.000000001Z""#), "{first}");
    assert!(first.contains(r#""data":{  },"dataBase64":"ewogfQ==""#), "{first}");
    let ran = place.gesta_with(&["--dir", "copy", "import", "ndjson", "-"], first.clone());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(place.ok(&["--dir", "copy", "export"]).out, first);
    place.ok(&["export", "facts.ndjson"]);
    assert_eq!(std::fs::read_to_string(place.path("facts.ndjson")).unwrap(), first);
}

#[test]
fn times_that_cannot_be_kept_are_noted() {
    let place = Place::new();
    place.ok(&["append", "s", "T"]);
    assert_eq!(place.gesta_with(&["import", "ndjson", "-"], FACTS).code, 0);
    let events = place.ok(&["read", "a-1"]).json();
    assert_eq!(events[0]["metadata"], json!({"user": "ada", "$originalRecordedAt": "2020-01-01T00:00:00.000000001Z"}));
    let first = place.ok(&["export"]).out;
    assert_eq!(place.gesta_with(&["--dir", "copy", "import", "ndjson", "-"], first.clone()).code, 0);
    assert_eq!(place.ok(&["--dir", "copy", "export"]).out, first);
}

#[test]
fn a_bad_line_keeps_what_is_before_and_nothing_after() {
    let place = Place::new();
    place.write(
        "facts.ndjson",
        "{\"stream\":\"s\",\"type\":\"A\"}\n\n{\"stream\":\"s\",\"typ\":\"B\"}\n{\"stream\":\"s\",\"type\":\"C\"}\n",
    );
    let ran = place.gesta(&["import", "ndjson", "facts.ndjson"]);
    assert_eq!(ran.code, 8);
    for words in [
        "line 3: unknown field `typ`",
        "line begins: {\"stream\":\"s\",\"typ\":\"B\"}",
        "1 event recorded before it",
        "--from-line 3",
    ] {
        assert!(ran.err.contains(words), "{} does not say {words}", ran.err);
    }
    assert_eq!(place.ok(&["read"]).field("type"), ["A"]);
    let ran = place.gesta(&["import", "ndjson", "facts.ndjson", "--from-line", "3", "--continue"]);
    assert_eq!(ran.code, 8);
    assert!(ran.err.contains("line 3"), "{}", ran.err);
    assert_eq!(ran.json()[0]["badLines"], json!(1));
    assert_eq!(place.ok(&["read"]).field("type"), ["A", "C"]);
}

#[test]
fn torn_long_and_foreign_lines_are_bad_lines() {
    let place = Place::new();
    let torn =
        place.gesta_with(&["import", "ndjson", "-"], "{\"stream\":\"s\",\"type\":\"A\"}\n{\"stream\":\"s\",\"ty");
    assert_eq!(torn.code, 8);
    assert!(torn.err.contains("line 2") && torn.err.contains("ends in the middle"), "{}", torn.err);
    assert_eq!(
        place.gesta_with(&["import", "ndjson", "-"], "{\"stream\":\"s\",\"type\":\"B\"}").code,
        0,
        "only the line break is missing"
    );
    let long = [b"{\"stream\":\"s\",\"data\":\"".as_slice(), &vec![b'x'; 60 << 20], b"\"}\n"].concat();
    let long = place.gesta_with(&["import", "ndjson", "-"], long);
    assert_eq!(long.code, 8);
    assert!(long.err.contains("line 1: line is too long, bytes=62914"), "{}", long.err);
    let foreign = place.gesta_with(&["import", "ndjson", "-"], b"\xff\xfe{}\n".to_vec());
    assert!(foreign.code == 8 && foreign.err.contains("invalid utf-8, byte=1"), "{foreign:?}");
    assert_eq!(place.ok(&["read"]).field("type"), ["A", "B"]);
    place.fails(3, "reading nothing.ndjson", &["import", "ndjson", "nothing.ndjson"]);
}

#[test]
fn a_dry_run_checks_and_records_nothing() {
    let place = Place::new();
    let ran = place.gesta_with(&["import", "ndjson", "-", "--dry-run"], FACTS);
    assert_eq!((ran.code, &ran.json()[0]["events"]), (0, &json!(5)));
    let ran = place.gesta_with(&["import", "ndjson", "-", "--dry-run"], "{\"stream\":\"a\",\"type\":\"T\"}\n{}\n");
    assert_eq!(ran.code, 8);
    assert!(ran.err.contains("1 event would be recorded before it"), "{ran:?}");
    assert!(!place.path("store").exists());
}

/// A line that is no object was told with the name of a type of the program, and an array was taken for the fields in order.
#[test]
fn a_line_that_is_no_object_is_called_so() {
    let place = Place::new();
    for line in ["[]", "[\"s\",\"T\"]", "3", "null", "\"x\"", "nonsense"] {
        let ran = place.gesta_with(&["import", "ndjson", "-"], format!("{line}\n"));
        assert_eq!(ran.code, 8, "{ran:?}");
        assert!(ran.err.contains("line 1: not a JSON object, line begins: "), "{ran:?}");
        let ran = place.gesta_with(&["append", "s", "--ndjson"], format!("{line}\n"));
        assert!(ran.code == 2 && ran.err.contains("line 1: not a JSON object"), "{ran:?}");
    }
}

#[test]
fn refused_lines_stop_the_import_or_are_told() {
    let place = Place::new();
    place.ok(&["append", "s", "A"]);
    let end = "{\"stream\":\"s\",\"type\":\"$streamDeleted\"}\n";
    assert_eq!(place.gesta_with(&["import", "ndjson", "-"], end).code, 0);
    let lines = "{\"stream\":\"s\",\"type\":\"B\"}\n{\"stream\":\"t\",\"type\":\"C\"}\n";
    let ran = place.gesta_with(&["import", "ndjson", "-"], lines);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("line 1: refused: stream was deleted for ever, stream=s"), "{}", ran.err);
    let ran = place.gesta_with(&["import", "ndjson", "-", "--continue"], lines);
    assert_eq!((ran.code, &ran.json()[0]["refused"]), (8, &json!(1)));
    assert_eq!(place.ok(&["read", "t"]).field("type"), ["C"]);
}

/// A line for a stream that had ended took up to a thousand good lines of its commit with it.
#[test]
fn a_refused_line_keeps_what_is_before_and_with_continue_what_is_after() {
    let line = |stream: &str, event_type: &str| format!("{{\"stream\":\"{stream}\",\"type\":\"{event_type}\"}}\n");
    let lines = [
        line("a", "A"),
        line("s", "B"),
        line("s", "$streamDeleted"),
        line("a", "C"),
        line("s", "D"),
        line("$$s", "E"),
        line("a", "F"),
    ]
    .concat();
    let place = Place::new();
    let ran = place.gesta_with(&["import", "ndjson", "-"], lines.clone());
    assert!(ran.code == 4 && ran.err.contains("line 5: refused: "), "{ran:?}");
    assert!(ran.err.contains("4 events recorded before it"), "{ran:?}");
    assert_eq!(place.ok(&["read", "a"]).field("type"), ["A", "C"]);
    let rest: String = lines.split_inclusive('\n').skip(4).collect();
    let ran = place.gesta_with(&["import", "ndjson", "-", "--continue"], rest);
    assert_eq!((ran.code, &ran.json()[0]["refused"]), (8, &json!(2)), "{ran:?}");
    assert_eq!(place.ok(&["read", "a"]).field("type"), ["A", "C", "F"]);
}

/// A refused commit was not told when a bad line came after it, and whoever went on behind that line lost it without a word.
#[test]
fn what_was_refused_before_a_bad_line_is_told_first() {
    let place = Place::new();
    let id = "019ab3f0-7c1e-7000-8000-000000000001";
    place.ok(&["append", "s", "T", "--id", id]);
    let lines =
        format!("{{\"stream\":\"s\",\"type\":\"T\",\"id\":\"{id}\"}}\n{{\"stream\":\"s\",\"type\":\"U\"}}\nnonsense\n");
    let ran = place.gesta_with(&["import", "ndjson", "-"], lines);
    assert!(ran.code == 4 && ran.err.contains("lines 1 to 2: refused: some of the event ids"), "{ran:?}");
}

/// An export once replaced what it was told to write to: as root, `export /dev/null` made a plain file of the device.
#[test]
fn an_export_never_replaces_what_is_no_file() {
    let place = Place::new();
    place.ok(&["append", "a", "T"]);
    let (link, real) = (place.path("link"), place.path("real"));
    std::fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    place.ok(&["export", "link"]);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink(), "the link is followed");
    assert!(std::fs::read_to_string(&real).unwrap().contains("\"stream\":\"a\""));
    std::fs::create_dir(place.path("folder")).unwrap();
    assert_eq!(place.gesta(&["export", "folder"]).code, 2);
    assert!(!place.path("folder.partial").exists());
}

/// A line for a virtual stream once refused the whole commit it was in, good lines before it too.
#[test]
fn a_line_for_a_virtual_stream_is_a_bad_line() {
    let place = Place::new();
    let lines =
        "{\"stream\":\"a\",\"type\":\"T\"}\n{\"stream\":\"$et-x\",\"type\":\"T\"}\n{\"stream\":\"a\",\"type\":\"T\"}\n";
    assert_eq!(place.gesta_with(&["import", "ndjson", "-", "--continue"], lines).code, 8);
    assert_eq!(place.ok(&["read", "a"]).out.lines().count(), 2);
}

/// What a line may say by itself, and no store would record, was met only when its commit was sent: up to a thousand good lines before it were lost
/// with it, and after a metadata stream to be ended the import went on.
#[test]
fn a_line_no_store_would_record_is_a_bad_line() {
    let (before, after) = ("{\"stream\":\"a\",\"type\":\"T\"}\n".repeat(2), "{\"stream\":\"b\",\"type\":\"T\"}\n");
    let long = json!({"stream": "s".repeat(1023), "type": "T"});
    let large = json!({"stream": "$$s", "type": "$metadata", "data": "x".repeat(70_000)});
    let ended = json!({"stream": "$$s", "type": "$streamDeleted"});
    for (bad, words) in [
        (long, "bytes=1023 bytes_max=1022"),
        (large, "too many bytes of stream metadata, found=70002 max=65536"),
        (ended, "metadata stream cannot be deleted"),
    ] {
        let lines = format!("{before}{bad}\n{after}");
        let place = Place::new();
        let ran = place.gesta_with(&["import", "ndjson", "-"], lines.clone());
        assert!(ran.code == 8 && ran.err.contains("line 3: ") && ran.err.contains(words), "{ran:?}");
        assert!(ran.err.contains("2 events recorded before it"), "{ran:?}");
        assert_eq!(place.ok(&["read"]).field("stream"), ["a", "a"]);
        let place = Place::new();
        let ran = place.gesta_with(&["import", "ndjson", "-", "--continue"], lines);
        assert!(ran.code == 8 && ran.err.contains("line 3: "), "{ran:?}");
        assert_eq!(place.ok(&["read"]).field("stream"), ["a", "a", "b"]);
    }
}
