//! Who is there: one member, which leads, at an address a client can go on with.
//!
//! Clients that look for a cluster connect to what they are told here. An address that stands for all of a machine is none they can reach, and a
//! certificate names what they called, not where the server listens: then the server is where the client has found it.

use std::{net::SocketAddr, sync::Arc};

use axum::http::uri::Authority;
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

/// Where members are asked for.
pub(crate) const PATH: &str = "/event_store.client.gossip.Gossip/Read";

/// Where a server is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Where it listens.
    Bound(SocketAddr),
    /// Where the client has found it, by the [`Authority`] among what is known of its call; without one, where it listens.
    Found(SocketAddr),
}

impl Whereabouts {
    fn end_point(self, found: Option<&Authority>) -> EndPoint {
        let (bound, found) = match self {
            Self::Bound(bound) => (bound, None),
            Self::Found(bound) => (bound, found.filter(|found| !found.host().is_empty())),
        };
        let port = found.and_then(Authority::port_u16).unwrap_or_else(|| bound.port());
        // Brackets are not of the address, but of how it is written before a port.
        let host = found.map(|found| found.host().trim_start_matches('[').trim_end_matches(']').to_owned());
        EndPoint { address: host.unwrap_or_else(|| bound.ip().to_string()), port: port.into() }
    }
}

/// This server as clients see it that look for a cluster.
#[derive(Clone, Debug)]
pub struct Member {
    id: Uuid,
    place: Whereabouts,
    clock: Arc<dyn Clock>,
}

impl Member {
    /// The server at `place`, known by the id of its store.
    #[must_use]
    pub fn new(id: Uuid, place: Whereabouts) -> Self {
        Self { id, place, clock: Arc::new(SystemClock::default()) }
    }
}

#[tonic::async_trait]
impl Gossip for Member {
    async fn read(&self, request: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let member = MemberInfo {
            instance_id: Some(id::to_wire(self.id, IdForm::Text)),
            time_stamp: ticks(self.clock.now()),
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(self.place.end_point(request.extensions().get())),
        };
        Ok(Response::new(ClusterInfo { members: vec![member] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server in a container told clients to go on at 0.0.0.0.
    #[test]
    fn a_client_is_told_an_address_it_can_reach() {
        let told = |place: Whereabouts, found: Option<&str>| {
            let found: Option<Authority> = found.map(|found| found.parse().unwrap());
            let EndPoint { address, port } = place.end_point(found.as_ref());
            format!("{address} {port}")
        };
        let everywhere = Whereabouts::Found(SocketAddr::from(([0, 0, 0, 0], 2113)));
        assert_eq!(told(everywhere, Some("db.example:2200")), "db.example 2200");
        assert_eq!(told(everywhere, Some("[2001:db8::1]:2200")), "2001:db8::1 2200");
        assert_eq!(told(everywhere, Some("db.example")), "db.example 2113");
        assert_eq!(told(everywhere, None), "0.0.0.0 2113");
        let here = Whereabouts::Bound(SocketAddr::from(([127, 0, 0, 1], 2113)));
        assert_eq!(told(here, Some("db.example:2200")), "127.0.0.1 2113");
    }
}
