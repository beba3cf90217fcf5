//! A client of the protocol, in the code generated from our own definitions: connections, and the messages that are sent.

use std::{collections::HashMap, net::SocketAddr};

use bytes::Bytes;
use gesta_server::proto::event_store::client::{
    Empty, StreamIdentifier, Uuid,
    streams::{
        AppendReq, BatchAppendReq, ReadReq,
        append_req::{self, Content, options::ExpectedStreamRevision},
        batch_append_req::{self, options::ExpectedStreamPosition},
        read_req,
        read_req::options::{
            AllOptions, ControlOption, CountOption, FilterOption, StreamOption, StreamOptions, SubscriptionOptions,
            UuidOption, all_options::AllOption, stream_options::RevisionOption, uuid_option,
        },
        streams_client::StreamsClient,
    },
    uuid::{Structured, Value},
};
use tonic::transport::{Channel, Endpoint};

/// Bytes of an event's data.
pub(crate) const EVENT_BYTES: usize = 256;
/// Windows as wide as stock clients open them, or wider: a read is not held back by them.
const WINDOW_BYTES: u32 = 4 << 20;

pub(crate) type Streams = StreamsClient<Channel>;

/// A connection of its own.
pub(crate) async fn connect(address: SocketAddr) -> Streams {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let endpoint = endpoint
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    StreamsClient::new(endpoint.connect().await.unwrap()).max_decoding_message_size(usize::MAX)
}

/// A runtime with a thread for each processor, as applications have it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// The messages of an append of so many events.
pub(crate) fn append(stream: &str, events: usize) -> impl Iterator<Item = AppendReq> + Send + 'static {
    let options = append_req::Options {
        stream_identifier: Some(identifier(stream)),
        expected_stream_revision: Some(ExpectedStreamRevision::Any(Empty {})),
    };
    let message = || append_req::ProposedMessage {
        id: Some(new_id()),
        metadata: properties(),
        custom_metadata: Bytes::new(),
        data: data(),
    };
    let messages = (0..events).map(move |_| Content::ProposedMessage(message()));
    std::iter::once(Content::Options(options)).chain(messages).map(|content| AppendReq { content: Some(content) })
}

/// One request of a batch append.
pub(crate) fn batch(stream: &str, events: usize) -> BatchAppendReq {
    let options = batch_append_req::Options {
        stream_identifier: Some(identifier(stream)),
        expected_stream_position: Some(ExpectedStreamPosition::Any(())),
        deadline_option: None,
    };
    let message = |_| batch_append_req::ProposedMessage {
        id: Some(new_id()),
        metadata: properties(),
        custom_metadata: Bytes::new(),
        data: data(),
    };
    BatchAppendReq {
        correlation_id: Some(new_id()),
        options: Some(options),
        proposed_messages: (0..events).map(message).collect(),
        is_final: true,
    }
}

/// A read of the whole log.
pub(crate) fn read_all() -> ReadReq {
    request(all(AllOption::Start(Empty {})), CountOption::Count(u64::MAX))
}

/// A subscription to the log from its end on.
pub(crate) fn subscribe_all() -> ReadReq {
    request(all(AllOption::End(Empty {})), CountOption::Subscription(SubscriptionOptions {}))
}

/// A subscription to a stream.
pub(crate) fn subscribe(stream: &str) -> ReadReq {
    let options = StreamOptions {
        stream_identifier: Some(identifier(stream)),
        revision_option: Some(RevisionOption::Start(Empty {})),
    };
    request(StreamOption::Stream(options), CountOption::Subscription(SubscriptionOptions {}))
}

fn all(from: AllOption) -> StreamOption {
    StreamOption::All(AllOptions { all_option: Some(from) })
}

/// Ids as text, since that is what the stock Rust client asks for.
fn request(subject: StreamOption, count: CountOption) -> ReadReq {
    ReadReq {
        options: Some(read_req::Options {
            read_direction: 0,
            resolve_links: false,
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            control_option: Some(ControlOption { compatibility: 1 }),
            stream_option: Some(subject),
            count_option: Some(count),
            filter_option: Some(FilterOption::NoFilter(Empty {})),
        }),
    }
}

fn identifier(stream: &str) -> StreamIdentifier {
    StreamIdentifier { stream_name: Bytes::copy_from_slice(stream.as_bytes()) }
}

fn properties() -> HashMap<String, String> {
    [("type", "OrderPlaced"), ("content-type", "application/json")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn data() -> Bytes {
    static DATA: [u8; EVENT_BYTES] = {
        let mut json = [b'x'; EVENT_BYTES];
        (json[0], json[EVENT_BYTES - 1]) = (b'"', b'"');
        json
    };
    Bytes::from_static(&DATA)
}

fn new_id() -> Uuid {
    let (most, least) = uuid::Uuid::now_v7().as_u64_pair();
    let halves = Structured { most_significant_bits: most.cast_signed(), least_significant_bits: least.cast_signed() };
    Uuid { value: Some(Value::Structured(halves)) }
}
