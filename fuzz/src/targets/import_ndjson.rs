//! NDJSON import: lines add up to the input, and what parses is within the limits of an event.

use gesta_store::StreamName;

use crate::{
    lines::{Line, Lines},
    parse::parse,
};

/// Pieces of lines.
pub const TOKENS: &[&[u8]] = &[
    b"\"stream\":\"a-1\",",
    b"\"type\":\"A\"",
    b",\"data\":{}",
    b",\"metadata\":{\"k\":1}",
    b",\"tags\":[\"t\"]",
    b",\"recordedAt\":\"2026-01-31T00:00:00Z\"",
    b"\n",
    b"\\u0000",
    b"{",
    b"}",
];

/// Feeds lines, and the parser with each of them.
pub fn run(input: &[u8]) {
    let mut lines = Lines::new(input);
    let home = StreamName::new("home").expect("a valid name");
    loop {
        let line = lines.next_line().expect("memory can be read");
        match line {
            None => break,
            Some(Line::Whole(line) | Line::Unended(line)) => check(line, &home),
            Some(Line::TooLong(length)) => panic!("no input is that long, length={length}"),
        }
    }
    assert_eq!(lines.bytes(), input.len() as u64);
}

fn check(line: &[u8], home: &StreamName) {
    if let Ok(imported) = parse(line, None) {
        assert!(imported.event.check().is_ok() || line.len() > 4096);
        let again = parse(line, Some(home)).expect("a line that names its stream needs no other");
        assert_eq!((again.stream, again.event), (imported.stream, imported.event));
    }
}
