//! The figures a server tells on and on: the service `Monitoring`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use std::{
    collections::HashMap,
    future::Future,
    task::{Context, Poll, Waker},
};

use gesta_server::{
    Options,
    proto::event_store::client::monitoring::{StatsReq, StatsResp, monitoring_client::MonitoringClient},
};
use shared::Serving;
use tokio::runtime::Runtime;
use tonic::{Code, Status, Streaming};

/// Somebody who is told figures.
struct Reader {
    runtime: Runtime,
    figures: Streaming<StatsResp>,
}

impl Reader {
    fn start(serving: &Serving, every_ms: u64) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let figures = runtime.block_on(async {
            let mut monitoring = MonitoringClient::new(serving.channel().await);
            let request = StatsReq { use_metadata: false, refresh_time_period_in_ms: every_ms };
            monitoring.stats(request).await.expect("an answer").into_inner()
        });
        Self { runtime, figures }
    }

    fn next(&mut self) -> Result<HashMap<String, String>, Status> {
        self.runtime.block_on(self.figures.message()).map(|told| told.expect("it does not end by itself").stats)
    }

    fn told(&mut self) -> HashMap<String, String> {
        self.next().expect("figures")
    }

    /// Whether nothing has come.
    fn is_silent(&mut self) -> bool {
        let _inside = self.runtime.enter();
        let mut next = std::pin::pin!(self.figures.message());
        matches!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
    }
}

fn number(figures: &HashMap<String, String>, name: &str) -> f64 {
    figures[name].parse().unwrap_or_else(|_| panic!("{name} is a number: {figures:?}"))
}

#[test]
fn every_figure_has_its_name_and_a_value() {
    let serving = Serving::start(Options::default());
    let figures = Reader::start(&serving, 0).told();
    let mut names: Vec<_> = figures.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "es-checksum",
        "es-checksumNonFlushed",
        "gesta-cpu-seconds",
        "gesta-index-bytes",
        "gesta-index-runs",
        "gesta-log-bytes",
        "gesta-log-segments",
        "gesta-streams",
        "proc-cpu",
        "proc-id",
        "proc-mem",
    ];
    assert_eq!(names, expected);
    names.iter().for_each(|name| assert!(number(&figures, name) >= 0.0));
    assert_eq!(figures["proc-id"], std::process::id().to_string());
    assert!(number(&figures, "proc-mem") > 1e6, "{figures:?}");
}

#[test]
fn figures_move_with_what_is_done() {
    let serving = Serving::start(Options::default());
    let mut reader = Reader::start(&serving, 1);
    let before = reader.told();
    assert_eq!((before["es-checksum"].as_str(), before["gesta-streams"].as_str()), ("0", "0"));
    assert_eq!(before["proc-cpu"], "0.00", "nothing to compare with");
    serving.record("order-1", 3, 10_000);
    let after = loop {
        let told = reader.told();
        if told["es-checksum"] == "3" {
            break told;
        }
    };
    assert_eq!(after["gesta-streams"], "1");
    assert!(number(&after, "gesta-log-bytes") >= number(&before, "gesta-log-bytes"));
    // This process works, and is the server's.
    let mut worked = 0_u64;
    let busy = loop {
        (0..1_000_000_u64).for_each(|n| worked = std::hint::black_box(worked.wrapping_mul(31).wrapping_add(n)));
        let told = reader.told();
        if number(&told, "proc-cpu") > 0.0 {
            break told;
        }
    };
    assert!(number(&busy, "gesta-cpu-seconds") >= number(&before, "gesta-cpu-seconds"));
}

/// One is told as often as he asks, others as often as they do; and one who goes takes nothing from those who stay.
#[test]
fn each_reader_has_its_own_pace_and_may_go() {
    let serving = Serving::start(Options::default());
    let [mut quick, mut slow] = [0, 3_600_000].map(|every_ms| Reader::start(&serving, every_ms));
    slow.told();
    (0..3).for_each(|_| drop(quick.told()));
    assert!(slow.is_silent());
    assert!(serving.metric("gesta_requests_open") >= 2);
    drop(slow);
    // The page that is asked for is a request itself.
    while serving.metric("gesta_requests_open") > 2 {}
    quick.told();
    drop(quick);
    while serving.metric("gesta_requests_open") > 1 {}
}

/// A stop looked like an end of the figures.
#[test]
fn readers_are_told_that_the_server_stops() {
    let mut serving = Serving::start(Options::default());
    let mut readers = [1, 3_600_000].map(|every_ms| Reader::start(&serving, every_ms));
    readers.iter_mut().for_each(|reader| drop(reader.told()));
    serving.stopped();
    for reader in &mut readers {
        let stopped = loop {
            if let Err(status) = reader.next() {
                break status;
            }
        };
        assert_eq!(stopped.code(), Code::Unavailable, "{stopped:?}");
    }
}
