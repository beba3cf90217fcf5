//! Expectations: each kind of request has its own copy of the same choice.

use gesta_store::{ExpectedRevision, Revision};

use crate::{
    fault::Fault,
    proto::event_store::client::streams::{
        append_req, append_resp, batch_append_req, batch_append_resp, delete_req, tombstone_req,
    },
};

/// A choice of expectations on the wire.
pub trait Expectation {
    /// The same in the words of the store.
    fn expected(&self) -> ExpectedRevision;
}

macro_rules! expectation {
    ($choice:path, $exact:ident) => {
        impl Expectation for $choice {
            fn expected(&self) -> ExpectedRevision {
                match self {
                    Self::$exact(revision) => ExpectedRevision::Exact(Revision(*revision)),
                    Self::NoStream(_) => ExpectedRevision::NoStream,
                    Self::Any(_) => ExpectedRevision::Any,
                    Self::StreamExists(_) => ExpectedRevision::StreamExists,
                }
            }
        }
    };
}

expectation!(append_req::options::ExpectedStreamRevision, Revision);
expectation!(delete_req::options::ExpectedStreamRevision, Revision);
expectation!(tombstone_req::options::ExpectedStreamRevision, Revision);
expectation!(batch_append_req::options::ExpectedStreamPosition, StreamPosition);

/// The expectation a request names.
///
/// # Errors
/// `Invalid` when it names none: to expect nothing must be said.
pub fn from_wire<E: Expectation>(expected: Option<&E>) -> Result<ExpectedRevision, Fault> {
    expected
        .map(Expectation::expected)
        .ok_or_else(|| Fault::Invalid("expected revision is missing, say any to expect nothing".to_owned()))
}

/// The expectation as a batch append echoes it; `None` for what cannot be expected by this protocol.
#[must_use]
pub fn echoed(expected: ExpectedRevision) -> Option<batch_append_resp::ExpectedStreamPosition> {
    use batch_append_resp::ExpectedStreamPosition as Echo;
    match expected {
        ExpectedRevision::Any => Some(Echo::Any(())),
        ExpectedRevision::NoStream => Some(Echo::NoStream(())),
        ExpectedRevision::StreamExists => Some(Echo::StreamExists(())),
        ExpectedRevision::Exact(revision) => Some(Echo::StreamPosition(revision.0)),
        ExpectedRevision::SoftDeleted | ExpectedRevision::Tombstoned => None,
    }
}

/// A wrong expectation as an append answers it: the same facts for two generations of clients.
#[must_use]
pub fn wrong(expected: ExpectedRevision, actual: Option<Revision>) -> append_resp::WrongExpectedVersion {
    use append_resp::wrong_expected_version::{
        CurrentRevisionOption as Current, CurrentRevisionOption2060 as CurrentOld, ExpectedRevisionOption as Expected,
        ExpectedRevisionOption2060 as ExpectedOld,
    };

    use crate::proto::event_store::client::Empty;
    let (old, new) = match expected {
        ExpectedRevision::Any => (Some(ExpectedOld::Any2060(Empty {})), Some(Expected::ExpectedAny(Empty {}))),
        ExpectedRevision::StreamExists => {
            (Some(ExpectedOld::StreamExists2060(Empty {})), Some(Expected::ExpectedStreamExists(Empty {})))
        }
        // The old generation had no word for it, but minus one.
        ExpectedRevision::NoStream => {
            (Some(ExpectedOld::ExpectedRevision2060(u64::MAX)), Some(Expected::ExpectedNoStream(Empty {})))
        }
        ExpectedRevision::Exact(revision) => {
            (Some(ExpectedOld::ExpectedRevision2060(revision.0)), Some(Expected::ExpectedRevision(revision.0)))
        }
        // Neither has one for what only the second protocol can expect.
        ExpectedRevision::SoftDeleted | ExpectedRevision::Tombstoned => (None, None),
    };
    let (current_old, current) = match actual {
        Some(revision) => (CurrentOld::CurrentRevision2060(revision.0), Current::CurrentRevision(revision.0)),
        None => (CurrentOld::NoStream2060(Empty {}), Current::CurrentNoStream(Empty {})),
    };
    append_resp::WrongExpectedVersion {
        current_revision_option_20_6_0: Some(current_old),
        expected_revision_option_20_6_0: old,
        current_revision_option: Some(current),
        expected_revision_option: new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generations_of_clients_are_told_the_same() {
        use append_resp::wrong_expected_version::{
            CurrentRevisionOption as Current, CurrentRevisionOption2060 as CurrentOld,
            ExpectedRevisionOption as Expected, ExpectedRevisionOption2060 as ExpectedOld,
        };
        let there = wrong(ExpectedRevision::Exact(Revision(7)), Some(Revision(2)));
        assert_eq!(there.current_revision_option, Some(Current::CurrentRevision(2)));
        assert_eq!(there.current_revision_option_20_6_0, Some(CurrentOld::CurrentRevision2060(2)));
        assert_eq!(there.expected_revision_option, Some(Expected::ExpectedRevision(7)));
        assert_eq!(there.expected_revision_option_20_6_0, Some(ExpectedOld::ExpectedRevision2060(7)));
        let missing = wrong(ExpectedRevision::StreamExists, None);
        assert!(matches!(missing.current_revision_option, Some(Current::CurrentNoStream(_))));
        assert!(matches!(missing.current_revision_option_20_6_0, Some(CurrentOld::NoStream2060(_))));
        assert!(matches!(missing.expected_revision_option, Some(Expected::ExpectedStreamExists(_))));
        assert!(matches!(missing.expected_revision_option_20_6_0, Some(ExpectedOld::StreamExists2060(_))));
    }
}
