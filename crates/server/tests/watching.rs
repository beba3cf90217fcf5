//! What those see who watch over a server: health and metrics.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use std::{collections::BTreeSet, fs, path::Path};

use gesta_server::{
    Options,
    metrics::table::{Kind, METRICS},
};
use gesta_store::{GroupName, GroupSettings, Source};
use serde_json::Value;
use shared::{APPEND, Serving, append, wire::Wire};

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(path)).expect("a document")
}

#[test]
fn the_metrics_that_are_documented_are_those_that_are_served() {
    let serving = Serving::start(Options::default());
    let group = GroupName::on_all("mailer").expect("valid");
    serving.store.groups().create(&group, Source::All, GroupSettings::default()).expect("created");
    let mut wire = Wire::open(serving.address, 1 << 20);
    let call = wire.call(APPEND, &append("order-1", 1, 10));
    wire.finish(call).expect("answered");

    let (status, page) = serving.get("/metrics");
    assert_eq!(status, 200);
    let announced: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let expected: Vec<_> = METRICS.iter().map(|metric| format!("{} {}", metric.name, metric.kind.word())).collect();
    assert_eq!(announced, expected);
    for metric in METRICS {
        let samples: Vec<_> = page.lines().filter(|line| line.starts_with(metric.name)).collect();
        assert!(!samples.is_empty(), "{} has a sample", metric.name);
        for label in metric.labels {
            assert!(samples.iter().any(|sample| sample.contains(&format!("{label}=\""))), "{} by {label}", metric.name);
        }
    }

    let lines: String = METRICS
        .iter()
        .map(|metric| {
            let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            format!("| `{}` | {} | {labels} | {} |\n", metric.name, metric.kind.word(), metric.help)
        })
        .collect();
    let operations = document("operations.md");
    let listed = operations.split_once("<!-- metrics -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
    let listed =
        listed.map(|(list, _)| list.trim_start().lines().skip(2).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(listed.as_deref(), Some(lines.as_str()), "docs/operations.md should have these lines:\n{lines}");
}

/// The names of metrics in a query.
fn names(query: &str) -> impl Iterator<Item = &str> {
    query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("gesta_"))
}

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let is_query = ["expr", "query", "definition"].contains(&key.as_str());
                found.extend(value.as_str().filter(|_| is_query).map(str::to_owned));
                queries(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&document("grafana/gesta.json")).expect("JSON");
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    let known: BTreeSet<String> = METRICS
        .iter()
        .flat_map(|metric| match metric.kind {
            Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
            Kind::Histogram => ["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)).to_vec(),
        })
        .collect();
    let asked: BTreeSet<_> = found.iter().flat_map(|query| names(query)).map(str::to_owned).collect();
    assert!(asked.len() > 15, "it shows something: {asked:?}");
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn what_is_done_is_counted() {
    let serving = Serving::start(Options::default());
    let mut wire = Wire::open(serving.address, 1 << 20);
    for number in 1..=3 {
        let call = wire.call(APPEND, &append("order-1", number, 10));
        wire.finish(call).expect("answered");
    }
    let junk = wire.call("/no.such.Service/Call", &append("order-1", 9, 10));
    wire.finish(junk).expect("answered");
    assert_eq!(serving.metric("gesta_events_total"), 3);
    assert_eq!(serving.metric("gesta_head_position"), 3);
    let (_, page) = serving.get("/metrics");
    let calls: Vec<_> = page.lines().filter(|line| line.starts_with("gesta_calls_total")).collect();
    assert_eq!(
        calls,
        [
            r#"gesta_calls_total{method="event_store.client.streams.Streams/Append",status="OK"} 3"#,
            r#"gesta_calls_total{method="other",status="UNIMPLEMENTED"} 1"#,
        ]
    );
}

#[test]
fn a_server_is_alive_and_ready_until_it_is_asked_to_stop() {
    let mut serving = Serving::start(Options::default());
    assert_eq!(serving.get("/health/live"), (204, String::new()));
    assert_eq!(serving.get("/health/ready"), (204, String::new()));
    assert_eq!(serving.get("/nothing").0, 404);
    serving.stopped();
    assert!(std::net::TcpStream::connect(serving.address).is_err(), "nobody listens any more");
}
