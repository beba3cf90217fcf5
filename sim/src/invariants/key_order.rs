//! Events of a key are in nobody's hands twice, and come in their order: what is before a message is settled, or parked for good. Where parked ones
//! hold their key, nothing passes them, and they come back in their order too. A handler that wants everything in order gets exactly the
//! log's order.

use std::time::Duration;

use gesta_store::AfterPark;

use crate::{
    Violation,
    crowd::ledger::{Fate, Ledger, Message, Order},
};

/// Checks that a message may be delivered now, as far as its key is concerned.
///
/// # Errors
/// When it may not.
pub fn check(ledger: &Ledger, id: u64, replayed: bool, now: Duration) -> Result<(), Violation> {
    let Order::ByKey(_, after_park) = &ledger.rules.order else { return Ok(()) };
    let Some(key) = ledger.messages.get(&id).map(|message| &message.key) else { return Ok(()) };
    let of_key = || ledger.messages.iter().filter(|(other, message)| message.key == *key && **other != id);
    let broken = |what: &str, (other, message): (&u64, &Message)| {
        let what = format!("{}: {what}, id={id} replayed={replayed} other={other} {message:?}", ledger.name);
        Err(Violation::new("key order", what))
    };
    if let Some(other) = of_key().find(|(_, message)| message.is_held(now)) {
        return broken("two messages of a key are in flight", other);
    }
    let passes = |message: &Message| match message.fate {
        Fate::Settled | Fate::Perhaps => false,
        // What waits for its key was parked in its order, and comes back in it.
        Fate::Parked if *after_park == AfterPark::Hold => true,
        Fate::Parked => !replayed && !message.linked && !ledger.behind,
        Fate::Open | Fate::Held { .. } => !replayed,
    };
    if let Some(other) = of_key().find(|(other, message)| **other < id && passes(message)) {
        return broken("a message passes one of its key", other);
    }
    Ok(())
}

/// Checks what is handed to a handler that wants everything in order.
///
/// # Errors
/// When anything is left out, or comes too early.
pub fn check_whole(ledger: &Ledger, ids: &[u64]) -> Result<(), Violation> {
    if ledger.rules.order != Order::Whole {
        return Ok(());
    }
    let is_left = |message: &Message| match message.fate {
        Fate::Open | Fate::Held { replayed: false, .. } => true,
        // Whether it comes again only the group knows.
        Fate::Perhaps | Fate::Settled | Fate::Parked | Fate::Held { replayed: true, .. } => false,
    };
    let last = ids.iter().max().copied().unwrap_or_default();
    let left = ledger.messages.range(..=last).filter(|(_, message)| is_left(message)).map(|(id, _)| *id);
    let left_out: Vec<u64> = left.filter(|id| !ids.contains(id)).collect();
    if !left_out.is_empty() || !ids.is_sorted() {
        let what = format!("{}: not in the log's order, left_out={left_out:?} handed={ids:?}", ledger.name);
        return Err(Violation::new("key order", what));
    }
    Ok(())
}
