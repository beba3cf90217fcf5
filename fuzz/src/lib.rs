//! Fuzzing of everything that reads bytes the store did not just write: decoders, parsers, matchers.
//!
//! A target is a plain function from bytes to nothing that panics when a promise is broken. The same function is driven in
//! two ways: by [`drive`], on any toolchain, blindly but reproducibly from a seed (the test command); and by libFuzzer, led by
//! coverage, where there is a nightly toolchain (`cargo xtask nightly`). `fuzz/README.md` says how to add one.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod drive;
pub mod mutate;
pub mod repair;
pub mod sample;
pub mod targets;

// The program has no library; the files of its import that read bytes are compiled into this crate instead, as they are.
#[allow(dead_code)]
#[path = "../../crates/cli/src/base64.rs"]
mod base64;
#[allow(dead_code)]
#[path = "../../crates/cli/src/ndjson/lines.rs"]
mod lines;
#[allow(dead_code)]
#[path = "../../crates/cli/src/ndjson/parse.rs"]
mod parse;
#[allow(dead_code)]
#[path = "../../crates/cli/src/time.rs"]
mod time;
