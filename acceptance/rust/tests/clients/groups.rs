//! Persistent subscriptions.

use std::time::Duration;

use kurrentdb::{
    Error, NakAction, PersistentSubscription, PersistentSubscriptionEvent, PersistentSubscriptionOptions,
    PersistentSubscriptionToAllOptions, StreamPosition, SubscriptionFilter, SystemConsumerStrategy,
};

use crate::server::{Server, number};

fn from_start() -> PersistentSubscriptionOptions {
    PersistentSubscriptionOptions::default().start_from(StreamPosition::Start)
}

impl Server {
    /// A stream of so many events, with a group on it.
    async fn with_group(count: u64, options: &PersistentSubscriptionOptions) -> Self {
        let server = Self::start().await;
        server.append("s", 0..count).await;
        server.client.create_persistent_subscription("s", "g", options).await.unwrap();
        server
    }

    async fn connect(&self) -> PersistentSubscription {
        self.client.subscribe_to_persistent_subscription("s", "g", &Default::default()).await.unwrap()
    }
}

async fn work_off(subscription: &mut PersistentSubscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let event = subscription.next().await.unwrap();
        subscription.ack(&event).await.unwrap();
        numbers.push(number(&event));
    }
    numbers
}

#[tokio::test]
async fn a_group_catches_up_and_goes_on() {
    let server = Server::with_group(50, &from_start()).await;
    let mut subscription = server.connect().await;
    assert_eq!(work_off(&mut subscription, 50).await, (0..50).collect::<Vec<_>>());
    server.append("s", 50..52).await;
    assert_eq!(work_off(&mut subscription, 2).await, [50, 51]);
    drop(subscription);
    assert!(server.stop().await);
}

#[tokio::test]
async fn messages_of_a_client_that_goes_come_to_others_at_once() {
    let server = Server::with_group(2, &from_start().message_timeout(Duration::from_secs(300))).await;
    let mut first = server.connect().await;
    first.next().await.unwrap();
    first.next().await.unwrap();
    drop(first);
    let mut second = server.connect().await;
    let mut numbers = work_off(&mut second, 2).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1]);
    drop(second);
    assert!(server.stop().await);
}

#[tokio::test]
async fn answers_are_what_they_say() {
    let server = Server::with_group(4, &from_start()).await;
    let mut subscription = server.connect().await;
    let mut events = Vec::new();
    while events.len() < 4 {
        events.push(subscription.next().await.unwrap());
    }
    subscription.ack(&events[0]).await.unwrap();
    subscription.nack(&events[1], NakAction::Park, "no such account").await.unwrap();
    subscription.nack(&events[2], NakAction::Skip, "not ours").await.unwrap();
    subscription.nack(&events[3], NakAction::Retry, "later").await.unwrap();
    match subscription.next_subscription_event().await.unwrap() {
        PersistentSubscriptionEvent::EventAppeared { retry_count, event } => {
            assert_eq!((retry_count, number(&event)), (1, 3));
            subscription.ack(&event).await.unwrap();
        }
        PersistentSubscriptionEvent::Confirmed(id) => panic!("confirmed again, id={id}"),
    }
    server.client.replay_parked_messages("s", "g", &Default::default()).await.unwrap();
    assert_eq!(work_off(&mut subscription, 1).await, [1]);
    drop(subscription);
    assert!(server.stop().await);
}

#[tokio::test]
async fn groups_are_made_once_changed_and_deleted() {
    let server = Server::with_group(3, &from_start()).await;
    let client = &server.client;
    let again = client.create_persistent_subscription("s", "g", &from_start()).await;
    assert!(matches!(again, Err(Error::ResourceAlreadyExists)), "{again:?}");
    let changed = from_start().max_retry_count(3).consumer_strategy_name(SystemConsumerStrategy::Pinned);
    client.update_persistent_subscription("s", "g", &changed).await.unwrap();
    let info = client.get_persistent_subscription_info("s", "g", &Default::default()).await.unwrap();
    let settings = info.settings.unwrap();
    assert_eq!((settings.max_retry_count, settings.consumer_strategy_name), (3, SystemConsumerStrategy::Pinned));
    assert_eq!((&*info.event_source, &*info.group_name, info.stats.last_known_event_revision), ("s", "g", Some(2)));
    let of_stream = client.list_persistent_subscriptions_for_stream("s", &Default::default()).await.unwrap();
    assert_eq!(of_stream.len(), 1);
    assert_eq!(client.list_all_persistent_subscriptions(&Default::default()).await.unwrap().len(), 1);
    let mut subscription = server.connect().await;
    subscription.next().await.unwrap();
    client.delete_persistent_subscription("s", "g", &Default::default()).await.unwrap();
    let dropped = async {
        loop {
            if let Err(error) = subscription.next().await {
                return error;
            }
        }
    };
    assert!(matches!(dropped.await, Error::IllegalStateError(_)));
    let missing = client.get_persistent_subscription_info("s", "g", &Default::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)));
    drop(subscription);
    assert!(server.stop().await);
}

#[tokio::test]
async fn no_more_consumers_than_allowed() {
    let server = Server::with_group(0, &from_start().max_subscriber_count(1)).await;
    let first = server.connect().await;
    let second = server.client.subscribe_to_persistent_subscription("s", "g", &Default::default()).await;
    assert!(second.is_err());
    drop(first);
    assert!(server.stop().await);
}

#[tokio::test]
async fn the_whole_log_through_a_filter() {
    let server = Server::start().await;
    let client = &server.client;
    server.append("other-1", 0..3).await;
    server.append("wanted-1", 3..6).await;
    for (group, filter) in [
        ("prefix", SubscriptionFilter::on_stream_name().add_prefix("wanted-")),
        ("expression", SubscriptionFilter::on_stream_name().regex("^wanted")),
    ] {
        let options = PersistentSubscriptionToAllOptions::default().start_from(StreamPosition::Start).filter(filter);
        client.create_persistent_subscription_to_all(group, &options).await.unwrap();
        client.update_persistent_subscription_to_all(group, &options).await.unwrap();
        let connected = client.subscribe_to_persistent_subscription_to_all(group, &Default::default()).await;
        let mut subscription = connected.unwrap();
        assert_eq!(work_off(&mut subscription, 3).await, [3, 4, 5]);
        let info = client.get_persistent_subscription_info_to_all(group, &Default::default()).await.unwrap();
        assert_eq!((&*info.event_source, info.connections.len()), ("$all", 1));
        client.replay_parked_messages_to_all(group, &Default::default()).await.unwrap();
    }
    assert_eq!(client.list_persistent_subscriptions_to_all(&Default::default()).await.unwrap().len(), 2);
    client.delete_persistent_subscription_to_all("prefix", &Default::default()).await.unwrap();
    assert_eq!(client.list_persistent_subscriptions_to_all(&Default::default()).await.unwrap().len(), 1);
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_restart_sends_consumers_away_and_keeps_the_group() {
    let server = Server::with_group(1, &from_start()).await;
    let mut subscription = server.connect().await;
    subscription.next().await.unwrap();
    server.client.restart_persistent_subscription_subsystem(&Default::default()).await.unwrap();
    assert!(subscription.next().await.is_err());
    let mut subscription = server.connect().await;
    assert_eq!(work_off(&mut subscription, 1).await, [0]);
    drop(subscription);
    assert!(server.stop().await);
}
