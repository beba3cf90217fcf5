//! What a value comes to as one number, in this program and the next, in whatever order a hash set or a hash map was written.

use serde_json::Value;
use uuid::Uuid;

/// What digests are derived under.
const NAMESPACE: Uuid = Uuid::from_u128(0x6765_7374_6120_6469_6765_7374_206f_6620);

/// The digest of a value. That of an array does not depend on its order, for it may be a set: two arrays may look alike, and never one like two.
pub(crate) fn digest(value: &Value) -> Uuid {
    let mut parts: Vec<Uuid> = match value {
        Value::Array(values) => values.iter().map(digest).collect(),
        Value::Object(fields) => {
            let pair = |(name, value): (&String, &Value)| {
                Uuid::new_v5(&NAMESPACE, &[name.as_bytes(), &[0], digest(value).as_bytes()].concat())
            };
            fields.iter().map(pair).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Uuid::new_v5(&NAMESPACE, value.to_string().as_bytes());
        }
    };
    parts.sort_unstable();
    let kind: &[u8] = if value.is_array() { b"[" } else { b"{" };
    Uuid::new_v5(&NAMESPACE, &parts.iter().fold(kind.to_vec(), |all, part| [&all, &part.as_bytes()[..]].concat()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_depends_on_values_and_not_on_the_order_of_sets() {
        let same = [json!([1, 2, {"a": 1, "b": [null]}]), json!([{"b": [null], "a": 1}, 2, 1])];
        assert_eq!(digest(&same[0]), digest(&same[1]));
        let other =
            [json!([1, 2]), json!([1, 2, 2]), json!({"1": 2}), json!("1"), json!(1), json!([]), json!({}), json!(null)];
        let mut all: Vec<Uuid> = other.iter().map(digest).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), other.len());
    }
}
