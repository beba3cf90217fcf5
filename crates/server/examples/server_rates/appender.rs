//! A client that appends one event after the other: with a call for each, or on one call that it keeps open.

use std::net::SocketAddr;

use gesta_server::proto::event_store::client::streams::{BatchAppendReq, BatchAppendResp, batch_append_resp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::client::{self, Streams};

/// How a client appends.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// `Append`: a call for each.
    Unary,
    /// `BatchAppend`: one call for all of a client's.
    OpenCall,
}

/// One client, with a connection of its own.
pub(crate) enum Appender {
    Unary(Streams),
    OpenCall { requests: mpsc::Sender<BatchAppendReq>, answers: Streaming<BatchAppendResp> },
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unary => "unary append",
            Self::OpenCall => "append on an open call",
        }
    }

    pub(crate) async fn connect(self, address: SocketAddr) -> Appender {
        let mut client = client::connect(address).await;
        match self {
            Self::Unary => Appender::Unary(client),
            Self::OpenCall => {
                let (requests, asked) = mpsc::channel(1);
                let answers = client.batch_append(ReceiverStream::new(asked)).await.unwrap().into_inner();
                Appender::OpenCall { requests, answers }
            }
        }
    }
}

impl Appender {
    /// Sends one event, and waits until it is durable.
    pub(crate) async fn append(&mut self, stream: &str) {
        match self {
            Self::Unary(client) => {
                client.append(tokio_stream::iter(client::append(stream, 1))).await.unwrap();
            }
            Self::OpenCall { requests, answers } => {
                requests.send(client::batch(stream, 1)).await.unwrap();
                let answer = answers.message().await.unwrap().unwrap();
                assert!(matches!(answer.result, Some(batch_append_resp::Result::Success(_))), "it is recorded");
            }
        }
    }
}
