//! What the targets of a proposal come to together: all or nothing, new or recorded before.

use std::ops::Range;

use uuid::Uuid;

use super::{
    Appended, Facts, NextRevision, Proposal, Rejection, Target, Tell, Violation,
    expectation::{self, Finding, Standing},
    memory::Memory,
    retry::Recorded,
};
use crate::{
    name::StreamName,
    position::{Position, Revision},
    query::{Query, QueryItem, StreamFilter},
};

/// What the targets say.
#[derive(Debug)]
pub(super) enum Judgement {
    /// Nothing stands in the way.
    Stands,
    /// All that the proposal would write was recorded before.
    Recorded(Appended),
    /// A target stops it.
    Refused(Rejection),
}

/// Judges all targets by the state before the proposal.
pub(super) fn judge<F: Facts>(
    proposal: &Proposal,
    standings: &[Standing],
    memory: &Memory,
    facts: &mut F,
) -> Result<Judgement, F::Error> {
    let ids = IdsByTarget::of(proposal);
    let mut tally = Tally::default();
    for (index, (target, standing)) in proposal.targets.iter().zip(standings).enumerate() {
        match expectation::judge(target, ids.of_target(index), standing, memory, facts)? {
            Finding::Holds => {}
            Finding::Fresh => tally.fresh = true,
            Finding::Retry(recorded) => tally.retried.push((index, recorded)),
            Finding::Unmet(rejection) => tally.refuse(index, rejection),
            Finding::Refused(rejection) => {
                tally.refuse(index, rejection);
                tally.write_refused = true;
            }
        }
    }
    tally.judgement(proposal, standings, facts)
}

#[derive(Default)]
struct Tally {
    /// The refusal of the first target that has one.
    refused: Option<Rejection>,
    /// Targets whose streams are not as expected.
    violated: Vec<usize>,
    /// One of the refusals is of something to be written, not only of a check.
    write_refused: bool,
    /// Something new would be written.
    fresh: bool,
    /// Targets all of whose events were recorded before.
    retried: Vec<(usize, Vec<Recorded>)>,
}

impl Tally {
    fn refuse(&mut self, target: usize, rejection: Rejection) {
        if is_about_expectation(&rejection) {
            self.violated.push(target);
        }
        self.refused.get_or_insert(rejection);
    }

    fn judgement<F: Facts>(
        self,
        proposal: &Proposal,
        standings: &[Standing],
        facts: &mut F,
    ) -> Result<Judgement, F::Error> {
        let violated = self.retried.first().map(|&(target, _)| {
            expectation::idempotency_violated(&proposal.targets[target].stream, &standings[target].state)
        });
        Ok(match (self.refused, violated) {
            // Checks, like conditions, held when this was recorded; what came since, perhaps the proposal itself, may break them.
            (_, Some(violated)) if !self.fresh && !self.write_refused => {
                if self.retried.len() == 1 || were_one_commit(proposal, &self.retried, facts)? {
                    Judgement::Recorded(recorded(proposal, standings, &self.retried))
                } else {
                    Judgement::Refused(violated)
                }
            }
            (Some(refused), _) => Judgement::Refused(match proposal.tell {
                Tell::All if is_about_expectation(&refused) => all_violations(proposal, standings, &self.violated),
                Tell::All | Tell::First => refused,
            }),
            // Part of it is new, part is not.
            (None, Some(violated)) => Judgement::Refused(violated),
            (None, None) => Judgement::Stands,
        })
    }
}

/// Whether it is refused for where its stream stands, and not for what was recorded of it before.
fn is_about_expectation(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::WrongRevision { .. } | Rejection::StreamDeleted { .. })
}

fn all_violations(proposal: &Proposal, standings: &[Standing], violated: &[usize]) -> Rejection {
    let violation = |&target: &usize| {
        let Target { stream, expected, .. } = &proposal.targets[target];
        Violation { stream: stream.clone(), expected: *expected, found: standings[target].found() }
    };
    Rejection::NotAsExpected { violations: violated.iter().map(violation).collect() }
}

