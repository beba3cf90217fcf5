//! At least once, and again only for a reason: the message failed, its consumer has gone or let its time pass, or what was said of it was not
//! written down before the group's life ended. What is parked comes only when it was asked for.

use std::time::Duration;

use crate::{
    Violation,
    crowd::ledger::{Delivered, Fate, Ledger, Message},
};

/// Checks that a message may be delivered now.
///
/// # Errors
/// When it may not.
pub fn check(ledger: &Ledger, message: &Message, delivered: &Delivered, now: Duration) -> Result<(), Violation> {
    let Delivered { id, retries, replayed } = *delivered;
    let broken = |what: &str| {
        let what = format!("{}: {what}, id={id} retries={retries} replayed={replayed} {message:?}", ledger.name);
        Err(Violation::new("repeating", what))
    };
    match message.fate {
        Fate::Held { .. } if message.is_held(now) => return broken("delivered while somebody has it"),
        Fate::Settled => return broken("delivered though it is settled"),
        Fate::Parked if !replayed => return broken("delivered though it is parked"),
        Fate::Perhaps if message.linked && !replayed => return broken("delivered though it was parked"),
        Fate::Open if replayed && !message.linked => return broken("replayed though it was never parked"),
        Fate::Open | Fate::Held { .. } | Fate::Perhaps | Fate::Parked => {}
    }
    // A failure that was told is counted; one more is that of its time, if that is over.
    let in_vain = matches!(message.fate, Fate::Held { .. }) && message.retries < ledger.rules.max_retry_count;
    if retries > message.retries + u32::from(in_vain) {
        return broken("tried once too often, or failed when nobody knows of it");
    }
    Ok(())
}
