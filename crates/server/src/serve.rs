//! Running a server: bind, serve until asked to stop, let calls end, close the store.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    ops::ControlFlow,
    sync::Arc,
    thread,
};

use gesta_store::{Error, EventStore, entropy::Entropy};
use sd_notify::NotifyState;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    calls::Calls,
    connections::{self, Traffic},
    door::Door,
    grpc::{ShutdownRequest, Whereabouts},
    health,
    limits::BLOCKING_THREADS_MAX,
    metrics::Metrics,
    options::Options,
    routes::{Answering, routes},
    runtimes,
    security::{Guard, Security, tls::Tls},
    stopping::stop,
    wakes::Wakes,
};

/// Who may reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Whoever is on the machine.
    Loopback,
    /// Whoever can reach the address and says rightly who he is, over TLS.
    Users,
    /// Whoever can reach the address, although nothing is encrypted.
    Anyone,
}

/// An address that is listened on, for a server whose store is not there yet: who connects now is answered as soon as it runs.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// `Exposed` for an address beyond loopback, unless anyone may come; `Bind`.
    pub fn to(listen: SocketAddr, exposure: Exposure) -> Result<Self, ServeError> {
        if exposure == Exposure::Loopback && !listen.ip().is_loopback() {
            return Err(ServeError::Exposed(listen));
        }
        let failed = |error| ServeError::Bind(listen, error);
        let listener = TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The server of a store there.
    #[must_use]
    pub fn serving(self, store: EventStore) -> Server {
        Server { bound: self, store, options: Options::default(), callers: Callers::Anybody, tls: None }
    }
}

/// A server that is bound, and not running yet.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
    store: EventStore,
    options: Options,
    callers: Callers,
    tls: Option<Arc<Tls>>,
}

/// Whether callers are asked who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callers {
    /// They are not; everybody may do everything.
    #[default]
    Anybody,
    /// They are users of the store, with the rights they have there.
    Users,
}