/// Whether the events of several targets were recorded by one commit, as far as the log shows: in the order of the proposal and without
/// a gap, but for the metadata event that revives a target right before its first event. (Where commits begin and end is remembered only
/// for a while, and a verdict must not change when it is forgotten.)
fn were_one_commit<F: Facts>(
    proposal: &Proposal,
    retried: &[(usize, Vec<Recorded>)],
    facts: &mut F,
) -> Result<bool, F::Error> {
    let mut rest: Vec<&[Recorded]> = vec![&[]; proposal.targets.len()];
    for (target, recorded) in retried {
        rest[*target] = recorded;
    }
    let mut seen = vec![false; proposal.targets.len()];
    let mut previous: Option<Position> = None;
    for event in &proposal.events {
        let Some((&Recorded { position, .. }, after)) = rest[event.target].split_first() else {
            return Ok(false);
        };
        rest[event.target] = after;
        let is_first = !std::mem::replace(&mut seen[event.target], true);
        let stream = &proposal.targets[event.target].stream;
        let follows = match previous {
            None => true,
            Some(previous) if position == previous.next() => true,
            Some(previous) if is_first && position == previous.next().next() => {
                is_metadata_of(stream, previous.next(), facts)?
            }
            Some(_) => false,
        };
        if !follows {
            return Ok(false);
        }
        previous = Some(position);
    }
    Ok(true)
}

/// Whether the event at `position` is in the metadata stream of `stream`.
fn is_metadata_of<F: Facts>(stream: &StreamName, position: Position, facts: &mut F) -> Result<bool, F::Error> {
    let Ok(metadata_stream) = stream.metadata_stream() else {
        return Ok(false);
    };
    let item = QueryItem { streams: vec![StreamFilter::Exact(metadata_stream)], ..QueryItem::default() };
    let before = position.0.checked_sub(1).map(Position);
    Ok(facts.first_match(&Query::of(item), before)? == Some(position))
}

/// The answer to a proposal whose events were recorded before. Where an id was recorded more than once, the newest counts.
fn recorded(proposal: &Proposal, standings: &[Standing], retried: &[(usize, Vec<Recorded>)]) -> Appended {
    let positions = || retried.iter().flat_map(|(_, recorded)| recorded).map(|recorded| recorded.position);
    let mut next: Vec<Revision> = standings.iter().map(|standing| standing.state.next()).collect();
    for (target, recorded) in retried {
        if let Some(last) = recorded.iter().map(|recorded| recorded.revision).max() {
            next[*target] = last.next();
        }
    }
    let stands = |(target, next): (&Target, Revision)| NextRevision { stream: target.stream.clone(), next };
    Appended {
        first_position: positions().min(),
        last_position: positions().max(),
        next_revisions: proposal.targets.iter().zip(next).map(stands).collect(),
        idempotent: true,
    }
}

/// The event ids of a proposal, target by target.
struct IdsByTarget {
    ids: Vec<Uuid>,
    /// For each target, its part of `ids`.
    ranges: Vec<Range<usize>>,
}

impl IdsByTarget {
    fn of(proposal: &Proposal) -> Self {
        let mut by_target: Vec<usize> = (0..proposal.events.len()).collect();
        // Stable: within a target the order of the proposal stays.
        by_target.sort_by_key(|&event| proposal.events[event].target);
        let mut ranges = vec![0..0; proposal.targets.len()];
        for (place, &event) in by_target.iter().enumerate() {
            let range = &mut ranges[proposal.events[event].target];
            *range = if range.end == 0 { place..place + 1 } else { range.start..place + 1 };
        }
        Self { ids: by_target.iter().map(|&event| proposal.events[event].id).collect(), ranges }
    }

    fn of_target(&self, target: usize) -> &[Uuid] {
        &self.ids[self.ranges[target].clone()]
    }
}
