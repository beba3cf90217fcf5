//! The checks of the second protocol: every state a stream can be expected in, against every state it can be in, written to and not.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on files and sockets")]

mod shared;

use expect_test::expect;
use gesta_server::{
    Options,
    proto::{
        google::rpc::{self, ErrorInfo},
        kurrentdb::protocol::v2::streams::{
            AppendRecord, AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendSessionResponse,
            ConsistencyCheck, SchemaFormat, SchemaInfo,
            consistency_check::{StreamStateCheck, Type},
            errors::{
                AppendConsistencyViolationErrorDetails, StreamRevisionConflictErrorDetails, consistency_violation,
            },
            streams_service_client::StreamsServiceClient,
        },
    },
};
use gesta_store::{ExpectedRevision, StreamName};
use prost::Message;
use shared::Serving;
use tokio::runtime::Runtime;
use tonic::{Code, Status, transport::Channel};

/// A server, and a client of it.
struct Case {
    serving: Serving,
    runtime: Runtime,
    client: StreamsServiceClient<Channel>,
}

/// How a stream stands before a request.
#[derive(Clone, Copy, Debug)]
enum State {
    Live,
    Missing,
    Deleted,
    Ended,
}

const STATES: [State; 4] = [State::Live, State::Missing, State::Deleted, State::Ended];
/// What can be expected of a stream whose last revision is 2, or was; and how it is written.
const EXPECTED: [(&str, Option<i64>); 7] = [
    ("nothing", None),
    ("2", Some(2)),
    ("1", Some(1)),
    ("no stream", Some(-1)),
    ("exists", Some(-4)),
    ("deleted", Some(-5)),
    ("tombstoned", Some(-6)),
];

impl Case {
    fn new() -> Self {
        let serving = Serving::start(Options::default());
        let runtime = Runtime::new().expect("a runtime");
        let client = StreamsServiceClient::new(runtime.block_on(serving.channel()));
        Self { serving, runtime, client }
    }

    /// A stream of this name in this state.
    fn stream(&self, name: &str, state: State) -> String {
        let stream = StreamName::new(name).expect("valid");
        let (store, any) = (&self.serving.store, ExpectedRevision::Any);
        if !matches!(state, State::Missing) {
            (0..3).for_each(|_| self.serving.record(name, 1, 1));
        }
        match state {
            State::Live | State::Missing => {}
            State::Deleted => drop(store.delete_stream(stream, any).wait().expect("deleted")),
            State::Ended => drop(store.tombstone_stream(stream, any).wait().expect("ended")),
        }
        name.to_owned()
    }

    fn append(&mut self, written: &[&str], checks: &[(&str, i64)]) -> Result<AppendRecordsResponse, Status> {
        let check = |&(stream, expected_state): &(&str, i64)| ConsistencyCheck {
            r#type: Some(Type::StreamState(StreamStateCheck { stream: stream.to_owned(), expected_state })),
        };
        let request = AppendRecordsRequest {
            records: written.iter().map(|stream| record(stream)).collect(),
            checks: checks.iter().map(check).collect(),
        };
        self.runtime.block_on(self.client.append_records(request)).map(tonic::Response::into_inner)
    }

    fn session(&mut self, parts: &[(&str, i64)]) -> Result<AppendSessionResponse, Status> {
        let part = |&(stream, expected): &(&str, i64)| AppendRequest {
            stream: stream.to_owned(),
            records: vec![record("")],
            expected_revision: Some(expected),
        };
        let requests: Vec<_> = parts.iter().map(part).collect();
        self.runtime.block_on(self.client.append_session(tokio_stream::iter(requests))).map(tonic::Response::into_inner)
    }
}

fn record(stream: &str) -> AppendRecord {
    let schema = SchemaInfo { format: SchemaFormat::Json.into(), name: "Noted".to_owned(), id: None };
    AppendRecord { schema: Some(schema), data: "{}".into(), stream: stream.to_owned(), ..AppendRecord::default() }
}

/// What a client is told of a violation: which check, what was expected, what is, and of which stream.
type Told = (i32, i64, i64, String);

