//! What this server offers, for clients that choose their calls by it: methods that exist, and no others.

use tonic::{Request, Response, Status};

use crate::proto::event_store::client::{
    Empty,
    server_features::{SupportedMethod, SupportedMethods, server_features_server::ServerFeatures},
};

/// The server whose protocol this is, for clients that look at the version before they use what came with it.
const VERSION: &str = "26.1.0";

/// Service, method, and what is offered of it; lower case, as clients compare it.
const METHODS: [(&str, &str, &[&str]); 9] = [
    ("event_store.client.streams.streams", "read", &["position", "events"]),
    ("event_store.client.streams.streams", "append", &[]),
    ("event_store.client.streams.streams", "batchappend", &["deadline_duration"]),
    ("event_store.client.streams.streams", "delete", &[]),
    ("event_store.client.streams.streams", "tombstone", &[]),
    ("kurrentdb.protocol.v2.streams.streamsservice", "appendsession", &[]),
    ("kurrentdb.protocol.v2.streams.streamsservice", "appendrecords", &[]),
    ("event_store.client.gossip.gossip", "read", &[]),
    ("event_store.client.server_features.serverfeatures", "getsupportedmethods", &[]),
];

/// The service that tells.
#[derive(Clone, Copy, Debug)]
pub struct Features;

#[tonic::async_trait]
impl ServerFeatures for Features {
    async fn get_supported_methods(&self, _: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        let methods = METHODS.iter().map(|&(service, method, features)| SupportedMethod {
            method_name: method.to_owned(),
            service_name: service.to_owned(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        });
        Ok(Response::new(SupportedMethods {
            methods: methods.collect(),
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}
