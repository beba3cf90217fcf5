//! Spans of calls, as a collector gets them.

use std::{collections::BTreeMap, net::TcpListener, sync::mpsc};

use gesta_server::proto::event_store::client::{
    Empty, StreamIdentifier, Uuid,
    operations::{StopScavengeReq, operations_client::OperationsClient},
    streams::{
        AppendReq, ReadReq, append_req,
        read_req::{
            self,
            options::{ControlOption, CountOption, FilterOption, StreamOption, StreamOptions, UuidOption},
            options::{stream_options::RevisionOption, uuid_option},
        },
        read_resp,
        streams_client::StreamsClient,
    },
    uuid,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Channel};

use super::server::Server;

/// A collector: whoever sends spans to it.
struct Collector {
    address: String,
    received: mpsc::Receiver<ExportTraceServiceRequest>,
    _runtime: Runtime,
}

struct Sink(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse { partial_success: None }))
    }
}

impl Collector {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (sender, received) = mpsc::channel();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let service = TraceServiceServer::new(Sink(sender));
        let collecting = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(collecting.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, received, _runtime: runtime }
    }

    /// What was received, in the order in which calls began. Every sender must have ended.
    fn spans(self) -> Vec<Span> {
        let mut spans = Vec::new();
        for resource in self.received.try_iter().flat_map(|request| request.resource_spans) {
            let attributes = resource.resource.expect("a resource").attributes;
            let service = attributes.iter().find(|attribute| attribute.key == "service.name").expect("a name");
            let name = service.value.clone().and_then(|value| value.value);
            assert_eq!(name, Some(Value::StringValue("gesta".to_owned())));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

/// What a span says of its call.
fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let shown = |value: &Value| if let Value::StringValue(text) = value { text.clone() } else { format!("{value:?}") };
    let told =
        span.attributes.iter().filter_map(|one| Some((one.key.as_str(), shown(one.value.as_ref()?.value.as_ref()?))));
    told.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Calls of a client, each in the trace it says.
struct Client {
    runtime: Runtime,
    channel: Channel,
    streams: StreamsClient<Channel>,
}

impl Client {
    fn connect(url: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let channel = Channel::from_shared(url.to_owned()).expect("an address");
        let channel = runtime.block_on(channel.connect()).expect("connects");
        Self { runtime, streams: StreamsClient::new(channel.clone()), channel }
    }

    fn append(&mut self, trace: Option<&str>, messages: Vec<append_req::Content>) -> Result<(), Status> {
        let messages = messages.into_iter().map(|content| AppendReq { content: Some(content) });
        let request = within(trace, tokio_stream::iter(messages.collect::<Vec<_>>()));
        self.runtime.block_on(self.streams.append(request)).map(drop)
    }

    /// Reads a stream; how many events came.
    fn read(&mut self, trace: Option<&str>, stream: &str) -> Result<usize, Status> {
        let options = read_req::Options {
            read_direction: 0,
            resolve_links: false,
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            control_option: Some(ControlOption { compatibility: 1 }),
            stream_option: Some(StreamOption::Stream(StreamOptions {
                stream_identifier: Some(identifier(stream)),
                revision_option: Some(RevisionOption::Start(Empty {})),
            })),
            count_option: Some(CountOption::Count(10)),
            filter_option: Some(FilterOption::NoFilter(Empty {})),
        };
        let request = within(trace, ReadReq { options: Some(options) });
        self.runtime.block_on(async {
            let mut answers = self.streams.read(request).await?.into_inner();
            let mut count = 0;
            while let Some(answer) = answers.message().await? {
                count += usize::from(matches!(answer.content, Some(read_resp::Content::Event(_))));
            }
            Ok(count)
        })
    }
}

fn within<T>(trace: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(trace) = trace {
        request.metadata_mut().insert("traceparent", trace.parse().expect("ASCII"));
    }
    request
}

fn identifier(stream: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: stream.as_bytes().to_vec().into() }
}

/// An append of one event, as its messages.
fn event(stream: &str, number: u128) -> Vec<append_req::Content> {
    let options = append_req::Options {
        stream_identifier: Some(identifier(stream)),
        expected_stream_revision: Some(append_req::options::ExpectedStreamRevision::Any(Empty {})),
    };
    let id = ::uuid::Uuid::from_u128(number).to_string();
    let metadata = [("type", "T"), ("content-type", "application/json")];
    let message = append_req::ProposedMessage {
        id: Some(Uuid { value: Some(uuid::Value::String(id)) }),
        metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        custom_metadata: Default::default(),
        data: "{}".into(),
    };
    vec![append_req::Content::Options(options), append_req::Content::ProposedMessage(message)]
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const APPEND: &str = "event_store.client.streams.Streams/Append";
const READ: &str = "event_store.client.streams.Streams/Read";

#[test]
fn each_call_is_a_span_of_the_trace_its_client_began() {
    let collector = Collector::start();
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), 0, &["--otel-endpoint", &collector.address]);
    let mut client = Client::connect(&server.url);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    client.append(Some(&sampled), event("s", 1)).expect("recorded");
    assert_eq!(client.read(Some(&sampled), "s").expect("read"), 1);
    // By whom nothing began.
    client.append(None, event("s", 2)).expect("recorded");
    // A client that does not record its trace, and one that says nonsense.
    client.append(Some(&format!("00-{TRACE}-{PARENT}-00")), event("s", 3)).expect("recorded");
    client.append(Some("nonsense"), event("s", 4)).expect("recorded");
    // Asked wrongly: an answer like any other.
    assert_eq!(client.append(Some(&sampled), Vec::new()).expect_err("nothing was said").code(), Code::InvalidArgument);
    // What is not offered.
    let mut operations = OperationsClient::new(client.channel.clone());
    let stop = operations.stop_scavenge(within(Some(&sampled), StopScavengeReq::default()));
    assert_eq!(client.runtime.block_on(stop).expect_err("it is not offered").code(), Code::Unimplemented);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0), "what is still to be sent is sent");

    let spans = collector.spans();
    let shown: Vec<_> = spans
        .iter()
        .map(|span| {
            let code = attributes(span)["rpc.response.status_code"].clone();
            let parent = (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id));
            let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
            (span.name.as_str(), parent, code, failed)
        })
        .collect();
    let parent = || Some(PARENT.to_owned());
    let scavenge = "event_store.client.operations.Operations/StopScavenge";
    let expected = [
        (APPEND, parent(), "OK", false),
        (READ, parent(), "OK", false),
        (APPEND, None, "OK", false),
        (APPEND, None, "OK", false),
        (APPEND, parent(), "INVALID_ARGUMENT", false),
        (scavenge, parent(), "UNIMPLEMENTED", true),
    ];
    assert_eq!(shown, expected.map(|(name, parent, code, failed)| (name, parent, code.to_owned(), failed)));
    for span in &spans {
        let is_ours = hex(&span.trace_id) == TRACE;
        assert_eq!(is_ours, !span.parent_span_id.is_empty(), "{span:?}");
        assert_eq!(span.kind(), SpanKind::Server);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        let told = attributes(span);
        assert_eq!((told["rpc.system.name"].as_str(), told["rpc.method"].as_str()), ("grpc", span.name.as_str()));
        assert_eq!(told["network.peer.address"], "127.0.0.1");
        assert!(told.contains_key("network.peer.port"), "{told:?}");
    }
    let mut ids: Vec<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
}

/// Nobody listens there; somebody does, and never answers: calls are answered all the same, and the server ends when it is asked to.
#[test]
fn a_collector_that_is_down_harms_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addresses = [&silent, &closed].map(|listener| format!("http://{}", listener.local_addr().expect("bound")));
    drop(closed);
    for address in addresses {
        let place = tempfile::tempdir().expect("a directory");
        let server = Server::start(place.path(), 0, &["--otel-endpoint", &address]);
        let mut client = Client::connect(&server.url);
        // More than wait to be sent at once.
        for number in 1..=3000 {
            client.append(None, event("s", number)).expect("recorded");
        }
        assert_eq!(client.read(None, "s").expect("read"), 10);
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
    }
}
