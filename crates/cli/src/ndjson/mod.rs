//! Events as lines of JSON: the one shape of everything that is exported, imported, read in a pipe and followed.
//!
//! The format is described in `docs/formats/ndjson.md`. What goes out comes in again byte for byte, whatever bytes an event
//! holds; JSON that fits on a line is JSON in the line.

mod lines;
mod parse;
mod write;

pub(crate) use lines::{LINE_BYTES_MAX, Line, Lines};
pub(crate) use parse::{ImportedEvent, parse};
pub(crate) use write::{EventView, write_event};

#[cfg(test)]
mod tests;
