//! A state machine by table, checked as a whole when it is made.

use std::{collections::BTreeMap, fmt::Debug};

/// A state machine: from which state which input leads where. What is wrong with it is said when it is made, not when an order has been stuck
/// for a week.
///
/// ```
/// use gesta_model::process::{FsmTable, FsmTableError};
/// #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
/// enum Parcel { Announced, Arrived, Refunded }
/// #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
/// enum Input { Received, Inspected }
/// use {Input::*, Parcel::*};
///
/// let table = FsmTable::new(Announced)
///     .on(Announced, Received, Arrived)
///     .ignores(Announced, Inspected)
///     .on(Arrived, Inspected, Refunded)
///     .ignores(Arrived, Received)
///     .ends(Refunded)
///     .check([Announced, Arrived, Refunded], [Received, Inspected])?;
/// assert_eq!(table.next(Announced, Received), Arrived);
/// assert_eq!(table.next(Announced, Inspected), Announced, "ignored");
/// assert!(table.is_end(Refunded));
///
/// let forgotten = FsmTable::new(Announced).on(Announced, Received, Arrived).check([Announced, Arrived], [Received]);
/// assert_eq!(forgotten.err(), Some(FsmTableError::Missing { state: Arrived, input: Received }));
/// # Ok::<(), FsmTableError<Parcel, Input>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsmTable<S, I> {
    initial: S,
    moves: BTreeMap<(S, I), S>,
    ends: Vec<S>,
    twice: Vec<(S, I, S, S)>,
}

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FsmTableError<S: Debug, I: Debug> {
    /// Two rows for the same state and input.
    #[error("two rows for one state and input, state={state:?} input={input:?} first={first:?} second={second:?}")]
    Ambiguous {
        /// The state.
        state: S,
        /// The input.
        input: I,
        /// Where the first row leads.
        first: S,
        /// Where the second row leads.
        second: S,
    },
    /// No row for a state, which is not an end, and an input.
    #[error("no row for a state and an input: let it lead somewhere, or ignore it, state={state:?} input={input:?}")]
    Missing {
        /// The state.
        state: S,
        /// The input.
        input: I,
    },
    /// A state to which no way leads.
    #[error("no way leads to a state, state={state:?}")]
    Unreachable {
        /// The state.
        state: S,
    },
    /// A state from which no way leads to an end, though there are ends.
    #[error("no way leads from a state to an end, state={state:?}")]
    Endless {
        /// The state.
        state: S,
    },
    /// A row that leads out of an end.
    #[error("a row leads out of an end, state={state:?} input={input:?}")]
    LeavesEnd {
        /// The end.
        state: S,
        /// The input.
        input: I,
    },
    /// A row with a state that is not among those the table is checked for.
    #[error("a row has a state that is not among all, state={state:?}")]
    UnknownState {
        /// The state.
        state: S,
    },
    /// A row with an input that is not among those the table is checked for.
    #[error("a row has an input that is not among all, input={input:?}")]
    UnknownInput {
        /// The input.
        input: I,
    },
}

impl<S: Copy + Ord + Debug, I: Copy + Ord + Debug> FsmTable<S, I> {
    /// A table without rows.
    pub fn new(initial: S) -> Self {
        Self { initial, moves: BTreeMap::new(), ends: Vec::new(), twice: Vec::new() }
    }

    /// `input` leads from `from` to `to`.
    #[must_use]
    pub fn on(mut self, from: S, input: I, to: S) -> Self {
        if let Some(first) = self.moves.insert((from, input), to) {
            self.twice.push((from, input, first, to));
        }
        self
    }

    /// `input` changes nothing in `state`.
    #[must_use]
    pub fn ignores(self, state: S, input: I) -> Self {
        self.on(state, input, state)
    }

    /// Nothing changes `state` any more.
    #[must_use]
    pub fn ends(mut self, state: S) -> Self {
        self.ends.push(state);
        self
    }

