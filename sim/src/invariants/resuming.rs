//! I4, of those who stop and go on: wherever a subscription begins, whatever happens to it, and from wherever it goes on, it delivers what a
//! read from its beginning would, nothing else and nothing twice; and its notices tell the truth.

use gesta_store::{Delivery, Position};

use crate::{Violation, invariants::bounded};

/// What a subscriber was told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// The position in the last notice, or behind the last event.
    pub position: u64,
    /// It was told that it has caught up, and not since that it fell behind.
    pub live: bool,
}

/// Checks a delivery by itself; the places in it.
///
/// # Errors
/// When it says what cannot be.
pub fn check_delivery(delivery: &Delivery, told: &mut Told) -> Result<Vec<u64>, Violation> {
    let broken = |what: String| Err(Violation::new("I4", what));
    let (position, places) = match delivery {
        Delivery::Events(batch) => {
            bounded::check_batch(batch)?;
            let places: Vec<u64> =
                (0..batch.len()).filter_map(|index| batch.place(index)).map(|place| place.0).collect();
            (places.last().map_or(0, |last| last + 1), places)
        }
        Delivery::CaughtUp(_) if told.live => return broken(format!("caught up twice, {delivery:?}")),
        Delivery::CaughtUp(Position(position)) => {
            told.live = true;
            (*position, Vec::new())
        }
        Delivery::Checkpoint(Position(position)) if *position > told.position => (*position, Vec::new()),
        Delivery::FellBehind(Position(position)) if told.live => {
            told.live = false;
            (*position, Vec::new())
        }
        other => return broken(format!("a notice at the wrong time, told={told:?} {other:?}")),
    };
    if position < told.position {
        return broken(format!("a delivery goes back, told={told:?} {delivery:?}"));
    }
    told.position = position;
    Ok(places)
}

/// Checks everything that was delivered against what a read would give: exactly what lies below `checked_to`.
///
/// # Errors
/// When something is missing, doubled, or out of order.
pub fn check(seen: &[u64], expected: impl Iterator<Item = u64>, checked_to: Option<u64>) -> Result<(), Violation> {
    let bound = checked_to.unwrap_or_else(|| seen.last().map_or(0, |last| last + 1));
    let expected: Vec<u64> = expected.take_while(|position| *position < bound).collect();
    if seen == expected {
        return Ok(());
    }
    let what = format!("a subscription is not its read, checked_to={bound} expected={expected:?} delivered={seen:?}");
    Err(Violation::new("I4", what))
}
