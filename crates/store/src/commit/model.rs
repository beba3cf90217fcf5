//! The commit rules once more, naively: a list of commits that is searched from end to end for every question. Slow, and easy to believe.
//!
//! [`Past`] answers as [`Facts`]; [`expect`] says what a proposal must become, written from `docs/commit-rules.md` and not from the kernel.

use std::convert::Infallible;

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Action, Appended, Commit, CommittedEvent, Facts, Found, NextRevision, Proposal, ProposedEvent, Rejection,
    RememberedCommit, StreamState, Target, Tell, Violation, identity,
};
use crate::{
    name::{StreamName, system},
    position::{ExpectedRevision, Position, Revision},
    query::Query,
};

/// Everything that was committed, and for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) commits: Vec<(Proposal, Commit)>,
}

impl Past {
    pub(super) fn push(&mut self, proposal: Proposal, commit: Commit) {
        self.commits.push((proposal, commit));
    }

    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = (Position, &CommittedEvent)> {
        self.commits.iter().flat_map(|(_, commit)| {
            let positions = (commit.first_position.0..).map(Position);
            positions.zip(&commit.events).collect::<Vec<_>>()
        })
    }

    pub(super) fn next_position(&self) -> Position {
        Position(self.events().count() as u64)
    }

    fn of<'s>(&'s self, stream: &'s str) -> impl Iterator<Item = (Position, &'s CommittedEvent)> {
        self.events().filter(move |(_, event)| event.stream.as_str() == stream)
    }

    fn state(&self, stream: &str) -> StreamState {
        let has_none = StreamName::trusted(stream).metadata_of().is_some();
        let document = self.of(&format!("$${stream}")).last().map(|(_, event)| event.event.data.data.clone());
        let document = document.filter(|_| !has_none);
        let tb = document.as_ref().and_then(|document| {
            let value: Value = serde_json::from_slice(document).ok()?;
            value.as_object()?.get("$tb")?.as_i64().and_then(|tb| u64::try_from(tb).ok())
        });
        StreamState {
            last: self.of(stream).last().map(|(position, event)| (event.revision, position, event.leaf)),
            tombstoned: self
                .of(stream)
                .any(|(_, event)| event.event.data.event_type.as_str() == system::STREAM_DELETED),
            truncate_before: match tb {
                Some(9_223_372_036_854_775_807) => u64::MAX,
                Some(tb) => tb,
                None => 0,
            },
            has_metadata: document.is_some(),
        }
    }

    /// The commits that reach into the last `span` positions, ready to be replayed.
    pub(super) fn remembered(&self, span: u64) -> Vec<RememberedCommit<Vec<(Uuid, StreamName, Revision)>>> {
        let from = self.next_position().0.saturating_sub(span);
        let reaches = |commit: &&Commit| commit.first_position.0 + commit.events.len() as u64 > from;
        let replayed = |commit: &Commit| RememberedCommit {
            proposal_id: commit.proposal_id,
            first_position: commit.first_position,
            events: commit.events.iter().map(|e| (e.event.id, e.stream.clone(), e.revision)).collect(),
        };
        self.commits.iter().map(|(_, commit)| commit).filter(reaches).map(replayed).collect()
    }
}

impl Facts for Past {
    type Error = Infallible;

    fn stream(&mut self, stream: &StreamName) -> Result<StreamState, Infallible> {
        Ok(self.state(stream))
    }

