//! The program as a server, and as the client of one.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files, sockets and processes")]

mod consuming;
mod faces;
mod few_files;
mod full_disk;
mod git;
mod hangup;
mod kill;
mod server;
mod setting;
mod soak;
#[cfg(feature = "otel")]
mod traces;
