//! Reads of streams and of the whole log.

use kurrentdb::{Error, ReadAllOptions, ReadStream, ReadStreamOptions, StreamPosition, SubscriptionFilter};

use crate::server::{Server, number};

async fn all(mut read: ReadStream) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(event) = read.next().await.unwrap() {
        // Who reads the whole log as the administrator of a server with users meets those too.
        if !event.event.as_ref().unwrap().stream_id().starts_with('$') {
            numbers.push(number(&event));
        }
    }
    numbers
}

#[tokio::test]
async fn streams_both_ways() {
    let server = Server::start().await;
    server.append("s", 0..10).await;
    let read = async |options: ReadStreamOptions| all(server.client.read_stream("s", &options).await.unwrap()).await;
    assert_eq!(read(ReadStreamOptions::default()).await, (0..10).collect::<Vec<_>>());
    assert_eq!(read(ReadStreamOptions::default().position(StreamPosition::Position(8))).await, [8, 9]);
    assert_eq!(read(ReadStreamOptions::default().max_count(2)).await, [0, 1]);
    let backwards = ReadStreamOptions::default().backwards();
    assert_eq!(read(backwards.position(StreamPosition::End).max_count(2)).await, [9, 8]);
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_missing_stream() {
    let server = Server::start().await;
    let read = server.client.read_stream("missing", &ReadStreamOptions::default()).await;
    let missing = match read {
        Ok(mut read) => read.next().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(missing, Error::ResourceNotFound), "{missing:?}");
    assert!(server.stop().await);
}

#[tokio::test]
async fn the_whole_log_through_filters() {
    let server = Server::start().await;
    server.append("wanted-1", 0..3).await;
    server.append("other-1", 3..5).await;
    let read = async |options: ReadAllOptions| all(server.client.read_all(&options).await.unwrap()).await;
    assert_eq!(read(ReadAllOptions::default()).await, [0, 1, 2, 3, 4]);
    let backwards = ReadAllOptions::default().backwards().position(StreamPosition::End);
    assert_eq!(read(backwards.max_count(2)).await, [4, 3]);
    let by_prefix = SubscriptionFilter::on_stream_name().add_prefix("wanted-");
    assert_eq!(read(ReadAllOptions::default().filter(by_prefix)).await, [0, 1, 2]);
    let by_expression = SubscriptionFilter::on_stream_name().regex("^other");
    assert_eq!(read(ReadAllOptions::default().filter(by_expression)).await, [3, 4]);
    assert!(server.stop().await);
}

#[tokio::test]
async fn categories_are_streams_of_links() {
    let server = Server::start().await;
    server.append("ship-1", 0..1).await;
    server.append("ship-2", 1..2).await;
    let resolved = ReadStreamOptions::default().resolve_link_tos();
    assert_eq!(all(server.client.read_stream("$ce-ship", &resolved).await.unwrap()).await, [0, 1]);
    let mut links = server.client.read_stream("$ce-ship", &ReadStreamOptions::default()).await.unwrap();
    let link = links.next().await.unwrap().unwrap();
    assert_eq!(link.get_original_event().event_type, "$>");
    assert!(server.stop().await);
}
