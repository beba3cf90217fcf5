//! A server in this process, and what it is asked.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod wire;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use gesta_server::{
    Callers, Exposure, Options, Server,
    proto::event_store::client::{
        Empty, StreamIdentifier, Uuid,
        streams::{
            AppendReq, ReadReq, append_req,
            append_req::options::ExpectedStreamRevision,
            read_req::{
                self,
                options::{
                    AllOptions, ControlOption, CountOption, FilterOption, StreamOption, SubscriptionOptions,
                    UuidOption, all_options::AllOption, uuid_option,
                },
            },
        },
        uuid,
    },
    security::{tls::Tls, users::first_run},
};
use gesta_store::{EventData, EventStore, EventType, ExpectedRevision, StreamName, entropy::Entropy};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};
use tonic::transport::Channel;

pub(crate) const READ: &str = "/event_store.client.streams.Streams/Read";
pub(crate) const APPEND: &str = "/event_store.client.streams.Streams/Append";

/// A server that runs until it is dropped.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) store: EventStore,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
    _dir: TempDir,
}

impl Serving {
    pub(crate) fn start(options: Options) -> Self {
        Self::start_as(|server| server.with_options(options))
    }

    /// One that speaks TLS.
    pub(crate) fn encrypted(tls: Tls) -> Self {
        Self::start_as(|server| server.with_tls(tls))
    }

    /// One that asks callers who they are, with an administrator.
    pub(crate) fn guarded(password: &str) -> Self {
        let serving = Self::start_as(|server| server.with_callers(Callers::Users));
        first_run(&serving.store, Some(password), &Entropy::from_os()).expect("made");
        serving
    }

    fn start_as(set: impl FnOnce(Server) -> Server) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = EventStore::open(dir.path()).expect("opens");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = set(Server::bind(store.clone(), listen, Exposure::Loopback).expect("a free port"));
        let address = server.address();
        let runtime = Runtime::new().expect("a runtime");
        let (stop, asked) = oneshot::channel();
        let served = runtime.spawn(async move {
            let asked = async {
                let _ = asked.await;
            };
            server.serve_until(asked).await.expect("serves");
        });
        Self { address, store, stop: Some(stop), served: Some(served), runtime: Some(runtime), _dir: dir }
    }

    /// Asks it to stop; it does that on its own.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until it has stopped.
    pub(crate) fn stopped(&mut self) {
        self.ask_to_stop();
        if let (Some(runtime), Some(served)) = (&self.runtime, self.served.take()) {
            runtime.block_on(served).expect("does not panic");
        }
    }

    /// A connection for clients made of the definitions.
    pub(crate) async fn channel(&self) -> Channel {
        let address = Channel::from_shared(format!("http://{}", self.address)).expect("an address");
        address.connect().await.expect("connects")
    }

    /// Records so many events of so many bytes in a stream.
    pub(crate) fn record(&self, stream: &str, count: usize, bytes: usize) {
        let stream = StreamName::new(stream).expect("valid");
        let data = format!("\"{}\"", "x".repeat(bytes));
        let event_type = EventType::new("T").expect("valid");
        for _ in 0..count.div_ceil(1000) {
            let events = (0..count.min(1000)).map(|_| EventData::json(event_type.clone(), data.clone()));
            self.store.append(stream.clone(), ExpectedRevision::Any, events).wait().expect("recorded");
        }
    }

    /// The answer to a request over HTTP/1.1: its status, and what it says.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).expect("an answer")
    }

    /// As `get`; `None` if the connection is closed without an answer.
    pub(crate) fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).expect("connects");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: gesta\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, page) = self.get("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is served")).parse().expect("a count")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A request for `$all` from its beginning on, or its end.
pub(crate) fn read_all(count: CountOption, from: AllOption) -> ReadReq {
    ReadReq {
        options: Some(read_req::Options {
            read_direction: 0,
            resolve_links: false,
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            control_option: Some(ControlOption { compatibility: 1 }),
            stream_option: Some(StreamOption::All(AllOptions { all_option: Some(from) })),
            count_option: Some(count),
            filter_option: Some(FilterOption::NoFilter(Empty {})),
        }),
    }
}

/// A subscription to `$all`.
pub(crate) fn subscribe(from: AllOption) -> ReadReq {
    read_all(CountOption::Subscription(SubscriptionOptions {}), from)
}

/// An append of one event of so many bytes, as its messages.
pub(crate) fn append(stream: &str, number: u128, bytes: usize) -> [AppendReq; 2] {
    let options = append_req::Options {
        stream_identifier: Some(StreamIdentifier { stream_name: stream.as_bytes().to_vec().into() }),
        expected_stream_revision: Some(ExpectedStreamRevision::Any(Empty {})),
    };
    let id = ::uuid::Uuid::from_u128(number).to_string();
    let message = append_req::ProposedMessage {
        id: Some(Uuid { value: Some(uuid::Value::String(id)) }),
        metadata: [("type", "T"), ("content-type", "application/octet-stream")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        custom_metadata: Default::default(),
        data: vec![b'x'; bytes].into(),
    };
    [append_req::Content::Options(options), append_req::Content::ProposedMessage(message)]
        .map(|content| AppendReq { content: Some(content) })
}
