//! The settings there are: what the flags, the variables and the keys of the file are made of, and what `docs/operations.md` prints.

use std::time::Duration;

use gesta_server::limits::MESSAGE_BYTES_MAX;

use super::{ENV_PREFIX, Settings, field::Field};

/// A setting.
pub(crate) struct Setting {
    /// The key in the file; the part before the dot is the table it is in.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
    /// Whether its value must not be shown.
    pub(crate) secrecy: Secrecy,
    /// Where it is kept, and what it may be.
    pub(crate) field: Field,
}

/// Whether a value may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Anybody may see it.
    Open,
    /// Nobody may: it is only told whether there is one.
    #[allow(dead_code, reason = "the first secret comes with the first setting that is one")]
    Secret,
}

impl Setting {
    /// The flag: `--limits-connections`.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('.', "-")
    }

    /// The variable: `GESTA_LIMITS_CONNECTIONS`.
    pub(crate) fn variable(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.replace(['.', '-'], "_").to_uppercase())
    }

    /// The value, if it may be seen.
    pub(crate) fn shown(&self, settings: &Settings) -> String {
        let value = self.field.shown(settings);
        match self.secrecy {
            Secrecy::Open => value,
            Secrecy::Secret if value.is_empty() => value,
            Secrecy::Secret => "(hidden)".to_owned(),
        }
    }
}

/// Variables that begin like settings and are heard elsewhere.
pub(crate) const OTHER_VARIABLES: [&str; 7] = [
    "GESTA_CA",
    "GESTA_DIR",
    "GESTA_SUBSCRIPTIONS",
    "GESTA_URL",
    super::ENV_CONFIG,
    "GESTA_KILLS",
    "GESTA_SOAK_SECONDS",
];

macro_rules! number {
    ($kind:ident, $range:expr, $($place:ident).+) => {
        Field::$kind {
            range: $range,
            get: |settings| settings.$($place).+ as u64,
            set: |settings, number| settings.$($place).+ = number.try_into().expect("the range fits the type"),
        }
    };
}

macro_rules! span {
    ($least:expr, $most:expr, $($place:ident).+) => {
        Field::Span {
            range: $least..=$most,
            get: |settings| settings.$($place).+,
            set: |settings, time| settings.$($place).+ = time,
        }
    };
}

macro_rules! text {
    ($shape:expr, $($place:ident).+) => {
        Field::Text {
            shape: $shape,
            get: |settings| settings.$($place).+.to_string(),
            set: |settings, text| {
                settings.$($place).+ = text.parse().map_err(|error| format!("{error}"))?;
                Ok(())
            },
        }
    };
}

const fn open(name: &'static str, help: &'static str, field: Field) -> Setting {
    Setting { name, help, secrecy: Secrecy::Open, field }
}

const TENTH: Duration = Duration::from_millis(100);
const MINUTES: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);

/// All of them, in the order in which they are told.
#[rustfmt::skip]
pub(crate) const SETTINGS: &[Setting] = &[
    open("listen", "Address and port to listen on; port 0 takes a free one", Field::Text {
        shape: "ADDRESS",
        get: |settings| settings.listen.to_string(),
        set: |settings, text| {
            settings.listen = text.parse().map_err(|_| "write an address and a port: 127.0.0.1:2113, [::1]:2113".to_owned())?;
            Ok(())
        },
    }),
    open("insecure", "Allow an address that other machines can reach without TLS",
        Field::Flag { get: |settings| settings.insecure, set: |settings, flag| settings.insecure = flag }),
    open("auth", "Ask callers who they are and let them do what they may; with TLS they always are",
        Field::Flag { get: |settings| settings.auth, set: |settings, flag| settings.auth = flag }),
    open("admin-password-file", "File whose first line is the password of the first administrator, instead of one that is made up and told",
        text!("FILE", admin_password_file)),
    open("tls.cert", "File of the server's certificate and those it rests on, in PEM form", text!("FILE", tls_cert)),
    open("tls.key", "File of the certificate's key, in PEM form", text!("FILE", tls_key)),
    open("log.format", "Shape of a line of the log: text or json", text!("FORMAT", log_format)),
    open("log.filter", "Which lines: off, error, warn, info, debug or trace; behind it, levels of parts: info,h2=warn", text!("FILTER", log_filter)),
    open("log.slow-call", "From when on a call that was not answered is told of",
        span!(Duration::from_millis(1), HOUR, server.slow_call)),
    open("otel.endpoint", "Address of a collector of traces (OTLP over gRPC), such as http://127.0.0.1:4317; only with the feature otel", text!("URL", collector)),
    open("limits.connections", "Connections open at once; who comes beyond is turned away", number!(Number, 1..=100_000, server.connections)),
    open("limits.calls-per-connection", "Calls open at once on one connection", number!(Number, 1..=65_536, server.calls_per_connection)),
    open("limits.message-bytes", "Largest request", number!(Bytes, 1 << 20..=MESSAGE_BYTES_MAX as u64, server.message_bytes)),
    open("limits.header-bytes", "Headers of one request", number!(Bytes, 4 << 10..=1 << 20, server.header_bytes)),
    open("limits.call-window", "Bytes a client may send ahead on one call", number!(Bytes, 64 << 10..=16 << 20, server.call_window_bytes)),
    open("limits.connection-window", "Bytes a client may send ahead on one connection", number!(Bytes, 64 << 10..=256 << 20, server.connection_window_bytes)),
    open("limits.connection-requests", "Bytes of requests that have begun and not ended, on one connection, beyond the first 64 KiB of each call",
        number!(Bytes, 40 << 20..=16 << 30, server.connection_requests_bytes)),
    open("limits.send-buffer", "Bytes of one call's answers that wait to be sent", number!(Bytes, 16 << 10..=16 << 20, server.send_buffer_bytes)),
    open("limits.handshake-time", "How long a client may take to say what it speaks, and over HTTP/1.1 between requests",
        span!(TENTH, MINUTES, server.handshake_time)),
    open("limits.ping-interval", "After what silence a client is asked whether it is there", span!(TENTH, HOUR, server.ping_interval)),
    open("limits.ping-time", "How long it may take to say so", span!(TENTH, MINUTES, server.ping_time)),
    open("limits.drain-time", "How long calls in progress may take to end when the server is asked to stop", span!(Duration::ZERO, HOUR, server.drain_time)),
];
