//! What is written is read again, byte for byte.

use gesta::{ContentType, EventData, EventType, Position, RecordedEvent, Revision, StreamName, Tag, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn recorded(content_type: ContentType, data: &[u8], metadata: &[u8]) -> RecordedEvent {
    RecordedEvent {
        position: Position((1 << 53) + 1),
        revision: Revision(3),
        recorded_at: Timestamp(1_795_634_900_123_456_789),
        id: Uuid::from_u128(0x019a_b3f0_7c1e_7000_8000_0000_0000_0001),
        stream: StreamName::new("order-\"17\"").unwrap(),
        event_type: EventType::new("OrderPlaced").unwrap(),
        content_type,
        tags: vec![Tag::new("/orders/17").unwrap(), Tag::new("vip").unwrap()],
        data: data.to_vec().into(),
        metadata: metadata.to_vec().into(),
        erased: false,
        link: None,
    }
}

fn written(event: &RecordedEvent) -> String {
    let mut line = Vec::new();
    write_event(event.into(), &mut line);
    String::from_utf8(line).unwrap()
}

fn check_round_trip(event: &RecordedEvent) {
    let line = written(event);
    let line = line.strip_suffix('\n').expect("a line ends");
    assert!(!line.contains(['\n', '\r']), "{line}");
    let _: &serde_json::value::RawValue = serde_json::from_str(line).expect("a line is JSON");
    let read = parse(line.as_bytes(), None).unwrap();
    let expected = EventData {
        id: Some(event.id),
        event_type: event.event_type.clone(),
        content_type: event.content_type.clone(),
        data: event.data.clone(),
        metadata: event.metadata.clone(),
        tags: event.tags.clone(),
    };
    assert_eq!(read.event, expected, "{line}");
    assert_eq!(read.stream, event.stream);
    assert_eq!(read.recorded_at, Some(event.recorded_at));
}

#[test]
fn an_event_reads_as_documented() {
    let event = recorded(ContentType::Json, br#"{"cents":1250}"#, br#"{"user":"alice"}"#);
    assert_eq!(
        written(&event),
        concat!(
            r#"{"position":"9007199254740993","stream":"order-\"17\"","revision":3,"type":"OrderPlaced","#,
            r#""id":"019ab3f0-7c1e-7000-8000-000000000001","recordedAt":"2026-11-25T19:28:20.123456789Z","#,
            r#""contentType":"application/json","tags":["/orders/17","vip"],"data":{"cents":1250},"metadata":{"user":"alice"}}"#,
            "\n"
        )
    );
}

#[test]
fn odd_payloads_survive() {
    let odd: &[&[u8]] = &[
        b"",
        b"null",
        b"{}",
        b" {}",
        b"{\n  \"a\": 1\r\n}\n",
        b"1.000000000000000000000000000000000001e400",
        b"123456789012345678901234567890",
        b"{\"a\":1,\"a\":2}",
        br#""\u2028\ud800""#,
        b"not json",
        b"\xff\xfe\x00",
        b"{\"a\":\"\xff\"}",
        b"\"\x01\"",
    ];
    for data in odd {
        for content_type in [ContentType::Json, ContentType::Binary, ContentType::new("text/plain").unwrap()] {
            check_round_trip(&recorded(content_type, data, data));
        }
    }
    let deep = [vec![b'['; 500], vec![b']'; 500]].concat();
    check_round_trip(&recorded(ContentType::Json, &deep, b""));
}

#[test]
fn pretty_json_is_still_json_in_the_line() {
    let line = written(&recorded(ContentType::Json, b"{\n\"a\":1\n}", b""));
    assert!(line.contains(r#""data":{ "a":1 },"dataBase64":"ewoiYSI6MQp9""#), "{line}");
}

#[test]
fn bad_lines_say_what_is_wrong_and_where() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "not a JSON object"),
        (b"[\"s\"]", "not a JSON object"),
        (b"{\"type\":\"T\"", "EOF while parsing an object, column=11"),
        (b"{\"type\":\"T\"}", "missing field `stream`"),
        (b"{\"stream\":\"s\"}", "missing field `type`, column=14"),
        (b"{\"stream\":\"s\",\"type\":\"T\",\"tag\":1}", "unknown field `tag`"),
        (b"{\"stream\":\"s\",\"type\":\"T\",\"type\":\"U\"}", "duplicate field `type`"),
        (b"{\"stream\":\"\",\"type\":\"T\"}", "a stream name must not be empty"),
        (b"{\"stream\":\"s\",\"type\":\"T\",\"dataBase64\":\"?\"}", "dataBase64 is not canonical"),
        (b"{\"stream\":\"s\",\"type\":\"T\",\"recordedAt\":\"noon\"}", "recordedAt is no RFC 3339 time"),
        (b"{\"stream\":\"s\",\"type\":\"T\",\"id\":\"7\"}", "UUID parsing failed"),
        (b"{\"stream\":\"s\xff\",\"type\":\"T\"}", "invalid utf-8, byte=13"),
        (b"{\"stream\":\"s\",\"type\":\"T\"} x", "trailing characters"),
    ];
    for (line, expected) in cases {
        let error = parse(line, None).unwrap_err();
        assert!(error.contains(expected), "{:?} gave {error}", String::from_utf8_lossy(line));
    }
}

#[test]
fn content_types_are_guessed_only_when_missing() {
    let content_type = |line: &str| parse(line.as_bytes(), None).unwrap().event.content_type;
    assert_eq!(content_type(r#"{"stream":"s","type":"T","data":1}"#), ContentType::Json);
    assert_eq!(content_type(r#"{"stream":"s","type":"T","dataBase64":"AA=="}"#), ContentType::Binary);
    let given = r#"{"stream":"s","type":"T","contentType":"text/plain","dataBase64":"AA=="}"#;
    assert_eq!(content_type(given).as_str(), "text/plain");
}

proptest! {
    #[test]
    fn any_payload_survives(data: Vec<u8>, metadata: Vec<u8>, kind in 0..3) {
        let content_type = match kind {
            0 => ContentType::Json,
            1 => ContentType::Binary,
            _ => ContentType::new("application/cbor").unwrap(),
        };
        check_round_trip(&recorded(content_type, &data, &metadata));
    }

    #[test]
    fn any_text_is_refused_or_read_but_never_a_panic(line: Vec<u8>) {
        let _ = parse(&line, None);
    }
}
