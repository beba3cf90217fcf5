//! The program from outside: what it prints, and how it ends.
//!
//! Every test has a directory of its own; `git` is the oracle of the imports.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and processes")]

mod appending;
mod damage;
mod demo;
mod ends;
mod git;
mod groups;
mod help;
mod ndjson;
mod place;
mod reading;
mod states;
