//! Names: what is accepted obeys the rules, and is kept byte for byte.

use gesta_store::{Category, ContentType, EventType, StreamName, Tag, limits, name::category_of};

/// Feeds every kind of name.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let obeys = |max: usize| !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
    let check = |accepted: Option<String>, max: usize| {
        assert_eq!(accepted.is_some(), obeys(max), "accepted={accepted:?} bytes_max={max}");
        assert!(accepted.is_none_or(|name| name == text));
    };
    check(StreamName::new(text).ok().map(|name| name.to_string()), limits::STREAM_NAME_BYTES_MAX);
    check(Category::new(text).ok().map(|name| name.to_string()), limits::STREAM_NAME_BYTES_MAX);
    check(EventType::new(text).ok().map(|name| name.to_string()), limits::EVENT_TYPE_BYTES_MAX);
    check(Tag::new(text).ok().map(|name| name.to_string()), limits::TAG_BYTES_MAX);
    check(ContentType::new(text).ok().map(|name| name.to_string()), limits::CONTENT_TYPE_BYTES_MAX);
    if let Ok(stream) = StreamName::new(text) {
        relations(&stream);
    }
}

/// What names have to do with one another.
fn relations(stream: &StreamName) {
    if let Ok(metadata) = stream.metadata_stream() {
        assert_eq!(metadata.metadata_of().as_ref(), Some(stream));
        assert!(metadata.is_system());
    }
    if let Some(category) = category_of(stream) {
        assert!(stream.strip_prefix(category).is_some_and(|rest| rest.starts_with('-')));
        assert!(Category::new(category).is_ok_and(|name| !name.contains('-')));
    }
}
