//! What keeps events together: the key of an event under a [`KeyOf`], as a hash that never changes.
//!
//! Hashes of keys are kept with parked messages, so they must be the same in every release. Two keys with the same hash are one key:
//! that costs their events the chance to be worked off side by side, and nothing else.

use std::sync::Arc;

use super::{group_error::GroupError, group_settings::setting};
use crate::{limits, path::PathPattern};

/// What the key of an event is. An event without it is keyed by its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// The stream the event is in.
    Stream,
    /// The first tag that begins with `prefix`.
    Tag {
        /// `customer:` finds `customer:7`.
        prefix: Arc<str>,
    },
    /// A segment of the first tag a path pattern matches: of `/shops/{shop}/**`, what `{shop}` captures.
    PathSegment {
        /// The pattern.
        pattern: PathPattern,
        /// Which of its captures.
        name: Arc<str>,
    },
    /// A field of the event's data, if that is JSON: a pointer (RFC 6901), such as `/customer/id`.
    Field(Arc<str>),
}

/// What of an event its key may come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed<'a, T> {
    pub(crate) stream: &'a str,
    /// In their order in the event.
    pub(crate) tags: T,
    pub(crate) data: &'a [u8],
}

impl KeyOf {
    /// Checks that the key can be found at all.
    pub(super) fn check(&self) -> Result<(), GroupError> {
        match self {
            Self::Stream => Ok(()),
            Self::Tag { prefix } => within("strategy.prefix", prefix.len(), limits::TAG_BYTES_MAX),
            Self::PathSegment { pattern, name } => match captured_at(pattern, name) {
                Some(_) => Ok(()),
                None => Err(setting("strategy.name", name, format!("a capture of pattern={pattern}"))),
            },
            Self::Field(pointer) => {
                within("strategy.field", pointer.len(), limits::PATH_BYTES_MAX)?;
                if is_pointer(pointer) {
                    return Ok(());
                }
                let bounds = "a pointer that begins with /, in which ~ is written ~0 and a / of a name ~1";
                Err(setting("strategy.field", format!("{pointer:?}"), bounds))
            }
        }
    }

    /// The hash of the event's key.
    pub(crate) fn hash<'a, T: Iterator<Item = &'a str>>(&self, event: Keyed<'a, T>) -> u64 {
        let Keyed { stream, mut tags, data } = event;
        let found = match self {
            Self::Stream => None,
            Self::Tag { prefix } => {
                tags.find(|tag| tag.starts_with(&**prefix)).map(|tag| key_hash(TAG, tag.as_bytes()))
            }
            Self::PathSegment { pattern, name } => {
                let tag = tags.find(|tag| pattern.matches(tag));
                let segment = tag.zip(captured_at(pattern, name)).and_then(|(tag, at)| tag.split('/').nth(at));
                segment.map(|segment| key_hash(SEGMENT, segment.as_bytes()))
            }
            Self::Field(pointer) => field(data, pointer).map(|value| key_hash(FIELD, value.as_bytes())),
        };
        found.unwrap_or_else(|| stream_hash(stream))
    }
}

fn within(field: &'static str, bytes: usize, max: usize) -> Result<(), GroupError> {
    let fits = (1..=max).contains(&bytes);
    if fits { Ok(()) } else { Err(setting(field, format!("{bytes} bytes"), format!("1..={max} bytes"))) }
}

/// Whether a text points into a document (RFC 6901), and not at all of it.
fn is_pointer(text: &str) -> bool {
    text.starts_with('/') && text.split('~').skip(1).all(|escaped| escaped.starts_with(['0', '1']))
}

/// The hash of the stream an event is keyed by, or pinned by.
pub(crate) fn stream_hash(stream: &str) -> u64 {
    key_hash(STREAM, stream.as_bytes())
}

/// The hash of the correlation id an event is pinned by.
pub(crate) fn correlation_hash(id: &str) -> u64 {
    key_hash(CORRELATION, id.as_bytes())
}

