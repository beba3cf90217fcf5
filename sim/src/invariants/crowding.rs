//! I5, of groups: what they keep ready is bounded by their buffers, and what consumers have by their slots.

use gesta_store::GroupInfo;

use crate::{Violation, crowd::ledger::Ledger};

/// Checks where a group stands. `slots`: the most its consumers could have together in this life of it.
///
/// # Errors
/// When a bound is not kept.
pub fn check(ledger: &Ledger, info: &GroupInfo, slots: usize) -> Result<(), Violation> {
    let kept = (info.buffered + info.retrying + info.parking + info.in_flight).saturating_sub(info.replaying);
    // A consumer that goes gives back what it had: that may be more than the buffer, once.
    let most = ledger.rules.buffer + slots;
    if kept > most || info.consumers.len() > ledger.rules.subscribers {
        return Err(Violation::new("I5", format!("{}: bound not kept, kept={kept} most={most} {info:?}", ledger.name)));
    }
    match info.consumers.iter().find(|consumer| consumer.in_flight > consumer.slots) {
        None => Ok(()),
        Some(consumer) => {
            Err(Violation::new("I5", format!("{}: more in flight than slots, {consumer:?}", ledger.name)))
        }
    }
}

/// Checks what a consumer was given.
///
/// # Errors
/// When it is more than it asked for, or has now more than it may.
pub fn check_taken(ledger: &Ledger, taken: usize, asked: usize, has: usize, slots: usize) -> Result<(), Violation> {
    if taken <= asked && has <= slots {
        return Ok(());
    }
    let name = &ledger.name;
    let what = format!("{name}: a consumer was given too much, taken={taken} asked={asked} has={has} slots={slots}");
    Err(Violation::new("I5", what))
}
