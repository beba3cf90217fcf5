//! Ids: text, or two signed halves of the bytes in the order of RFC 4122. Requests may have either; answers have what was asked for.

use uuid::Uuid;

use crate::{
    fault::Fault,
    proto::event_store::client::{self, uuid::Structured},
};

/// How ids are written in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// Two halves.
    Structured,
    /// Text: lower case, with hyphens.
    Text,
}

/// The id a message carries as its `what`.
///
/// # Errors
/// `Invalid` when it is missing or no UUID.
pub fn from_wire(id: Option<&client::Uuid>, what: &str) -> Result<Uuid, Fault> {
    use client::uuid::Value;
    match id.and_then(|id| id.value.as_ref()) {
        None => Err(Fault::Invalid(format!("{what} is missing"))),
        Some(Value::String(text)) => Uuid::try_parse(text)
            .map_err(|error| Fault::Invalid(format!("{what} is no UUID ({error}), found={text:?}"))),
        Some(Value::Structured(Structured { most_significant_bits, least_significant_bits })) => {
            Ok(Uuid::from_u64_pair(most_significant_bits.cast_unsigned(), least_significant_bits.cast_unsigned()))
        }
    }
}

/// An id for the wire.
#[must_use]
pub fn to_wire(id: Uuid, form: IdForm) -> client::Uuid {
    use client::uuid::Value;
    let value = match form {
        IdForm::Text => Value::String(id.to_string()),
        IdForm::Structured => {
            let (most, least) = id.as_u64_pair();
            Value::Structured(Structured {
                most_significant_bits: most.cast_signed(),
                least_significant_bits: least.cast_signed(),
            })
        }
    };
    client::Uuid { value: Some(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_forms_come_back_as_they_were(bits: u128) {
            let id = Uuid::from_u128(bits);
            for form in [IdForm::Structured, IdForm::Text] {
                prop_assert_eq!(from_wire(Some(&to_wire(id, form)), "id").unwrap(), id);
            }
        }
    }

    #[test]
    fn the_halves_are_those_of_the_text() {
        let id = Uuid::try_parse("ffffffff-ffff-fffe-8000-000000000001").unwrap();
        let halves = Structured { most_significant_bits: -2, least_significant_bits: i64::MIN + 1 };
        assert_eq!(to_wire(id, IdForm::Structured).value, Some(client::uuid::Value::Structured(halves)));
    }

    #[test]
    fn what_is_no_id_is_named() {
        let text = client::Uuid { value: Some(client::uuid::Value::String("7".to_owned())) };
        for id in [None, Some(&client::Uuid { value: None }), Some(&text)] {
            assert!(matches!(from_wire(id, "event id"), Err(Fault::Invalid(what)) if what.starts_with("event id is")));
        }
    }
}
