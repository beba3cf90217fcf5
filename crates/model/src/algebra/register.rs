//! The last value written in log order: [`Register`]. The plain setter, and the simplest reset.

use super::{Codec, Idempotent, Monoid, Reset};

/// The last value written, by the order of composing. For a choice that survives reordering see [`Last`](super::Last).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Register<T>(Option<T>);

impl<T: Clone> Register<T> {
    /// Writes `value`.
    pub fn set(value: T) -> Self {
        Self(Some(value))
    }

    /// What was written last; `None` when nothing was.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> Monoid for Register<T> {
    fn identity() -> Self {
        Self(None)
    }

    fn combine(&mut self, later: &Self) {
        if later.0.is_some() {
            self.0.clone_from(&later.0);
        }
    }
}

impl<T: Clone> Idempotent for Register<T> {}

impl<T: Clone> Reset for Register<T> {
    fn is_reset(&self) -> bool {
        self.0.is_some()
    }
}

impl<T: Codec> Codec for Register<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Option::decode(input).map(Self)
    }
}
