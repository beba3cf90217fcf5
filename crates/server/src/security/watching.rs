//! What makes lists and users be forgotten: everything that is recorded where they are kept, seen as any subscriber sees it.
//!
//! Whoever writes there through this server is answered only when it was seen here ([`Guard::seen`](super::Guard)); whoever writes there by another
//! way is seen a moment later. When the watch ends, nothing is remembered any more, and nobody waits for it.

use std::sync::Arc;

use gesta_store::{
    Error, EventStore, From, Position, Query, QueryItem, Source, StreamFilter, StreamName, SubscribeOptions,
};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tonic::Code;

use super::{
    Guard,
    action::described_by,
    users::{SETTINGS, USER_PREFIX},
};
use crate::{
    fault::Fault,
    pump::{Follower, Pull, Pulled, Step, pump},
    stopping::Stopping,
};

/// What metadata streams begin with.
const METADATA_PREFIX: &str = "$$";

/// Whether what is recorded in a stream makes something be forgotten.
pub(super) fn is_watched(stream: &str) -> bool {
    stream.starts_with(METADATA_PREFIX) || stream.starts_with(USER_PREFIX) || stream == SETTINGS
}

/// Follows what is recorded where lists and users are kept.
#[derive(Debug)]
pub(super) struct Watching {
    follower: Follower,
    /// How far was told.
    told: Position,
}

/// What was recorded there.
pub(super) struct Recorded {
    streams: Vec<String>,
    /// Everything below was seen, or is nothing to be seen.
    to: Position,
}

impl Watching {
    /// Begins to watch: nothing recorded from here on is missed.
    ///
    /// # Errors
    /// As [`EventStore::subscribe`].
    pub(super) fn begin(store: &EventStore) -> Result<Self, Error> {
        let query = Query::of(QueryItem::default().stream(StreamFilter::Prefix(METADATA_PREFIX.into())))
            .or(QueryItem::default().stream(StreamFilter::Prefix(USER_PREFIX.into())))
            .or(QueryItem::default().stream(StreamFilter::Exact(StreamName::new(SETTINGS)?)));
        let options = SubscribeOptions { from: From::Now, checkpoint_events: None, ..SubscribeOptions::default() };
        let follower = Follower::from(store.subscribe(Source::Query(query), options)?);
        Ok(Self { told: follower.looked_to(), follower })
    }

    /// Watches for a guard until the server stops; tells how far it has seen.
    pub(super) async fn watch(self, guard: Arc<Guard>, seen: watch::Sender<u64>, stopping: Stopping) {
        let mut recorded = pump(self, stopping);
        while let Some(met) = recorded.next().await {
            let Recorded { streams, to: Position(to) } = match met {
                Ok(recorded) => recorded,
                Err(status) if status.code() == Code::Unavailable => break,
                Err(status) => {
                    let why = status.message();
                    tracing::error!(why, "users and access lists cannot be followed, each is looked up every time");
                    break;
                }
            };
            for stream in streams {
                guard.forget(&stream);
            }
            seen.send_replace(to);
        }
        guard.go_blind();
    }
}

impl Pull for Watching {
    type Message = Recorded;

    async fn ready(&mut self) {
        self.follower.ready().await;
    }

    fn pull(&mut self) -> Result<Pulled<Recorded>, Fault> {
        let (step, mut streams) = (self.follower.step()?, Vec::new());
        if let Step::Events(batch) = &step {
            streams.extend(batch.iter().map(|event| event.stream.to_owned()));
            streams.dedup();
        }
        let to = self.follower.looked_to();
        if streams.is_empty() && to == self.told {
            return Ok(if matches!(step, Step::Idle) { Pulled::Wait } else { Pulled::Messages(Vec::new()) });
        }
        self.told = to;
        Ok(Pulled::Messages(vec![Recorded { streams, to }]))
    }
}

/// What is to be forgotten because of something recorded in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Affected<'s> {
    /// The list of this stream.
    List(&'s str),
    /// The default lists.
    Defaults,
    /// This user.
    User(&'s str),
}

/// What is to be forgotten because of something recorded in `stream`. Metadata hides what it describes, so it affects that too.
pub(super) fn affected(stream: &str) -> impl Iterator<Item = Affected<'_>> {
    let described = described_by(stream);
    let about = described.unwrap_or(stream);
    let defaults = (about == SETTINGS).then_some(Affected::Defaults);
    let user = about.strip_prefix(USER_PREFIX).map(Affected::User);
    described.map(Affected::List).into_iter().chain(defaults).chain(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_affects_what_it_is_about() {
        use Affected::{Defaults, List, User};
        let affected = |stream| affected(stream).collect::<Vec<_>>();
        assert_eq!(affected("order-1"), []);
        assert_eq!(affected("$$order-1"), [List("order-1")]);
        assert_eq!(affected("$settings"), [Defaults]);
        assert_eq!(affected("$$$settings"), [List("$settings"), Defaults]);
        assert_eq!(affected("$user-ada"), [User("ada")]);
        assert_eq!(affected("$$$user-ada"), [List("$user-ada"), User("ada")]);
    }
}
