//! What a command asks for, as one number: whether a request key that comes again comes with the same question.
//!
//! It is made of what serde makes of the fields, so it outlives the program. A field that serde cannot write counts as nothing: then two questions may look alike, and never one like two.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::digest::digest;

/// What the digests are derived under.
const NAMESPACE: Uuid = Uuid::from_u128(0x6765_7374_6120_6173_6b65_6420_666f_7220);

/// The fields of a command so far. What derives write.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Asked(Vec<u8>);

impl Asked {
    /// What was asked for.
    #[must_use]
    pub fn finish(self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, &self.0)
    }

    fn add(&mut self, name: &str, value: &Value) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.0.extend_from_slice(digest(value).as_bytes());
    }
}

/// A field of a command, by whichever of the two traits its type has: the compiler prefers the one that takes it as it is.
#[doc(hidden)]
#[derive(Debug)]
pub struct AskedField<'f, T>(pub &'static str, pub &'f T);

/// Of a field that serde can write.
#[doc(hidden)]
pub trait AskedSerialized {
    /// Adds it.
    fn add_to(&self, asked: &mut Asked);
}

impl<T: Serialize> AskedSerialized for AskedField<'_, T> {
    fn add_to(&self, asked: &mut Asked) {
        if let Ok(value) = serde_json::to_value(self.1) {
            asked.add(self.0, &value);
        }
    }
}

/// Of any other field.
#[doc(hidden)]
pub trait AskedUnknown {
    /// Adds nothing.
    fn add_to(&self, asked: &mut Asked);
}

impl<T> AskedUnknown for &AskedField<'_, T> {
    fn add_to(&self, _: &mut Asked) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_counts_if_serde_can_write_it() {
        struct Opaque;
        #[allow(clippy::needless_borrow)] // one of the two needs it, and a derive does not know which
        let asked = |cents: i64| {
            let mut asked = Asked::default();
            (&AskedField("cents", &cents)).add_to(&mut asked);
            (&AskedField("opaque", &Opaque)).add_to(&mut asked);
            asked.finish()
        };
        assert_eq!(asked(1), asked(1));
        assert_ne!(asked(1), asked(2));
    }
}
