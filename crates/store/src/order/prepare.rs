//! From what a caller asks for to what can be ordered: everything that is checked, drawn, measured or hashed happens here, on
//! the caller's thread, before a place in the order is taken (I3).

use uuid::Uuid;

use super::foresight::Foresight;
use crate::{
    append::{Append, Change, check_writable},
    clock::Clock,
    commit::{Action, Proposal, ProposedEvent, Target, identity},
    entropy::Entropy,
    error::{Error, Result},
    leaf::Salt,
    limits,
};

/// A proposal that is complete.
pub(crate) struct Prepared {
    pub(crate) proposal: Proposal,
    /// How many bytes its frame will have at most.
    pub(crate) bytes: usize,
    /// What is known already of its conditions; nothing, until an order has looked.
    pub(crate) foresights: Vec<Foresight>,
}

/// Checks a request and completes it.
pub(crate) fn prepare(append: Append, clock: &dyn Clock, entropy: &Entropy) -> Result<Prepared> {
    let now = clock.now();
    let id = append.proposal_id.unwrap_or_else(|| entropy.uuid(now));
    let event_count = append.events.len() as u64;
    let bytes = append.bytes();
    let mut targets = Vec::with_capacity(append.targets.len());
    for (stream, expected, change) in append.targets {
        check_writable(&stream)?;
        // Ids that the caller left open follow from the request's, so that the same request proposes the same events again.
        let event_id = || identity::event_id(id, event_count + targets.len() as u64);
        let action = action(change, event_id, entropy);
        targets.push(Target { stream, expected, action });
    }
    let mut events = Vec::with_capacity(append.events.len());
    for (index, (target, event)) in (0_u64..).zip(append.events) {
        let event_id = event.id.unwrap_or_else(|| identity::event_id(id, index));
        let mut salt = Salt::default();
        entropy.fill(&mut salt);
        events.push(ProposedEvent::new(target, event_id, event, salt));
    }
    let at = append.recorded_at.map_or(now, |given| given.min(now));
    let proposal = Proposal { id, at, targets, events, conditions: append.conditions, tell: append.tell };
    // Before the whole: one event too large is no reason to split a commit.
    proposal.check()?;
    if bytes > limits::COMMIT_BYTES_MAX {
        let max = limits::COMMIT_BYTES_MAX;
        return Err(Error::invalid(format!("commit is too large, split it, bytes={bytes} bytes_max={max}")));
    }
    Ok(Prepared { proposal, bytes, foresights: Vec::new() })
}

fn action(change: Change, id: impl FnOnce() -> Uuid, entropy: &Entropy) -> Action {
    let mut salt = Salt::default();
    match change {
        Change::Append => Action::Append,
        Change::Delete => {
            entropy.fill(&mut salt);
            Action::Delete { id: id(), salt }
        }
        Change::Tombstone => {
            entropy.fill(&mut salt);
            Action::Tombstone { id: id(), salt }
        }
    }
}
