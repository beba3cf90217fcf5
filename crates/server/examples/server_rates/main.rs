//! How fast the server is, and what it costs: `cargo run --release -p gesta-server --example server_rates [DIR] [unary|open|batch|read|deliver|idle]`.
//!
//! The program `gesta` is started on directories of its own inside `DIR` (inside the system's place for temporary files without it), which are gone
//! afterwards, and is asked by this process over loopback, with the client code generated from our own definitions of the protocol: what a stock
//! client adds to that is not the server's. Processor time is the server's alone, as the system counts it. Every figure that must hold stands beside
//! what must hold. Not a test: it prints.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures, on files, processes and clocks"
)]

mod append;
mod appender;
mod batch;
mod client;
mod deliver;
mod floor;
mod idle;
mod program;
mod read;
mod row;
mod samples;

use std::path::{Path, PathBuf};

use row::Report;

/// The parts, in the order in which they are measured.
const PARTS: [(&str, Part); 6] = [
    ("unary", append::unary),
    ("open", append::open_call),
    ("batch", batch::measure),
    ("read", read::measure),
    ("deliver", deliver::measure),
    ("idle", idle::measure),
];

/// Measures in directories of its own inside the given one.
type Part = fn(&Path, &mut Report);

fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == floor::ARGUMENT) {
        return floor::serve();
    }
    let (parts, places): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| PARTS.iter().any(|(name, _)| name == word));
    let dir = places.first().map_or_else(std::env::temp_dir, PathBuf::from);
    let mut report = Report::begin();
    for (name, measure) in PARTS {
        if parts.is_empty() || parts.iter().any(|part| part == name) {
            measure(&dir, &mut report);
        }
    }
    report.end();
}
