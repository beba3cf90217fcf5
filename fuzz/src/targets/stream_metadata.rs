//! Metadata documents of streams, which are the application's and may hold anything: what the store reads of them stays in its bounds,
//! and what it changes is only its own key.

use gesta_store::commit::metadata::{DELETED, StreamMetadata, with_truncate_before};

/// Feeds reading and changing a document.
pub fn run(input: &[u8]) {
    let before = StreamMetadata::parse(input);
    for value in [before.max_age_seconds, before.max_count].into_iter().flatten() {
        assert!((1..=DELETED).contains(&value), "{before:?}");
    }
    let changed = with_truncate_before(input, 7);
    let after = StreamMetadata::parse(&changed);
    assert_eq!(after.truncate_before, Some(7));
    if before != StreamMetadata::default() {
        assert_eq!(StreamMetadata { truncate_before: before.truncate_before, ..after }, before);
    }
    assert_eq!(with_truncate_before(&changed, 7), changed, "changing it again must change nothing");
}
