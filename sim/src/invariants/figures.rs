//! What a group says of itself adds up: with itself, with what its consumers know, and with the log.

use std::collections::BTreeSet;

use gesta_store::{GroupInfo, GroupStatus, Source};

use crate::{
    Violation,
    crowd::ledger::{Fate, Ledger, Message},
};

/// A consumer as it knows itself.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How many messages it may have.
    pub slots: usize,
    /// How many it has whose time is not over.
    pub has: usize,
    /// How many it has taken.
    pub taken: u64,
}

/// Checks where a group says it stands.
///
/// # Errors
/// At the first figure that cannot be.
pub fn check(ledger: &Ledger, info: &GroupInfo, known: &[Known], parked: &BTreeSet<u64>) -> Result<(), Violation> {
    let broken = |what: &str| {
        let what = format!("{}: {what}, {info:?} consumers={known:?} parked={parked:?}", ledger.name);
        Err(Violation::new("figures", what))
    };
    let places = [info.checkpoint.0, info.settled_to.0, info.read_to.0, info.head.0];
    if !places.is_sorted() || info.checkpoint.0 != ledger.checkpoint || info.epoch != ledger.epoch {
        return broken("places do not follow one another");
    }
    if info.in_flight != info.consumers.iter().map(|consumer| consumer.in_flight).sum::<usize>() {
        return broken("what is in flight is not what consumers have");
    }
    if info.consumers.len() != known.len() || (info.status == GroupStatus::Idle) != known.is_empty() {
        return broken("other consumers than there are");
    }
    let agree = info
        .consumers
        .iter()
        .zip(known)
        .all(|(said, known)| said.slots == known.slots && said.total == known.taken && said.in_flight >= known.has);
    if !agree || info.total < info.consumers.iter().map(|consumer| consumer.total).sum() {
        return broken("consumers know better");
    }
    if info.parked != parked.len() as u64 || info.replaying as u64 > info.parked {
        return broken("parked messages do not add up");
    }
    check_outstanding(ledger, info).map_or(Ok(()), broken)
}

/// What is wrong with the messages that are neither settled nor parked.
fn check_outstanding(ledger: &Ledger, info: &GroupInfo) -> Option<&'static str> {
    let outstanding = info.buffered + info.retrying + info.in_flight + info.parking;
    let read = || ledger.messages.range(ledger.start.min(info.read_to.0)..info.read_to.0).map(|(_, message)| message);
    let is_open = |message: &Message| match message.fate {
        Fate::Open | Fate::Held { replayed: false, .. } => true,
        Fate::Parked => !message.linked,
        Fate::Held { replayed: true, .. } | Fate::Settled | Fate::Perhaps => false,
    };
    let open = read().filter(|message| is_open(message)).count();
    let perhaps = read().filter(|message| message.fate == Fate::Perhaps).count();
    if open > outstanding || outstanding > open + perhaps + info.replaying {
        return Some("outstanding messages do not add up");
    }
    if ledger.messages.range(..info.settled_to.0).any(|(_, message)| is_open(message)) {
        return Some("settled further than anybody has settled");
    }
    let behind = ledger.messages.range(info.settled_to.0.max(ledger.start)..).count() as u64;
    let wrong = match &ledger.source {
        Source::Stream(_) => info.lag_events != behind,
        Source::Query(_) => info.lag_events < behind,
        // Of so few, each is looked at. Beyond, metadata of the groups' own streams counts, and is not the groups' business.
        Source::All if info.head.0 - info.settled_to.0 <= 512 => info.lag_events != behind,
        Source::All => info.lag_events < behind,
    };
    wrong.then_some("the lag is not what lies ahead")
}
