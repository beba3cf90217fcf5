//! Was this recorded before? By proposal id, and by event ids as KurrentDB decides it.
//!
//! Ids are the identity: two events with the same id in the same stream count as the same event, whatever their bodies. (Bodies cannot be
//! compared: commitments are salted, and payloads may have been erased.)

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    Action, Facts, Proposal, identity,
    memory::{Memory, RememberedEvent},
    metadata,
};
use crate::{
    name::StreamName,
    position::{Position, Revision},
};

/// Where an event was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) revision: Revision,
    pub(super) position: Position,
}

/// How many of a target's events were recorded before.
#[derive(Debug)]
pub(super) enum Retried {
    /// All of them: here.
    Wholly(Vec<Recorded>),
    /// The first, but not all.
    Partly,
    /// Not the first, and so none.
    No,
}

/// Looks for the ids anywhere in what is remembered of the stream: the weak check, of appends that name no revision.
pub(super) fn by_ids_alone(stream: &StreamName, ids: &[Uuid], memory: &Memory) -> Retried {
    let mut recorded = Vec::new();
    for &id in ids {
        match memory.event(stream, id) {
            Some((revision, position)) => recorded.push(Recorded { revision, position }),
            None => break,
        }
    }
    extent(recorded, ids)
}

/// Compares the ids with those recorded from revision `from` on: the strong check, of appends that name a revision. It reaches as
/// far back as the log.
pub(super) fn by_ids_at<F: Facts>(
    stream: &StreamName,
    from: Revision,
    ids: &[Uuid],
    memory: &Memory,
    facts: &mut F,
) -> Result<Retried, F::Error> {
    let mut recorded = Vec::new();
    for (revision, &id) in (from.0..).map(Revision).zip(ids) {
        match position_of(stream, revision, id, memory, facts)? {
            Some(position) => recorded.push(Recorded { revision, position }),
            None => break,
        }
    }
    Ok(extent(recorded, ids))
}

fn extent(recorded: Vec<Recorded>, ids: &[Uuid]) -> Retried {
    match recorded.len() {
        0 => Retried::No,
        all if all == ids.len() => Retried::Wholly(recorded),
        _ => Retried::Partly,
    }
}

/// The position of the event at `revision`, if it has this id.
fn position_of<F: Facts>(
    stream: &StreamName,
    revision: Revision,
    id: Uuid,
    memory: &Memory,
    facts: &mut F,
) -> Result<Option<Position>, F::Error> {
    // Saves two look-ups in the index for what is usual, a retry shortly after.
    if let Some((_, position)) = memory.event(stream, id).filter(|&(known, _)| known == revision) {
        return Ok(Some(position));
    }
    if facts.event_id(stream, revision)? != Some(id) {
        return Ok(None);
    }
    facts.event_position(stream, revision)
}

/// What a proposal became, found by its id.
pub(super) struct Outcome<'m> {
    /// Position of its first event, apart from those the rules add on their own.
    pub(super) first_position: Position,
    /// Position of its last event.
    pub(super) last_position: Position,
    /// The last revision it gave in each stream it wrote to.
    pub(super) last_revisions: BTreeMap<&'m str, Revision>,
}

/// The outcome of the proposal, if `commit` is what it became; `None` if another proposal with its id became that.
///
/// Compared are ids and streams. What the rules wrote on their own is left out: events that revived streams or kept events hidden,
/// and deletions, since a deletion of what was deleted already writes none.
pub(super) fn outcome_of<'m>(
    proposal: &Proposal,
    commit: impl Iterator<Item = (Position, &'m RememberedEvent)> + Clone,
) -> Option<Outcome<'m>> {
    let described = |event: &'m RememberedEvent| metadata::described_by(&event.stream);
    let by_the_rules = |event: &'m RememberedEvent| {
        described(event).is_some_and(|stream| {
            let ids = [identity::revival_id(proposal.id, stream), identity::hiding_id(proposal.id, &event.stream)];
            ids.contains(&event.id)
        })
    };
    let deletions = deletions(proposal);
    let deletes =
        |event: &'m RememberedEvent| described(event).is_some_and(|stream| deletions.contains(&(event.id, stream)));
    let asked_for = commit.clone().filter(|&(_, event)| !by_the_rules(event));
    let appended = asked_for.clone().filter(|&(_, event)| !deletes(event));
    if !appended.map(|(_, event)| (event.id, event.stream.as_str())).eq(written(proposal)) {
        return None;
    }
    let first_position = asked_for.map(|(position, _)| position).next()?;
    let last_position = commit.clone().map(|(position, _)| position).last()?;
    let last_revisions = commit.map(|(_, event)| (event.stream.as_str(), event.revision)).collect();
    Some(Outcome { first_position, last_position, last_revisions })
}

/// Ids and streams of the events a proposal always writes, in the order of the log.
fn written(proposal: &Proposal) -> impl Iterator<Item = (Uuid, &str)> {
    let stream_of = |target: usize| proposal.targets[target].stream.as_str();
    let events = proposal.events.iter().map(move |event| (event.id, stream_of(event.target)));
    events.chain(proposal.targets.iter().filter_map(|target| match target.action {
        Action::Tombstone { id, .. } => Some((id, target.stream.as_str())),
        Action::Append | Action::Delete { .. } => None,
    }))
}

fn deletions(proposal: &Proposal) -> BTreeSet<(Uuid, &str)> {
    let mut deletions = BTreeSet::new();
    for target in &proposal.targets {
        match target.action {
            Action::Delete { id, .. } => drop(deletions.insert((id, target.stream.as_str()))),
            Action::Append | Action::Tombstone { .. } => {}
        }
    }
    deletions
}
