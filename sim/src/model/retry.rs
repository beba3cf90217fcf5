//! What the targets of a request come to together: new, recorded before, or neither.

use gesta_store::{Appended, NextRevision, Position, Rejection, Revision};

use super::{Finding, Model, Verdict};
use crate::step::{Change, Request};

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
        let next = |(index, target): (usize, &crate::step::Target)| {
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

    /// Whether a change writes to the stream it names.
    pub(super) fn writes(change: &Change) -> bool {
        match change {
            Change::Append(events) => !events.is_empty(),
            Change::Tombstone => true,
            Change::Delete => false,
        }
    }
}
