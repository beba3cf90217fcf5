//! How consumers come in and are sent away, whichever protocol they come by: whether they may, who they are, and until when they are served.

use std::sync::Arc;

use gesta_store::{ConsumerOptions, EventStore, GroupError, GroupName};
use tokio::sync::watch;
use tonic::{Request, Status};

use super::{Connections, Guest, Restarts, Seat};
use crate::{
    convert::group_info::Peer,
    security::{Action, Rights, Security},
    stopping::Stopping,
    waiting::waiting,
};

/// What the calls of consumers need of the server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    pub(crate) store: EventStore,
    pub(crate) security: Security,
    pub(crate) connections: Connections,
    pub(crate) restarts: Restarts,
    pub(crate) stopping: Stopping,
}

/// A consumer that was let in.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) seat: Arc<Seat>,
    pub(crate) rights: Rights,
    pub(crate) farewell: Farewell,
}

impl Reception {
    /// Makes whoever makes `call` a consumer of `group`, if he may read what it is a group of.
    ///
    /// # Errors
    /// That he may not; or why it cannot be, as `refused` puts it.
    pub(crate) async fn receive<E: Into<Status> + Send + 'static>(
        &self,
        call: Request<()>,
        group: GroupName,
        options: ConsumerOptions,
        refused: fn(&GroupName, GroupError) -> E,
    ) -> Result<Received, Status> {
        let rights = self.security.rights(&call);
        rights.check(Action::read(group.source())).await?;
        // Before there is a seat: whoever asks for a restart then means this consumer too.
        let farewell = Farewell { stopping: self.stopping.clone(), restarted: self.restarts.heard() };
        let address = call.remote_addr().map(|address| address.to_string()).unwrap_or_default();
        let peer = Peer { address, user: rights.login().to_owned() };
        let (store, connections) = (self.store.clone(), self.connections.clone());
        let seat = waiting(move || {
            let guest = Guest { group: group.clone(), options, peer };
            Seat::take(&store, guest, connections).map_err(|error| refused(&group, error))
        });
        Ok(Received { seat: Arc::new(seat.await?), rights, farewell })
    }
}

/// Hears that a consumer is to go.
#[derive(Debug)]
pub(crate) struct Farewell {
    stopping: Stopping,
    restarted: watch::Receiver<u64>,
}

/// Why a consumer is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The server is about to end.
    Stopping,
    /// Everybody is to connect again.
    Restart,
}

impl Farewell {
    /// Waits until the consumer is to go.
    pub(crate) async fn told(&mut self) -> Leave {
        tokio::select! {
            () = self.stopping.told() => Leave::Stopping,
            _ = self.restarted.changed() => Leave::Restart,
        }
    }
}
