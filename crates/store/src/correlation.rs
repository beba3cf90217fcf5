//! The correlation id of an event, which its metadata document may carry under `$correlationId`.

use serde::Deserialize;

use crate::{limits, name::system};

/// The correlation id in a metadata document; `None` when the document is not a JSON object, has none, or has one that could not
/// name a virtual stream (`$bc-` must fit in front of it). Metadata without the key costs one search for its bytes.
#[must_use]
pub fn correlation_of(metadata: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Correlated {
        #[serde(rename = "$correlationId")]
        id: String,
    }
    memchr::memmem::find(metadata, system::CORRELATION_ID.as_bytes())?;
    // The derived decoder would also take an array of the right length for the struct.
    metadata.trim_ascii_start().strip_prefix(b"{")?;
    let Correlated { id } = serde_json::from_slice(metadata).ok()?;
    let longest = limits::STREAM_NAME_BYTES_MAX - system::CORRELATION_PREFIX.len();
    (!id.is_empty() && id.len() <= longest && !id.contains(char::is_control)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_string_under_the_key_of_an_object_correlates() {
        let found = |metadata: &str| correlation_of(metadata.as_bytes());
        assert_eq!(found(r#"{"user":"a","$correlationId":"c-1"}"#).as_deref(), Some("c-1"));
        for none in [
            "",
            "{}",
            r#"["$correlationId"]"#,
            r#"{"$correlationId":7}"#,
            r#"{"$correlationId":""}"#,
            r#"{"$correlationId":"#,
        ] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
