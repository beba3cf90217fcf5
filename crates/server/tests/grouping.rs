//! Persistent subscriptions by their own protocol: when progress is durable, with nobody there but a consumer that is silent.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests work on sockets and on time")]

mod shared;

use std::time::{Duration, Instant};

use gesta_server::{
    Options,
    proto::event_store::client::{
        Empty, Uuid,
        persistent_subscriptions::{
            CreateReq, GetInfoReq, ReadReq, ReadResp,
            create_req::{
                self,
                settings::{CheckpointAfter, MessageTimeout},
            },
            get_info_req,
            persistent_subscriptions_client::PersistentSubscriptionsClient,
            read_req::{self, Ack, Content},
            read_resp::{self, read_event::Count},
        },
    },
};
use gesta_store::{GroupName, ReadOptions};
use shared::Serving;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);
/// Longer than any group waits in one of these tests, in milliseconds.
const NEVER: i32 = 24 * 60 * 60 * 1000;

struct Place {
    serving: Serving,
    runtime: Runtime,
    client: PersistentSubscriptionsClient<Channel>,
    answers: mpsc::Sender<ReadReq>,
    messages: Streaming<ReadResp>,
}

/// Settings by which nothing is written, and nothing comes again, but by what a test says.
fn settings() -> create_req::Settings {
    create_req::Settings {
        max_retry_count: 10,
        min_checkpoint_count: 1,
        max_checkpoint_count: 1000,
        live_buffer_size: 500,
        read_batch_size: 20,
        history_buffer_size: 500,
        consumer_strategy: "RoundRobin".to_owned(),
        message_timeout: Some(MessageTimeout::MessageTimeoutMs(0)),
        checkpoint_after: Some(CheckpointAfter::CheckpointAfterMs(NEVER)),
        ..create_req::Settings::default()
    }
}

impl Place {
    /// A consumer of a group with these settings, and six events.
    fn with(settings: create_req::Settings) -> Self {
        let serving = Serving::start(Options::default());
        (0..6).for_each(|_| serving.record("s", 1, 1));
        let runtime = Runtime::new().expect("a runtime");
        let mut client = PersistentSubscriptionsClient::new(runtime.block_on(serving.channel()));
        let from = create_req::AllOptions {
            all_option: Some(create_req::all_options::AllOption::Start(Empty {})),
            filter_option: Some(create_req::all_options::FilterOption::NoFilter(Empty {})),
        };
        let creation = create_req::Options {
            stream_option: Some(create_req::options::StreamOption::All(from)),
            group_name: "g".to_owned(),
            settings: Some(settings),
            ..create_req::Options::default()
        };
        let (answers, receiver) = mpsc::channel(16);
        let ids = read_req::options::uuid_option::Content::String(Empty {});
        let options = read_req::Options {
            group_name: "g".to_owned(),
            buffer_size: 6,
            stream_option: Some(read_req::options::StreamOption::All(Empty {})),
            uuid_option: Some(read_req::options::UuidOption { content: Some(ids) }),
        };
        let messages = runtime.block_on(async {
            client.create(CreateReq { options: Some(creation) }).await.expect("created");
            answers.send(ReadReq { content: Some(Content::Options(options)) }).await.expect("it is heard");
            client.read(ReceiverStream::new(receiver)).await.expect("connects").into_inner()
        });
        Self { serving, runtime, client, answers, messages }
    }

