//! From what a caller asks for to what can be ordered: everything that is checked, drawn, measured or hashed happens here, on
//! the caller's thread, before a place in the order is taken (I3).

use crate::{
    append::{Append, Change},
    clock::Clock,
    commit::{Action, Proposal, ProposedEvent, Target},
    entropy::Entropy,
    error::{Error, Result},
    event::EventData,
    leaf::Salt,
    limits,
    name::{StreamName, is_virtual},
    position::Timestamp,
};

/// The whole log, by the name KurrentDB gives it.
const ALL: &str = "$all";

/// A proposal, and how many bytes its frame will have at most.
pub(crate) struct Prepared {
    pub(crate) proposal: Proposal,
    pub(crate) bytes: usize,
}

/// Bytes of a frame beyond its events, padding included.
const FRAME_OVERHEAD: usize = 128;
/// Bytes of an event beyond its names and payload.
const EVENT_OVERHEAD: usize = 96;

/// Checks a request and completes it.
pub(crate) fn prepare(append: Append, clock: &dyn Clock, entropy: &Entropy) -> Result<Prepared> {
    let now = clock.now();
    let mut bytes = FRAME_OVERHEAD;
    let mut targets = Vec::with_capacity(append.targets.len());
    for (stream, expected, change) in append.targets {
        check_writable(&stream)?;
        // Deletion and revival each write one system event to the metadata stream.
        bytes += EVENT_OVERHEAD + 2 * stream.len() + 64;
        targets.push(Target { stream, expected, action: action(change, entropy, now) });
    }
    let mut events = Vec::with_capacity(append.events.len());
    for (target, event) in append.events {
        event.check()?;
        bytes += event_bytes(&targets[target].stream, &event);
        events.push(propose(target, event, entropy, now));
    }
    if bytes > limits::COMMIT_BYTES_MAX {
        let max = limits::COMMIT_BYTES_MAX;
        return Err(Error::invalid(format!("commit is too large, split it, bytes={bytes} bytes_max={max}")));
    }
    let at = append.recorded_at.map_or(now, |given| given.min(now));
    let id = append.proposal_id.unwrap_or_else(|| entropy.uuid(now));
    let proposal = Proposal { id, at, targets, events, conditions: append.conditions };
    proposal.check()?;
    Ok(Prepared { proposal, bytes })
}

/// Refuses streams that only the index writes, and names that leave no room for a metadata stream: such a stream could never be
/// deleted or truncated.
fn check_writable(stream: &StreamName) -> Result<()> {
    if is_virtual(stream) || **stream == *ALL {
        return Err(Error::invalid(format!("virtual streams cannot be written, stream={stream}")));
    }
    if stream.metadata_of().is_none() {
        stream.metadata_stream()?;
    }
    Ok(())
}

fn action(change: Change, entropy: &Entropy, now: Timestamp) -> Action {
    let mut salt = Salt::default();
    match change {
        Change::Append => Action::Append,
        Change::Delete => {
            entropy.fill(&mut salt);
            Action::Delete { id: entropy.uuid(now), salt }
        }
        Change::Tombstone => {
            entropy.fill(&mut salt);
            Action::Tombstone { id: entropy.uuid(now), salt }
        }
    }
}

fn event_bytes(stream: &StreamName, event: &EventData) -> usize {
    let tags: usize = event.tags.iter().map(|tag| 2 + tag.len()).sum();
    let names = stream.len() + event.event_type.len() + event.content_type.as_str().len() + tags;
    EVENT_OVERHEAD + names + event.data.len() + event.metadata.len()
}

fn propose(target: usize, event: EventData, entropy: &Entropy, now: Timestamp) -> ProposedEvent {
    let id = event.id.unwrap_or_else(|| entropy.uuid(now));
    let mut salt = Salt::default();
    entropy.fill(&mut salt);
    ProposedEvent::new(target, id, event, salt)
}
