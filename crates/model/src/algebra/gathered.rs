//! Effects of parts of a log, in whatever order they come: [`Gathered`].

use std::{fmt, ops::Range};

use gesta_store::Position;

use super::{Commutative, Monoid};

/// The composed effect of parts of a log that come in any order, from anywhere, and of each only once. Does not compile without the law:
///
/// ```compile_fail,E0277
/// use gesta_model::algebra::{Gathered, Register};
/// let parts: Gathered<Register<u8>> = Gathered::default(); // the last one depends on the order
/// ```
///
/// What was seen is known by position, and positions are dense: so a few ranges tell, where identities of events would have to be kept one by one.
///
/// ```
/// use gesta_model::algebra::{Gathered, Sum};
/// use gesta_store::Position;
///
/// let mut gathered = Gathered::default();
/// gathered.add(Position(10)..Position(20), &Sum::of(5)).unwrap();
/// gathered.add(Position(0)..Position(10), &Sum::of(7)).unwrap();
/// assert!(gathered.add(Position(5)..Position(15), &Sum::of(9)).is_err(), "some of it was counted");
/// assert_eq!(gathered.missing(Position(25)).collect::<Vec<_>>(), [Position(20)..Position(25)]);
/// assert_eq!(*gathered.product(), Sum::of(12));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered<M> {
    product: M,
    /// In order, apart from one another, none of them empty.
    seen: Vec<Range<Position>>,
}

/// A part of which some was gathered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// What it has in common with what was seen, or the first of it.
    pub places: Range<Position>,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = &self.places;
        write!(f, "some of it was gathered before, from={start} to={end}")
    }
}

impl std::error::Error for Overlap {}

impl<M: Commutative> Default for Gathered<M> {
    fn default() -> Self {
        Self { product: M::identity(), seen: Vec::new() }
    }
}

impl<M: Commutative> Gathered<M> {
    /// Adds what the events in a range of positions come to.
    ///
    /// # Errors
    /// [`Overlap`]: some of them were counted. Nothing was added.
    pub fn add(&mut self, places: Range<Position>, effect: &M) -> Result<(), Overlap> {
        if places.is_empty() {
            return Ok(());
        }
        let at = self.seen.partition_point(|seen| seen.end <= places.start);
        if let Some(next) = self.seen.get(at).filter(|next| next.start < places.end) {
            return Err(Overlap { places: next.start.max(places.start)..next.end.min(places.end) });
        }
        self.seen.insert(at, places);
        self.join(at);
        self.product.combine(effect);
        Ok(())
    }

    /// Adds what was gathered elsewhere.
    ///
    /// # Errors
    /// [`Overlap`]: some of it was counted here too. Nothing was added.
    pub fn merge(&mut self, other: &Self) -> Result<(), Overlap> {
        let mut seen = Gathered { product: Nothing, seen: self.seen.clone() };
        other.seen.iter().try_for_each(|places| seen.add(places.clone(), &Nothing))?;
        self.seen = seen.seen;
        self.product.combine(&other.product);
        Ok(())
    }

    /// The effect of all that was seen.
    pub fn product(&self) -> &M {
        &self.product
    }

    /// What is still to be seen below `head`, in order.
    pub fn missing(&self, head: Position) -> impl Iterator<Item = Range<Position>> {
        let starts = std::iter::once(Position::START).chain(self.seen.iter().map(|seen| seen.end));
        let ends = self.seen.iter().map(|seen| seen.start).chain([head]);
        starts.zip(ends).map(move |(start, end)| start..end.min(head)).filter(|gap| !gap.is_empty())
    }

    /// Joins the range at `at` with its neighbours, where they touch.
    fn join(&mut self, at: usize) {
        if self.seen.get(at + 1).is_some_and(|next| next.start == self.seen[at].end) {
            self.seen[at].end = self.seen.remove(at + 1).end;
        }
        if at > 0 && self.seen[at - 1].end == self.seen[at].start {
            self.seen[at - 1].end = self.seen.remove(at).end;
        }
    }
}

/// The effect of places of which only the numbers matter.
#[derive(Clone, Copy)]
struct Nothing;

impl Monoid for Nothing {
    fn identity() -> Self {
        Self
    }

    fn combine(&mut self, _: &Self) {}
}

impl Commutative for Nothing {}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::algebra::Sum;

    #[test]
    fn what_is_gathered_is_the_whole_in_any_order_and_each_place_once() {
        let numbers = vec(-9..9_i64, 1..60);
        let cuts = vec((0..60_usize, any::<u32>(), 0..3_u8), 0..12);
        proptest!(|(numbers in numbers, cuts in cuts)| {
            let mut parts: Vec<(u32, u8, Range<usize>)> = Vec::new();
            let mut from = 0;
            let mut sorted = cuts.clone();
            sorted.sort_unstable();
            for (cut, order, whose) in sorted.into_iter().chain([(numbers.len(), 7, 0)]) {
                let to = cut.min(numbers.len()).max(from);
                parts.push((order, whose, from..to));
                from = to;
            }
            parts.sort_unstable_by_key(|(order, ..)| *order);
            let place = |at: usize| Position(at as u64);
            let sum = |range: Range<usize>| numbers[range].iter().fold(Sum::of(0), |sum, n| sum.then(&Sum::of(*n)));
            let mut gathered: Vec<Gathered<Sum>> = (0..3).map(|_| Gathered::default()).collect();
            for (_, whose, range) in &parts {
                let own = &mut gathered[usize::from(*whose)];
                prop_assert_eq!(own.add(place(range.start)..place(range.end), &sum(range.clone())), Ok(()));
            }
            let (first, others) = gathered.split_first_mut().expect("three");
            for other in others {
                prop_assert_eq!(first.merge(other), Ok(()));
                prop_assert_eq!(first.merge(other).is_err(), !other.seen.is_empty());
            }
            prop_assert_eq!(first.product(), &sum(0..numbers.len()));
            prop_assert_eq!(first.missing(place(numbers.len() + 2)).collect::<Vec<_>>(), [place(numbers.len())..place(numbers.len() + 2)]);
            prop_assert_eq!(first.seen.len(), 1);
            for at in 0..numbers.len() {
                prop_assert!(first.add(place(at)..place(at + 1), &Sum::of(1)).is_err());
            }
            prop_assert_eq!(first.product(), &sum(0..numbers.len()));
        });
    }
}
