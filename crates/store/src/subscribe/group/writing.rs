//! Writing a group's state: which commit says it, and where the one write there may be is on its way.
//!
//! **One write at a time**, and one commit for all of it: the parked links, the progress that counts them as settled, and the prefix of
//! parked links that is hidden. So no message is ever both parked and delivered again, or neither. Nobody waits for a write but whoever asked for it
//! to be flushed; when a failed one is tried again, the state says, where what it should have settled stays outstanding.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    backing::{Backing, failure},
    documents::{ParkedNote, encode_progress, link_to},
};
use crate::{
    append::{Append, Outcome},
    commit::metadata::{StreamMetadata, with_truncate_before},
    correlation::correlation_of,
    error::{Error, Result},
    event::{EventData, RecordedEvent},
    name::{EventType, StreamName, system},
    order::Ticket,
    position::{ExpectedRevision, Revision},
    read::visible,
    subscribe::{
        GroupName,
        group_state::{ConsumerId, Park, ParkReason, Write, Written},
    },
};

/// What messages are to a group: shared with the consumers that have them.
pub(super) type Body = Arc<RecordedEvent>;

/// Where the write is, and how those before went.
#[derive(Debug, Default)]
pub(super) struct Writing {
    at: Place,
    /// Writes begun, and writes ended, well or not. Those of which there was nothing to write count.
    begun: u64,
    ended: u64,
    /// The last one, if it failed: which, and why.
    failed: Option<(u64, Error)>,
    /// Somebody waits for everything to be written.
    pub(super) is_wanted: bool,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    /// Somebody is proposing it, holding no lock.
    Leaving,
    /// In the order; with the number of messages it parks.
    Ordered(Ticket, usize),
}

impl Writing {
    /// Whether one is on its way.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.at, Place::Nowhere)
    }

    /// Takes note that a write begins.
    pub(super) fn begin(&mut self) {
        (self.at, self.is_wanted) = (Place::Leaving, false);
        self.begun += 1;
    }

    /// Takes note that there was nothing to write.
    pub(super) fn pass(&mut self) {
        self.is_wanted = false;
        self.begun += 1;
        self.ended = self.begun;
    }

    pub(super) fn ordered(&mut self, ticket: Ticket, parks: usize) {
        self.at = Place::Ordered(ticket, parks);
    }

    /// Whether the answer is there and was not taken.
    pub(super) fn is_answered(&self) -> bool {
        matches!(&self.at, Place::Ordered(ticket, _) if ticket.is_answered())
    }

    /// Asks for a write that begins from now on; answers with which it will be.
    pub(super) fn want(&mut self) -> u64 {
        self.is_wanted = true;
        self.begun + 1
    }

    /// Whether the write asked for has ended.
    pub(super) fn outcome_of(&self, write: u64) -> Option<Result<()>> {
        if self.ended < write {
            return None;
        }
        Some(match &self.failed {
            Some((failed, error)) if *failed >= write => Err(error.clone()),
            Some(_) | None => Ok(()),
        })
    }

    /// Why the last write failed.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failed.as_ref().map(|(_, error)| error)
    }

    /// What came of the write, if it is known by now. Does not wait.
    pub(super) fn settle(&mut self, parked: &StreamName) -> Option<Written> {
        let Place::Ordered(ticket, parks) = &mut self.at else { return None };
        if !ticket.is_answered() {
            return None;
        }
        let parks = *parks;
        let Poll::Ready(outcome) = Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop())) else { return None };
        self.at = Place::Nowhere;
        self.ended = self.begun;
        Some(match outcome {
            Ok(appended) => {
                self.failed = None;
                let stands = appended.next_revisions.iter().find(|next| next.stream == *parked);
                let first = stands.and_then(|stands| stands.next.0.checked_sub(parks as u64)).map(Revision);
                Written::Done { first_parked: first.filter(|_| parks > 0) }
            }
            Err(error) => {
                self.failed = Some((self.ended, failure(error)));
                Written::Failed
            }
        })
    }
}

/// Proposes the commit of a write, and sees to it that `waker` is called when it is answered. May wait for room in the order's queue.
pub(super) fn propose(
    backing: &Backing,
    group: &GroupName,
    write: &Write<Body>,
    name_of: impl Fn(ConsumerId) -> String,
    waker: &Waker,
) -> Ticket {
    let mut ticket = match commit(backing, group, write, name_of) {
        Ok(append) => backing.commit(append),
        Err(error) => Ticket::answered(Err(error.into())),
    };
    // Once: it keeps the waker, and sees to it that somebody is at the writer's work.
    let _: Poll<Outcome> = Pin::new(&mut ticket).poll(&mut Context::from_waker(waker));
    ticket
}

fn commit(
    backing: &Backing,
    group: &GroupName,
    write: &Write<Body>,
    name_of: impl Fn(ConsumerId) -> String,
) -> Result<Append> {
    let mut append = Append::to(group.checkpoint_stream(), ExpectedRevision::Any, [encode_progress(&write.progress)]);
    let parked = group.parked_stream();
    if !write.parks.is_empty() {
        let links = write.parks.iter().map(|park| link(park, &name_of));
        append = append.stream(parked.clone(), ExpectedRevision::Any, links);
    }
    if let Some(first) = write.truncate_parked_before {
        append = hide_before(append, backing, &parked, first)?;
    }
    Ok(append)
}

/// Adds to a commit that the events of a stream before `first` are hidden, unless more of it is, or all, because somebody has deleted it.
pub(super) fn hide_before(append: Append, backing: &Backing, stream: &StreamName, first: Revision) -> Result<Append> {
    with_metadata(append, backing, stream, |document| {
        let hidden = StreamMetadata::parse(document).truncate_before;
        hidden.is_none_or(|hidden| hidden < first.0).then(|| with_truncate_before(document, first.0))
    })
}

/// Adds to a commit that the metadata of a stream is what `change` makes of it, if it makes something else of it.
pub(super) fn with_metadata(
    append: Append,
    backing: &Backing,
    stream: &StreamName,
    change: impl FnOnce(&[u8]) -> Option<Bytes>,
) -> Result<Append> {
    let before = visible::metadata_event(&backing.library, stream, backing.to())?;
    let Some(document) = change(before.as_ref().map_or(&b"{}"[..], |event| event.view().data)) else {
        return Ok(append);
    };
    let event = EventData::json(EventType::trusted(system::METADATA), document);
    Ok(append.stream(stream.metadata_stream()?, ExpectedRevision::Any, [event]))
}

fn link(park: &Park<Body>, name_of: impl Fn(ConsumerId) -> String) -> EventData {
    let (reason, consumer, held) = match &park.why {
        ParkReason::Failed { reason, consumer } => {
            (reason.to_string(), consumer.map(&name_of).unwrap_or_default(), false)
        }
        ParkReason::Held { waits_for } => {
            (format!("waits for the parked event at position {waits_for}"), String::new(), true)
        }
    };
    let Park { position, key, retries, .. } = *park;
    let note = ParkedNote { reason, retries, key, position, consumer, held };
    link_to(&park.body, &note, correlation_of(&park.body.metadata))
}
