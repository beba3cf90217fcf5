//! Progress never goes back, but by a reset somebody asked for; and nothing is parked for which there is no reason.

use std::time::Duration;

use gesta_store::AfterPark;

use crate::{
    Violation,
    crowd::ledger::{Ledger, Order},
    invariants::skipping,
};

/// Checks a progress document of the epoch the group is in.
///
/// # Errors
/// When it goes back, or passes over something.
pub fn check(ledger: &Ledger, epoch: u64, checkpoint: u64, settled: &[(u64, u64)]) -> Result<(), Violation> {
    if epoch != ledger.epoch || checkpoint < ledger.checkpoint {
        let (before, from) = (ledger.epoch, ledger.checkpoint);
        let what =
            format!("{}: progress went back, from={from} epoch={before} to={checkpoint} epoch={epoch}", ledger.name);
        return Err(Violation::new("advancing", what));
    }
    skipping::check_progress(ledger, checkpoint, settled)
}

/// Checks where an epoch begins.
///
/// # Errors
/// When nobody asked for it.
pub fn check_beginning(asked: Option<u64>, found: u64) -> Result<(), Violation> {
    if asked == Some(found) {
        return Ok(());
    }
    Err(Violation::new("advancing", format!("a group began anew, asked={asked:?} found={found}")))
}

/// Checks that a message was parked for a reason.
///
/// # Errors
/// When there is none.
pub fn check_link(ledger: &Ledger, id: u64, held: bool, now: Duration) -> Result<(), Violation> {
    let Some(message) = ledger.messages.get(&id) else {
        return Err(Violation::new("advancing", format!("{}: parked what is not its, id={id}", ledger.name)));
    };
    let holds = matches!(ledger.rules.order, Order::ByKey(_, AfterPark::Hold));
    let is_behind = || {
        ledger
            .messages
            .range(..id)
            .any(|(_, before)| before.key == message.key && (before.linked || before.may_be_parked(now, &ledger.rules)))
    };
    let right = if held { holds && is_behind() } else { message.may_be_parked(now, &ledger.rules) };
    if right {
        return Ok(());
    }
    let what = format!("{}: parked for no reason, id={id} held={held} {message:?}", ledger.name);
    Err(Violation::new("advancing", what))
}
