//! The server, by the messages of its protocol: everything but the network.

mod many;

use std::time::Duration;

use gesta_store::{Direction, EventData, ExpectedRevision, Position, Revision};
use tokio::{
    runtime::{self, Runtime},
    sync::mpsc,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Status, Streaming, service::Routes};
use uuid::Uuid;

use super::{Answer, End, Face, Kept, Only, Verdict, event, id, shown};
use crate::{
    convert::{
        id::{IdForm, to_wire},
        request::{Links, Place},
        stream,
    },
    grpc::{ShutdownRequest, Whereabouts},
    options::Options,
    proto::{
        event_store::client::{
            Empty,
            persistent_subscriptions::{
                self as groups, persistent_subscriptions_client::PersistentSubscriptionsClient,
            },
            streams::{
                self, append_req, append_resp, delete_req, read_req, read_resp, streams_client::StreamsClient,
                tombstone_req,
            },
        },
        kurrentdb::protocol::v2::streams::streams_service_client::StreamsServiceClient,
    },
    routes::{Answering, routes},
    security::Security,
    stopping::{Stop, stop},
};

pub(super) struct Wire {
    runtime: Runtime,
    streams: StreamsClient<Routes>,
    groups: PersistentSubscriptionsClient<Routes>,
    consumer: Option<(mpsc::Sender<groups::ReadReq>, Streaming<groups::ReadResp>)>,
    records: StreamsServiceClient<Routes>,
    _stop: Stop,
    kept: Kept,
}

impl Wire {
    pub(super) fn new() -> Self {
        let kept = Kept::new();
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopping) = stop();
        let address = "127.0.0.1:2113".parse().unwrap();
        let answering = Answering {
            store: &kept.store,
            security: &Security::Open,
            place: Whereabouts::Bound(address),
            shutdown: &ShutdownRequest::default(),
            stopping,
            options: &Options::default(),
        };
        let routes = Routes::from(routes(answering).unwrap());
        let streams = StreamsClient::new(routes.clone());
        let records = StreamsServiceClient::new(routes.clone());
        let groups = PersistentSubscriptionsClient::new(routes);
        Self { runtime, streams, groups, consumer: None, records, _stop: stop, kept }
    }

    fn read_by(&mut self, options: read_req::Options) -> Verdict {
        let request = reading(options);
        let client = &mut self.streams;
        self.runtime.block_on(async {
            let mut answers = match client.read(request).await {
                Ok(answers) => answers.into_inner(),
                Err(status) => return refused(&status),
            };
            let mut events = Vec::new();
            while let Some(answer) = answers.next().await {
                match answer.map(|answer| answer.content.unwrap()) {
                    Ok(read_resp::Content::Event(read)) => {
                        let event = read.event.unwrap();
                        events.push(of(event.stream_revision, event.stream_identifier, &event.data));
                    }
                    Ok(read_resp::Content::StreamNotFound(_)) => return Verdict::StreamNotFound,
                    Ok(other) => return Verdict::Other(format!("{other:?}")),
                    Err(status) => return refused(&status),
                }
            }
            Verdict::Events(events)
        })
    }

    /// Revision and data of a stream's last event, as clients ask for metadata.
    fn last_of(&mut self, stream: &str) -> Result<Option<(u64, String)>, Status> {
        use read_req::options::{CountOption, StreamOption, StreamOptions, stream_options::RevisionOption};
        let stream =
            StreamOptions { stream_identifier: named(stream), revision_option: Some(RevisionOption::End(Empty {})) };
        let request = reading(read_req::Options {
            stream_option: Some(StreamOption::Stream(stream)),
            read_direction: wire_direction(Direction::Backward),
            count_option: Some(CountOption::Count(1)),
            ..Default::default()
        });
        let client = &mut self.streams;
        self.runtime.block_on(async {
            let answer = client.read(request).await?.into_inner().message().await?;
            Ok(answer.and_then(|answer| match answer.content {
                Some(read_resp::Content::Event(read)) => {
                    let event = read.event.unwrap();
                    Some((event.stream_revision, String::from_utf8(event.data.to_vec()).unwrap()))
                }
                other => {
                    assert!(matches!(other, Some(read_resp::Content::StreamNotFound(_))), "{other:?}");
                    None
                }
            }))
        })
    }
}

fn reading(options: read_req::Options) -> streams::ReadReq {
    let uuid_option =
        read_req::options::UuidOption { content: Some(read_req::options::uuid_option::Content::String(Empty {})) };
    streams::ReadReq { options: Some(read_req::Options { uuid_option: Some(uuid_option), ..options }) }
}

fn of(revision: u64, stream: Option<crate::proto::event_store::client::StreamIdentifier>, data: &[u8]) -> String {
    shown(revision, std::str::from_utf8(&stream.unwrap().stream_name).unwrap(), data)
}

