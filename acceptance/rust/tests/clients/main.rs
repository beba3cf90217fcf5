//! The stock Rust client of KurrentDB against the program as it is built: every call about streams and about persistent subscriptions.
//!
//! Each test starts a server of its own on a free port, and finds the program by the variable `GESTA`.

#![allow(clippy::disallowed_methods, reason = "tests work on files")]

mod appending;
mod deleting;
mod following;
mod groups;
mod projections;
mod reading;
mod server;
