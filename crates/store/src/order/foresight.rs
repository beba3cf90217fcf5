//! What can be known of a proposal's conditions before it has its place in the order: what of the durable past is in their way.
//!
//! Looking for a first match may mean walking dictionaries of the whole index, for a prefix or a path pattern; that must not happen while
//! everybody else waits for the order. What is durable never changes, and it is before whatever comes: the first match below a
//! published head is the first match there will ever be, and when there is none, only what came after that head needs to be
//! looked at in turn. So the verdict is the same, position and all, as if everything had been looked at then (I3).

use crate::{index::Index, position::Position, query::AppendCondition};

/// What a look ahead has found for one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foresight {
    /// Nothing was looked at: all there is to be seen comes later, or the look failed. It may be that nobody will ask.
    Unknown,
    /// The first event in its way, for ever.
    Conflict(Position),
    /// Nothing is in its way before this position.
    ClearBefore(Position),
}

/// Looks at what is durable below `head`, for each condition. Holds no lock.
pub(super) fn foresee(conditions: &[AppendCondition], index: &Index, head: Position) -> Vec<Foresight> {
    conditions.iter().map(|condition| look(condition, index, head)).collect()
}

fn look(condition: &AppendCondition, index: &Index, head: Position) -> Foresight {
    match first_after(condition.after) {
        Some(from) if from < head => match index.first_match(&condition.none_matching, from, head) {
            Ok(Some(conflict)) => Foresight::Conflict(conflict),
            Ok(None) => Foresight::ClearBefore(head),
            // Whoever must know meets the error again, if it lasts: a retry, or a refusal for another reason, needs no condition.
            Err(_) => Foresight::Unknown,
        },
        Some(_) | None => Foresight::Unknown,
    }
}

/// The first position that is after `after`. Any position can be named, also the largest, which nothing can be after.
pub(super) fn first_after(after: Option<Position>) -> Option<Position> {
    after.map_or(Some(Position::START), |after| after.0.checked_add(1).map(Position))
}
