//! What can be composed: summaries of many events that act like the events themselves, and the laws they keep.
//!
//! Events act on a state as functions, and functions always compose. What is declared here is that the composed effect of many events has
//! a *compact* form: a [`Monoid`]. Every other law is a further permission, declared by a marker trait, so that an algorithm that needs
//! a law does not compile without it:
//!
//! | law | says | permits |
//! |---|---|---|
//! | [`Monoid`] | effects compose, with an identity, associatively | parallel replay, summary trees, ranges, windows |
//! | [`Commutative`] | order does not matter | merging parts in any order: [`Gathered`] |
//! | [`Idempotent`] | any *word* replayed changes nothing: `w·w = w` | resuming from an older checkpoint |
//! | [`Invertible`] | an effect can be taken back | windows by subtraction: [`SubtractOnEvict`]; ranges as differences |
//! | [`Reset`] | an effect may make everything before it irrelevant | reading backwards until it |
//!
//! Invariant: every battery here keeps its laws on every input, extremes included; `algebra/tests.rs` tries.

mod affine;
pub mod codec;
mod distinct;
mod extreme;
mod gathered;
mod keyed;
mod machine;
mod number;
mod placed;
mod product;
mod register;
mod set;
mod window;

#[cfg(test)]
mod tests;

use std::fmt::Debug;

pub use affine::Affine;
pub use codec::Codec;
pub use distinct::{Approx, Hll};
pub use extreme::{Max, Min};
pub use gathered::{Gathered, Overlap};
pub use keyed::MapOf;
pub use machine::{Fsm, FsmError};
pub use number::{Count, Sum};
pub use placed::{First, Last, Lww};
pub use register::Register;
pub use set::{SetUnion, TopK};
pub use window::{SubtractOnEvict, TwoStacks};

/// Effects that compose.
///
/// Laws, for all `a`, `b`, `c`, where `a·b` is "`a`, then `b`": `a·(b·c) = (a·b)·c` and `identity·a = a = a·identity`.
pub trait Monoid: Sized {
    /// The effect of no event.
    fn identity() -> Self;

    /// Makes this the effect of itself and then of `later`.
    fn combine(&mut self, later: &Self);

    /// Bytes held beyond the size of the type itself; what caches count.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// The effect of `self` and then of `later`.
    #[must_use]
    fn then(mut self, later: &Self) -> Self {
        self.combine(later);
        self
    }

    /// The effect of all, in order.
    fn product<'a>(effects: impl IntoIterator<Item = &'a Self>) -> Self
    where
        Self: 'a,
    {
        effects.into_iter().fold(Self::identity(), Self::then)
    }
}

/// `a·b = b·a`.
pub trait Commutative: Monoid {}

/// *Word*-idempotent: `w·w = w` for every composed `w`, and so a suffix replayed after its word changes nothing.
///
/// That is more than `e·e = e` for single events, which does not survive a replay: set `x` to 1, then `y` to `x`, are each idempotent,
/// and the two in the other order, twice, are not.
pub trait Idempotent: Monoid {}

/// `a·a⁻¹ = identity = a⁻¹·a`.
pub trait Invertible: Monoid {
    /// Makes this its own inverse.
    fn invert(&mut self);

    /// The inverse.
    #[must_use]
    fn inverse(mut self) -> Self {
        self.invert();
        self
    }
}

/// Some effects make everything before them irrelevant: if `r.is_reset()` then `a·r = r` for every `a`.
pub trait Reset: Monoid {
    /// Whether nothing before this matters.
    fn is_reset(&self) -> bool;
}

/// What the engine asks of a monoid to keep and share its values. Implemented for everything that qualifies.
pub trait Summary: Monoid + Codec + Clone + PartialEq + Debug + Send + Sync + 'static {}

impl<M: Monoid + Codec + Clone + PartialEq + Debug + Send + Sync + 'static> Summary for M {}
