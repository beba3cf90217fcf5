//! The service: asks the store what it is asked, in its own words.

use gesta_store::{
    AppendError, ConsumerGroups, Direction, Error, EventStore, GroupError, Position, Read, ReadOptions, Source,
    StreamName, SubscribeOptions,
};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::{
    append::{AppendRequest, appended_to_wire, rejection_to_wire},
    consuming::{self, Answers},
    events::batch_to_wire,
    failure,
    groups::{GroupChange, describe_groups, describe_parked},
    info,
    inspecting::plan_to_wire,
    messages::{
        AppendReq, AppendResp, ChangeGroupReq, ChangeGroupResp, ConsumeReq, ExplainReq, ExplainResp, FollowReq,
        FollowResp, GroupsReq, GroupsResp, InfoReq, InfoResp, ParkedReq, ParkedResp, ReadReq, ReadResp, StreamsReq,
        StreamsResp, VerifyReq, VerifyResp, append_resp::Verdict, store_server::Store, streams_resp,
    },
    query::{
        as_of_from_wire, as_of_to_wire, from_from_wire, from_to_wire, missing, query_from_wire, source_from_wire,
        source_to_wire,
    },
    verifying::Verifying,
};
use crate::{
    admission::Admission,
    consumers::Reception,
    fault::Fault,
    limits::{PARKED_TOLD_MAX, READ_BATCH_BYTES, READ_BATCH_EVENTS, STREAMS_LISTED_MAX},
    pump::{Follower, Pull, Pulled, Pumped, Step, batch_events, pump},
    waiting::waiting,
};

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct StoreService {
    reception: Reception,
    admission: Admission,
    dir: String,
    verifying: Verifying,
}

impl StoreService {
    /// The store in `dir`, whose appends go through `admission`, and whose consumers `reception` receives.
    pub(crate) fn new(reception: Reception, admission: Admission, dir: String) -> Self {
        Self { reception, admission, dir, verifying: Verifying::default() }
    }

    /// As `ask`, of its groups.
    async fn ask_groups<T: Send + 'static>(
        &self,
        question: impl FnOnce(ConsumerGroups) -> Result<T, GroupError> + Send + 'static,
    ) -> Result<T, Status> {
        self.ask(move |store| Ok(question(store.groups()))).await?.map_err(failure::group_status)
    }

    /// Asks the store something for which it may have to read, where waiting is allowed.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&EventStore) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Status> {
        let store = self.reception.store.clone();
        waiting(move || question(&store).map_err(|error| failure::status(&error))).await
    }
}

#[tonic::async_trait]
impl Store for StoreService {
    type ReadStream = Pumped<ReadResp>;
    type FollowStream = Pumped<FollowResp>;
    type VerifyStream = Pumped<VerifyResp>;
    type ConsumeStream = Answers;

    async fn info(&self, _: Request<InfoReq>) -> Result<Response<InfoResp>, Status> {
        let dir = self.dir.clone();
        let told = self.ask(move |store| Ok(info::describe(&store.info()?, dir))).await?;
        Ok(Response::new(told))
    }

    async fn streams(&self, request: Request<StreamsReq>) -> Result<Response<StreamsResp>, Status> {
        let StreamsReq { prefix, after, limit } = request.into_inner();
        let listed = self.ask(move |store| {
            let after = after.as_deref().map(StreamName::new).transpose()?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(STREAMS_LISTED_MAX);
            store.streams(&prefix, after.as_ref(), limit)
        });
        let stream = |stream: gesta_store::StreamInfo| streams_resp::Stream {
            name: stream.name.to_string(),
            last_revision: stream.last_revision.0,
            last_position: stream.last_position.0,
        };
        Ok(Response::new(StreamsResp { streams: listed.await?.into_iter().map(stream).collect() }))
    }

