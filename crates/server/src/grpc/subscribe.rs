//! A subscription: a read that goes on, with words beside its events: that it is confirmed, how far it has looked, that it has caught up.

use std::sync::Arc;

use gesta_store::{
    Batch, EventStore, From, NameExpression, Position, Revision, Source, StreamName, StreamStatus, SubscribeOptions,
    clock::Clock,
    name::{is_virtual, system},
};
use uuid::Uuid;

use super::read::{event_message, picked};
use crate::{
    convert::{
        checkpoints::Checkpoints,
        filter::{CheckpointEvery, Filter, Selection},
        recorded,
        request::{Links, Place, ReadRequest, Subject},
    },
    fault::Fault,
    limits::READ_BATCH_BYTES,
    proto::event_store::client::streams::{
        ReadResp,
        read_resp::{self, CaughtUp, Checkpoint, Content, SubscriptionConfirmation},
    },
    pump::{Follower, Pull, Pulled, Step, batch_events},
    security::Rights,
};

/// A subscription in progress.
#[derive(Debug)]
pub(super) struct Following {
    store: EventStore,
    request: ReadRequest,
    rights: Rights,
    clock: Arc<dyn Clock>,
    /// Events between two checkpoints; `None` without a filter.
    checkpoint_every: Option<u64>,
    /// The last revision of a stream that was delivered.
    revision: Option<Revision>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    Follow(Box<Open>),
    /// The stream that is followed was ended.
    Deleted(StreamName),
}

#[derive(Debug)]
struct Open {
    follower: Follower,
    expressed: Option<NameExpression>,
    checkpoints: Option<Checkpoints>,
}

impl Following {
    /// A subscription to what `request` names.
    ///
    /// # Errors
    /// `Invalid` when a filter does not say how often checkpoints are wanted.
    pub(super) fn new(
        store: EventStore,
        request: ReadRequest,
        rights: Rights,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let filter = match &request.subject {
            Subject::All(_, filter) => filter.as_ref(),
            Subject::Stream(..) => None,
        };
        let checkpoint_every = filter.map(checkpoint_every).transpose()?;
        Ok(Self { store, request, rights, clock, checkpoint_every, revision: None, state: State::Begin })
    }

    fn open(&mut self) -> Result<Open, Fault> {
        let (source, from, expressed) = match &self.request.subject {
            Subject::Stream(name, place) => {
                let ended =
                    !is_virtual(name) && matches!(self.store.stream_status(name)?, StreamStatus::Tombstoned { .. });
                if ended {
                    return Err(Fault::StreamDeleted(name.clone()));
                }
                let from = match *place {
                    Place::Start => From::Beginning,
                    Place::End => From::Now,
                    Place::At(revision) => {
                        self.revision = Some(revision);
                        From::Revision(Revision(revision.0.saturating_add(1)))
                    }
                };
                (Source::Stream(name.clone()), from, None)
            }
            Subject::All(place, filter) => {
                let from = match *place {
                    Place::Start => From::Beginning,
                    Place::End => From::Now,
                    Place::At(position) => From::Position(Position(position.0.saturating_add(1))),
                };
                let (source, expressed) = source_of(filter.as_ref());
                (source, from, expressed)
            }
        };
        let options = SubscribeOptions {
            from,
            resolve_links: self.request.links == Links::Resolved,
            batch_events: batch_events(&self.store),
            batch_bytes: READ_BATCH_BYTES,
            checkpoint_events: self.checkpoint_every,
        };
        let follower = Follower::open(&self.store, source, options)?;
        let checkpoints = self.checkpoint_every.map(|every| Checkpoints::new(follower.looked_to(), every));
        Ok(Open { follower, expressed, checkpoints })
    }

    fn step(&mut self, open: &mut Open) -> Result<Pulled<ReadResp>, Fault> {
        Ok(match open.follower.step()? {
            Step::Events(batch) => Pulled::Messages(self.events(open, &batch)?),
            Step::CaughtUp(head) => {
                let checkpoint = open.checkpoints.as_mut().and_then(|checkpoints| checkpoints.caught_up(head));
                let checkpoint = checkpoint.map(|position| self.checkpoint(position));
                Pulled::Messages(checkpoint.into_iter().chain([self.caught_up(head)]).collect())
            }
            Step::Looked => Pulled::Messages(self.looked_to(open).into_iter().collect()),
            Step::Idle => match self.looked_to(open) {
                Some(checkpoint) => Pulled::Messages(vec![checkpoint]),
                None => Pulled::Wait,
            },
        })
    }

