//! Which one: the key of a model with many instances. Typed, so that an order cannot be asked for with an account's key.

use std::{fmt::Write, hash::Hash, sync::Arc};

/// The key of a model: it fills the `*`s of the model's path.
///
/// `()` is the key of a model of which there is one. Newtypes derive it: `#[derive(Key)] struct AccountId(Arc<str>);`
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// How many `*`s it fills.
    const PARTS: usize;

    /// Writes the text that fills `*` number `index`.
    fn part(&self, index: usize, out: &mut String);

    /// The key that has these parts, as they were typed, one for each `*`; `None` if there is none, or it cannot be made of text. For programs
    /// that are told a key from outside.
    fn parse(parts: &[&str]) -> Option<Self> {
        let _ = parts;
        None
    }
}

impl Key for () {
    const PARTS: usize = 0;

    fn part(&self, _: usize, _: &mut String) {}

    fn parse(parts: &[&str]) -> Option<Self> {
        parts.is_empty().then_some(())
    }
}

macro_rules! displayed {
    ($parse:expr; $($key:ty),*) => {$(
        impl Key for $key {
            const PARTS: usize = 1;

            fn part(&self, _: usize, out: &mut String) {
                write!(out, "{self}").expect("writing to a string does not fail");
            }

            fn parse(parts: &[&str]) -> Option<Self> {
                let parse: fn(&str) -> Option<Self> = $parse;
                if let [part] = parts { parse(part) } else { None }
            }
        }
    )*};
}
displayed!(|text| Some(text.into()); String, Arc<str>, Box<str>);
displayed!(|text| text.parse().ok(); u8, u16, u32, u64, u128, i8, i16, i32, i64, uuid::Uuid);
// Text that comes from outside does not live for ever.
displayed!(|_| None; &'static str);

macro_rules! tuples {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Key),+> Key for ($($part,)+) {
            const PARTS: usize = 0 $(+ $part::PARTS)+;

            fn part(&self, index: usize, out: &mut String) {
                let mut before = 0;
                $(
                    if index < before + $part::PARTS {
                        return self.$index.part(index - before, out);
                    }
                    before += $part::PARTS;
                )+
                debug_assert!(index < before, "a key has as many parts as it says");
            }

            fn parse(parts: &[&str]) -> Option<Self> {
                let mut rest = parts;
                let key = ($({
                    let (own, others) = rest.split_at_checked($part::PARTS)?;
                    rest = others;
                    $part::parse(own)?
                },)+);
                rest.is_empty().then_some(key)
            }
        }
    };
}
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_the_text_it_writes() {
        fn same<K: Key + std::fmt::Debug>(key: &K) {
            let part = |index| {
                let mut text = String::new();
                key.part(index, &mut text);
                text
            };
            let parts: Vec<String> = (0..K::PARTS).map(part).collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            assert_eq!(K::parse(&parts).as_ref(), Some(key));
            assert_eq!(K::parse(&[&parts[..], &["more"]].concat()), None);
        }
        same(&());
        same(&"a b".to_owned());
        same(&-7_i64);
        same(&(Arc::<str>::from("shop"), 9_u8));
        same(&(1_u32, (2_u32, 3_u32), uuid::Uuid::from_u128(7)));
        assert_eq!((u8::parse(&["300"]), u8::parse(&[]), <&str>::parse(&["x"])), (None, None, None));
    }
}
