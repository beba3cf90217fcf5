//! Several monoids side by side are one, and keep the laws that all of them keep. For structs there is `#[derive(Monoid)]`.

use super::{Commutative, Idempotent, Invertible, Monoid, Reset};

macro_rules! products {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Monoid),+> Monoid for ($($part,)+) {
            fn identity() -> Self {
                ($($part::identity(),)+)
            }
            fn combine(&mut self, later: &Self) {
                $(self.$index.combine(&later.$index);)+
            }
            fn heap_bytes(&self) -> usize {
                0 $(+ self.$index.heap_bytes())+
            }
        }
        impl<$($part: Commutative),+> Commutative for ($($part,)+) {}
        impl<$($part: Idempotent),+> Idempotent for ($($part,)+) {}
        impl<$($part: Invertible),+> Invertible for ($($part,)+) {
            fn invert(&mut self) {
                $(self.$index.invert();)+
            }
        }
        impl<$($part: Reset),+> Reset for ($($part,)+) {
            fn is_reset(&self) -> bool {
                true $(&& self.$index.is_reset())+
            }
        }
    };
}
products!(A 0);
products!(A 0, B 1);
products!(A 0, B 1, C 2);
products!(A 0, B 1, C 2, D 3);
products!(A 0, B 1, C 2, D 3, E 4);
products!(A 0, B 1, C 2, D 3, E 4, F 5);

impl Monoid for () {
    fn identity() -> Self {}
    fn combine(&mut self, (): &Self) {}
}
impl Commutative for () {}
impl Idempotent for () {}
impl Invertible for () {
    fn invert(&mut self) {}
}
