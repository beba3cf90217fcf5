//! The kernel: decides what a proposal becomes, and moves on.
//!
//! Where an append meets the past. The same proposals in the same order must give the same verdicts, positions and hashes everywhere; what
//! is cached here, and how much, must not show. `decide` changes nothing but caches; `apply` is what makes a commit part of the past.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    Action, Appended, Commit, Facts, NextRevision, Proposal, Rejection, StreamState, Verdict,
    draft::{self, MetadataStream, Start},
    expectation::Standing,
    heads::Heads,
    judgement::{self, Judgement},
    memory::{Memory, RememberedCommit, RememberedEvent},
    metadata, retry,
};
use crate::{
    limits,
    name::StreamName,
    position::{Position, Revision, Timestamp},
};

/// The commit rules with what they keep in memory.
#[derive(Debug)]
pub struct Kernel {
    next_position: Position,
    last_recorded_at: Option<Timestamp>,
    heads: Heads,
    memory: Memory,
}

/// How much a kernel keeps. `remembered_positions` is part of the rules: kernels of one log must agree on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) remembered_positions: u64,
    pub(super) cached_heads: usize,
}

const BOUNDS: Bounds =
    Bounds { remembered_positions: limits::REMEMBERED_POSITIONS, cached_heads: limits::CACHED_HEADS_MAX };

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Kernel {
    /// The kernel of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::resume(Position::START, None)
    }

    /// The kernel of a log whose next event gets `next_position` and whose last commit was recorded at `last_recorded_at`.
    /// Before it decides, the end of the log must be replayed into it: see [`Kernel::remembered_from`] and [`Kernel::remember`].
    #[must_use]
    pub fn resume(next_position: Position, last_recorded_at: Option<Timestamp>) -> Self {
        Self::bounded(BOUNDS, next_position, last_recorded_at)
    }

    pub(super) fn bounded(bounds: Bounds, next_position: Position, last_recorded_at: Option<Timestamp>) -> Self {
        Self {
            next_position,
            last_recorded_at,
            heads: Heads::new(bounds.cached_heads),
            memory: Memory::new(bounds.remembered_positions),
        }
    }

    /// Where the replay at start must begin: with the commit that holds this position, as a whole.
    #[must_use]
    pub fn remembered_from(next_position: Position) -> Position {
        Memory::reaches_back_to(next_position, limits::REMEMBERED_POSITIONS)
    }

    /// Replays a commit of the end of the log at start. Commits must come in order and without a gap; earlier ones than
    /// needed do no harm. After the last one the kernel decides as if it had never stopped.
    pub fn remember<I>(&mut self, commit: RememberedCommit<I>)
    where
        I: IntoIterator<Item = (Uuid, StreamName, Revision)>,
    {
        let events = commit.events.into_iter().map(|(id, stream, revision)| RememberedEvent { id, stream, revision });
        self.memory.record(commit.proposal_id, commit.first_position, events, self.next_position);
    }

    /// The position the next event gets.
    #[must_use]
    pub fn next_position(&self) -> Position {
        self.next_position
    }

    /// When the last commit was recorded.
    #[must_use]
    pub fn last_recorded_at(&self) -> Option<Timestamp> {
        self.last_recorded_at
    }

    /// Says what `proposal` becomes. The proposal must have passed [`Proposal::check`]; `facts` must know every commit applied so far.
    ///
    /// # Errors
    /// Those of `facts`. Nothing has changed then, and the proposal may be decided again.
    pub fn decide<F: Facts>(&mut self, proposal: Proposal, facts: &mut F) -> Result<Verdict, F::Error> {
        if let Some(verdict) = self.answer_again(&proposal, facts)? {
            return Ok(verdict);
        }
        let standings = self.standings(&proposal, facts)?;
        match judgement::judge(&proposal, &standings, &self.memory, facts)? {
            Judgement::Stands => {}
            Judgement::Recorded(appended) => return Ok(Verdict::AlreadyCommitted(appended)),
            Judgement::Refused(rejection) => return Ok(Verdict::Rejected(rejection)),
        }
        for (index, condition) in proposal.conditions.iter().enumerate() {
            if let Some(first_conflict) = facts.first_conflict(index, condition)? {
                return Ok(Verdict::Rejected(Rejection::ConditionFailed { index, first_conflict }));
            }
        }
        self.stamp(proposal, &standings, facts)
    }

    /// Makes a decided commit part of the past. Before the next `decide`, `facts` must know it too.
    ///
    /// # Panics
    /// When the commit was not decided at this point of the log.
    pub fn apply(&mut self, commit: &Commit) {
        assert_eq!(commit.first_position, self.next_position, "commits are applied in the order they were decided in");
        for event in &commit.events {
            self.heads.record(event, self.next_position);
            self.next_position = self.next_position.next();
        }
        self.last_recorded_at = Some(commit.recorded_at);
        let remembered = commit.events.iter().map(|committed| RememberedEvent {
            id: committed.event.id,
            stream: committed.stream.clone(),
            revision: committed.revision,
        });
        self.memory.record(commit.proposal_id, commit.first_position, remembered, self.next_position);
    }

    /// The answer to a proposal whose id is remembered.
    fn answer_again<F: Facts>(&mut self, proposal: &Proposal, facts: &mut F) -> Result<Option<Verdict>, F::Error> {
        let Some(commit) = self.memory.commit(proposal.id) else {
            return Ok(None);
        };
        let Some(outcome) = retry::outcome_of(proposal, commit) else {
            return Ok(Some(Verdict::Rejected(Rejection::ProposalReused { id: proposal.id })));
        };
        let mut next_revisions = Vec::with_capacity(proposal.targets.len());
        for target in &proposal.targets {
            let next = match outcome.last_revisions.get(target.stream.as_str()) {
                Some(last) => last.next(),
                None => self.heads.state(&target.stream, facts)?.next(),
            };
            next_revisions.push(NextRevision { stream: target.stream.clone(), next });
        }
        Ok(Some(Verdict::AlreadyCommitted(Appended {
            first_position: Some(outcome.first_position),
            last_position: Some(outcome.last_position),
            next_revisions,
            idempotent: true,
        })))
    }

    /// How the targets' streams stand before the proposal.
    fn standings<F: Facts>(&mut self, proposal: &Proposal, facts: &mut F) -> Result<Vec<Standing>, F::Error> {
        let mut standings = Vec::with_capacity(proposal.targets.len());
        for target in &proposal.targets {
            let state = self.heads.state(&target.stream, facts)?;
            let described = match metadata::described_by(&target.stream).map(StreamName::trusted) {
                Some(described) => self.heads.state(&described, facts)?,
                None => StreamState::default(),
            };
            standings.push(Standing {
                ended: state.tombstoned || described.tombstoned,
                hidden_below: described.is_soft_deleted().then(|| described.next()),
                state,
            });
        }
        Ok(standings)
    }

    fn stamp<F: Facts>(
        &mut self,
        proposal: Proposal,
        standings: &[Standing],
        facts: &mut F,
    ) -> Result<Verdict, F::Error> {
        let mut metadata_streams = BTreeMap::new();
        for target in rewritten_targets(&proposal, standings) {
            let stream = &proposal.targets[target].stream;
            let name = stream
                .metadata_stream()
                .expect("a checked proposal deletes only streams whose metadata stream has a name");
            let state = self.heads.state(&name, facts)?;
            let document = facts.metadata_document(stream)?.unwrap_or_default();
            metadata_streams.insert(target, MetadataStream { name, state, document });
        }
        // Never earlier than the commit before, so that the log is in the order of time.
        let recorded_at = self.last_recorded_at.map_or(proposal.at, |last| last.max(proposal.at));
        let start = Start { position: self.next_position, recorded_at };
        Ok(match draft::stamp(start, proposal, standings, metadata_streams) {
            Ok(commit) if commit.events.is_empty() => Verdict::AlreadyCommitted(commit.appended),
            Ok(commit) => Verdict::Commit(Box::new(commit)),
            Err(rejection) => Verdict::Rejected(rejection),
        })
    }
}

/// Targets whose metadata document the rules rewrite: those appended to while soft-deleted, and those to be deleted that are not yet, or
/// would not be any more after the document the proposal itself brings.
fn rewritten_targets(proposal: &Proposal, standings: &[Standing]) -> Vec<usize> {
    let mut appended = vec![false; standings.len()];
    for event in &proposal.events {
        appended[event.target] = true;
    }
    // Once for all targets: there may be thousands of deletions in a proposal, and as many documents.
    let written = proposal.targets.iter().zip(&appended).filter(|&(_, &appended)| appended);
    let documented: BTreeSet<&str> = written.filter_map(|(target, _)| metadata::described_by(&target.stream)).collect();
    let rewrites = |&target: &usize| match proposal.targets[target].action {
        Action::Append => appended[target] && standings[target].state.is_soft_deleted(),
        Action::Delete { .. } => {
            !standings[target].state.is_soft_deleted() || documented.contains(proposal.targets[target].stream.as_str())
        }
        Action::Tombstone { .. } => false,
    };
    (0..standings.len()).filter(rewrites).collect()
}