    /// The next messages, with how often they came before.
    fn take(&mut self, count: usize) -> Vec<(Uuid, i32)> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let message = self.runtime.block_on(self.messages.message()).expect("served").expect("it goes on");
            let Some(read_resp::Content::Event(read)) = message.content else { continue };
            let Some(Count::RetryCount(retries)) = read.count else { panic!("counted") };
            taken.push((read.event.and_then(|event| event.id).expect("with its id"), retries));
        }
        taken
    }

    fn ack(&self, taken: &[(Uuid, i32)]) {
        let ack = Ack { ids: taken.iter().map(|(id, _)| id.clone()).collect(), ..Ack::default() };
        self.runtime.block_on(self.answers.send(ReadReq { content: Some(Content::Ack(ack)) })).expect("it is heard");
    }

    /// How often progress was written, and up to where, as the log has it: nobody is asked, and so nobody is made to look after the group.
    fn written(&self) -> (u64, u64) {
        let stream = GroupName::on_all("g").expect("valid").checkpoint_stream();
        let read = self.serving.store.read_stream(stream, ReadOptions::default()).expect("a read");
        let last = read.last().expect("one at least").expect("whole");
        let document: serde_json::Value = serde_json::from_slice(&last.data).expect("JSON");
        (last.revision.0, document["checkpoint"].as_u64().expect("a position"))
    }

    /// Waits until progress was written so often; up to where it was.
    fn written_times(&self, times: u64) -> u64 {
        let begun = Instant::now();
        loop {
            let (written, to) = self.written();
            assert!(written <= times, "written too often");
            if written == times {
                return to;
            }
            assert!(begun.elapsed() < LONG, "it is not written");
        }
    }

    /// What clients are told of how far the group is, durably.
    fn told(&mut self) -> String {
        let options = get_info_req::Options {
            group_name: "g".to_owned(),
            stream_option: Some(get_info_req::options::StreamOption::All(Empty {})),
        };
        let info = self.runtime.block_on(self.client.get_info(GetInfoReq { options: Some(options) })).expect("told");
        info.into_inner().subscription_info.expect("of the group").last_checkpointed_event_position
    }
}

#[test]
fn progress_is_durable_after_a_while_with_nobody_asking() {
    for after in [CheckpointAfter::CheckpointAfterMs(20), CheckpointAfter::CheckpointAfterTicks(200_000)] {
        let mut place = Place::with(create_req::Settings { checkpoint_after: Some(after), ..settings() });
        let taken = place.take(6);
        place.ack(&taken[..2]);
        let to = place.written_times(1);
        assert!(to == 2 || to == 1, "{to}");
        if to == 2 {
            assert_eq!(place.told(), "C:1/P:1");
        }
        place.ack(&taken[2..5]);
        while place.written().1 < 5 {}
        assert_eq!(place.told(), "C:4/P:4");
    }
}

#[test]
fn progress_is_durable_after_as_many_acks_as_it_may_wait_for() {
    let mut place = Place::with(create_req::Settings { max_checkpoint_count: 3, ..settings() });
    let taken = place.take(6);
    place.ack(&taken[..3]);
    assert_eq!(place.written_times(1), 3);
    assert_eq!(place.told(), "C:2/P:2");
    place.ack(&taken[3..4]);
    place.ack(&taken[4..]);
    // And beyond, where the group's own streams are.
    assert!(place.written_times(2) >= 6);
}

#[test]
fn fewer_acks_than_the_least_are_not_written_for_the_sake_of_time() {
    let after = Some(CheckpointAfter::CheckpointAfterMs(1));
    let mut place =
        Place::with(create_req::Settings { min_checkpoint_count: 4, checkpoint_after: after, ..settings() });
    let taken = place.take(6);
    taken.chunks(1).take(4).for_each(|one| place.ack(one));
    assert_eq!(place.written_times(1), 4, "not before the fourth");
}

#[test]
fn a_message_comes_again_when_its_time_is_over_with_nobody_asking() {
    let timeout = Some(MessageTimeout::MessageTimeoutMs(20));
    let mut place = Place::with(create_req::Settings { message_timeout: timeout, ..settings() });
    let first = place.take(6);
    assert!(first.iter().all(|(_, retries)| *retries == 0), "{first:?}");
    let again = place.take(6);
    assert!(again.iter().all(|(_, retries)| *retries > 0), "{again:?}");
}

/// Whoever is sent away by a restart is told by the name clients know it by, and may come again.
#[test]
fn a_restart_is_told_to_consumers_as_the_end_of_their_subscription() {
    let mut place = Place::with(settings());
    place.take(6);
    place.runtime.block_on(place.client.restart_subsystem(Empty {})).expect("done");
    let told = place.runtime.block_on(place.messages.message()).expect_err("it ends");
    let exception = told.metadata().get("exception").and_then(|name| name.to_str().ok());
    assert_eq!((told.code(), exception), (tonic::Code::Cancelled, Some("persistent-subscription-dropped")));
}
