//! Connections: accepted up to a bound, served each in a task of its own, ended in order.
//!
//! What one connection can make the server hold is bounded here and nowhere else: calls open at once, bytes sent ahead by the client, bytes
//! of answers that wait for it, headers, and the time it may say nothing. A client that reads slowly is held back by HTTP/2's flow
//! control alone; one that is gone without a word is found by pings; one that never says what it speaks runs out of time
//! ([`guarded`]); one that holds its requests back until what it sent is acknowledged is not left waiting ([`stalls`]).

mod begun;
mod guarded;
mod places;
mod stalls;
mod traffic;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    door::{Door, Visitor},
    limits::{ACCEPT_PAUSE, FRAME_BYTES_MAX, RESETS_PENDING_MAX},
    metrics::process::open_files_max,
    options::Options,
    security::tls::Tls,
    stopping::Stopping,
};
use guarded::Guarded;
use places::{Refusals, places};
use stalls::OverSocket;
pub(crate) use traffic::{Counted, Traffic};

/// What every connection gets.
#[derive(Clone)]
struct Service {
    http: auto::Builder<TokioExecutor>,
    door: Door,
    tls: Option<Arc<Tls>>,
    traffic: Arc<Traffic>,
    handshake_time: Duration,
    stopping: Stopping,
}

/// Serves whoever connects, until the server is asked to stop; then waits until everybody is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    door: Door,
    tls: Option<Arc<Tls>>,
    options: &Options,
    stopping: Stopping,
) {
    let traffic = Arc::clone(door.traffic());
    let connections_max = places(options.connections, open_files_max());
    let room = Arc::new(Semaphore::new(connections_max));
    let mut refusals = Refusals::default();
    let mut stop = stopping.clone();
    let service = Service {
        http: http(options),
        door,
        tls,
        traffic: Arc::clone(&traffic),
        handshake_time: options.handshake_time,
        stopping,
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(place) => {
                        open.spawn(service.clone().run(stream, peer, place));
                    }
                    Err(_) => {
                        traffic.refused();
                        refusals.beyond(peer, connections_max);
                    }
                },
                Err(error) if is_of_its_client(&error) => {}
                Err(error) => {
                    refusals.failed(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // What has ended is forgotten.
            Some(_) = open.join_next(), if !open.is_empty() => {}
            () = stop.told() => break,
        }
    }
    // From here on the system refuses who comes, instead of leaving him waiting.
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn http(options: &Options) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // What HTTP/1.1 takes at least for a buffer of headers.
    let headers = usize::try_from(options.header_bytes).unwrap_or(usize::MAX).max(8 << 10);
    http.http1().timer(TokioTimer::new()).header_read_timeout(options.handshake_time).max_buf_size(headers);
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(options.call_window_bytes)
        .initial_connection_window_size(options.connection_window_bytes)
        .max_concurrent_streams(options.calls_per_connection)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(options.header_bytes)
        .max_send_buf_size(options.send_buffer_bytes)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.ping_time);
    http
}

/// Whether a connection was gone before it was accepted, which is nothing. Anything else, as that the system has no room for more, is worth a word and a pause.
fn is_of_its_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl Service {
    async fn run(self, stream: TcpStream, peer: SocketAddr, _place: OwnedSemaphorePermit) {
        let _counted = self.traffic.connected();
        // Small answers are not held back to be sent together. A failure is met by the first read.
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + self.handshake_time;
        let Some(tls) = &self.tls else { return self.converse(stream, peer, deadline).await };
        let mut stopping = self.stopping.clone();
        let accepted = tokio::select! {
            accepted = timeout_at(deadline, tls.acceptor().accept(stream)) => accepted,
            () = stopping.told() => return,
        };
        match accepted {
            Ok(Ok(stream)) => self.converse(stream, peer, deadline).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "the TLS handshake failed"),
            Err(_) => self.traffic.timed_out(),
        }
    }

    async fn converse<S>(mut self, stream: S, peer: SocketAddr, deadline: Instant)
    where
        S: AsyncRead + AsyncWrite + OverSocket + Unpin + Send + 'static,
    {
        let stream = Guarded::new(stream, deadline, Arc::clone(&self.traffic));
        let visitor = Visitor::new(self.door, peer);
        let mut connection = std::pin::pin!(self.http.serve_connection(TokioIo::new(stream), visitor));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stopping.told() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}
