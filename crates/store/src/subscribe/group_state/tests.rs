//! What must hold of a group: each rule by its name, and all of them under random scripts.

#![allow(clippy::wildcard_enum_match_arm)] // the naive model says what it cares about, and what not

mod cost;
mod naive;
mod rules;
mod scripts;
mod world;
