//! What this server offers, for clients that choose their calls by it: methods that exist, and no others.

use tonic::{Request, Response, Status};

use crate::proto::event_store::client::{
    Empty,
    server_features::{SupportedMethod, SupportedMethods, server_features_server::ServerFeatures},
};

/// The server whose protocol this is, for clients that look at the version before they use what came with it.
const VERSION: &str = "26.1.0";

/// What is offered of every call about groups.
const GROUPS: &[&str] = &["stream", "all"];

/// Methods, each with its features.
type Methods = &'static [(&'static str, &'static [&'static str])];

/// Services and their methods, with what is offered of each; lower case, as clients compare it.
const SERVICES: [(&str, Methods); 9] = [
    (
        "event_store.client.streams.streams",
        &[
            ("read", &["position", "events"]),
            ("append", &[]),
            ("batchappend", &["deadline_duration"]),
            ("delete", &[]),
            ("tombstone", &[]),
        ],
    ),
    ("kurrentdb.protocol.v2.streams.streamsservice", &[("appendsession", &[]), ("appendrecords", &[])]),
    (
        "event_store.client.persistent_subscriptions.persistentsubscriptions",
        &[
            ("create", GROUPS),
            ("update", GROUPS),
            ("delete", GROUPS),
            ("read", GROUPS),
            ("getinfo", GROUPS),
            ("replayparked", GROUPS),
            ("truncateparked", GROUPS),
            ("list", GROUPS),
            ("restartsubsystem", GROUPS),
        ],
    ),
    (
        "event_store.client.projections.projections",
        &[
            ("statistics", &[]),
            ("enable", &[]),
            ("reset", &[]),
            ("state", &[]),
            ("result", &[]),
            ("restartsubsystem", &[]),
        ],
    ),
    (
        "event_store.client.operations.operations",
        &[("shutdown", &[]), ("mergeindexes", &[]), ("restartpersistentsubscriptions", &[])],
    ),
    ("event_store.client.monitoring.monitoring", &[("stats", &[])]),
    (
        "event_store.client.users.users",
        &[
            ("create", &[]),
            ("update", &[]),
            ("delete", &[]),
            ("disable", &[]),
            ("enable", &[]),
            ("details", &[]),
            ("changepassword", &[]),
            ("resetpassword", &[]),
        ],
    ),
    ("event_store.client.gossip.gossip", &[("read", &[])]),
    ("event_store.client.server_features.serverfeatures", &[("getsupportedmethods", &[])]),
];

/// The service that tells.
#[derive(Clone, Copy, Debug)]
pub struct Features;

#[tonic::async_trait]
impl ServerFeatures for Features {
    async fn get_supported_methods(&self, _: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        let methods = SERVICES.iter().flat_map(|&(service, methods)| {
            methods.iter().map(move |&(method, features)| SupportedMethod {
                method_name: method.to_owned(),
                service_name: service.to_owned(),
                features: features.iter().map(|&feature| feature.to_owned()).collect(),
            })
        });
        Ok(Response::new(SupportedMethods {
            methods: methods.collect(),
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}
