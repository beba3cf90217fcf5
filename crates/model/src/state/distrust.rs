//! Distrust of snapshots: of those that are used, some are compared with the fold they stand for. A snapshot is believed by everything it is known to depend on;
//! that is not the code of `apply`, so a program in which it was changed without another `VERSION` would go on from states of the one before. By what is
//! found here it stops to, and says so (I7).

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use gesta_store::{Position, entropy::Entropy};
use serde::Serialize;
use serde_json::Value;

use crate::{
    demotion::{Broken, Demotion},
    digest::digest,
    error::Result,
};

/// Most letters of a state that are shown as evidence.
const SHOWN_MAX: usize = 400;

/// What is known of whether snapshots of a model can be believed.
#[derive(Debug, Default)]
pub(super) struct Distrust {
    audited: AtomicU64,
    found: OnceLock<Demotion>,
}

impl Distrust {
    /// Whether a snapshot is to be compared: one of so many, drawn by lot, since a program may use only one each time it runs; 0: none.
    pub(super) fn draws(share: u64, entropy: &Entropy) -> bool {
        let mut lot = [0; 8];
        entropy.fill(&mut lot);
        share > 0 && u64::from_le_bytes(lot).is_multiple_of(share)
    }

    /// How many were compared.
    pub(super) fn audited(&self) -> u64 {
        self.audited.load(Ordering::Relaxed)
    }

    /// What was found.
    pub(super) fn found(&self) -> Option<&Demotion> {
        self.found.get()
    }

    /// Compares a state from a snapshot with what its events come to, both as of `head`; in arrays order means nothing, that of a set of hashes is another each time. Whether they are the same.
    pub(super) fn compare<M: Serialize>(
        &self,
        model: &'static str,
        head: Position,
        snapshot: &M,
        fold: Result<&M, String>,
    ) -> bool {
        self.audited.fetch_add(1, Ordering::Relaxed);
        let [left, right] = [Ok(snapshot), fold].map(|state| state.and_then(written));
        if left.as_ref().map(digest) == right.as_ref().map(digest) {
            return true;
        }
        let shown = |state: &Result<Value, String>| match state {
            Ok(state) => state.to_string().chars().take(SHOWN_MAX).collect(),
            Err(reason) => reason.clone(),
        };
        let evidence = format!("  snapshot: {}\n  fold:     {}", shown(&left), shown(&right));
        let broken = Broken {
            law: "a snapshot is the fold of the events below its head: apply is another, and VERSION is not",
            evidence,
        };
        let events = head.0.checked_sub(1).map(Position).into_iter().collect();
        self.found.get_or_init(|| Demotion { model, broken, events });
        false
    }
}

fn written<M: Serialize>(state: &M) -> Result<Value, String> {
    let bytes = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}
