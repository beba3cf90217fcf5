//! The messages and services of the wire protocol, as `cargo xtask protos` generates them from `proto/`.
//!
//! The modules follow the packages, since the generated code names its neighbours relative to them. Nothing here is ours to shape.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    dead_code,
    deprecated,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    rustdoc::all,
    reason = "generated"
)]

pub mod event_store {
    pub mod client {
        include!("generated/event_store.client.rs");
        pub mod gossip {
            include!("generated/event_store.client.gossip.rs");
        }
        pub mod monitoring {
            include!("generated/event_store.client.monitoring.rs");
        }
        pub mod operations {
            include!("generated/event_store.client.operations.rs");
        }
        pub mod persistent_subscriptions {
            include!("generated/event_store.client.persistent_subscriptions.rs");
        }
        pub mod projections {
            include!("generated/event_store.client.projections.rs");
        }
        pub mod server_features {
            include!("generated/event_store.client.server_features.rs");
        }
        pub mod streams {
            include!("generated/event_store.client.streams.rs");
        }
        pub mod users {
            include!("generated/event_store.client.users.rs");
        }
    }
}

pub mod kurrent {
    pub mod client {
        pub mod redaction {
            include!("generated/kurrent.client.redaction.rs");
        }
    }
    pub mod rpc {
        include!("generated/kurrent.rpc.rs");
    }
}

pub mod kurrentdb {
    pub mod protocol {
        pub mod v2 {
            pub mod indexes {
                include!("generated/kurrentdb.protocol.v2.indexes.rs");
            }
            pub mod streams {
                include!("generated/kurrentdb.protocol.v2.streams.rs");
                pub mod errors {
                    include!("generated/kurrentdb.protocol.v2.streams.errors.rs");
                }
            }
        }
    }
}

pub mod gesta {
    pub mod store {
        pub mod v1 {
            include!("generated/gesta.store.v1.rs");
        }
    }
}

pub mod google {
    pub mod rpc {
        include!("generated/google.rpc.rs");
    }
}
