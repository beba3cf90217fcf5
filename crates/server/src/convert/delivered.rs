//! A message of a group as its consumer gets it: an event as a read has it, and how often it came before.

use gesta_store::Message;
use uuid::Uuid;

use super::{id::IdForm, recorded, request::Links};
use crate::proto::event_store::client::{
    persistent_subscriptions::read_resp::{self, ReadEvent, read_event as delivered},
    streams::read_resp::read_event as read,
};

/// The id by which a client answers the message: that of the link it was reached by, if it was.
#[must_use]
pub fn answered_by(message: &Message) -> Uuid {
    message.event.link.as_ref().map_or(message.event.id, |link| link.id)
}

/// A message for the wire.
#[must_use]
pub fn to_wire(message: &Message, form: IdForm, links: Links) -> read_resp::Content {
    let sent = recorded::to_wire(&message.event, form, links);
    read_resp::Content::Event(ReadEvent {
        event: sent.event.map(of_a_group),
        link: sent.link.map(of_a_group),
        position: sent.position.map(|position| match position {
            read::Position::CommitPosition(position) => delivered::Position::CommitPosition(position),
            read::Position::NoPosition(nowhere) => delivered::Position::NoPosition(nowhere),
        }),
        count: Some(delivered::Count::RetryCount(i32::try_from(message.retries).unwrap_or(i32::MAX))),
    })
}

/// The two services have the same message under two names.
fn of_a_group(event: read::RecordedEvent) -> delivered::RecordedEvent {
    delivered::RecordedEvent {
        id: event.id,
        stream_identifier: event.stream_identifier,
        stream_revision: event.stream_revision,
        prepare_position: event.prepare_position,
        commit_position: event.commit_position,
        metadata: event.metadata,
        custom_metadata: event.custom_metadata,
        data: event.data,
    }
}
