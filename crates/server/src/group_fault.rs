//! How a call about a group of consumers fails, in the protocol's words. A part of [`fault`](crate::fault): the same rule about texts and
//! trailers.

use gesta_store::{GroupError, GroupName};
use tonic::Code;

use crate::fault::{Fault, Parts};

/// Why a call about a group failed.
#[derive(Debug)]
pub struct GroupFault {
    stream: String,
    group: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    DoesNotExist,
    Exists,
    MaximumSubscribers,
    Dropped,
    Failed(String),
}

impl GroupFault {
    /// What a refusal of the store is to this protocol.
    #[must_use]
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "refusals may be added; for those left the protocol has one word"
    )]
    pub fn refused(group: &GroupName, error: GroupError) -> Fault {
        let why = match error {
            GroupError::Store(error) => return Fault::Store(error),
            GroupError::NoSuchGroup { .. } => Why::DoesNotExist,
            GroupError::GroupExists { .. } => Why::Exists,
            GroupError::MaximumSubscribers { .. } => Why::MaximumSubscribers,
            GroupError::Dropped { .. } => Why::Dropped,
            other => Why::Failed(other.to_string()),
        };
        Self::because(group, why)
    }

    /// A group that cannot be as the request says.
    #[must_use]
    pub fn failed(group: &GroupName, reason: impl Into<String>) -> Fault {
        Self::because(group, Why::Failed(reason.into()))
    }

    /// A consumer that is sent away.
    #[must_use]
    pub fn dropped(group: &GroupName) -> Fault {
        Self::because(group, Why::Dropped)
    }

    /// Nothing to be listed on `stream`, or at all.
    #[must_use]
    pub fn none_on(stream: &str) -> Fault {
        Fault::Group(Self { stream: stream.to_owned(), group: String::new(), why: Why::DoesNotExist })
    }

    /// That the groups on `stream`, or all, cannot be listed.
    #[must_use]
    pub fn none_listed(stream: &str, error: GroupError) -> Fault {
        if let GroupError::Store(error) = error {
            return Fault::Store(error);
        }
        Fault::Group(Self { stream: stream.to_owned(), group: String::new(), why: Why::Failed(error.to_string()) })
    }

    fn because(group: &GroupName, why: Why) -> Fault {
        Fault::Group(Self { stream: group.source().to_owned(), group: group.name().to_owned(), why })
    }

    /// As [`Fault`]'s parts: the status code, the text, the name, and further facts.
    pub(crate) fn parts(&self) -> Parts {
        let Self { stream, group, why } = self;
        let (code, text, name) = match why {
            Why::DoesNotExist => (
                Code::NotFound,
                format!("Subscription group {group} on stream {stream} does not exist."),
                "persistent-subscription-does-not-exist",
            ),
            Why::Exists => (
                Code::AlreadyExists,
                format!("Subscription group {group} on stream {stream} exists."),
                "persistent-subscription-exists",
            ),
            Why::MaximumSubscribers => (
                Code::FailedPrecondition,
                format!("Maximum subscriptions reached for subscription group {group} on stream {stream}."),
                "maximum-subscribers-reached",
            ),
            Why::Dropped => (
                Code::Cancelled,
                format!("Subscription group {group} on stream {stream} was dropped."),
                "persistent-subscription-dropped",
            ),
            Why::Failed(reason) => (
                Code::Internal,
                format!("Subscription group {group} on stream {stream} failed: '{reason}'"),
                "persistent-subscription-failed",
            ),
        };
        let mut facts = vec![("stream-name", stream.clone()), ("group-name", group.clone())];
        if let Why::Failed(reason) = why {
            facts.push(("reason", reason.clone()));
        }
        (code, text, Some(name), facts)
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    #[test]
    fn texts_and_trailers_are_what_clients_parse() {
        let group = GroupName::on_stream("order-1".try_into().unwrap(), "mail").unwrap();
        let named = || group.to_string();
        let cases = [
            GroupError::NoSuchGroup { group: named() },
            GroupError::GroupExists { group: named() },
            GroupError::MaximumSubscribers { limit: 1 },
            GroupError::Dropped { reason: "the group was deleted".to_owned() },
            GroupError::TooManyParked { max: 1 },
        ];
        let shown = |error| {
            let status = Status::from(GroupFault::refused(&group, error));
            let trailer = |name| status.metadata().get(name).unwrap().to_str().unwrap().to_owned();
            assert_eq!([trailer("stream-name"), trailer("group-name")], ["order-1", "mail"]);
            format!("{:?} {}: {}", status.code(), trailer("exception"), status.message())
        };
        expect_test::expect![[r"
            NotFound persistent-subscription-does-not-exist: Subscription group mail on stream order-1 does not exist.
            AlreadyExists persistent-subscription-exists: Subscription group mail on stream order-1 exists.
            FailedPrecondition maximum-subscribers-reached: Maximum subscriptions reached for subscription group mail on stream order-1.
            Cancelled persistent-subscription-dropped: Subscription group mail on stream order-1 was dropped.
            Internal persistent-subscription-failed: Subscription group mail on stream order-1 failed: 'the group can keep no more parked messages, replay or discard some, max=1'"]]
        .assert_eq(&cases.map(shown).join("\n"));
    }
}