/// Why a server does not run, or did not end as it should.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines, and nobody allowed that.
    Exposed(SocketAddr),
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The operating system refused threads, files or signals.
    Runtime(io::Error),
    /// The store could not be asked, or not be closed.
    Store(Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed(address) => write!(f, "address is not a loopback address, address={address}"),
            Self::Bind(address, error) => write!(f, "listening failed, address={address}: {error}"),
            Self::Runtime(error) => write!(f, "starting the server failed: {error}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

impl Server {
    /// Binds an address for a store that is open.
    ///
    /// # Errors
    /// As [`Bound::to`].
    pub fn bind(store: EventStore, listen: SocketAddr, exposure: Exposure) -> Result<Self, ServeError> {
        Bound::to(listen, exposure).map(|bound| bound.serving(store))
    }

    /// The same server with settings of its own.
    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// The same server, asking who calls, or not.
    #[must_use]
    pub fn with_callers(self, callers: Callers) -> Self {
        Self { callers, ..self }
    }

    /// The same server, speaking TLS.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(Arc::new(tls)), ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.bound.address
    }

    /// Serves until SIGTERM or SIGINT; then lets calls end for a while, at most until a second signal, and closes the store. From when `ready` is called
    /// on, signals are heard, and who connects is answered; if it breaks, the server ends at once.
    ///
    /// # Errors
    /// `Runtime`, `Store`.
    pub fn run(self, ready: impl FnOnce() -> ControlFlow<()>) -> Result<(), ServeError> {
        let store = self.store.clone();
        let mut description = runtime::Builder::new_multi_thread();
        description.enable_all().thread_name("gesta-server").worker_threads(worker_threads());
        description.max_blocking_threads(BLOCKING_THREADS_MAX);
        let runtime = runtimes::build(&mut description).map_err(ServeError::Runtime)?;
        let served = runtime.block_on(self.serve(ready));
        // Reads that are still at it go on with a closed store, which reads may.
        runtime.shutdown_background();
        let head = store.head().position();
        let closed = store.close().map_err(ServeError::Store);
        match &closed {
            Ok(()) => tracing::info!(%head, "stopped"),
            Err(error) => tracing::error!(%error, "closing the store failed"),
        }
        served.and(closed)
    }

    async fn serve(self, ready: impl FnOnce() -> ControlFlow<()>) -> Result<(), ServeError> {
        let mut signals = Signals::listen().map_err(ServeError::Runtime)?;
        let mut further = Signals::listen().map_err(ServeError::Runtime)?;
        // Heard without TLS too, where there is nothing to be read again: left alone, it would end the process without a word.
        let hangup = signal(SignalKind::hangup()).map_err(ServeError::Runtime)?;
        tokio::spawn(reload(self.tls.clone(), hangup));
        if ready().is_break() {
            return Ok(());
        }
        let asked = async move {
            let signal = signals.next().await;
            tracing::info!(signal, "asked to stop");
            tell_systemd(NotifyState::Stopping);
        };
        let hurried = async move {
            further.next().await;
            let signal = further.next().await;
            tracing::warn!(signal, "asked to stop again, calls in progress are cut off");
        };
        tokio::select! {
            served = self.serve_until(asked) => served,
            () = hurried => Ok(()),
        }
    }

    /// Serves until `asked` says so, on the runtime it is called on. The store stays open.
    ///
    /// # Errors
    /// `Runtime`, `Store`.
    pub async fn serve_until(self, asked: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { bound: Bound { listener, address }, store, options, callers, tls } = self;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Runtime)?;
        let (stop, stopping) = stop();
        let _wakes = Wakes::of(&store);
        let calls = Arc::new(Calls::new(options.slow_call));
        let traffic = Arc::<Traffic>::default();
        let metrics = Metrics {
            store: store.clone(),
            calls: Arc::clone(&calls),
            traffic: Arc::clone(&traffic),
            stopping: stopping.clone(),
        };
        let security = match callers {
            Callers::Anybody => Security::Open,
            Callers::Users => {
                let guard = Guard::start(&store, &Entropy::from_os(), stopping.clone()).map_err(ServeError::Store)?;
                Security::Guarded(guard)
            }
        };
        let shutdown = ShutdownRequest::default();
        let answering = Answering {
            store: &store,
            security: &security,
            place: if address.ip().is_unspecified() || tls.is_some() {
                Whereabouts::Found(address)
            } else {
                Whereabouts::Bound(address)
            },
            shutdown: &shutdown,
            stopping: stopping.clone(),
            options: &options,
        };
        let routes = health::add_to(routes(answering).map_err(ServeError::Store)?, metrics);
        tokio::spawn(health::look_after(store.clone(), stopping.clone()));
        let door = Door::new(routes, security, calls, traffic, options.connection_requests_bytes);
        let serving = connections::serve(listener, door, tls, &options, stopping);
        tracing::info!(%address, head = %store.head().position(), version = env!("CARGO_PKG_VERSION"), "listening");
        tell_systemd(NotifyState::Ready);
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = asked => stop.tell(),
            () = shutdown.asked() => stop.tell(),
        }
        if tokio::time::timeout(options.drain_time, serving).await.is_err() {
            // Who has not ended by now is cut off.
            tracing::warn!(drain_seconds = options.drain_time.as_secs(), "calls did not end in time, cut off");
        }
        Ok(())
    }
}

/// Threads that serve connections: half the processors. The store's writers and the threads that read from disk have as much to do; and of two that
/// could serve, the one that is woken for a request wakes the other to look for more, which costs a small machine a tenth of its appends.
fn worker_threads() -> usize {
    thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// Reads the certificate again whenever it may have been replaced.
async fn reload(tls: Option<Arc<Tls>>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        let Some(tls) = tls.clone() else {
            tracing::info!("asked to read the certificate again, and there is none");
            continue;
        };
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("the certificate was read again"),
            Ok(Err(error)) => tracing::error!(%error, "the certificate was not replaced"),
            Err(error) => tracing::error!(%error, "reading the certificate again failed"),
        }
    }
}

/// SIGTERM and SIGINT, which ask alike.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Tells systemd, if it started us and wants to know.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
