//! The correlation id in an event's metadata, against a parser that builds the whole document.

use gesta_store::{correlation::correlation_of, limits};

const KEY: &str = "$correlationId";

/// Pieces of documents.
pub const TOKENS: &[&[u8]] =
    &[b"\"$correlationId\":", b"\"c-1\"", b"{", b"}", b"[", b"]", b",", b"\\u0024", b"\"a\":1"];

/// Feeds the search for the id.
pub fn run(input: &[u8]) {
    let found = correlation_of(input);
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(input) else { return };
    let named = document.as_object().and_then(|object| object.get(KEY)).and_then(serde_json::Value::as_str);
    if let Some(id) = &found {
        assert_eq!(named, Some(&**id));
    }
    // Said twice, or spelled with escapes, the key is not looked for.
    let once = input.windows(KEY.len()).filter(|bytes| *bytes == KEY.as_bytes()).count() == 1;
    if let Some(id) = named.filter(|_| once && !input.contains(&b'\\')) {
        let usable = !id.is_empty()
            && !id.contains(char::is_control)
            && "$bc-".len() + id.len() <= limits::STREAM_NAME_BYTES_MAX;
        assert_eq!(found.is_some(), usable, "id={id:?}");
    }
}
