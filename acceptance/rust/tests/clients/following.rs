//! Catch-up subscriptions.

use kurrentdb::{
    StreamPosition, SubscribeToAllOptions, SubscribeToStreamOptions, Subscription, SubscriptionEvent,
    SubscriptionFilter,
};

use crate::server::{Server, number};

async fn take(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.push(number(&subscription.next().await.unwrap()));
    }
    numbers
}

#[tokio::test]
async fn a_stream_catches_up_and_goes_on() {
    let server = Server::start().await;
    server.append("s", 0..3).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Start);
    let mut subscription = server.client.subscribe_to_stream("s", &options).await;
    assert_eq!(take(&mut subscription, 3).await, [0, 1, 2]);
    server.append("s", 3..5).await;
    assert_eq!(take(&mut subscription, 2).await, [3, 4]);
    drop(subscription);
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_revision_is_what_was_seen_last() {
    let server = Server::start().await;
    server.append("s", 0..5).await;
    let options = SubscribeToStreamOptions::default().start_from(StreamPosition::Position(2));
    let mut subscription = server.client.subscribe_to_stream("s", &options).await;
    assert_eq!(take(&mut subscription, 2).await, [3, 4]);
    drop(subscription);
    assert!(server.stop().await);
}

#[tokio::test]
async fn the_whole_log_through_a_filter_with_checkpoints() {
    let server = Server::start().await;
    server.append("other-1", 0..200).await;
    server.append("wanted-1", 200..202).await;
    let filter = SubscriptionFilter::on_stream_name().add_prefix("wanted-");
    let options = SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter);
    let mut subscription = server.client.subscribe_to_all(&options).await;
    let (mut numbers, mut checkpoints) = (Vec::new(), 0);
    while numbers.len() < 2 || checkpoints == 0 {
        match subscription.next_subscription_event().await.unwrap() {
            SubscriptionEvent::EventAppeared(event) => numbers.push(number(&event)),
            SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
            _ => {}
        }
    }
    assert_eq!(numbers, [200, 201]);
    drop(subscription);
    assert!(server.stop().await);
}