    /// Checks the table for all states and all inputs there are.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(
        self,
        states: impl IntoIterator<Item = S>,
        inputs: impl IntoIterator<Item = I>,
    ) -> Result<Self, FsmTableError<S, I>> {
        let (states, inputs): (Vec<S>, Vec<I>) = (states.into_iter().collect(), inputs.into_iter().collect());
        if let Some(&(state, input, first, second)) = self.twice.first() {
            return Err(FsmTableError::Ambiguous { state, input, first, second });
        }
        self.check_words(&states, &inputs)?;
        self.check_rows(&states, &inputs)?;
        self.check_ways(&states)?;
        Ok(self)
    }

    fn check_words(&self, states: &[S], inputs: &[I]) -> Result<(), FsmTableError<S, I>> {
        let named = self.moves.iter().flat_map(|(&(from, _), &to)| [from, to]);
        if let Some(state) =
            named.chain(self.ends.iter().copied()).chain([self.initial]).find(|state| !states.contains(state))
        {
            return Err(FsmTableError::UnknownState { state });
        }
        match self.moves.keys().find(|(_, input)| !inputs.contains(input)) {
            Some(&(_, input)) => Err(FsmTableError::UnknownInput { input }),
            None => Ok(()),
        }
    }

    fn check_rows(&self, states: &[S], inputs: &[I]) -> Result<(), FsmTableError<S, I>> {
        for (&state, &input) in states.iter().flat_map(|state| inputs.iter().map(move |input| (state, input))) {
            match (self.is_end(state), self.moves.contains_key(&(state, input))) {
                (true, true) => return Err(FsmTableError::LeavesEnd { state, input }),
                (false, false) => return Err(FsmTableError::Missing { state, input }),
                (true, false) | (false, true) => {}
            }
        }
        Ok(())
    }

    fn check_ways(&self, states: &[S]) -> Result<(), FsmTableError<S, I>> {
        let forward = self.closure(vec![self.initial], |from, to| (from, to));
        if let Some(&state) = states.iter().find(|state| !forward.contains(state)) {
            return Err(FsmTableError::Unreachable { state });
        }
        let backward = self.closure(self.ends.clone(), |from, to| (to, from));
        match states.iter().find(|state| !self.ends.is_empty() && !backward.contains(state)) {
            Some(&state) => Err(FsmTableError::Endless { state }),
            None => Ok(()),
        }
    }

    /// The states that moves, seen in a direction, lead to.
    fn closure(&self, mut reached: Vec<S>, direction: impl Fn(S, S) -> (S, S)) -> Vec<S> {
        let mut index = 0;
        while let Some(&state) = reached.get(index) {
            for (&(from, _), &to) in &self.moves {
                let (begin, end) = direction(from, to);
                if begin == state && !reached.contains(&end) {
                    reached.push(end);
                }
            }
            index += 1;
        }
        reached
    }

    /// Where it begins.
    pub fn initial(&self) -> S {
        self.initial
    }

    /// Where `input` leads from `state`; nowhere from an end.
    pub fn next(&self, state: S, input: I) -> S {
        self.moves.get(&(state, input)).copied().unwrap_or(state)
    }

    /// Whether nothing changes `state` any more.
    pub fn is_end(&self, state: S) -> bool {
        self.ends.contains(&state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: FsmTable<char, u8>) -> Option<FsmTableError<char, u8>> {
        table.check(['a', 'b', 'c'], [0, 1]).err()
    }

    fn whole() -> FsmTable<char, u8> {
        FsmTable::new('a').on('a', 0, 'b').ignores('a', 1).on('b', 0, 'a').on('b', 1, 'c').ends('c')
    }

    #[test]
    fn each_mistake_is_named_with_its_facts() {
        use FsmTableError as Wrong;
        assert_eq!(check(whole()), None);
        let twice = whole().on('b', 1, 'a');
        assert_eq!(check(twice), Some(Wrong::Ambiguous { state: 'b', input: 1, first: 'c', second: 'a' }));
        assert_eq!(check(whole().on('c', 0, 'a')), Some(Wrong::LeavesEnd { state: 'c', input: 0 }));
        assert_eq!(check(whole().on('z', 0, 'a')), Some(Wrong::UnknownState { state: 'z' }));
        assert_eq!(check(whole().on('a', 9, 'a')), Some(Wrong::UnknownInput { input: 9 }));
        let missing = FsmTable::new('a').on('a', 0, 'b').on('b', 0, 'c').on('b', 1, 'c').ends('c');
        assert_eq!(check(missing), Some(Wrong::Missing { state: 'a', input: 1 }));
        let island = FsmTable::new('a').ignores('a', 0).on('a', 1, 'c').on('b', 0, 'c').on('b', 1, 'c').ends('c');
        assert_eq!(check(island), Some(Wrong::Unreachable { state: 'b' }));
        let trap = FsmTable::new('a').on('a', 0, 'b').on('a', 1, 'c').ignores('b', 0).ignores('b', 1).ends('c');
        assert_eq!(check(trap), Some(Wrong::Endless { state: 'b' }));
        assert_eq!(
            Wrong::<char, u8>::Missing { state: 'a', input: 1 }.to_string(),
            "no row for a state and an input: let it lead somewhere, or ignore it, state='a' input=1"
        );
    }
}
