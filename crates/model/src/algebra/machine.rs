//! Finite state machines: [`Fsm`]. An event is a table "from each state to which", and tables compose.
//!
//! So anything with a bounded set of states, order-dependent as it may be, can be replayed in parallel and asked as of any moment.

use super::{Codec, Monoid, Reset};

/// What becomes of each of `N` states, `N` at most 256. A later table follows an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fsm<const N: usize>([u8; N]);

/// Why a transition table is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FsmError {
    /// A state that the machine does not have.
    #[error("the machine has no such state, state={state} states={states}")]
    NoSuchState {
        /// The state.
        state: u8,
        /// How many the machine has, numbered from 0.
        states: usize,
    },
    /// Two moves out of one state.
    #[error("two moves begin in the same state, state={state}")]
    Ambiguous {
        /// The state.
        state: u8,
    },
}

impl<const N: usize> Fsm<N> {
    const STATES_FIT: () = assert!(N > 0 && N <= 256, "a machine has between 1 and 256 states");

    /// The effect of one kind of event: for each state the one it leads to.
    ///
    /// # Errors
    /// A state that the machine does not have.
    pub const fn new(table: [u8; N]) -> Result<Self, FsmError> {
        let () = Self::STATES_FIT;
        let mut from = 0;
        while from < N {
            if table[from] as usize >= N {
                return Err(FsmError::NoSuchState { state: table[from], states: N });
            }
            from += 1;
        }
        Ok(Self(table))
    }

    /// The effect of one kind of event: the moves `(from, to)` it makes; every other state stays. Usable in a `const`, so that a wrong
    /// table does not compile.
    ///
    /// # Errors
    /// A state that the machine does not have; two moves out of one state.
    pub const fn moves(moves: &[(u8, u8)]) -> Result<Self, FsmError> {
        let mut table = Self::stay().0;
        let mut moved = [false; N];
        let mut index = 0;
        while index < moves.len() {
            let (from, to) = moves[index];
            if from as usize >= N {
                return Err(FsmError::NoSuchState { state: from, states: N });
            }
            if moved[from as usize] {
                return Err(FsmError::Ambiguous { state: from });
            }
            moved[from as usize] = true;
            table[from as usize] = to;
            index += 1;
        }
        Self::new(table)
    }

    /// Leads from everywhere to `state`: a reset.
    ///
    /// # Errors
    /// A state that the machine does not have.
    pub const fn always(state: u8) -> Result<Self, FsmError> {
        Self::new([state; N])
    }

    #[allow(clippy::cast_possible_truncation)] // `STATES_FIT`
    const fn stay() -> Self {
        let () = Self::STATES_FIT;
        let mut table = [0; N];
        let mut state = 0;
        while state < N {
            table[state] = state as u8;
            state += 1;
        }
        Self(table)
    }

    /// Where `state` leads; a state that the machine does not have stays.
    #[must_use]
    pub fn next(&self, state: u8) -> u8 {
        self.0.get(usize::from(state)).copied().unwrap_or(state)
    }
}

impl<const N: usize> Monoid for Fsm<N> {
    fn identity() -> Self {
        Self::stay()
    }

    fn combine(&mut self, later: &Self) {
        for state in &mut self.0 {
            *state = later.0[usize::from(*state)];
        }
    }
}

impl<const N: usize> Reset for Fsm<N> {
    fn is_reset(&self) -> bool {
        self.0.iter().all(|&to| to == self.0[0])
    }
}

impl<const N: usize> Codec for Fsm<N> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let (table, rest) = input.split_first_chunk::<N>()?;
        *input = rest;
        Self::new(*table).ok()
    }
}