/// Which segment of the pattern captures under `name`, counted as `split('/')` counts: the text before the first `/` is 0.
fn captured_at(pattern: &PathPattern, name: &str) -> Option<usize> {
    pattern.as_str().split('/').position(|segment| {
        let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inner.is_some_and(|inner| inner.split(':').next() == Some(name) && !name.is_empty())
    })
}

/// The text of the value at `pointer`: strings as they are, anything else as JSON. `null` is no key.
fn field(data: &[u8], pointer: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(data).ok()?;
    match document.pointer(pointer)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => Some(other.to_string()),
    }
}

// A customer 7 by tag and a customer 7 by field are not the same key.
const STREAM: u8 = 0;
const TAG: u8 = 1;
const SEGMENT: u8 = 2;
const FIELD: u8 = 3;
const CORRELATION: u8 = 4;

/// FNV-1a over the kind and the bytes, and the finalizer of SplitMix64, whose every bit depends on every bit: bucket numbers are
/// taken from the low ones.
fn key_hash(kind: u8, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in std::iter::once(&kind).chain(bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &KeyOf, tags: &[&str], data: &str) -> u64 {
        key.hash(Keyed { stream: "order-1", tags: tags.iter().copied(), data: data.as_bytes() })
    }

    #[test]
    fn the_hash_has_test_vectors() {
        // Computed by another program from the definition: parked messages of every release depend on them.
        assert_eq!(stream_hash(""), 0x25fc_6dd3_6ce0_4b20);
        assert_eq!(stream_hash("order-1"), 0x9248_b707_0652_6768);
        assert_eq!(correlation_hash("order-1"), 0x8bb1_9d94_4acd_2f4c);
    }

    #[test]
    fn a_key_is_what_its_kind_says() {
        let tag = KeyOf::Tag { prefix: "customer:".into() };
        assert_eq!(hash(&tag, &["a", "customer:7"], ""), hash(&tag, &["customer:7", "customer:8"], ""));
        assert_ne!(hash(&tag, &["customer:7"], ""), hash(&tag, &["customer:8"], ""));
        let pattern = PathPattern::new("/shops/{shop}/carts/{cart:int}/**").unwrap();
        let cart = KeyOf::PathSegment { pattern, name: "cart".into() };
        assert_eq!(hash(&cart, &["/shops/a/carts/7/x"], ""), hash(&cart, &["/other", "/shops/b/carts/7"], ""));
        assert_ne!(hash(&cart, &["/shops/a/carts/7"], ""), hash(&cart, &["/shops/a/carts/8"], ""));
        let field = KeyOf::Field("/customer/id".into());
        assert_eq!(
            hash(&field, &[], r#"{"customer":{"id":"7"}}"#),
            hash(&field, &[], r#"{"x":1,"customer":{"id":7}}"#)
        );
        assert_ne!(hash(&field, &[], r#"{"customer":{"id":7}}"#), hash(&field, &[], r#"{"customer":{"id":8}}"#));
    }

    #[test]
    fn an_event_without_the_key_is_keyed_by_its_stream() {
        let pattern = PathPattern::new("/shops/{shop}").unwrap();
        for key in [
            KeyOf::Stream,
            KeyOf::Tag { prefix: "customer:".into() },
            KeyOf::PathSegment { pattern, name: "shop".into() },
            KeyOf::Field("/id".into()),
        ] {
            for data in ["", "{}", r#"{"id":null}"#, "[1]", "\u{fffd}"] {
                assert_eq!(hash(&key, &["customer", "/carts/7"], data), stream_hash("order-1"), "{key:?} {data}");
            }
        }
    }

    #[test]
    fn a_key_that_cannot_be_found_is_refused() {
        let pattern = PathPattern::new("/shops/{shop}/{a|b}/*").unwrap();
        for (name, found) in [("shop", true), ("cart", false), ("a|b", true), ("", false)] {
            let key = KeyOf::PathSegment { pattern: pattern.clone(), name: name.into() };
            assert_eq!(key.check().is_ok(), found, "{name}");
        }
    }
}