fn violations(status: &Status) -> Vec<Told> {
    let rich = rpc::Status::decode(status.details()).expect("details");
    let [reason, facts] = &rich.details[..] else { panic!("{rich:?}") };
    assert_eq!(ErrorInfo::decode(&reason.value[..]).expect("a reason").reason, "APPEND_CONSISTENCY_VIOLATION");
    assert_eq!(status.code(), Code::FailedPrecondition);
    let facts = AppendConsistencyViolationErrorDetails::decode(&facts.value[..]).expect("facts");
    let told = facts.violations.into_iter().map(|violation| {
        let Some(consistency_violation::Type::StreamState(state)) = violation.r#type else { panic!("of a stream") };
        (violation.check_index, state.expected_state, state.actual_state, state.stream)
    });
    told.collect()
}

/// A line for each thing that can be expected, a column for each state: `ok`, or what the stream is told to be.
fn matrix(case: &mut Case, is_written: bool) -> String {
    let mut lines = format!("{:11}{STATES:?}\n", "");
    for (name, expected) in EXPECTED.into_iter().filter(|(_, expected)| is_written || expected.is_some()) {
        lines.push_str(&format!("{name:11}"));
        for state in STATES {
            let stream = case.stream(&format!("{state:?} {name} {is_written}"), state);
            let other = format!("other than {stream}");
            let written = if is_written { &stream } else { &other };
            let checks: Vec<_> = expected.map(|expected| (stream.as_str(), expected)).into_iter().collect();
            let told = match case.append(&[written], &checks) {
                Ok(answer) => {
                    assert_eq!(answer.revisions.iter().map(|one| &one.stream).collect::<Vec<_>>(), [written]);
                    "ok".to_owned()
                }
                Err(status) => {
                    let [(0, told, actual, of)] = &violations(&status)[..] else { panic!("{status:?}") };
                    assert_eq!((*told, of), (expected.unwrap_or(-2), &stream));
                    actual.to_string()
                }
            };
            lines.push_str(&format!("{told:>4}"));
        }
        lines.push('\n');
    }
    lines
}