    async fn append(&self, request: Request<AppendReq>) -> Result<Response<AppendResp>, Status> {
        let request = AppendRequest::from_wire(request.into_inner()).map_err(|error| failure::status(&error))?;
        let verdict = match self.admission.commit(request.into()).await {
            Ok(appended) => Verdict::Appended(appended_to_wire(appended)),
            Err(AppendError::Rejected(rejection)) => Verdict::Rejection(rejection_to_wire(rejection)),
            Err(AppendError::Failed(error)) => return Err(failure::status(&error)),
        };
        Ok(Response::new(AppendResp { verdict: Some(verdict) }))
    }

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let (source, options) = read_options(request.into_inner()).map_err(|error| failure::status(&error))?;
        // Opened here, so that what is wrong with it is the answer to the call.
        let read = self.ask(move |store| store.read(source, options)).await?;
        Ok(Response::new(pump(Reading { read: Box::new(read), begun: false }, self.reception.stopping.clone())))
    }

    async fn follow(&self, request: Request<FollowReq>) -> Result<Response<Self::FollowStream>, Status> {
        let FollowReq { source, from, resolve_links } = request.into_inner();
        let asked = || {
            let options = SubscribeOptions {
                from: from_from_wire(from)?,
                resolve_links,
                batch_events: batch_events(&self.reception.store),
                batch_bytes: READ_BATCH_BYTES,
                ..SubscribeOptions::default()
            };
            Ok((source_from_wire(source)?, options))
        };
        let (source, options) = asked().map_err(|error: Error| failure::status(&error))?;
        let follower = self.ask(move |store| Ok(Follower::open(store, source, options)));
        let follower = follower.await?.map_err(failure::fault_status)?;
        Ok(Response::new(pump(Following(follower), self.reception.stopping.clone())))
    }

    async fn explain(&self, request: Request<ExplainReq>) -> Result<Response<ExplainResp>, Status> {
        let ExplainReq { query, read } = request.into_inner();
        let plan = self.ask(move |store| {
            let (_, options) = read_options(read.ok_or_else(|| missing("read"))?)?;
            store.explain(&query_from_wire(query.ok_or_else(|| missing("query"))?)?, &options)
        });
        Ok(Response::new(plan_to_wire(plan.await?)))
    }

    async fn verify(&self, _: Request<VerifyReq>) -> Result<Response<Self::VerifyStream>, Status> {
        self.verifying.start(&self.reception.store).map(Response::new)
    }

    async fn groups(&self, request: Request<GroupsReq>) -> Result<Response<GroupsResp>, Status> {
        let group = request.into_inner().group;
        let groups = self.ask_groups(move |groups| {
            let group = group.map(|group| group.parse()).transpose()?;
            describe_groups(&groups, group.as_ref())
        });
        Ok(Response::new(GroupsResp { groups: groups.await? }))
    }

    async fn change_group(&self, request: Request<ChangeGroupReq>) -> Result<Response<ChangeGroupResp>, Status> {
        let changed = self.ask_groups(move |groups| {
            let (group, change) = GroupChange::from_wire(request.into_inner())?;
            change.carry_out(&groups, &group)
        });
        Ok(Response::new(ChangeGroupResp { messages: changed.await? }))
    }

    async fn parked(&self, request: Request<ParkedReq>) -> Result<Response<ParkedResp>, Status> {
        let ParkedReq { group, from, limit } = request.into_inner();
        let messages = self.ask_groups(move |groups| {
            // Any of them may be as large as an event may be.
            let max = usize::try_from(limit).unwrap_or(usize::MAX).min(PARKED_TOLD_MAX);
            groups.parked(&group.parse()?, Position(from), max)
        });
        let mut bytes = 0;
        let messages = messages.await?.into_iter().map(describe_parked).take_while(|message| {
            let is_first = bytes == 0;
            bytes += message.encoded_len();
            is_first || bytes <= READ_BATCH_BYTES
        });
        Ok(Response::new(ParkedResp { messages: messages.collect() }))
    }

    async fn consume(&self, request: Request<Streaming<ConsumeReq>>) -> Result<Response<Answers>, Status> {
        consuming::consume(&self.reception, request).await.map(Response::new)
    }
}

/// A read as it goes over the wire.
#[must_use]
pub fn read_request(source: &Source, options: &ReadOptions) -> ReadReq {
    ReadReq {
        source: Some(source_to_wire(source)),
        backward: options.direction == Direction::Backward,
        from: Some(from_to_wire(options.from)),
        as_of: options.as_of.map(as_of_to_wire),
        limit: options.limit,
        resolve_links: options.resolve_links,
    }
}

/// A read from the wire.
///
/// # Errors
/// `Invalid`, for what is missing or no name.
pub fn read_options(request: ReadReq) -> Result<(Source, ReadOptions), Error> {
    let options = ReadOptions {
        direction: if request.backward { Direction::Backward } else { Direction::Forward },
        from: from_from_wire(request.from)?,
        as_of: request.as_of.map(as_of_from_wire).transpose()?,
        limit: request.limit,
        resolve_links: request.resolve_links,
        batch_events: READ_BATCH_EVENTS,
        batch_bytes: READ_BATCH_BYTES,
    };
    Ok((source_from_wire(request.source)?, options))
}

struct Reading {
    read: Box<Read>,
    begun: bool,
}

impl Pull for Reading {
    type Message = ReadResp;

    /// A read has an end, and never waits.
    async fn ready(&mut self) {}

    fn pull(&mut self) -> Result<Pulled<ReadResp>, Fault> {
        let head = self.read.head().0;
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(Pulled::Messages(vec![ReadResp { head, events: Vec::new() }]));
        }
        Ok(match self.read.next_batch()? {
            Some(batch) => Pulled::Messages(vec![ReadResp { head, events: batch_to_wire(&batch) }]),
            None => Pulled::End,
        })
    }
}

struct Following(Follower);

impl Pull for Following {
    type Message = FollowResp;

    async fn ready(&mut self) {
        self.0.ready().await;
    }

    fn pull(&mut self) -> Result<Pulled<FollowResp>, Fault> {
        let (events, caught_up) = match self.0.step()? {
            Step::Events(batch) => (batch_to_wire(&batch), false),
            Step::CaughtUp(_) => (Vec::new(), true),
            Step::Looked => (Vec::new(), false),
            Step::Idle => return Ok(Pulled::Wait),
        };
        Ok(Pulled::Messages(vec![FollowResp { events, checked_to: self.0.looked_to().0, caught_up }]))
    }
}
