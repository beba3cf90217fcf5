//! Mistakes a model can be made to make, on purpose: a test that does not notice them would not notice those of a store.

use gesta_store::{ExpectedRevision, Position, ReadOptions, Revision};

use super::Model;
use crate::step::{Change, Request};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `ExpectedRevision::Exact` is off by one.
    ExactIsOneMore,
    /// A condition also looks at the position it is said to be after.
    AfterIsIncluded,
    /// A soft delete is forgotten.
    DeletesNothing,
    /// A limited read gives one event more.
    LimitIsOneMore,
}

impl Model {
    /// A model that makes a mistake.
    #[must_use]
    pub fn with_flaw(flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::default() }
    }

    /// The request as a flawed model takes it.
    pub(super) fn distorted(&self, request: &Request) -> Request {
        let mut request = request.clone();
        match self.flaw {
            Some(Flaw::ExactIsOneMore) => {
                for target in &mut request.targets {
                    if let ExpectedRevision::Exact(Revision(revision)) = &mut target.expected {
                        *revision += 1;
                    }
                }
            }
            Some(Flaw::AfterIsIncluded) => {
                for condition in &mut request.conditions {
                    condition.after = condition.after.and_then(|after| after.0.checked_sub(1)).map(Position);
                }
            }
            Some(Flaw::DeletesNothing) => {
                let deletes = request.targets.iter_mut().filter(|target| target.change == Change::Delete);
                deletes.for_each(|target| target.change = Change::Append(Vec::new()));
            }
            Some(Flaw::LimitIsOneMore) | None => {}
        }
        request
    }

    /// How many events a read gives at most.
    pub(super) fn limit(&self, options: &ReadOptions) -> usize {
        let limit = options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        match self.flaw {
            Some(Flaw::LimitIsOneMore) => limit.saturating_add(1),
            Some(Flaw::ExactIsOneMore | Flaw::AfterIsIncluded | Flaw::DeletesNothing) | None => limit,
        }
    }
}
