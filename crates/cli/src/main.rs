//! The gesta program.
fn main() {}