/// The verdict in a status.
fn refused(status: &Status) -> Verdict {
    let trailer = |name: &str| status.metadata().get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| trailer(name).unwrap().parse().unwrap();
    match trailer("exception") {
        Some("wrong-expected-version") => Verdict::WrongRevision(number("expected-version"), number("actual-version")),
        Some("stream-deleted") => Verdict::StreamDeleted,
        Some("persistent-subscription-exists") => Verdict::GroupExists,
        Some("persistent-subscription-does-not-exist") => Verdict::NoSuchGroup,
        Some("maximum-subscribers-reached") => Verdict::MaximumSubscribers,
        _ => Verdict::Other(status.to_string()),
    }
}

fn told<T>(answer: Result<T, Status>) -> Verdict {
    answer.map_or_else(|status| refused(&status), |_| Verdict::Done)
}

fn named(stream: &str) -> Option<crate::proto::event_store::client::StreamIdentifier> {
    Some(stream::to_wire(stream))
}

macro_rules! expectation {
    ($choice:ty, $expected:expr) => {{
        type Choice = $choice;
        match $expected {
            ExpectedRevision::Any => Choice::Any(Empty {}),
            ExpectedRevision::NoStream => Choice::NoStream(Empty {}),
            ExpectedRevision::StreamExists => Choice::StreamExists(Empty {}),
            ExpectedRevision::SoftDeleted | ExpectedRevision::Tombstoned => panic!("not in this protocol"),
            ExpectedRevision::Exact(revision) => Choice::Revision(revision.0),
        }
    }};
}

fn wire_direction(direction: Direction) -> i32 {
    match direction {
        Direction::Forward => read_req::options::ReadDirection::Forwards.into(),
        Direction::Backward => read_req::options::ReadDirection::Backwards.into(),
    }
}

fn filter(only: &Only) -> read_req::options::FilterOptions {
    use read_req::options::filter_options::{Expression, Filter, Window};
    let prefix = |prefix: &str| Expression { regex: String::new(), prefix: vec![prefix.to_owned()] };
    let filter = match only {
        Only::StreamPrefix(text) => Filter::StreamIdentifier(prefix(text)),
        Only::TypePrefix(text) => Filter::EventType(prefix(text)),
        Only::StreamExpression(text) => {
            Filter::StreamIdentifier(Expression { regex: (*text).to_owned(), prefix: vec![] })
        }
    };
    read_req::options::FilterOptions {
        filter: Some(filter),
        window: Some(Window::Count(Empty {})),
        checkpoint_interval_multiplier: 1,
    }
}

impl Wire {
    fn append_events(
        &mut self,
        stream: &str,
        expected: ExpectedRevision,
        events: impl IntoIterator<Item = EventData>,
    ) -> Verdict {
        use append_resp::{
            success::{CurrentRevisionOption, PositionOption},
            wrong_expected_version as wrong,
        };
        let options = append_req::Options {
            stream_identifier: named(stream),
            expected_stream_revision: Some(expectation!(append_req::options::ExpectedStreamRevision, expected)),
        };
        let proposed = |event: EventData| {
            let properties = [("type", &*event.event_type), ("content-type", "application/json")];
            append_req::Content::ProposedMessage(append_req::ProposedMessage {
                id: Some(to_wire(event.id.unwrap(), IdForm::Structured)),
                metadata: properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
                custom_metadata: event.metadata.clone(),
                data: event.data.clone(),
            })
        };
        let contents = std::iter::once(append_req::Content::Options(options)).chain(events.into_iter().map(proposed));
        let requests: Vec<_> = contents.map(|content| streams::AppendReq { content: Some(content) }).collect();
        let client = &mut self.streams;
        let answer = match self.runtime.block_on(client.append(tokio_stream::iter(requests))) {
            Ok(answer) => answer.into_inner().result.unwrap(),
            Err(status) => return refused(&status),
        };
        match answer {
            append_resp::Result::Success(success) => {
                let revision = match success.current_revision_option.unwrap() {
                    CurrentRevisionOption::CurrentRevision(revision) => Some(revision),
                    CurrentRevisionOption::NoStream(_) => None,
                };
                let position = match success.position_option.unwrap() {
                    PositionOption::Position(position) => Some(position.commit_position),
                    PositionOption::NoPosition(_) => None,
                };
                Verdict::Written(revision, position)
            }
            append_resp::Result::WrongExpectedVersion(answer) => {
                let expected = match answer.expected_revision_option.unwrap() {
                    wrong::ExpectedRevisionOption::ExpectedRevision(revision) => i64::try_from(revision).unwrap(),
                    wrong::ExpectedRevisionOption::ExpectedAny(_) => -2,
                    wrong::ExpectedRevisionOption::ExpectedNoStream(_) => -1,
                    wrong::ExpectedRevisionOption::ExpectedStreamExists(_) => -4,
                };
                let actual = match answer.current_revision_option.unwrap() {
                    wrong::CurrentRevisionOption::CurrentRevision(revision) => i64::try_from(revision).unwrap(),
                    wrong::CurrentRevisionOption::CurrentNoStream(_) => -1,
                };
                Verdict::WrongRevision(expected, actual)
            }
        }
    }
}

