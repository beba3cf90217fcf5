//! The service of persistent subscriptions: groups of consumers, whose state the store keeps.
//!
//! In reading order: `in_hand` is which messages a client has; `reading` is the call that brings them and takes the answers; `infos` is what is told
//! of groups; and this file is the door. What consumers of every protocol share is in [`consumers`](crate::consumers).

mod in_hand;
mod infos;
mod reading;

use gesta_store::{Discard, EventStore, GroupError, GroupName, GroupSettings, Replay, Revision};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    consumers::Reception,
    convert::group::{self, Change, Creation},
    fault::Fault,
    group_fault::GroupFault,
    proto::event_store::client::{
        Empty,
        persistent_subscriptions::{
            CreateReq, CreateResp, DeleteReq, DeleteResp, GetInfoReq, GetInfoResp, ListReq, ListResp, ReadReq,
            ReadResp, ReplayParkedReq, ReplayParkedResp, TruncateParkedReq, TruncateParkedResp, UpdateReq, UpdateResp,
            persistent_subscriptions_server::PersistentSubscriptions, replay_parked_req, truncate_parked_req,
        },
    },
    pump::Pumped,
    waiting::waiting,
};

/// The service of persistent subscriptions.
#[derive(Clone, Debug)]
pub struct PersistentSubscriptionsService {
    reception: Reception,
}

impl PersistentSubscriptionsService {
    /// The groups of the store whose consumers `reception` receives.
    #[must_use]
    pub(crate) fn new(reception: Reception) -> Self {
        Self { reception }
    }

    /// Does something with a group that may wait for a disk.
    async fn with_group<T: Send + 'static>(
        &self,
        group: GroupName,
        what: impl FnOnce(&EventStore, &GroupName) -> Result<T, GroupError> + Send + 'static,
    ) -> Result<T, Status> {
        let store = self.reception.store.clone();
        waiting(move || what(&store, &group).map_err(|error| GroupFault::refused(&group, error))).await
    }
}

fn options<T>(options: Option<T>) -> Result<T, Fault> {
    options.ok_or_else(|| Fault::Invalid("options are missing".to_owned()))
}

#[tonic::async_trait]
impl PersistentSubscriptions for PersistentSubscriptionsService {
    type ReadStream = Pumped<ReadResp>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let store = self.reception.store.clone();
        waiting(move || {
            // Here too, since an expression takes its time to be made ready.
            let Creation { group, source, settings } = group::creation(request.get_ref())?;
            store.groups().create(&group, source, settings).map_err(|error| GroupFault::refused(&group, error))
        })
        .await?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let Change { group, settings } = group::change(request.get_ref())?;
        self.with_group(group, move |store, group| {
            let only = store.groups().config(group)?.settings.only;
            store.groups().update(group, GroupSettings { only, ..settings })
        })
        .await?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let options = options(request.into_inner().options)?;
        let group = group::named(options.stream_option.as_ref(), &options.group_name)?;
        self.with_group(group, |store, group| store.groups().delete(group)).await?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn read(&self, request: Request<Streaming<ReadReq>>) -> Result<Response<Self::ReadStream>, Status> {
        reading::read(&self.reception, request).await.map(Response::new)
    }

    async fn get_info(&self, request: Request<GetInfoReq>) -> Result<Response<GetInfoResp>, Status> {
        let options = options(request.into_inner().options)?;
        let group = group::named(options.stream_option.as_ref(), &options.group_name)?;
        let (store, connections) = (self.reception.store.clone(), self.reception.connections.clone());
        let info = waiting(move || infos::of(&store, &connections, &group)).await?;
        Ok(Response::new(GetInfoResp { subscription_info: Some(info) }))
    }

    async fn replay_parked(&self, request: Request<ReplayParkedReq>) -> Result<Response<ReplayParkedResp>, Status> {
        use replay_parked_req::options::StopAtOption;
        let options = options(request.into_inner().options)?;
        let group = group::named(options.stream_option.as_ref(), &options.group_name)?;
        let which = match options.stop_at_option {
            Some(StopAtOption::StopAt(count)) => Replay::Count(group::count(&group, count)?),
            Some(StopAtOption::NoLimit(_)) | None => Replay::All,
        };
        self.with_group(group, move |store, group| store.groups().replay(group, which)).await?;
        Ok(Response::new(ReplayParkedResp {}))
    }

    async fn truncate_parked(
        &self,
        request: Request<TruncateParkedReq>,
    ) -> Result<Response<TruncateParkedResp>, Status> {
        use truncate_parked_req::options::StopAtOption;
        let options = options(request.into_inner().options)?;
        let group = group::named(options.stream_option.as_ref(), &options.group_name)?;
        let which = match options.stop_at_option {
            Some(StopAtOption::StopAt(revision)) => Discard::Before(Revision(group::count(&group, revision)?)),
            Some(StopAtOption::NoLimit(_)) | None => Discard::All,
        };
        self.with_group(group, move |store, group| store.groups().discard_parked(group, which)).await?;
        Ok(Response::new(TruncateParkedResp {}))
    }

    async fn list(&self, request: Request<ListReq>) -> Result<Response<ListResp>, Status> {
        let which = infos::which(request.get_ref())?;
        let (store, connections) = (self.reception.store.clone(), self.reception.connections.clone());
        let subscriptions = waiting(move || infos::list(&store, &connections, &which)).await?;
        Ok(Response::new(ListResp { subscriptions }))
    }

    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.reception.restarts.restart();
        Ok(Response::new(Empty {}))
    }
}
