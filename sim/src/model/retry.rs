//! What the targets of a request come to together: new, recorded before, or neither.

use gesta_store::{Appended, NextRevision, Position, Rejection, Revision, StreamName};
use uuid::Uuid;

use super::{Finding, Model, Verdict};
use crate::step::{Change, Request, Target};

/// A target whose events were recorded before: its index, and where they are.
type Retried = (usize, Vec<(Position, Revision)>);

impl Model {
    /// The verdict of the targets alone; `None` if nothing of what they ask for stands in the way of recording it.
    pub(super) fn judge_targets(&self, request: &Request) -> Option<Verdict> {
        let mut retried: Vec<Retried> = Vec::new();
        let mut first_refusal = None;
        let (mut writes, mut write_is_refused) = (false, false);
        for (index, target) in request.targets.iter().enumerate() {
            match self.judge(target) {
                Finding::Holds => {}
                Finding::Fresh => writes = true,
                Finding::Retry(recorded) => retried.push((index, recorded)),
                Finding::Unmet(rejection) => first_refusal = first_refusal.or(Some(rejection)),
                Finding::Refused(rejection) => {
                    first_refusal = first_refusal.or(Some(rejection));
                    write_is_refused = true;
                }
            }
        }
        let is_retry = !retried.is_empty() && !writes && !write_is_refused;
        if is_retry && (retried.len() == 1 || self.were_one_commit(request, &retried)) {
            return Some(Verdict::Nothing(self.answer_of(request, &retried)));
        }
        if let Some(rejection) = first_refusal.filter(|_| !is_retry) {
            return Some(Verdict::Rejected(rejection));
        }
        let (index, _) = retried.first()?;
        let stream = request.targets[*index].stream.clone();
        let actual = self.stream(&stream).actual();
        Some(Verdict::Rejected(Rejection::IdempotencyViolated { stream, actual }))
    }

    /// Whether the events follow one another in the log, but for the metadata events that revive their streams.
    fn were_one_commit(&self, request: &Request, retried: &[Retried]) -> bool {
        let mut expected = None;
        for (index, recorded) in retried {
            let metadata_stream = request.targets[*index].stream.metadata_stream().ok();
            for (place, (position, _)) in recorded.iter().enumerate() {
                let revived = place == 0
                    && expected.is_some_and(|expected: Position| expected.next() == *position)
                    && expected.and_then(|between| self.event(between)).map(|event| &event.stream)
                        == metadata_stream.as_ref();
                if expected.is_some_and(|expected| expected != *position) && !revived {
                    return false;
                }
                expected = Some(position.next());
            }
        }
        true
    }

    fn answer_of(&self, request: &Request, retried: &[Retried]) -> Appended {
        let positions = || retried.iter().flat_map(|(_, recorded)| recorded).map(|(position, _)| *position);
        let next = |(index, target): (usize, &Target)| {
            let recorded = retried.iter().find(|(retried, _)| *retried == index);
            let last = recorded.and_then(|(_, recorded)| recorded.iter().map(|(_, revision)| *revision).max());
            let next = last.map_or_else(|| self.stream(&target.stream).next(), Revision::next);
            NextRevision { stream: target.stream.clone(), next }
        };
        Appended {
            first_position: positions().min(),
            last_position: positions().max(),
            next_revisions: request.targets.iter().enumerate().map(next).collect(),
            idempotent: true,
        }
    }

    /// The answer to a request that was recorded before: what was said then, and of streams it did not write to, where they stand now.
    pub(super) fn answer_again(&self, request: &Request, known: &Commit) -> Appended {
        let next = |target: &Target| {
            let before = known.request.targets.iter().zip(&known.appended.next_revisions);
            let mut written = before.filter(|(known, _)| known.stream == target.stream && writes(&known.change));
            let next = written.next().map_or_else(|| self.stream(&target.stream).next(), |(_, before)| before.next);
            NextRevision { stream: target.stream.clone(), next }
        };
        let next_revisions = request.targets.iter().map(next).collect();
        Appended { idempotent: true, next_revisions, ..known.appended.clone() }
    }
}

/// A request that was recorded.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) request: Request,
    /// Streams it deleted that were not deleted already.
    pub(super) deleted: Vec<StreamName>,
    pub(super) appended: Appended,
}

/// What makes two events of requests with the same id the same: the id the client gave, or, where that was left to the store, the place in
/// the request.
#[derive(PartialEq, Eq)]
enum Name {
    Given(Uuid),
    Place(usize),
}

impl Commit {
    /// Whether `request`, which has the same id, asks for what this one recorded.
    pub(super) fn answers(&self, request: &Request) -> bool {
        let deletions: Vec<(Name, &StreamName)> = deletions(request).collect();
        let left = deletions_written(self).filter(|deletion| !deletions.contains(deletion)).count();
        left == 0 && written(&self.request).eq(written(request))
    }
}

fn deletions_written(commit: &Commit) -> impl Iterator<Item = (Name, &StreamName)> {
    deletions(&commit.request).filter(|(_, stream)| commit.deleted.contains(stream))
}

fn deletions(request: &Request) -> impl Iterator<Item = (Name, &StreamName)> {
    actions(request, Change::Delete)
}

/// The events a request always writes, in order.
fn written(request: &Request) -> impl Iterator<Item = (Name, &StreamName)> {
    let name = |(place, (stream, id)): (usize, (_, Option<Uuid>))| (id.map_or(Name::Place(place), Name::Given), stream);
    events(request).enumerate().map(name).chain(actions(request, Change::Tombstone))
}

fn events(request: &Request) -> impl Iterator<Item = (&StreamName, Option<Uuid>)> {
    request.targets.iter().flat_map(|target| match &target.change {
        Change::Append(events) => events.iter().map(|event| (&target.stream, event.id)).collect(),
        Change::Delete | Change::Tombstone => Vec::new(),
    })
}

/// Deletions or tombstones: their events are named by the place of their target, counted on from the last event.
fn actions(request: &Request, change: Change) -> impl Iterator<Item = (Name, &StreamName)> {
    let events = events(request).count();
    let chosen = request.targets.iter().enumerate().filter(move |(_, target)| target.change == change);
    chosen.map(move |(index, target)| (Name::Place(events + index), &target.stream))
}

/// Whether a change writes to the stream it names.
fn writes(change: &Change) -> bool {
    match change {
        Change::Append(events) => !events.is_empty(),
        Change::Tombstone => true,
        Change::Delete => false,
    }
}
