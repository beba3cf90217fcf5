//! What a call costs before anybody has done anything for it: the same calls, answered at once by a bare service of the same library with the same
//! settings, in a process of its own.

use std::{net::SocketAddr, pin::Pin, process::Command};

use gesta_server::proto::event_store::client::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp, TombstoneReq,
    TombstoneResp, append_resp, batch_append_resp,
    streams_server::{Streams, StreamsServer},
};
use tokio_stream::{Stream, StreamExt, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use crate::program::Running;

/// The argument that makes this program the bare service.
pub(crate) const ARGUMENT: &str = "bare-service";

/// A bare service that runs, until it is dropped.
pub(crate) struct Bare {
    _process: Running,
    pub(crate) address: SocketAddr,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (process, line) = Running::start(command.arg(ARGUMENT));
        Self { _process: process, address: line.trim().parse().unwrap() }
    }
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let connections = TcpListenerStream::new(listener).map(|stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        });
        let server = tonic::transport::Server::builder().add_service(StreamsServer::new(Nothing));
        server.serve_with_incoming(connections).await.unwrap();
    });
}

/// Answers that all is done, and has done nothing.
struct Nothing;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Streams for Nothing {
    type ReadStream = Answers<ReadResp>;
    type BatchAppendStream = Answers<BatchAppendResp>;

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        let mut messages = request.into_inner();
        while messages.message().await?.is_some() {}
        Ok(Response::new(AppendResp { result: Some(append_resp::Result::Success(append_resp::Success::default())) }))
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        let answers = request.into_inner().map(|request| {
            let request = request?;
            Ok(BatchAppendResp {
                correlation_id: request.correlation_id,
                result: Some(batch_append_resp::Result::Success(batch_append_resp::Success::default())),
                ..BatchAppendResp::default()
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn read(&self, _: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        Err(Status::unimplemented("it only answers appends"))
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented("it only answers appends"))
    }

    async fn tombstone(&self, _: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        Err(Status::unimplemented("it only answers appends"))
    }
}
