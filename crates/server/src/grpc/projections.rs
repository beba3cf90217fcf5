//! The service of projections: the five of KurrentDB that clients rely on, which are always there, and none of anybody's own.
//!
//! Here the streams they would write are answered from the index, so they run by nature: there is nothing to start, to stop or to rebuild.

use gesta_store::{EventStore, Position};
use prost_types::{Struct, Value, value::Kind};
use tokio_stream::{Iter, iter};
use tonic::{Request, Response, Status};

use crate::{
    convert::group_info,
    fault::Fault,
    proto::event_store::client::{
        Empty,
        projections::{
            CreateReq, CreateResp, DeleteReq, DeleteResp, DisableReq, DisableResp, EnableReq, EnableResp, ResetReq,
            ResetResp, ResultReq, ResultResp, StateReq, StateResp, StatisticsReq, StatisticsResp, UpdateReq,
            UpdateResp, projections_server::Projections, statistics_req::options::Mode, statistics_resp::Details,
        },
    },
};

/// Those that are there.
const NAMES: [&str; 5] = ["$by_category", "$by_correlation_id", "$by_event_type", "$stream_by_category", "$streams"];
/// What is said to whoever brings one of his own.
const NONE_OF_ONES_OWN: &str = "projections of one's own are not offered: $ce-, $et-, $bc- and $streams can be read without them; \
     fold in the application, or with gesta's models";

/// The service of projections.
#[derive(Clone, Debug)]
pub struct ProjectionsService {
    store: EventStore,
}

impl ProjectionsService {
    /// The projections over `store`.
    #[must_use]
    pub fn new(store: EventStore) -> Self {
        Self { store }
    }

    fn details(&self, name: &str) -> StatisticsResp {
        let Position(head) = self.store.head().position();
        let position = head.checked_sub(1).map(|last| group_info::position(Position(last))).unwrap_or_default();
        StatisticsResp {
            details: Some(Details {
                effective_name: name.to_owned(),
                status: "Running".to_owned(),
                state_reason: "answered from the index".to_owned(),
                name: name.to_owned(),
                mode: "Continuous".to_owned(),
                last_checkpoint: position.clone(),
                position,
                progress: 100.0,
                ..Details::default()
            }),
        }
    }
}

/// The one of this name, if there is one.
fn known(name: &str) -> Result<&'static str, Status> {
    let found = NAMES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| Status::not_found(format!("Projection '{name}' not found")))
}

fn always_runs(name: &str) -> Status {
    Status::failed_precondition(format!(
        "projection is always there and costs nothing, it cannot be stopped or deleted, name={name}"
    ))
}

fn missing() -> Fault {
    Fault::Invalid("options are missing".to_owned())
}

#[tonic::async_trait]
impl Projections for ProjectionsService {
    type StatisticsStream = Iter<std::vec::IntoIter<Result<StatisticsResp, Status>>>;

    async fn create(&self, _: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        Err(Status::unimplemented(NONE_OF_ONES_OWN))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        let name = request.into_inner().options.ok_or_else(missing)?.name;
        known(&name)?;
        Err(Status::unimplemented(NONE_OF_ONES_OWN))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let name = known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Err(always_runs(name))
    }

    async fn statistics(&self, request: Request<StatisticsReq>) -> Result<Response<Self::StatisticsStream>, Status> {
        let mode = request.into_inner().options.and_then(|options| options.mode).ok_or_else(missing)?;
        let names = match &mode {
            Mode::Name(name) => vec![known(name)?],
            Mode::All(_) | Mode::Continuous(_) => NAMES.to_vec(),
            Mode::Transient(_) | Mode::OneTime(_) => Vec::new(),
        };
        let details: Vec<_> = names.into_iter().map(|name| Ok(self.details(name))).collect();
        Ok(Response::new(iter(details)))
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        let name = known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Err(always_runs(name))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Ok(Response::new(EnableResp {}))
    }

    /// Nothing is kept that could be wrong, so what a reset would come to is there already.
    async fn reset(&self, request: Request<ResetReq>) -> Result<Response<ResetResp>, Status> {
        known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Ok(Response::new(ResetResp {}))
    }

    async fn state(&self, request: Request<StateReq>) -> Result<Response<StateResp>, Status> {
        known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Ok(Response::new(StateResp { state: Some(nothing()) }))
    }

    async fn result(&self, request: Request<ResultReq>) -> Result<Response<ResultResp>, Status> {
        known(&request.into_inner().options.ok_or_else(missing)?.name)?;
        Ok(Response::new(ResultResp { result: Some(nothing()) }))
    }

    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }
}

/// The state of those that have none.
fn nothing() -> Value {
    Value { kind: Some(Kind::StructValue(Struct::default())) }
}
