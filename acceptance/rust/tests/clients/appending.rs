//! Appends, one by one and in batches.

use kurrentdb::{
    AppendToStreamOptions, BatchAppendOptions, CurrentRevision, Error, StreamMetadata, StreamMetadataResult,
    StreamState,
};

use crate::server::{Server, events};

fn expecting(state: StreamState) -> AppendToStreamOptions {
    AppendToStreamOptions::default().stream_state(state)
}

#[tokio::test]
async fn appends_are_checked_against_what_is_expected() {
    let server = Server::start().await;
    let append = async |state, count| server.client.append_to_stream("s", &expecting(state), events(0..count)).await;
    let first = append(StreamState::NoStream, 3).await.unwrap();
    assert_eq!(first.next_expected_version, 2);
    let second = append(StreamState::StreamRevision(2), 1).await.unwrap();
    assert!(second.position > first.position);
    append(StreamState::StreamExists, 1).await.unwrap();
    for state in [StreamState::NoStream, StreamState::StreamRevision(9)] {
        match append(state, 1).await {
            Err(Error::WrongExpectedVersion { expected, current }) => {
                assert_eq!((expected, current), (state, CurrentRevision::Current(4)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn a_batch_client_appends_to_many_streams() {
    let server = Server::start().await;
    let batches = server.client.batch_append(&BatchAppendOptions::default()).await.unwrap();
    for (stream, state, expected) in [
        ("a", StreamState::NoStream, Some(1)),
        ("b", StreamState::Any, Some(1)),
        ("a", StreamState::StreamRevision(1), Some(3)),
    ] {
        let written = batches.append_to_stream(stream, state, events(0..2)).await.unwrap();
        assert_eq!((written.stream_name(), written.current_revision()), (stream, expected));
    }
    assert!(batches.append_to_stream("a", StreamState::NoStream, events(0..2)).await.is_err());
    assert!(server.stop().await);
}

#[tokio::test]
async fn metadata_comes_back() {
    let server = Server::start().await;
    server.append("s", 0..5).await;
    let metadata = StreamMetadata { max_count: Some(2), ..StreamMetadata::default() };
    server.client.set_stream_metadata("s", &AppendToStreamOptions::default(), &metadata).await.unwrap();
    let read = server.client.get_stream_metadata("s", &Default::default()).await.unwrap();
    match read {
        StreamMetadataResult::Success(read) => assert_eq!(read.metadata().max_count, Some(2)),
        other => panic!("{other:?}"),
    }
    assert!(server.stop().await);
}

#[tokio::test]
async fn the_server_says_what_it_is() {
    let server = Server::start().await;
    let info = server.client.server_info().await.unwrap();
    assert_eq!((info.version().major(), info.version().minor()), (26, 1));
    assert!(server.stop().await);
}
