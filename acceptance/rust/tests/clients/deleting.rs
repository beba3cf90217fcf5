//! Deletions, until somebody appends again and for ever.

use kurrentdb::{DeleteStreamOptions, Error, ReadStreamOptions, StreamState, TombstoneStreamOptions};

use crate::server::{Server, number};

async fn first(server: &Server, stream: &str) -> kurrentdb::Result<Option<u64>> {
    let mut read = server.client.read_stream(stream, &ReadStreamOptions::default()).await?;
    Ok(read.next().await?.map(|event| number(&event)))
}

#[tokio::test]
async fn a_deleted_stream_begins_again() {
    let server = Server::start().await;
    server.append("s", 0..3).await;
    let expecting = DeleteStreamOptions::default().stream_state(StreamState::StreamRevision(2));
    assert!(server.client.delete_stream("s", &expecting).await.unwrap().is_some());
    assert!(matches!(first(&server, "s").await, Err(Error::ResourceNotFound)));
    server.append("s", 3..4).await;
    assert_eq!(first(&server, "s").await.unwrap(), Some(3));
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_tombstone_is_for_ever() {
    let server = Server::start().await;
    server.append("s", 0..3).await;
    server.client.tombstone_stream("s", &TombstoneStreamOptions::default()).await.unwrap();
    assert!(matches!(first(&server, "s").await, Err(Error::ResourceDeleted)));
    let again = server.client.append_to_stream("s", &Default::default(), crate::server::events(0..1)).await;
    assert!(matches!(again, Err(Error::ResourceDeleted)), "{again:?}");
    assert!(server.stop().await);
}