    fn event_id(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Uuid>, Infallible> {
        Ok(self.of(stream).find(|(_, event)| event.revision == revision).map(|(_, event)| event.event.id))
    }

    fn event_position(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Position>, Infallible> {
        Ok(self.of(stream).find(|(_, event)| event.revision == revision).map(|(position, _)| position))
    }

    fn first_match(&mut self, query: &Query, after: Option<Position>) -> Result<Option<Position>, Infallible> {
        let matches = |event: &CommittedEvent| {
            let tags = event.event.data.tags.iter().map(|tag| tag.as_str());
            query.matches(&event.stream, &event.event.data.event_type, tags)
        };
        Ok(self.events().find(|(position, event)| Some(*position) > after && matches(event)).map(|(at, _)| at))
    }

    fn metadata_document(&mut self, stream: &StreamName) -> Result<Option<Bytes>, Infallible> {
        Ok(self.of(&format!("$${stream}")).last().map(|(_, event)| event.event.data.data.clone()))
    }
}

/// What a proposal must become.
#[derive(Debug, PartialEq)]
pub(super) enum Expectation {
    /// These events: stream, revision, id, and the document of those the rules write.
    Commit(Vec<(StreamName, u64, Uuid, Option<Value>)>, Appended),
    Already(Appended),
    Rejected(Rejection),
}

/// What a target comes to, and where its events were recorded before.
#[derive(PartialEq)]
enum Naive {
    Nothing,
    Write,
    Again(Vec<(Position, Revision)>),
    Refuse(Rejection),
    RefuseCheck(Rejection),
}

/// What `proposal` must become after `past`, when commits reaching into the last `span` positions are remembered.
pub(super) fn expect(past: &Past, proposal: &Proposal, span: u64) -> Expectation {
    if let Some(expectation) = expect_again(past, proposal, span) {
        return expectation;
    }
    let findings: Vec<Naive> = (0..proposal.targets.len()).map(|target| judge(past, proposal, target, span)).collect();
    if let Some(expectation) = expect_retry(past, proposal, &findings) {
        return expectation;
    }
    if let Some(rejection) = refusal(past, proposal, &findings) {
        return Expectation::Rejected(rejection);
    }
    for (target, finding) in proposal.targets.iter().zip(&findings) {
        if matches!(finding, Naive::Again(_)) {
            return Expectation::Rejected(violated(past, target));
        }
    }
    for (index, condition) in proposal.conditions.iter().enumerate() {
        let Ok(conflict) = past.clone().first_match(&condition.none_matching, condition.after);
        if let Some(first_conflict) = conflict {
            return Expectation::Rejected(Rejection::ConditionFailed { index, first_conflict });
        }
    }
    write(past, proposal)
}

/// The first refusal; all that are about how streams stand, if that is asked for and the first is such a one.
fn refusal(past: &Past, proposal: &Proposal, findings: &[Naive]) -> Option<Rejection> {
    let mut refusals = Vec::new();
    for (target, finding) in proposal.targets.iter().zip(findings) {
        if let Naive::Refuse(rejection) | Naive::RefuseCheck(rejection) = finding {
            refusals.push((target, rejection));
        }
    }
    let violation = |(target, rejection): &(&Target, &Rejection)| {
        let hidden = past.state(&target.stream).truncate_before == u64::MAX;
        let found = match rejection {
            Rejection::StreamDeleted { .. } => Found::Ended,
            Rejection::WrongRevision { .. } if hidden => Found::SoftDeleted,
            Rejection::WrongRevision { actual: None, .. } => Found::Missing,
            Rejection::WrongRevision { actual: Some(actual), .. } => Found::At(*actual),
            Rejection::IdempotencyViolated { .. }
            | Rejection::NotAsExpected { .. }
            | Rejection::ConditionFailed { .. }
            | Rejection::ProposalReused { .. }
            | Rejection::StreamFull { .. }
            | Rejection::CommitTooLarge { .. } => return None,
        };
        Some(Violation { stream: target.stream.clone(), expected: target.expected, found })
    };
    let first = refusals.first()?;
    if proposal.tell == Tell::First || violation(first).is_none() {
        return Some(first.1.clone());
    }
    Some(Rejection::NotAsExpected { violations: refusals.iter().filter_map(violation).collect() })
}

fn reaching(past: &Past, span: u64) -> impl DoubleEndedIterator<Item = &(Proposal, Commit)> {
    let from = past.next_position().0.saturating_sub(span);
    past.commits.iter().filter(move |(_, commit)| commit.first_position.0 + commit.events.len() as u64 > from)
}

fn expect_again(past: &Past, proposal: &Proposal, span: u64) -> Option<Expectation> {
    let (original, commit) = reaching(past, span).rev().find(|(original, _)| original.id == proposal.id)?;
    let appended = |p: &Proposal| -> Vec<(Uuid, StreamName)> {
        p.events.iter().map(|event| (event.id, p.targets[event.target].stream.clone())).collect()
    };
    let tombstones = |p: &Proposal| -> Vec<(Uuid, StreamName)> {
        let ended = |t: &Target| match t.action {
            Action::Tombstone { id, .. } => Some((id, t.stream.clone())),
            Action::Append | Action::Delete { .. } => None,
        };
        p.targets.iter().filter_map(ended).collect()
    };
    let written = |id: Uuid| commit.events.iter().any(|event| event.event.id == id);
    let deleted_alike = original.targets.iter().all(|target| match target.action {
        Action::Delete { id, .. } if written(id) => proposal.targets.iter().any(|t| match t.action {
            Action::Delete { id: other, .. } => t.stream == target.stream && other == id,
            Action::Append | Action::Tombstone { .. } => false,
        }),
        Action::Delete { .. } | Action::Append | Action::Tombstone { .. } => true,
    });
    let same =
        appended(original) == appended(proposal) && tombstones(original) == tombstones(proposal) && deleted_alike;
    if !same {
        return Some(Expectation::Rejected(Rejection::ProposalReused { id: proposal.id }));
    }
    let next = |target: &Target| {
        let last = commit.events.iter().rev().find(|event| event.stream == target.stream);
        last.map_or_else(|| past.state(&target.stream).next(), |event| event.revision.next())
    };
    let stands = |target: &Target| NextRevision { stream: target.stream.clone(), next: next(target) };
    Some(Expectation::Already(Appended {
        next_revisions: proposal.targets.iter().map(stands).collect(),
        idempotent: true,
        ..commit.appended.clone()
    }))
}

fn ids_of(proposal: &Proposal, target: usize) -> Vec<Uuid> {
    proposal.events.iter().filter(|event| event.target == target).map(|event| event.id).collect()
}

fn wrong(past: &Past, target: &Target) -> Rejection {
    let state = past.state(&target.stream);
    let hidden = state.truncate_before == u64::MAX;
    let actual = if hidden { None } else { state.last.map(|last| last.0) };
    Rejection::WrongRevision { stream: target.stream.clone(), expected: target.expected, actual }
}

fn violated(past: &Past, target: &Target) -> Rejection {
    let state = past.state(&target.stream);
    let actual = if state.truncate_before == u64::MAX { None } else { state.last.map(|last| last.0) };
    Rejection::IdempotencyViolated { stream: target.stream.clone(), actual }
}

fn judge(past: &Past, proposal: &Proposal, index: usize, span: u64) -> Naive {
    let target = &proposal.targets[index];
    let state = past.state(&target.stream);
    let hidden = state.truncate_before == u64::MAX;
    let count = past.of(&target.stream).count() as i128;
    let original = target.stream.metadata_of().map(|stream| past.state(&stream));
    let ended = state.tombstoned || original.is_some_and(|state| state.tombstoned);
    let deleted = Rejection::StreamDeleted { stream: target.stream.clone() };
    let holds = match target.expected {
        ExpectedRevision::Any => true,
        ExpectedRevision::NoStream => hidden || count == 0,
        ExpectedRevision::StreamExists => !hidden && (count > 0 || state.has_metadata),
        ExpectedRevision::SoftDeleted => hidden,
        ExpectedRevision::Tombstoned => ended,
        ExpectedRevision::Exact(revision) => i128::from(revision.0) == count - 1,
    };
    let ids = ids_of(proposal, index);
    let appends = target.action == Action::Append;
    match (appends, ids.is_empty(), ended) {
        (true, true, true) => match target.expected {
            ExpectedRevision::Any | ExpectedRevision::NoStream | ExpectedRevision::Tombstoned => Naive::Nothing,
            ExpectedRevision::StreamExists | ExpectedRevision::SoftDeleted | ExpectedRevision::Exact(_) => {
                Naive::RefuseCheck(deleted)
            }
        },
        (_, _, true) => Naive::Refuse(deleted),
        (true, true, false) if holds => Naive::Nothing,
        (true, true, false) => Naive::RefuseCheck(wrong(past, target)),
        (true, false, false) => judge_append(past, target, &ids, holds, span),
        (false, _, false) if !holds => Naive::Refuse(wrong(past, target)),
        (false, _, false) => match target.action {
            Action::Delete { .. } if hidden => Naive::Nothing,
            Action::Delete { .. } if count == 0 => Naive::Refuse(wrong(past, target)),
            Action::Append | Action::Delete { .. } | Action::Tombstone { .. } => Naive::Write,
        },
    }
}

fn judge_append(past: &Past, target: &Target, ids: &[Uuid], holds: bool, span: u64) -> Naive {
    let current = past.of(&target.stream).count() as i128 - 1;
    let expected = match target.expected {
        ExpectedRevision::Any
        | ExpectedRevision::StreamExists
        | ExpectedRevision::SoftDeleted
        | ExpectedRevision::Tombstoned => None,
        ExpectedRevision::NoStream => Some(-1),
        ExpectedRevision::Exact(revision) => Some(i128::from(revision.0)),
    };
    let found: Vec<Option<(Position, Revision)>> = match expected {
        // What revived a stream may be sent again, when it is deleted no more.
        None if !holds && target.expected != ExpectedRevision::SoftDeleted => {
            return Naive::Refuse(wrong(past, target));
        }
        Some(expected) if expected == current => return Naive::Write,
        Some(expected) if expected > current => return Naive::Refuse(wrong(past, target)),
        None => {
            let from = reaching(past, span).next().map_or(past.next_position(), |(_, commit)| commit.first_position);
            let newest = |id| past.of(&target.stream).filter(|(at, e)| *at >= from && e.event.id == id).last();
            ids.iter().map(|id| newest(*id).map(|(position, event)| (position, event.revision))).collect()
        }
        Some(expected) => {
            let at = |i: usize, id: Uuid| {
                past.of(&target.stream)
                    .find(|(_, event)| i128::from(event.revision.0) == expected + 1 + i as i128)
                    .filter(|(_, event)| event.event.id == id)
            };
            ids.iter()
                .enumerate()
                .map(|(i, id)| at(i, *id).map(|(position, event)| (position, event.revision)))
                .collect()
        }
    };
    if found.iter().all(Option::is_some) {
        return Naive::Again(found.into_iter().flatten().collect());
    }
    match (found[0], expected) {
        (Some(_), _) => Naive::Refuse(violated(past, target)),
        (None, _) if holds => Naive::Write,
        (None, _) => Naive::Refuse(wrong(past, target)),
    }
}

fn expect_retry(past: &Past, proposal: &Proposal, findings: &[Naive]) -> Option<Expectation> {
    let again: Vec<usize> = (0..findings.len()).filter(|&t| matches!(findings[t], Naive::Again(_))).collect();
    let first = *again.first()?;
    if findings.iter().any(|finding| matches!(finding, Naive::Write | Naive::Refuse(_))) {
        return None;
    }
    let of = |target: usize| match &findings[target] {
        Naive::Again(recorded) => recorded.clone(),
        Naive::Nothing | Naive::Write | Naive::Refuse(_) | Naive::RefuseCheck(_) => Vec::new(),
    };
    // In the order of the proposal; each with its stream, if it is the first there.
    let mut positions: Vec<(u64, Option<&StreamName>)> = Vec::new();
    for (i, event) in proposal.events.iter().enumerate() {
        let nth = proposal.events[..i].iter().filter(|other| other.target == event.target).count();
        let first_of = Some(&proposal.targets[event.target].stream).filter(|_| nth == 0);
        positions.push((of(event.target)[nth].0.0, first_of));
    }
    let metadata_at = |position: u64, stream: &StreamName| {
        past.events().nth(position as usize).is_some_and(|(_, event)| *event.stream == *format!("$${stream}"))
    };
    let together = positions.windows(2).all(|pair| {
        let (before, (at, first_of)) = (pair[0].0, pair[1]);
        at == before + 1 || (at == before + 2 && first_of.is_some_and(|stream| metadata_at(before + 1, stream)))
    });
    if again.len() > 1 && !together {
        return Some(Expectation::Rejected(violated(past, &proposal.targets[first])));
    }
    let next = |target: usize| of(target).iter().map(|(_, revision)| revision.next()).max();
    let stands = |(index, target): (usize, &Target)| NextRevision {
        stream: target.stream.clone(),
        next: next(index).unwrap_or_else(|| past.state(&target.stream).next()),
    };
    Some(Expectation::Already(Appended {
        first_position: positions.iter().map(|(at, _)| Position(*at)).min(),
        last_position: positions.iter().map(|(at, _)| Position(*at)).max(),
        next_revisions: proposal.targets.iter().enumerate().map(stands).collect(),
        idempotent: true,
    }))
}

/// The newest document of a metadata stream, with this `$tb`.
fn rewritten(past: &Past, documents: &[(StreamName, Bytes)], metadata: &StreamName, tb: u64) -> Value {
    let proposed = documents.iter().rev().find(|(stream, _)| stream == metadata).map(|(_, document)| document.clone());
    let recorded = || past.of(metadata).last().map(|(_, event)| event.event.data.data.clone());
    let newest = proposed.or_else(recorded).unwrap_or_default();
    let mut document: Value = serde_json::from_slice(&newest).unwrap_or(Value::Null);
    if !document.is_object() {
        document = Value::Object(serde_json::Map::new());
    }
    document["$tb"] = Value::from(tb);
    document
}

/// Metadata streams whose newest document would show what was deleted before the request, and the documents that do not.
fn shown_too_much(past: &Past, proposal: &Proposal, documents: &[(StreamName, Bytes)]) -> Vec<(StreamName, Value)> {
    let mut hidden = Vec::new();
    for target in &proposal.targets {
        let Some(described) = target.stream.metadata_of() else { continue };
        let newest = documents.iter().rev().find(|(stream, _)| *stream == target.stream).map(|(_, document)| document);
        let (Some(newest), u64::MAX) = (newest, past.state(&described).truncate_before) else { continue };
        let count_before = past.of(&described).count() as u64;
        let hides = serde_json::from_slice::<Value>(newest).ok().and_then(|document| document.get("$tb")?.as_u64());
        if hides.filter(|tb| *tb <= i64::MAX as u64).unwrap_or(0) < count_before {
            hidden.push((target.stream.clone(), rewritten(past, documents, &target.stream, count_before)));
        }
    }
    hidden
}

fn write(past: &Past, proposal: &Proposal) -> Expectation {
    let mut events: Vec<(StreamName, u64, Uuid, Option<Value>)> = Vec::new();
    let count = |events: &Vec<(StreamName, u64, Uuid, Option<Value>)>, stream: &StreamName| {
        (past.of(stream).count() + events.iter().filter(|(known, ..)| known == stream).count()) as u64
    };
    // What the newest metadata document of a stream is while the commit grows.
    let mut documents: Vec<(StreamName, Bytes)> = Vec::new();
    let mut first = None;
    let mut seen: Vec<usize> = Vec::new();
    for event in &proposal.events {
        let stream = &proposal.targets[event.target].stream;
        let state = past.state(stream);
        if !seen.contains(&event.target) && state.truncate_before == u64::MAX {
            let metadata = stream.metadata_stream().unwrap();
            let document = rewritten(past, &documents, &metadata, past.of(stream).count() as u64);
            documents.push((metadata.clone(), document.to_string().into()));
            let id = identity::revival_id(proposal.id, stream);
            events.push((metadata.clone(), count(&events, &metadata), id, Some(document)));
        }
        seen.push(event.target);
        first = first.or(Some(events.len()));
        documents.push((stream.clone(), event.data.data.clone()));
        events.push((stream.clone(), count(&events, stream), event.id, None));
    }
    // A stream that is deleted already is deleted again when the request writes a document that would end that.
    let documented = |stream: &StreamName| {
        let wrote =
            |event: &ProposedEvent| proposal.targets[event.target].stream.metadata_of().as_ref() == Some(stream);
        proposal.events.iter().any(wrote)
    };
    for target in &proposal.targets {
        let hidden = past.state(&target.stream).truncate_before == u64::MAX;
        match target.action {
            Action::Append => {}
            Action::Delete { .. } if hidden && !documented(&target.stream) => {}
            Action::Delete { id, .. } => {
                let metadata = target.stream.metadata_stream().unwrap();
                let document = rewritten(past, &documents, &metadata, 9_223_372_036_854_775_807);
                first = first.or(Some(events.len()));
                documents.push((metadata.clone(), document.to_string().into()));
                events.push((metadata.clone(), count(&events, &metadata), id, Some(document)));
            }
            Action::Tombstone { id, .. } => {
                first = first.or(Some(events.len()));
                events.push((target.stream.clone(), count(&events, &target.stream), id, None));
            }
        }
    }
    for (stream, document) in shown_too_much(past, proposal, &documents) {
        let id = identity::hiding_id(proposal.id, &stream);
        events.push((stream.clone(), count(&events, &stream), id, Some(document)));
    }
    let head = past.next_position().0;
    let appended = Appended {
        first_position: first.map(|first| Position(head + first as u64)),
        last_position: first.map(|_| Position(head + events.len() as u64 - 1)),
        next_revisions: (proposal.targets.iter())
            .map(|t| NextRevision { stream: t.stream.clone(), next: Revision(count(&events, &t.stream)) })
            .collect(),
        idempotent: false,
    };
    if events.is_empty() { Expectation::Already(appended) } else { Expectation::Commit(events, appended) }
}
