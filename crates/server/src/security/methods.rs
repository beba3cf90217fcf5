//! What a call needs before its first message is read, by its name: the table of all methods.
//!
//! For calls about streams and users the service asks again, when it knows which stream or user it is about. A method that is not here is for
//! administrators: a service that is added and forgotten here is closed, not open.

use super::action::Action;

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A right that does not depend on what is in the call.
    Right(Action<'static>),
    /// A right that does: the service asks.
    Asked,
}

const GREET: Need = Need::Right(Action::Greet);
const OBSERVE: Need = Need::Right(Action::Observe);
const OPERATE: Need = Need::Right(Action::Operate);
const ADMINISTER: Need = Need::Right(Action::ManageUsers);

/// Services, and what their methods need; `*` stands for all that are not named.
#[rustfmt::skip]
const SERVICES: &[(&str, &[(&str, Need)])] = &[
    ("event_store.client.streams.Streams", &[("*", Need::Asked)]),
    ("kurrentdb.protocol.v2.streams.StreamsService", &[("*", Need::Asked)]),
    ("event_store.client.users.Users", &[("*", Need::Asked)]),
    ("event_store.client.persistent_subscriptions.PersistentSubscriptions",
        &[("Read", Need::Asked), ("GetInfo", OBSERVE), ("List", OBSERVE), ("*", OPERATE)]),
    ("event_store.client.projections.Projections",
        &[("Statistics", OBSERVE), ("State", OBSERVE), ("Result", OBSERVE), ("*", OPERATE)]),
    ("event_store.client.operations.Operations", &[("*", OPERATE)]),
    ("event_store.client.monitoring.Monitoring", &[("*", OBSERVE)]),
    // But for consumers it knows nothing of streams' access control lists: whoever may use it may do everything.
    ("gesta.store.v1.Store", &[("Consume", Need::Asked), ("*", ADMINISTER)]),
    ("event_store.client.gossip.Gossip", &[("*", GREET)]),
    ("event_store.client.server_features.ServerFeatures", &[("*", GREET)]),
];

/// What is asked over HTTP without gRPC.
const PAGES: &[(&str, Need)] = &[("/health/live", GREET), ("/health/ready", GREET), ("/metrics", OBSERVE)];

/// What the call of a path needs.
pub(super) fn need(path: &str) -> Need {
    if let Some((_, need)) = PAGES.iter().find(|(page, _)| *page == path) {
        return *need;
    }
    let Some((service, method)) = path.trim_start_matches('/').rsplit_once('/') else { return ADMINISTER };
    let methods = SERVICES.iter().find(|(known, _)| *known == service).map_or(&[][..], |(_, methods)| methods);
    let named = methods.iter().find(|(known, _)| *known == method || *known == "*");
    named.map_or(ADMINISTER, |(_, need)| *need)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a caller who is neither operator nor administrator may call before anybody has looked into the call.
    #[test]
    fn only_what_looks_is_open_to_every_user() {
        let groups = "/event_store.client.persistent_subscriptions.PersistentSubscriptions/";
        for method in ["Create", "Update", "Delete", "ReplayParked", "TruncateParked", "RestartSubsystem"] {
            assert_eq!(need(&format!("{groups}{method}")), OPERATE, "{method}");
        }
        for method in ["StartScavenge", "StopScavenge", "Shutdown", "MergeIndexes", "ResignNode", "SetNodePriority"] {
            assert_eq!(need(&format!("/event_store.client.operations.Operations/{method}")), OPERATE, "{method}");
        }
        for method in ["Create", "Update", "Delete", "Disable", "Enable", "Reset", "RestartSubsystem"] {
            assert_eq!(need(&format!("/event_store.client.projections.Projections/{method}")), OPERATE, "{method}");
        }
        for method in
            ["Info", "Streams", "Append", "Read", "Follow", "Explain", "Verify", "Groups", "ChangeGroup", "Parked"]
        {
            assert_eq!(need(&format!("/gesta.store.v1.Store/{method}")), ADMINISTER, "{method}");
        }
        assert_eq!(need("/event_store.client.monitoring.Monitoring/Stats"), OBSERVE);
        assert_eq!(need("/metrics"), OBSERVE);
    }

    #[test]
    fn what_is_not_in_the_table_is_for_administrators() {
        assert_eq!(need("/event_store.client.gossip.Gossip/Read"), GREET);
        assert_eq!(need("/event_store.client.streams.Streams/Append"), Need::Asked);
        assert_eq!(need("/event_store.client.persistent_subscriptions.PersistentSubscriptions/Delete"), OPERATE);
        assert_eq!(need("/event_store.client.persistent_subscriptions.PersistentSubscriptions/List"), OBSERVE);
        assert_eq!(need("/health/live"), GREET);
        assert_eq!(need("/gesta.store.v1.Store/Consume"), Need::Asked);
        assert_eq!(need("/gesta.store.v1.Store/Groups"), ADMINISTER);
        for path in ["", "/", "/streams/order-1", "/new.Service/Call", "/health/live/", "//health/live"] {
            assert_eq!(need(path), ADMINISTER, "{path}");
        }
    }
}
