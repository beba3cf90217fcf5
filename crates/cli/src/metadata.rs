//! Adding members to a metadata document without touching a byte of what it holds already: numbers, order and spacing stay.

use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// `document` (a JSON object, or empty) with `members` added at its end. `None` when it is no object, or has one of them.
pub(crate) fn with_members(document: &[u8], members: &[(&str, &str)]) -> Option<Vec<u8>> {
    if members.is_empty() {
        return Some(document.to_vec());
    }
    let document = std::str::from_utf8(document).ok()?.trim();
    let document = if document.is_empty() { "{}" } else { document };
    let known: BTreeMap<String, IgnoredAny> = serde_json::from_str(document).ok()?;
    if members.iter().any(|(key, _)| known.contains_key(*key)) {
        return None;
    }
    let mut extended = document.strip_suffix('}')?.trim_end().to_owned();
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 || !known.is_empty() {
            extended.push(',');
        }
        extended.push_str(&format!("{}:{}", serde_json::json!(key), serde_json::json!(value)));
    }
    extended.push('}');
    Some(extended.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(document: &str) -> Option<String> {
        with_members(document.as_bytes(), &[("$correlationId", "c\"1")]).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn members_are_added_and_the_rest_stays() {
        assert_eq!(extended("").as_deref(), Some(r#"{"$correlationId":"c\"1"}"#));
        assert_eq!(extended(" { } ").as_deref(), Some(r#"{"$correlationId":"c\"1"}"#));
        assert_eq!(
            extended(r#"{"n": 1.000000000000000000001, "a":{}}"#).as_deref(),
            Some(r#"{"n": 1.000000000000000000001, "a":{},"$correlationId":"c\"1"}"#)
        );
    }

    #[test]
    fn what_cannot_be_extended_is_left_alone() {
        for document in ["[]", "1", "{", r#"{"$correlationId":1}"#, "{} {}"] {
            assert_eq!(extended(document), None, "{document}");
        }
        assert_eq!(with_members(b"\xff", &[("a", "b")]), None);
    }
}