impl Face for Wire {
    fn append(&mut self, stream: &str, expected: ExpectedRevision, numbers: &[u64]) -> Verdict {
        self.append_events(stream, expected, numbers.iter().map(|&number| event(number)))
    }

    fn append_many(&mut self, writes: &[(&str, ExpectedRevision, &[u64])]) -> Verdict {
        self.append_session(writes)
    }

    fn append_in_turn(&mut self, events: &[(&str, u64)], checks: &[(&str, ExpectedRevision)]) -> Verdict {
        self.append_records(events, checks)
    }

    fn set_metadata(&mut self, stream: &str, expected: ExpectedRevision, document: &str) -> Verdict {
        let event = EventData::json("$metadata".try_into().unwrap(), document.to_owned());
        self.append_events(
            &format!("$${stream}"),
            expected,
            [EventData { id: Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, document.as_bytes())), ..event }],
        )
    }

    fn metadata(&mut self, stream: &str) -> Verdict {
        match self.last_of(&format!("$${stream}")) {
            Ok(found) => Verdict::Metadata(found),
            Err(status) => refused(&status),
        }
    }

    fn wait(&mut self, time: Duration) -> Verdict {
        self.kept.wait(time)
    }

    fn end(&mut self, end: End, stream: &str, expected: ExpectedRevision) -> Verdict {
        use streams::{delete_resp, tombstone_resp};
        let client = &mut self.streams;
        let position = match end {
            End::Delete => {
                let options = delete_req::Options {
                    stream_identifier: named(stream),
                    expected_stream_revision: Some(expectation!(delete_req::options::ExpectedStreamRevision, expected)),
                };
                let answer = self.runtime.block_on(client.delete(streams::DeleteReq { options: Some(options) }));
                answer.map(|answer| match answer.into_inner().position_option.unwrap() {
                    delete_resp::PositionOption::Position(position) => Some(position.commit_position),
                    delete_resp::PositionOption::NoPosition(_) => None,
                })
            }
            End::Tombstone => {
                let options = tombstone_req::Options {
                    stream_identifier: named(stream),
                    expected_stream_revision: Some(expectation!(
                        tombstone_req::options::ExpectedStreamRevision,
                        expected
                    )),
                };
                let request = streams::TombstoneReq { options: Some(options) };
                let answer = self.runtime.block_on(client.tombstone(request));
                answer.map(|answer| match answer.into_inner().position_option.unwrap() {
                    tombstone_resp::PositionOption::Position(position) => Some(position.commit_position),
                    tombstone_resp::PositionOption::NoPosition(_) => None,
                })
            }
        };
        position.map_or_else(|status| refused(&status), |position| Verdict::Written(None, position))
    }

    fn read(&mut self, stream: &str, from: Place<Revision>, direction: Direction, count: u64, links: Links) -> Verdict {
        use read_req::options::{
            CountOption, StreamOption, StreamOptions,
            stream_options::RevisionOption::{End, Revision, Start},
        };
        let place = match from {
            Place::Start => Start(Empty {}),
            Place::End => End(Empty {}),
            Place::At(revision) => Revision(revision.0),
        };
        let stream = StreamOptions { stream_identifier: named(stream), revision_option: Some(place) };
        self.read_by(read_req::Options {
            stream_option: Some(StreamOption::Stream(stream)),
            read_direction: wire_direction(direction),
            resolve_links: links == Links::Resolved,
            count_option: Some(CountOption::Count(count)),
            ..Default::default()
        })
    }

    fn read_all(&mut self, from: Place<Position>, direction: Direction, count: u64, only: Option<&Only>) -> Verdict {
        use read_req::options::{
            AllOptions, CountOption, FilterOption, StreamOption,
            all_options::AllOption::{End, Position, Start},
        };
        let place = match from {
            Place::Start => Start(Empty {}),
            Place::End => End(Empty {}),
            Place::At(at) => Position(read_req::options::Position { commit_position: at.0, prepare_position: at.0 }),
        };
        self.read_by(read_req::Options {
            stream_option: Some(StreamOption::All(AllOptions { all_option: Some(place) })),
            read_direction: wire_direction(direction),
            count_option: Some(CountOption::Count(count)),
            filter_option: only.map(|only| FilterOption::Filter(filter(only))),
            ..Default::default()
        })
    }

    fn create_group(&mut self, stream: &str) -> Verdict {
        use groups::create_req::{
            Options, Settings, StreamOptions, options::StreamOption, stream_options::RevisionOption,
        };
        let settings = Settings {
            max_retry_count: 10,
            max_checkpoint_count: 1000,
            max_subscriber_count: 1,
            live_buffer_size: 500,
            read_batch_size: 20,
            history_buffer_size: 500,
            consumer_strategy: "RoundRobin".to_owned(),
            ..Default::default()
        };
        let on =
            StreamOptions { stream_identifier: named(stream), revision_option: Some(RevisionOption::Start(Empty {})) };
        let options = Options {
            stream_option: Some(StreamOption::Stream(on)),
            group_name: "g".to_owned(),
            settings: Some(settings),
            ..Default::default()
        };
        let client = &mut self.groups;
        told(self.runtime.block_on(client.create(groups::CreateReq { options: Some(options) })))
    }

    fn connect(&mut self, stream: &str) -> Verdict {
        use groups::read_req::{
            Content, Options,
            options::{StreamOption, UuidOption, uuid_option},
        };
        let options = Options {
            group_name: "g".to_owned(),
            buffer_size: 10,
            uuid_option: Some(UuidOption { content: Some(uuid_option::Content::String(Empty {})) }),
            stream_option: named(stream).map(StreamOption::StreamIdentifier),
        };
        let client = &mut self.groups;
        let connected = self.runtime.block_on(async {
            let (requests, receiver) = mpsc::channel(16);
            requests.send(groups::ReadReq { content: Some(Content::Options(options)) }).await.unwrap();
            let mut messages = client.read(ReceiverStream::new(receiver)).await?.into_inner();
            let confirmed = messages.next().await.unwrap()?.content.unwrap();
            assert!(matches!(confirmed, groups::read_resp::Content::SubscriptionConfirmation(_)));
            Ok((requests, messages))
        });
        match connected {
            Ok(consumer) => {
                self.consumer = Some(consumer);
                Verdict::Done
            }
            Err(status) => refused(&status),
        }
    }

    fn take(&mut self, count: usize) -> Verdict {
        use groups::read_resp::{Content, read_event::Count};
        let (_, messages) = self.consumer.as_mut().unwrap();
        self.runtime.block_on(async {
            let mut events = Vec::new();
            while events.len() < count {
                let content = messages.next().await.unwrap().map(|message| message.content.unwrap());
                let read = match content {
                    Ok(Content::Event(read)) => read,
                    Ok(other) => return Verdict::Other(format!("{other:?}")),
                    Err(status) => return refused(&status),
                };
                let Some(Count::RetryCount(retries)) = read.count else { return Verdict::Other("uncounted".into()) };
                let event = read.event.unwrap();
                let shown = of(event.stream_revision, event.stream_identifier, &event.data);
                events.push(format!("{shown} retries={retries}"));
            }
            Verdict::Events(events)
        })
    }

    fn answer(&mut self, answer: Answer, numbers: &[u64]) -> Verdict {
        use groups::read_req::{Ack, Content, Nack, nack::Action};
        let ids: Vec<_> = numbers.iter().map(|&number| to_wire(id(number), IdForm::Text)).collect();
        let nack = |action: Action, ids| {
            Content::Nack(Nack { ids, action: action.into(), reason: "because".to_owned(), ..Default::default() })
        };
        let content = match answer {
            Answer::Ack => Content::Ack(Ack { ids, ..Default::default() }),
            Answer::Retry => nack(Action::Retry, ids),
            Answer::Park => nack(Action::Park, ids),
            Answer::Skip => nack(Action::Skip, ids),
        };
        let (requests, _) = self.consumer.as_ref().unwrap();
        self.runtime.block_on(requests.send(groups::ReadReq { content: Some(content) })).unwrap();
        Verdict::Done
    }

    fn replay(&mut self, stream: &str) -> Verdict {
        use groups::replay_parked_req::{Options, options::StreamOption};
        let options = Options {
            group_name: "g".to_owned(),
            stream_option: named(stream).map(StreamOption::StreamIdentifier),
            stop_at_option: None,
        };
        let client = &mut self.groups;
        told(self.runtime.block_on(client.replay_parked(groups::ReplayParkedReq { options: Some(options) })))
    }

    fn delete_group(&mut self, stream: &str) -> Verdict {
        use groups::delete_req::{Options, options::StreamOption};
        let options =
            Options { group_name: "g".to_owned(), stream_option: named(stream).map(StreamOption::StreamIdentifier) };
        let client = &mut self.groups;
        told(self.runtime.block_on(client.delete(groups::DeleteReq { options: Some(options) })))
    }
}
