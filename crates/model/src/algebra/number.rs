//! Exact numbers that add up: [`Sum`] and [`Count`].
//!
//! Integers only: floating-point addition is not associative, so a total would depend on where a log was cut.

use super::{Codec, Commutative, Invertible, Monoid};

/// A sum of integers, exact.
///
/// Held in 128 bits, modulo 2^128. Since it takes only integers of up to 64 bits, and a log has fewer than 2^64 positions, a total cannot leave
/// that range; and being a ring, it would be right again as soon as the true total is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sum(i128);

impl Sum {
    /// The sum of this number alone.
    pub fn of(number: impl Into<Self>) -> Self {
        number.into()
    }

    /// The total.
    #[must_use]
    pub fn total(self) -> i128 {
        self.0
    }

    /// The total in 64 bits; `None` when it does not fit.
    #[must_use]
    pub fn total_i64(self) -> Option<i64> {
        i64::try_from(self.0).ok()
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Sum {
            fn from(number: $integer) -> Self {
                Self(number.into())
            }
        }
    )*};
}
from_integers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Monoid for Sum {
    fn identity() -> Self {
        Self(0)
    }

    fn combine(&mut self, later: &Self) {
        self.0 = self.0.wrapping_add(later.0);
    }
}

impl Commutative for Sum {}

impl Invertible for Sum {
    fn invert(&mut self) {
        self.0 = self.0.wrapping_neg();
    }
}

impl Codec for Sum {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        i128::decode(input).map(Self)
    }
}

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(Sum);

impl Count {
    /// One.
    #[must_use]
    pub fn one() -> Self {
        Self::of(1)
    }

    /// So many at once; fewer than none, to take some back.
    #[must_use]
    pub fn of(count: i64) -> Self {
        Self(count.into())
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> i128 {
        self.0.total()
    }
}

impl Monoid for Count {
    fn identity() -> Self {
        Self(Sum::identity())
    }

    fn combine(&mut self, later: &Self) {
        self.0.combine(&later.0);
    }
}

impl Commutative for Count {}

impl Invertible for Count {
    fn invert(&mut self) {
        self.0.invert();
    }
}

impl Codec for Count {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Sum::decode(input).map(Self)
    }
}
