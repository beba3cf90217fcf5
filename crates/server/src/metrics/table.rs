//! The metrics there are: the one list that `/metrics` serves, that `docs/operations.md` prints and that the dashboard asks for.
//!
//! Names follow Prometheus: base units, counters end in `_total`. Labels are bounded: methods and groups by `limits`, statuses by the protocol.

use gesta_store::{GroupInfo, measures::Distribution};

use super::snapshot::Snapshot;

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Its samples.
    pub(super) read: fn(&Snapshot) -> Vec<Sample>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the server runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often which values were met.
    Histogram,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One value of a metric.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: Value,
}

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    Count(u64),
    Measure(f64),
    Distribution(Box<Distribution>, Unit),
}

/// What a distribution was counted in, and is told in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    /// Counted in microseconds.
    Seconds,
    /// Counted as it is.
    Pieces,
}

impl Unit {
    #[allow(clippy::cast_precision_loss, reason = "fifteen digits are enough to look at")]
    pub(super) fn of(self, counted: u64) -> f64 {
        match self {
            Self::Seconds => counted as f64 / 1e6,
            Self::Pieces => counted as f64,
        }
    }
}

impl Sample {
    pub(super) fn of(count: u64) -> Self {
        Self { labels: Vec::new(), value: Value::Count(count) }
    }

    fn distribution(distribution: &Distribution, unit: Unit) -> Self {
        Self { labels: Vec::new(), value: Value::Distribution(Box::new(distribution.clone()), unit) }
    }
}

const METHOD: &str = "method";
const STATUS: &str = "status";
const STREAM: &str = "stream";
const GROUP: &str = "group";

/// All of them.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    Metric { name: "gesta_build_info", kind: Kind::Gauge, labels: &["version"], help: "Always 1; the label says which program it is.", read: |_| build() },
    Metric { name: "gesta_ready", kind: Kind::Gauge, labels: &[], help: "1 while the server takes appends: its store is whole and it was not asked to stop.", read: |at| one(u64::from(!at.is_refusing && !at.is_stopping)) },
    Metric { name: "gesta_resident_memory_bytes", kind: Kind::Gauge, labels: &[], help: "Memory the process has, mapped files that are in memory included.", read: |at| some(at.resident_bytes) },

    Metric { name: "gesta_commits_total", kind: Kind::Counter, labels: &[], help: "Appends recorded.", read: |at| one(at.measures.commits) },
    Metric { name: "gesta_events_total", kind: Kind::Counter, labels: &[], help: "Events recorded.", read: |at| one(at.measures.events) },
    Metric { name: "gesta_append_repeats_total", kind: Kind::Counter, labels: &[], help: "Appends recognised as recorded before, and answered with their first place.", read: |at| one(at.measures.repeats) },
    Metric { name: "gesta_append_conflicts_total", kind: Kind::Counter, labels: &[], help: "Appends refused because a stream was not at its expected revision, or a condition did not hold.", read: |at| one(at.measures.conflicts) },
    Metric { name: "gesta_append_refusals_total", kind: Kind::Counter, labels: &[], help: "Appends refused by any other rule.", read: |at| one(at.measures.refusals) },
    Metric { name: "gesta_append_failures_total", kind: Kind::Counter, labels: &[], help: "Appends that could not be decided, or waited too long for their turn.", read: |at| one(at.measures.failures) },
    Metric { name: "gesta_appends_queued", kind: Kind::Gauge, labels: &[], help: "Appends that wait for their turn.", read: |at| one(at.measures.queued_appends) },
    Metric { name: "gesta_log_written_bytes_total", kind: Kind::Counter, labels: &[], help: "Bytes written to the log.", read: |at| one(at.measures.log_bytes) },
    Metric { name: "gesta_sync_seconds", kind: Kind::Histogram, labels: &[], help: "How long a write to the log took until it was durable.", read: |at| vec![Sample::distribution(&at.measures.sync_micros, Unit::Seconds)] },
    Metric { name: "gesta_group_appends", kind: Kind::Histogram, labels: &[], help: "Appends that were answered together, after one sync.", read: |at| vec![Sample::distribution(&at.measures.group_appends, Unit::Pieces)] },

    Metric { name: "gesta_head_position", kind: Kind::Gauge, labels: &[], help: "Events in the log, all of them durable: what is not durable is not visible.", read: |at| info(at, |info| info.head.0) },
    Metric { name: "gesta_streams", kind: Kind::Gauge, labels: &[], help: "Streams somebody wrote to.", read: |at| info(at, |info| info.streams) },
    Metric { name: "gesta_log_bytes", kind: Kind::Gauge, labels: &[], help: "Bytes of the log on disk.", read: |at| info(at, |info| info.log_bytes) },
    Metric { name: "gesta_log_segments", kind: Kind::Gauge, labels: &[], help: "Files of the log.", read: |at| info(at, |info| info.segments) },
    Metric { name: "gesta_index_bytes", kind: Kind::Gauge, labels: &[], help: "Bytes of the index on disk.", read: |at| info(at, |info| info.index_bytes) },
    Metric { name: "gesta_index_runs", kind: Kind::Gauge, labels: &[], help: "Files of the index.", read: |at| info(at, |info| info.index_runs) },
    Metric { name: "gesta_index_backlog", kind: Kind::Gauge, labels: &[], help: "Parts of the index that wait to be written; beyond two, appends wait too.", read: |at| one(at.measures.index_backlog) },

    Metric { name: "gesta_read_events_total", kind: Kind::Counter, labels: &[], help: "Events handed out by reads and subscriptions.", read: |at| one(at.measures.events_read) },
    Metric { name: "gesta_read_bytes_total", kind: Kind::Counter, labels: &[], help: "Bytes of them in the log.", read: |at| one(at.measures.bytes_read) },
    Metric { name: "gesta_subscriptions", kind: Kind::Gauge, labels: &[], help: "Subscriptions that are open.", read: |at| one(at.measures.subscriptions) },

    Metric { name: "gesta_groups", kind: Kind::Gauge, labels: &[], help: "Consumer groups; of more than a thousand, only the first thousand by name are told of.", read: |at| one(at.groups.len() as u64) },
    Metric { name: "gesta_group_lag_events", kind: Kind::Gauge, labels: &[STREAM, GROUP], help: "Events of its source a consumer group has not settled.", read: |at| groups(at, |group| Value::Count(group.lag_events)) },
    Metric { name: "gesta_group_lag_seconds", kind: Kind::Gauge, labels: &[STREAM, GROUP], help: "How old the first of them is.", read: |at| groups(at, |group| Value::Measure(group.lag.as_secs_f64())) },
    Metric { name: "gesta_group_parked", kind: Kind::Gauge, labels: &[STREAM, GROUP], help: "Messages a consumer group has parked.", read: |at| groups(at, |group| Value::Count(group.parked)) },
    Metric { name: "gesta_group_in_flight", kind: Kind::Gauge, labels: &[STREAM, GROUP], help: "Messages in the hands of its consumers.", read: |at| groups(at, |group| Value::Count(group.in_flight as u64)) },
    Metric { name: "gesta_group_consumers", kind: Kind::Gauge, labels: &[STREAM, GROUP], help: "Consumers that are connected.", read: |at| groups(at, |group| Value::Count(group.consumers.len() as u64)) },

    Metric { name: "gesta_calls_total", kind: Kind::Counter, labels: &[METHOD, STATUS], help: "gRPC calls that have ended, by how.", read: calls },
    Metric { name: "gesta_call_seconds", kind: Kind::Histogram, labels: &[METHOD], help: "How long it took until a gRPC call was answered; of a stream, until it began.", read: call_times },
    Metric { name: "gesta_requests_open", kind: Kind::Gauge, labels: &[], help: "Requests in progress, of HTTP/1.1 and gRPC.", read: |at| one(at.open_calls) },

    Metric { name: "gesta_connections", kind: Kind::Gauge, labels: &[], help: "Connections that are open.", read: |at| one(at.traffic.open) },
    Metric { name: "gesta_connections_total", kind: Kind::Counter, labels: &[], help: "Connections that were accepted.", read: |at| one(at.traffic.accepted) },
    Metric { name: "gesta_connections_refused_total", kind: Kind::Counter, labels: &[], help: "Connections turned away because as many as may be were open.", read: |at| one(at.traffic.refused) },
    Metric { name: "gesta_connections_timed_out_total", kind: Kind::Counter, labels: &[], help: "Connections that ended because the client did not say in time what it speaks.", read: |at| one(at.traffic.timed_out) },
    Metric { name: "gesta_received_bytes_total", kind: Kind::Counter, labels: &[], help: "Bytes that came in.", read: |at| one(at.traffic.received) },
    Metric { name: "gesta_sent_bytes_total", kind: Kind::Counter, labels: &[], help: "Bytes that went out.", read: |at| one(at.traffic.sent) },
];

