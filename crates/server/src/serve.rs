//! Running a server: bind, serve until asked to stop, let calls end, close the store.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
};

use axum::{http::StatusCode, routing::get};
use gesta_store::{Error, EventStore};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};
use tonic::{
    service::Routes,
    transport::{self, server::TcpIncoming},
};

use crate::{
    admission::Admission,
    grpc::{
        Features, Member, MonitoringService, OperationsService, PersistentSubscriptionsService, ProjectionsService,
        RecordsService, Restarts, ShutdownRequest, StreamsService, Unoffered,
    },
    limits::{
        BLOCKING_THREADS_MAX, CALL_WINDOW_BYTES, CALLS_PER_CONNECTION_MAX, CONNECTION_WINDOW_BYTES, DRAIN_TIME,
        FRAME_BYTES_MAX, HEADER_BYTES_MAX, MESSAGE_BYTES_MAX,
    },
    proto::{
        event_store::client::{
            gossip::gossip_server::GossipServer, monitoring::monitoring_server::MonitoringServer,
            operations::operations_server::OperationsServer,
            persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptionsServer,
            projections::projections_server::ProjectionsServer,
            server_features::server_features_server::ServerFeaturesServer, streams::streams_server::StreamsServer,
        },
        kurrentdb::protocol::v2::streams::streams_service_server::StreamsServiceServer,
    },
    stopping::{Stopping, stop},
};

/// Who may reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Whoever is on the machine.
    Loopback,
    /// Whoever can reach the address, without being asked who they are.
    Anyone,
}

/// A server that is bound, and not running yet: who connects now is answered as soon as it runs.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    store: EventStore,
}

/// Why a server does not run, or did not end as it should.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines, and nobody allowed that.
    Exposed(SocketAddr),
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The operating system refused threads or signals.
    Runtime(io::Error),
    /// Connections are no longer accepted.
    Transport(transport::Error),
    /// The store could not be asked, or not be closed.
    Store(Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed(address) => write!(f, "address is not a loopback address, address={address}"),
            Self::Bind(address, error) => write!(f, "listening failed, address={address}: {error}"),
            Self::Runtime(error) => write!(f, "starting the server failed: {error}"),
            Self::Transport(error) => write!(f, "accepting connections failed: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

impl Server {
    /// Binds an address for a store; port 0 takes a free one.
    ///
    /// # Errors
    /// `Exposed` for an address beyond loopback, unless anyone may come; `Bind`.
    pub fn bind(store: EventStore, listen: SocketAddr, exposure: Exposure) -> Result<Self, ServeError> {
        if exposure == Exposure::Loopback && !listen.ip().is_loopback() {
            return Err(ServeError::Exposed(listen));
        }
        let failed = |error| ServeError::Bind(listen, error);
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, store })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGTERM or SIGINT; then lets calls end for a while, and closes the store.
    ///
    /// # Errors
    /// `Runtime`, `Transport`, `Store`.
    pub fn run(self) -> Result<(), ServeError> {
        let store = self.store.clone();
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("gesta-server")
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .build()
            .map_err(ServeError::Runtime)?;
        let served = runtime.block_on(self.serve());
        // Reads that are still at it go on with a closed store, which reads may.
        runtime.shutdown_background();
        let closed = store.close().map_err(ServeError::Store);
        served.and(closed)
    }

    async fn serve(self) -> Result<(), ServeError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
        let asked = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        self.serve_until(asked).await
    }

    /// Serves until `asked` says so, on the runtime it is called on. The store stays open.
    ///
    /// # Errors
    /// `Runtime`, `Transport`, `Store`.
    pub async fn serve_until(self, asked: impl Future<Output = ()>) -> Result<(), ServeError> {
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(ServeError::Runtime)?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let (stop, stopping) = stop();
        let mut graceful = stopping.clone();
        let shutdown = ShutdownRequest::default();
        let routes = routes(&self.store, self.address, &shutdown, stopping)?;
        let serving = builder().add_routes(routes).serve_with_incoming_shutdown(incoming, async move {
            graceful.told().await;
        });
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            served = &mut serving => return served.map_err(ServeError::Transport),
            () = asked => stop.tell(),
            () = shutdown.asked() => stop.tell(),
        }
        match tokio::time::timeout(DRAIN_TIME, serving).await {
            Ok(served) => served.map_err(ServeError::Transport),
            // Who has not ended by now is cut off.
            Err(_) => Ok(()),
        }
    }
}

fn builder() -> transport::Server {
    transport::Server::builder()
        .accept_http1(true)
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
}

fn routes(
    store: &EventStore,
    address: SocketAddr,
    shutdown: &ShutdownRequest,
    stopping: Stopping,
) -> Result<Routes, ServeError> {
    let id = store.info().map_err(ServeError::Store)?.store_id;
    let admission = Admission::to(store.clone());
    let records = RecordsService::new(store.clone(), admission.clone());
    let records = StreamsServiceServer::new(records).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let restarts = Restarts::default();
    let groups = PersistentSubscriptionsService::new(store.clone(), restarts.clone(), stopping.clone());
    let groups = PersistentSubscriptionsServer::new(groups).max_encoding_message_size(MESSAGE_BYTES_MAX);
    let operations = OperationsService::new(store.clone(), restarts, shutdown.clone());
    let monitoring = MonitoringService::new(store.clone(), stopping.clone());
    let streams = StreamsService::new(store.clone(), admission, stopping);
    let streams = StreamsServer::new(streams)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let router = Routes::new(streams)
        .add_service(records)
        .add_service(groups)
        .add_service(ProjectionsServer::new(ProjectionsService::new(store.clone())))
        .add_service(OperationsServer::new(operations))
        .add_service(MonitoringServer::new(monitoring))
        .add_service(ServerFeaturesServer::new(Features))
        .add_service(GossipServer::new(Member::new(id, address)))
        .into_axum_router()
        .route("/health/live", get(|| async { StatusCode::NO_CONTENT }))
        .fallback(Unoffered::answer);
    Ok(Routes::from(router))
}