#[test]
fn a_stream_that_is_checked_only() {
    let mut case = Case::new();
    expect![[r#"
                   [Live, Missing, Deleted, Ended]
        2            ok  -1  ok  -6
        1             2  -1  -5  -6
        no stream     2  ok  ok  ok
        exists       ok  -1  -5  -6
        deleted       2  -1  ok  -6
        tombstoned    2  -1  -5  ok
    "#]]
    .assert_eq(&matrix(&mut case, false));
}

#[test]
fn a_stream_that_is_written() {
    let mut case = Case::new();
    expect![[r#"
                   [Live, Missing, Deleted, Ended]
        nothing      ok  ok  ok  -6
        2            ok  -1  ok  -6
        1             2  -1  -5  -6
        no stream     2  ok  ok  -6
        exists       ok  -1  -5  -6
        deleted       2  -1  ok  -6
        tombstoned    2  -1  -5  -6
    "#]]
    .assert_eq(&matrix(&mut case, true));
}

/// In the order of the checks; streams that are written to and not checked are numbered on behind them.
#[test]
fn every_violation_is_told() {
    let mut case = Case::new();
    let states = [
        ("live", State::Live),
        ("missing", State::Missing),
        ("gone", State::Deleted),
        ("over", State::Ended),
        ("last", State::Ended),
    ];
    for (name, state) in states {
        case.stream(name, state);
    }
    let checks = [("live", -1), ("gone", -5), ("over", -4), ("missing", 0), ("gone-too", -6)];
    let status = case.append(&["new", "last", "missing", "over"], &checks).expect_err("refused");
    let told = |check, expected, actual, stream: &str| (check, expected, actual, stream.to_owned());
    let expected = [
        told(0, -1, 2, "live"),
        told(2, -4, -6, "over"),
        told(3, 0, -1, "missing"),
        told(4, -6, -1, "gone-too"),
        // `new` is the fifth.
        told(6, -2, -6, "last"),
    ];
    assert_eq!(violations(&status), expected);
    assert_eq!(case.serving.store.head().position().0, 3 + 3 + 1 + 3 + 1 + 3 + 1, "nothing was written");
}

#[test]
fn what_is_nothing_to_check_is_refused() {
    let mut case = Case::new();
    for state in [-2, -3, -7, i64::MIN] {
        let refused = case.append(&["new"], &[("s", state)]).expect_err("no such state");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let refused = case.append(&["new"], &[("s", 0), ("s", -1)]).expect_err("twice");
    assert!(refused.message().contains("name a stream twice"), "{refused:?}");
}

/// Sessions know fewer expectations, and tell of the first stream that is in their way.
#[test]
fn sessions_tell_how_their_first_stream_stands() {
    let mut case = Case::new();
    case.stream("gone", State::Deleted);
    case.stream("over", State::Ended);
    let mut session = |parts: &[(&str, i64)]| case.session(parts).expect_err("refused");
    let conflict = session(&[("new", -2), ("gone", -4), ("over", -2)]);
    let rich = rpc::Status::decode(conflict.details()).expect("details");
    let facts = StreamRevisionConflictErrorDetails::decode(&rich.details[1].value[..]).expect("facts");
    assert_eq!((facts.stream.as_str(), facts.expected_revision, facts.actual_revision), ("gone", -4, -5));
    let ended = session(&[("over", 2), ("gone", -4)]);
    let rich = rpc::Status::decode(ended.details()).expect("details");
    assert!(rich.details[1].type_url.ends_with("StreamTombstonedErrorDetails"), "{ended:?}");
}

/// The numbers of *deleted* and *tombstoned* are those of checks: a session that has them is refused whole, and told who takes them.
#[test]
fn sessions_expect_what_the_protocol_names_for_them() {
    let mut case = Case::new();
    case.stream("gone", State::Deleted);
    case.stream("over", State::Ended);
    let before = case.serving.store.head().position();
    for (stream, number, elsewhere) in [
        ("gone", -5, "; whether a stream is deleted (-5) or tombstoned (-6) is checked by AppendRecords"),
        ("over", -6, "; whether a stream is deleted (-5) or tombstoned (-6) is checked by AppendRecords"),
        ("gone", -3, ""),
        ("gone", i64::MIN, ""),
    ] {
        let refused = case.session(&[("new", -1), (stream, number)]).expect_err("it cannot be expected");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        let rich = rpc::Status::decode(refused.details()).expect("details");
        let [reason, request] = &rich.details[..] else { panic!("{rich:?}") };
        assert_eq!(ErrorInfo::decode(&reason.value[..]).expect("a reason").reason, "BAD_REQUEST");
        let request = rpc::BadRequest::decode(&request.value[..]).expect("a request");
        let [violation] = &request.field_violations[..] else { panic!("{request:?}") };
        let names = "must be a revision, -1 (no stream), -2 (any) or -4 (exists)";
        let told = (violation.field.as_str(), violation.description.as_str());
        assert_eq!(told, ("expected_revision", format!("{names}{elsewhere}, found={number}").as_str()));
    }
    assert_eq!(case.serving.store.head().position(), before, "nothing was written");
    case.session(&[("new", -1), ("gone", -1)]).expect("what is deleted may begin anew");
}

/// A request of thirty mebibytes, of records that said nothing, took three gibibytes, and twelve seconds of everybody's time.
#[test]
fn a_request_of_too_many_records_is_refused_before_there_are_any() {
    let mut case = Case::new();
    let request = AppendRecordsRequest { records: vec![AppendRecord::default(); 300_000], checks: Vec::new() };
    let refused = case.runtime.block_on(case.client.append_records(request)).expect_err("too many");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "a message has too many fields, fields_max=262144");
}

/// A session went on naming streams for as long as its client liked, each of which was kept, to be refused in the end.
#[test]
fn a_session_of_too_many_streams_is_refused_before_it_ends() {
    let mut case = Case::new();
    let (says, said) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..=10_000 {
        says.send(AppendRequest { stream: number.to_string(), ..AppendRequest::default() }).expect("it is heard");
    }
    let session = case.client.append_session(tokio_stream::wrappers::UnboundedReceiverStream::new(said));
    let refused = case.runtime.block_on(session).expect_err("too many");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "stream: name too many streams, streams_max=10000")
    );
    drop(says);
    let checks: Vec<_> = (0..=10_000).map(|number: usize| number.to_string()).collect();
    let checks: Vec<_> = checks.iter().map(|stream| (stream.as_str(), -1)).collect();
    let refused = case.append(&["written"], &checks).expect_err("too many");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "checks: name too many streams, streams_max=10000")
    );
}