fn one(count: u64) -> Vec<Sample> {
    vec![Sample::of(count)]
}

fn some(count: Option<u64>) -> Vec<Sample> {
    count.map(Sample::of).into_iter().collect()
}

fn build() -> Vec<Sample> {
    vec![Sample { labels: vec![("version", env!("CARGO_PKG_VERSION").to_owned())], value: Value::Count(1) }]
}

fn info(at: &Snapshot, read: fn(&gesta_store::StoreInfo) -> u64) -> Vec<Sample> {
    some(at.info.as_ref().map(read))
}

fn groups(at: &Snapshot, read: fn(&GroupInfo) -> Value) -> Vec<Sample> {
    let sample = |group: &GroupInfo| {
        let name = &group.config.name;
        Sample { labels: vec![(STREAM, name.source().to_owned()), (GROUP, name.name().to_owned())], value: read(group) }
    };
    at.groups.iter().map(sample).collect()
}

fn calls(at: &Snapshot) -> Vec<Sample> {
    let counted =
        at.calls.iter().flat_map(|call| call.by_code.iter().map(move |&(status, count)| (call, status, count)));
    counted
        .map(|(call, status, count)| Sample {
            labels: vec![(METHOD, call.method.clone()), (STATUS, status.to_owned())],
            value: Value::Count(count),
        })
        .collect()
}

fn call_times(at: &Snapshot) -> Vec<Sample> {
    at.calls
        .iter()
        .map(|call| Sample {
            labels: vec![(METHOD, call.method.clone())],
            value: Value::Distribution(Box::new(call.answered_micros.clone()), Unit::Seconds),
        })
        .collect()
}
