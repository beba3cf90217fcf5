//! One of several values, chosen by its place rather than by when it is met: [`First`], [`Last`], [`Lww`].
//!
//! Because the place travels with the value, order and repetition do not matter: all three are semilattices. A place has one value, as a
//! position has one event; should it ever have two, the larger value is taken, so that even then the choice does not depend on order.

use gesta_store::{Position, Timestamp};
use uuid::Uuid;

use super::{Codec, Commutative, Idempotent, Max, Min, Monoid};

macro_rules! placed {
    ($(#[$doc:meta])* $name:ident, $extreme:ident, $place:ty, $which:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name<T>($extreme<($place, T)>);

        impl<T: Ord + Clone> $name<T> {
            /// This value alone, at its place.
            pub fn of(place: $place, value: T) -> Self {
                Self($extreme::of((place, value)))
            }

            #[doc = concat!("The ", $which, " value; `None` when nothing was seen.")]
            pub fn get(&self) -> Option<&T> {
                self.0.get().map(|(_, value)| value)
            }

            /// Where it was.
            pub fn place(&self) -> Option<$place> {
                self.0.get().map(|(place, _)| *place)
            }
        }

        impl<T> Default for $name<T> {
            fn default() -> Self {
                Self($extreme::default())
            }
        }

        impl<T: Ord + Clone> Monoid for $name<T> {
            fn identity() -> Self {
                Self($extreme::identity())
            }

            fn combine(&mut self, later: &Self) {
                self.0.combine(&later.0);
            }
        }

        impl<T: Ord + Clone> Commutative for $name<T> {}
        impl<T: Ord + Clone> Idempotent for $name<T> {}

        impl<T: Codec> Codec for $name<T> {
            fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }

            fn decode(input: &mut &[u8]) -> Option<Self> {
                $extreme::decode(input).map(Self)
            }
        }
    };
}

placed!(
    /// The value at the smallest position.
    First,
    Min,
    Position,
    "first"
);
placed!(
    /// The value at the largest position.
    Last,
    Max,
    Position,
    "last"
);
placed!(
    /// Last writer wins: the value with the latest time, ties decided by event id.
    Lww,
    Max,
    (Timestamp, Uuid),
    "latest"
);
