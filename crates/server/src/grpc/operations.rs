//! What an operator asks of a server, as far as there is something to be done.

use std::sync::Arc;

use gesta_store::EventStore;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

use crate::{
    consumers::Restarts,
    fault::Fault,
    proto::event_store::client::{
        Empty,
        operations::{
            ScavengeResp, SetNodePriorityReq, StartScavengeReq, StopScavengeReq, operations_server::Operations,
        },
    },
    waiting::waiting,
};

/// That somebody asked the server to end. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ShutdownRequest(Arc<Notify>);

impl ShutdownRequest {
    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.0.notified().await;
    }
}

/// The service of operations.
#[derive(Clone, Debug)]
pub struct OperationsService {
    store: EventStore,
    restarts: Restarts,
    shutdown: ShutdownRequest,
}

impl OperationsService {
    /// Operations on `store` and on those who are connected to its groups.
    #[must_use]
    pub fn new(store: EventStore, restarts: Restarts, shutdown: ShutdownRequest) -> Self {
        Self { store, restarts, shutdown }
    }
}

const NO_SCAVENGES: &str =
    "scavenges are not offered: reads never see what was truncated or deleted, and the log keeps every event";

#[tonic::async_trait]
impl Operations for OperationsService {
    async fn start_scavenge(&self, _: Request<StartScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        Err(Status::unimplemented(NO_SCAVENGES))
    }

    async fn stop_scavenge(&self, _: Request<StopScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        Err(Status::unimplemented(NO_SCAVENGES))
    }

    /// Ends the server as SIGTERM does.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.shutdown.0.notify_one();
        Ok(Response::new(Empty {}))
    }

    /// Answers when nothing is left to be merged.
    async fn merge_indexes(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        let store = self.store.clone();
        waiting(move || store.settle().map_err(Fault::from)).await?;
        Ok(Response::new(Empty {}))
    }

    async fn resign_node(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("this server is a cluster of one: there is nobody to resign for"))
    }

    async fn set_node_priority(&self, _: Request<SetNodePriorityReq>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("this server is a cluster of one: there is nobody to be preferred to"))
    }

    async fn restart_persistent_subscriptions(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.restarts.restart();
        Ok(Response::new(Empty {}))
    }
}
