//! Which service answers which call.

use gesta_store::{EventStore, Result};
use tonic::service::Routes;

use crate::{
    admission::Admission,
    consumers::{Connections, Reception, Restarts},
    grpc::{
        Features, Member, MonitoringService, OperationsService, PersistentSubscriptionsService, ProjectionsService,
        RecordsService, ShutdownRequest, StreamsService, Unoffered, UsersService, Whereabouts,
    },
    limits::{GROUP_REQUEST_BYTES_MAX, MESSAGE_BYTES_MAX},
    native::{StoreService, messages::store_server::StoreServer},
    options::Options,
    proto::{
        event_store::client::{
            gossip::gossip_server::GossipServer, monitoring::monitoring_server::MonitoringServer,
            operations::operations_server::OperationsServer,
            persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptionsServer,
            projections::projections_server::ProjectionsServer,
            server_features::server_features_server::ServerFeaturesServer, streams::streams_server::StreamsServer,
            users::users_server::UsersServer,
        },
        kurrentdb::protocol::v2::streams::streams_service_server::StreamsServiceServer,
    },
    security::Security,
    stopping::Stopping,
};

/// What services answer with.
pub(crate) struct Answering<'a> {
    pub(crate) store: &'a EventStore,
    pub(crate) security: &'a Security,
    pub(crate) place: Whereabouts,
    pub(crate) shutdown: &'a ShutdownRequest,
    pub(crate) stopping: Stopping,
    pub(crate) options: &'a Options,
}

/// Every call that is answered; and for the others, what to do instead.
///
/// # Errors
/// As [`EventStore::info`].
pub(crate) fn routes(answering: Answering<'_>) -> Result<axum::Router> {
    let Answering { store, security, place, shutdown, stopping, options } = answering;
    let id = store.info()?.store_id;
    let request_bytes = options.message_bytes;
    let admission = Admission::to(store.clone(), security.clone());
    let records = RecordsService::new(admission.clone(), security.clone());
    let records = StreamsServiceServer::new(records).max_decoding_message_size(request_bytes);
    let reception = Reception {
        store: store.clone(),
        security: security.clone(),
        connections: Connections::default(),
        restarts: Restarts::default(),
        stopping: stopping.clone(),
    };
    let groups = PersistentSubscriptionsService::new(reception.clone());
    let groups = PersistentSubscriptionsServer::new(groups)
        .max_decoding_message_size(GROUP_REQUEST_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let operations = OperationsService::new(store.clone(), reception.restarts.clone(), shutdown.clone());
    let monitoring = MonitoringService::new(store.clone(), stopping.clone());
    let users = UsersService::new(store.clone(), admission.clone(), security.clone());
    let native = StoreService::new(reception, admission.clone(), options.dir.clone());
    let native =
        StoreServer::new(native).max_decoding_message_size(request_bytes).max_encoding_message_size(MESSAGE_BYTES_MAX);
    let streams = StreamsService::new(store.clone(), admission, security.clone(), stopping);
    let streams = StreamsServer::new(streams)
        .max_decoding_message_size(request_bytes)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let routes = Routes::new(streams)
        .add_service(records)
        .add_service(groups)
        .add_service(ProjectionsServer::new(ProjectionsService::new(store.clone())))
        .add_service(OperationsServer::new(operations))
        .add_service(MonitoringServer::new(monitoring))
        .add_service(UsersServer::new(users))
        .add_service(native)
        .add_service(ServerFeaturesServer::new(Features))
        .add_service(GossipServer::new(Member::new(id, place)));
    Ok(routes.into_axum_router().fallback(Unoffered::answer))
}
