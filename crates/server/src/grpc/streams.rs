//! The service of streams: reading, appending, deleting.

use std::sync::Arc;

use gesta_store::{
    EventStore,
    clock::{Clock, SystemClock},
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{append, batch_append, delete, read::Reading, subscribe::Following};
use crate::{
    admission::Admission,
    convert::request::{self, Extent},
    heard::Holding,
    proto::event_store::client::streams::{
        AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp, TombstoneReq,
        TombstoneResp, streams_server::Streams,
    },
    pump::{Pumped, pump},
    security::{Action, Security},
    stopping::Stopping,
    waiting::waiting,
};

/// The service of streams.
#[derive(Clone, Debug)]
pub struct StreamsService {
    store: EventStore,
    admission: Admission,
    security: Security,
    stopping: Stopping,
    clock: Arc<dyn Clock>,
}

impl StreamsService {
    /// The streams of `store`.
    #[must_use]
    pub fn new(store: EventStore, admission: Admission, security: Security, stopping: Stopping) -> Self {
        Self { store, admission, security, stopping, clock: Arc::new(SystemClock::default()) }
    }
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = Pumped<ReadResp>;
    type BatchAppendStream = Pumped<BatchAppendResp>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let rights = self.security.rights(&request);
        let request = request.into_inner();
        let request = if request::takes_time(&request) {
            waiting(move || request::from_wire(&request)).await?
        } else {
            request::from_wire(&request)?
        };
        rights.check(Action::read(request.subject.name())).await?;
        let (store, stopping) = (self.store.clone(), self.stopping.clone());
        Ok(Response::new(match request.extent {
            Extent::Count(count) => pump(Reading::new(store, request, rights, count), stopping),
            Extent::Subscription => {
                let following = Following::new(store, request, rights, Arc::clone(&self.clock))?;
                pump(following, stopping)
            }
        }))
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        append::append(&self.admission, &self.security.rights(&request), request.into_inner()).await.map(Response::new)
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let rights = self.security.rights(&request);
        Ok(Response::new(delete::delete(&self.admission, &rights, request.into_inner()).await?))
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        let rights = self.security.rights(&request);
        Ok(Response::new(delete::tombstone(&self.admission, &rights, request.into_inner()).await?))
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        let rights = self.security.rights(&request);
        let holding = request.extensions().get().map_or_else(Holding::default, |share| Holding::of(Arc::clone(share)));
        let (answers, receiver) = mpsc::channel(batch_append::PORTIONS_AHEAD);
        let call = batch_append::Call {
            admission: self.admission.clone(),
            rights,
            requests: request.into_inner(),
            holding,
            clock: Arc::clone(&self.clock),
        };
        tokio::spawn(batch_append::serve(call, answers, self.stopping.clone()));
        Ok(Response::new(Pumped::over(receiver)))
    }
}
