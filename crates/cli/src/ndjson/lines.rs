//! Lines of input, each within a bound: a line that is too long is skipped over, not held.

use std::io::{self, BufRead};

use gesta::limits;

/// Longest line that is read: the largest event as JSON and as base64 (4/3), with room for its names and tags.
pub(crate) const LINE_BYTES_MAX: usize = 3 * limits::EVENT_BYTES_MAX;

/// A line of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Its bytes, without the line break.
    Whole(&'a [u8]),
    /// The input ended before its line break.
    Unended(&'a [u8]),
    /// Longer than may be; with its length.
    TooLong(u64),
}

/// Input, line by line.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    line_bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self::bounded(input, LINE_BYTES_MAX)
    }

    fn bounded(input: R, line_bytes_max: usize) -> Self {
        Self { input, line: Vec::new(), number: 0, bytes: 0, line_bytes_max }
    }

    /// The number of the line last read; the first is 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line; `None` at the end.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut length = 0_u64;
        let ended = loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                break false;
            }
            let line_feed = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..line_feed.unwrap_or(buffer.len())];
            length += part.len() as u64;
            let room = (self.line_bytes_max + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let taken = part.len() + usize::from(line_feed.is_some());
            self.input.consume(taken);
            self.bytes += taken as u64;
            if line_feed.is_some() {
                break true;
            }
        };
        if !ended && length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(..3);
        }
        Ok(Some(match ended {
            _ if self.line.len() > self.line_bytes_max => Line::TooLong(length),
            true => Line::Whole(&self.line),
            false => Line::Unended(&self.line),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<String> {
        // A buffer of two bytes: lines come in pieces.
        let mut lines = Lines::bounded(io::BufReader::with_capacity(2, input), 4);
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            seen.push(match line {
                Line::Whole(bytes) => format!("whole {}", String::from_utf8_lossy(bytes)),
                Line::Unended(bytes) => format!("unended {}", String::from_utf8_lossy(bytes)),
                Line::TooLong(length) => format!("too long {length}"),
            });
        }
        assert_eq!(lines.bytes(), input.len() as u64);
        assert_eq!(lines.number(), seen.len() as u64);
        seen
    }

    #[test]
    fn lines_are_told_apart_by_how_they_end() {
        assert_eq!(all(b""), [""; 0]);
        assert_eq!(all(b"a\n\nbcd\n"), ["whole a", "whole ", "whole bcd"]);
        assert_eq!(all(b"a\nb"), ["whole a", "unended b"]);
        assert_eq!(all(b"\xef\xbb\xbfa\n"), ["whole a"]);
    }

    #[test]
    fn a_line_too_long_is_skipped_and_the_next_one_is_read() {
        assert_eq!(all(b"abcd\nabcde\nabcdefghijkl\nx\n"), ["whole abcd", "too long 5", "too long 12", "whole x"]);
        assert_eq!(all(b"abcdefgh"), ["too long 8"]);
    }
}
