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
}

impl Key for () {
    const PARTS: usize = 0;

    fn part(&self, _: usize, _: &mut String) {}
}

macro_rules! displayed {
    ($($key:ty),*) => {$(
        impl Key for $key {
            const PARTS: usize = 1;

            fn part(&self, _: usize, out: &mut String) {
                write!(out, "{self}").expect("writing to a string does not fail");
            }
        }
    )*};
}
displayed!(String, Arc<str>, Box<str>, &'static str, u8, u16, u32, u64, u128, i8, i16, i32, i64, uuid::Uuid);

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
        }
    };
}
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
