//! Adding and multiplying, composed: [`Affine`].

use super::{Codec, Monoid, Reset};

/// `x ↦ x·factor + offset`: any sequence of "add", "multiply" and "set" to a number.
///
/// Exact modulo 2^128: the result is right whenever the true result fits into an `i128`, whatever happened on the way, because addition and
/// multiplication are a ring there. A model that keeps fewer bits must wrap as well, or its law does not hold where it overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Affine {
    factor: i128,
    offset: i128,
}

impl Affine {
    /// Adds `number`.
    pub fn add(number: impl Into<i128>) -> Self {
        Self { factor: 1, offset: number.into() }
    }

    /// Multiplies by `number`.
    pub fn multiply(number: impl Into<i128>) -> Self {
        Self { factor: number.into(), offset: 0 }
    }

    /// Sets to `number`, whatever it was: a reset.
    pub fn set(number: impl Into<i128>) -> Self {
        Self { factor: 0, offset: number.into() }
    }

    /// What becomes of `x`.
    #[must_use]
    pub fn apply_to(&self, x: i128) -> i128 {
        x.wrapping_mul(self.factor).wrapping_add(self.offset)
    }
}

impl Monoid for Affine {
    fn identity() -> Self {
        Self { factor: 1, offset: 0 }
    }

    fn combine(&mut self, later: &Self) {
        self.offset = later.apply_to(self.offset);
        self.factor = self.factor.wrapping_mul(later.factor);
    }
}

impl Reset for Affine {
    fn is_reset(&self) -> bool {
        self.factor == 0
    }
}

impl Codec for Affine {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.factor, self.offset).encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        <(i128, i128)>::decode(input).map(|(factor, offset)| Self { factor, offset })
    }
}
