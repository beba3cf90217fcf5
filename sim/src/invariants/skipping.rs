//! Nothing is skipped: whatever progress passes was settled by somebody, or is parked; and when everything has settled, that is so of every event.

use std::collections::BTreeSet;

use crate::{
    Violation,
    crowd::ledger::{Fate, Ledger, Message},
};

/// Checks what a progress document says is settled.
///
/// # Errors
/// When it is not.
pub fn check_progress(ledger: &Ledger, checkpoint: u64, settled: &[(u64, u64)]) -> Result<(), Violation> {
    let is_passed = |id: u64| id < checkpoint || settled.iter().any(|(first, last)| (*first..=*last).contains(&id));
    let is_open = |message: &Message| !message.settled_once && !message.linked;
    match ledger.messages.iter().find(|(id, message)| is_passed(**id) && is_open(message)) {
        None => Ok(()),
        Some((id, message)) => {
            let what = format!(
                "{}: progress passes what nobody settled, id={id} checkpoint={checkpoint} settled={settled:?} {message:?}",
                ledger.name
            );
            Err(Violation::new("skipping", what))
        }
    }
}

/// Checks what a group says is parked against what is known to be.
///
/// # Errors
/// When something is missing, or should not be there.
pub fn check_parked(ledger: &Ledger, parked: &BTreeSet<u64>) -> Result<(), Violation> {
    let lost = |message: &Message| message.fate == Fate::Parked && message.linked;
    if let Some((id, message)) = ledger.messages.iter().find(|(id, message)| lost(message) && !parked.contains(id)) {
        let what = format!("{}: a parked message is lost, id={id} {message:?}", ledger.name);
        return Err(Violation::new("skipping", what));
    }
    let wrong = |id: &&u64| {
        ledger.messages.get(id).is_none_or(|message| {
            !message.linked || matches!(message.fate, Fate::Settled | Fate::Held { replayed: false, .. })
        })
    };
    match parked.iter().find(wrong) {
        None => Ok(()),
        Some(id) => {
            let what = format!("{}: parked though it is not, id={id} {:?}", ledger.name, ledger.messages.get(id));
            Err(Violation::new("skipping", what))
        }
    }
}

/// Checks a group whose consumers have acked everything they could get.
///
/// # Errors
/// When an event was neither settled nor parked.
pub fn check_settled(ledger: &Ledger, parked: &BTreeSet<u64>) -> Result<(), Violation> {
    check_parked(ledger, parked)?;
    let is_done = |id: &u64, message: &Message| match message.fate {
        Fate::Settled | Fate::Perhaps => true,
        Fate::Parked => parked.contains(id),
        Fate::Open | Fate::Held { .. } => false,
    };
    match ledger.messages.iter().find(|(id, message)| !is_done(id, message)) {
        None => Ok(()),
        Some((id, message)) => {
            Err(Violation::new("skipping", format!("{}: never delivered, id={id} {message:?}", ledger.name)))
        }
    }
}
