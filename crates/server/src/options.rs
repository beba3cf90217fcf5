//! How a server is run: the bounds an operator may move, each within a range that keeps the sums of `limits` true.

use std::time::Duration;

use crate::limits;

/// Settings of a server. The default is right for most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the store is, as clients are told.
    pub dir: String,
    /// Connections open at once; who comes beyond is turned away at once.
    pub connections: usize,
    /// Calls open at once on one connection; who opens more waits, as HTTP/2 has it.
    pub calls_per_connection: u32,
    /// Largest message that is decoded, in bytes.
    pub message_bytes: usize,
    /// Bytes of request headers.
    pub header_bytes: u32,
    /// Bytes a client may send ahead on one call.
    pub call_window_bytes: u32,
    /// Bytes a client may send ahead on one connection.
    pub connection_window_bytes: u32,
    /// Bytes of requests that have begun and not ended, on one connection, beyond the first 64 KiB of each call.
    pub connection_requests_bytes: usize,
    /// Bytes of one call's answers that wait to be sent.
    pub send_buffer_bytes: usize,
    /// How long a client may take to say what it speaks.
    pub handshake_time: Duration,
    /// After what silence a client is asked whether it is there.
    pub ping_interval: Duration,
    /// How long it may take to say so.
    pub ping_time: Duration,
    /// How long calls in progress may take to end once the server was asked to stop.
    pub drain_time: Duration,
    /// From when on a call that was not answered is told of in the log.
    pub slow_call: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: String::new(),
            connections: limits::CONNECTIONS_MAX,
            calls_per_connection: limits::CALLS_PER_CONNECTION_MAX,
            message_bytes: limits::MESSAGE_BYTES_MAX,
            header_bytes: limits::HEADER_BYTES_MAX,
            call_window_bytes: limits::CALL_WINDOW_BYTES,
            connection_window_bytes: limits::CONNECTION_WINDOW_BYTES,
            connection_requests_bytes: limits::CONNECTION_REQUESTS_BYTES_MAX,
            send_buffer_bytes: limits::SEND_BUFFER_BYTES,
            handshake_time: limits::HANDSHAKE_TIME,
            ping_interval: limits::PING_INTERVAL,
            ping_time: limits::PING_TIME,
            drain_time: limits::DRAIN_TIME,
            slow_call: limits::SLOW_CALL_TIME,
        }
    }
}
