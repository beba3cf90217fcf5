//! The composed effect of the last few events, kept up as events come and go: [`TwoStacks`] for any monoid, [`SubtractOnEvict`] for one whose
//! effects can be taken back.

use std::collections::VecDeque;

use super::{Invertible, Monoid};

/// A sliding window over any monoid: amortised constant time, no inverse needed.
///
/// Two stacks make a queue: new effects go on the back stack with their running product; when the front stack is empty the back one is turned
/// over, and each of its entries then holds the product from itself to the end of the stack. Every effect is turned once.
#[derive(Clone, Debug)]
pub struct TwoStacks<M> {
    /// Products of suffixes, the one of all on top.
    front: Vec<M>,
    back: Vec<M>,
    /// Product of `back`.
    back_product: M,
}

impl<M: Monoid + Clone> Default for TwoStacks<M> {
    fn default() -> Self {
        Self { front: Vec::new(), back: Vec::new(), back_product: M::identity() }
    }
}

impl<M: Monoid + Clone> TwoStacks<M> {
    /// An effect enters at the young end.
    pub fn push(&mut self, effect: M) {
        self.back_product.combine(&effect);
        self.back.push(effect);
    }

    /// The oldest effect leaves. `false` when the window is empty.
    pub fn evict(&mut self) -> bool {
        if self.front.is_empty() {
            let mut suffix = M::identity();
            for effect in self.back.drain(..).rev() {
                suffix = effect.then(&suffix);
                self.front.push(suffix.clone());
            }
            self.back_product = M::identity();
        }
        self.front.pop().is_some()
    }

    /// The composed effect of the window.
    #[must_use]
    pub fn product(&self) -> M {
        let front = self.front.last().cloned().unwrap_or_else(M::identity);
        front.then(&self.back_product)
    }

    /// Effects in the window.
    #[must_use]
    pub fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    /// Whether the window is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A sliding window by taking back what leaves it: constant time in the worst case. Does not compile without the law.
///
/// ```compile_fail,E0277
/// use gesta_model::algebra::{Max, SubtractOnEvict};
/// let window: SubtractOnEvict<Max<u8>> = SubtractOnEvict::default(); // a maximum cannot be taken back
/// ```
#[derive(Clone, Debug)]
pub struct SubtractOnEvict<M> {
    effects: VecDeque<M>,
    product: M,
}

impl<M: Invertible + Clone> Default for SubtractOnEvict<M> {
    fn default() -> Self {
        Self { effects: VecDeque::new(), product: M::identity() }
    }
}

impl<M: Invertible + Clone> SubtractOnEvict<M> {
    /// An effect enters at the young end.
    pub fn push(&mut self, effect: M) {
        self.product.combine(&effect);
        self.effects.push_back(effect);
    }

    /// The oldest effect leaves. `false` when the window is empty.
    pub fn evict(&mut self) -> bool {
        let Some(oldest) = self.effects.pop_front() else { return false };
        // From the left, where it stands: the group need not commute.
        self.product = oldest.inverse().then(&self.product);
        true
    }

    /// The composed effect of the window.
    #[must_use]
    pub fn product(&self) -> &M {
        &self.product
    }

    /// Effects in the window.
    #[must_use]
    pub fn len(&self) -> usize {
        self.effects.len()
    }

    /// Whether the window is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}
