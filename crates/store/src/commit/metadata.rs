//! What a stream's metadata document says to the store: `$maxAge`, `$maxCount`, `$tb`; and how the store changes one key of it.
//!
//! The document is the data of the last event of `$$stream`, whatever that event's type and content type are. A document that is not a
//! JSON object says nothing; a key with a value it cannot have is ignored, and the other keys still hold. (KurrentDB ignores the
//! whole document then; a typing error in one key should not bring deleted events back.)

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

/// The keys of a metadata document the store acts on. Every other key is the application's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMetadata {
    /// `$maxAge`: events older than this many seconds are hidden; at least 1.
    pub max_age_seconds: Option<u64>,
    /// `$maxCount`: only this many of the newest events are shown; at least 1.
    pub max_count: Option<u64>,
    /// `$tb`: events below this revision are hidden; `u64::MAX` for a soft-deleted stream ([`DELETED`] in the document).
    pub truncate_before: Option<u64>,
}

/// The value of `$tb` that soft-deletes a stream: 2^63 − 1. Larger ones are no valid `$tb`.
pub const DELETED: u64 = i64::MAX as u64;

const MAX_AGE: &str = "$maxAge";
const MAX_COUNT: &str = "$maxCount";
const TRUNCATE_BEFORE: &str = "$tb";

/// The stream whose metadata document `stream` holds. Metadata streams have none themselves: what is written to `$$$$s` means nothing.
#[must_use]
pub fn described_by(stream: &str) -> Option<&str> {
    // `$$` alone describes nothing: it is a stream like any other, and `$$$$` describes it.
    let describes = |stream: &str| stream.len() > 2 && stream.starts_with("$$");
    if describes(stream) && !describes(&stream[2..]) { Some(&stream[2..]) } else { None }
}

impl StreamMetadata {
    /// Reads a document. Of a key that is there twice, the last counts.
    #[must_use]
    pub fn parse(document: &[u8]) -> Self {
        // Each key by itself: one the store does not know may hold what no number type does (`1e999`), and must not hide the others.
        let keys = keys(document);
        let integer = |key: &str, min: u64| number_in(&keys, key).filter(|value| (min..=DELETED).contains(value));
        Self {
            max_age_seconds: integer(MAX_AGE, 1),
            max_count: integer(MAX_COUNT, 1),
            truncate_before: integer(TRUNCATE_BEFORE, 0).map(|value| if value == DELETED { u64::MAX } else { value }),
        }
    }
}

/// A document's keys, with their values as they stand there; none of one that is not a JSON object.
fn keys(document: &[u8]) -> BTreeMap<String, &RawValue> {
    serde_json::from_slice(document).unwrap_or_default()
}

fn number_in(keys: &BTreeMap<String, &RawValue>, key: &str) -> Option<u64> {
    serde_json::from_str(keys.get(key)?.get()).ok()
}

/// The whole number under `key`, whatever else is in the document.
#[must_use]
pub fn number(document: &[u8], key: &str) -> Option<u64> {
    number_in(&keys(document), key)
}

/// The document with `$tb` set to `truncate_before`. Keys come out sorted and every other value byte for byte as it was, so that
/// the result is the same wherever it is computed. A document that is not a JSON object is replaced by one with only `$tb`.
#[must_use]
pub fn with_truncate_before(document: &[u8], truncate_before: u64) -> Bytes {
    with_number(document, TRUNCATE_BEFORE, truncate_before)
}

/// The document with `key` set to `number`; as [`with_truncate_before`] in everything else.
#[must_use]
pub fn with_number(document: &[u8], key: &str, number: u64) -> Bytes {
    // Raw values: a parsed number or nested object would be printed as this build of the JSON library likes it.
    let mut keys = keys(document);
    let text = number.to_string();
    let value: &RawValue = serde_json::from_str(&text).expect("a decimal number is JSON");
    keys.insert(key.to_owned(), value);
    serde_json::to_vec(&keys).expect("a map of JSON values is JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a soft delete of a stream whose document held `1e807` under a key of the application changed nothing, because
    /// the changed document, number included, no longer parsed as a whole. So did one nested deeper than the parser goes.
    #[test]
    fn a_key_that_does_not_parse_hides_no_other() {
        let deep = format!(r#"{{"mine":{}1{},"$maxCount":3}}"#, "[".repeat(200), "]".repeat(200));
        for document in [r#"{"mine":1e807,"$maxCount":3}"#, &deep] {
            assert_eq!(StreamMetadata::parse(document.as_bytes()).max_count, Some(3));
            let deleted = StreamMetadata::parse(&with_truncate_before(document.as_bytes(), DELETED));
            assert_eq!(deleted.truncate_before, Some(u64::MAX));
        }
    }
}
