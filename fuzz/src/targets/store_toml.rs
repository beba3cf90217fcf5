//! `store.toml`: any text is an identity or an error that says what to do; an identity has usable sizes.

use gesta_store::{ErrorKind, identity::Identity};

/// Feeds the parser of identities.
pub fn run(input: &[u8]) {
    match Identity::parse(input, "here") {
        Ok(identity) => assert!(identity.segment_bytes > 0 && identity.segment_events > 0, "{identity:?}"),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Corrupted), "{error}"),
    }
}
