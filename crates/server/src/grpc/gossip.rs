//! Who is there: one member, which leads.

use std::{net::SocketAddr, sync::Arc};

use gesta_store::clock::{Clock, SystemClock};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    convert::{
        id::{self, IdForm},
        recorded::ticks,
    },
    proto::event_store::client::{
        Empty,
        gossip::{ClusterInfo, EndPoint, MemberInfo, gossip_server::Gossip, member_info::VNodeState},
    },
};

/// This server as clients see it that look for a cluster.
#[derive(Clone, Debug)]
pub struct Member {
    id: Uuid,
    address: SocketAddr,
    clock: Arc<dyn Clock>,
}

impl Member {
    /// The server at `address`, known by the id of its store.
    #[must_use]
    pub fn new(id: Uuid, address: SocketAddr) -> Self {
        Self { id, address, clock: Arc::new(SystemClock::default()) }
    }
}

#[tonic::async_trait]
impl Gossip for Member {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let member = MemberInfo {
            instance_id: Some(id::to_wire(self.id, IdForm::Text)),
            time_stamp: ticks(self.clock.now()),
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint { address: self.address.ip().to_string(), port: self.address.port().into() }),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}
