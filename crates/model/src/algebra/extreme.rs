//! The smallest and the largest of what was seen: [`Min`], [`Max`]. Semilattices: any order, any repetition.

use std::cmp::Ordering;

use super::{Codec, Commutative, Idempotent, Monoid};

macro_rules! extreme {
    ($(#[$doc:meta])* $name:ident, $better:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name<T>(Option<T>);

        impl<T: Ord + Clone> $name<T> {
            /// Of this value alone.
            pub fn of(value: T) -> Self {
                Self(Some(value))
            }

            /// The value; `None` when nothing was seen.
            pub fn get(&self) -> Option<&T> {
                self.0.as_ref()
            }
        }

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self(None)
            }
        }

        impl<T: Ord + Clone> Monoid for $name<T> {
            fn identity() -> Self {
                Self(None)
            }

            fn combine(&mut self, later: &Self) {
                let Some(candidate) = &later.0 else { return };
                if self.0.as_ref().is_none_or(|held| candidate.cmp(held) == $better) {
                    self.0 = Some(candidate.clone());
                }
            }
        }

        impl<T: Ord + Clone> Commutative for $name<T> {}
        impl<T: Ord + Clone> Idempotent for $name<T> {}

        impl<T: Codec> Codec for $name<T> {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }

            fn decode(input: &mut &[u8]) -> Option<Self> {
                Option::decode(input).map(Self)
            }
        }
    };
}

extreme!(
    /// The smallest value.
    Min,
    Ordering::Less
);
extreme!(
    /// The largest value.
    Max,
    Ordering::Greater
);