    fn events(&mut self, open: &mut Open, batch: &Batch) -> Result<Vec<ReadResp>, Fault> {
        let mut messages = Vec::with_capacity(if open.expressed.is_some() { 0 } else { batch.len() });
        for event in picked(batch, open.expressed.as_ref()) {
            let (index, place) = event?;
            if let Some(due) = open.checkpoints.as_mut().and_then(|checkpoints| checkpoints.passed(place)) {
                messages.push(self.checkpoint(due));
            }
            messages.extend(event_message(batch, index, &self.request, &self.rights)?);
        }
        if let Subject::Stream(name, _) = &self.request.subject
            && let Some((last, link)) = batch.iter().last().map(|last| (last, batch.link(batch.len() - 1)))
        {
            self.revision = Some(link.map_or(last.revision, |link| link.revision));
            if link.is_none() && last.event_type == system::STREAM_DELETED {
                // Clients hear of the end of a stream by the end of the call.
                messages.pop();
                self.state = State::Deleted(name.clone());
            }
        }
        messages.extend(self.looked_to(open));
        Ok(messages)
    }

    /// The checkpoint that is due by how far the log was looked at.
    fn looked_to(&self, open: &mut Open) -> Option<ReadResp> {
        let looked_to = open.follower.looked_to();
        let due = open.checkpoints.as_mut()?.passed(looked_to)?;
        Some(self.checkpoint(due))
    }

    fn checkpoint(&self, position: Position) -> ReadResp {
        let checkpoint = Checkpoint {
            commit_position: position.0,
            prepare_position: position.0,
            timestamp: Some(recorded::timestamp(self.clock.now())),
        };
        ReadResp { content: Some(Content::Checkpoint(checkpoint)) }
    }

    fn caught_up(&self, head: Position) -> ReadResp {
        let (stream_revision, position) = match &self.request.subject {
            Subject::Stream(..) => (self.revision.and_then(|revision| i64::try_from(revision.0).ok()), None),
            Subject::All(..) => (None, head.0.checked_sub(1)),
        };
        let position =
            position.map(|position| read_resp::Position { commit_position: position, prepare_position: position });
        let timestamp = Some(recorded::timestamp(self.clock.now()));
        ReadResp { content: Some(Content::CaughtUp(CaughtUp { timestamp, stream_revision, position })) }
    }
}

impl Pull for Following {
    type Message = ReadResp;

    async fn ready(&mut self) {
        if let State::Follow(open) = &mut self.state {
            open.follower.ready().await;
        }
    }

    fn pull(&mut self) -> Result<Pulled<ReadResp>, Fault> {
        match std::mem::replace(&mut self.state, State::Begin) {
            State::Begin => {
                self.state = State::Follow(Box::new(self.open()?));
                let confirmation = SubscriptionConfirmation { subscription_id: Uuid::now_v7().to_string() };
                Ok(Pulled::Messages(vec![ReadResp { content: Some(Content::Confirmation(confirmation)) }]))
            }
            State::Follow(mut open) => {
                let pulled = self.step(&mut open)?;
                if matches!(self.state, State::Begin) {
                    self.state = State::Follow(open);
                }
                Ok(pulled)
            }
            State::Deleted(name) => Err(Fault::StreamDeleted(name)),
        }
    }
}

fn source_of(filter: Option<&Filter>) -> (Source, Option<NameExpression>) {
    match filter.map(|filter| &filter.selection) {
        None => (Source::All, None),
        Some(Selection::Indexed(query)) => (Source::Query(query.clone()), None),
        Some(Selection::Scanned(expressed)) => (Source::All, Some(expressed.clone())),
    }
}

fn checkpoint_every(filter: &Filter) -> Result<u64, Fault> {
    match filter.checkpoint_every {
        CheckpointEvery::Events(events) => Ok(events),
        CheckpointEvery::NoWindow => {
            Err(Fault::Invalid("window of the filter is missing, say max or count".to_owned()))
        }
        CheckpointEvery::Never => Err(Fault::Invalid("checkpoint interval multiplier must not be 0".to_owned())),
    }
}
