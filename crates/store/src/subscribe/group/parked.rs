//! Parked messages, for whoever looks at them.

use super::{backing::Backing, catalog::GroupConfig, documents::ParkedNote, feed};
use crate::{
    error::{Error, Result},
    event::RecordedEvent,
    index::Term,
    position::{Revision, Timestamp},
    subscribe::{MessageId, group_state::ParkedEntry},
};

/// A message that was kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedMessage {
    /// Which message.
    pub id: MessageId,
    /// Its place in the stream of parked messages.
    pub revision: Revision,
    /// The event.
    pub event: RecordedEvent,
    /// Why it was parked.
    pub reason: String,
    /// How often it had been delivered again.
    pub retries: u32,
    /// Which consumer had it last.
    pub consumer: String,
    /// Whether it did not fail itself, but waits for an earlier one of its key.
    pub held: bool,
    /// When it was parked.
    pub parked: Timestamp,
}

/// What the entries stand for.
pub(super) fn messages(backing: &Backing, config: &GroupConfig, entries: &[ParkedEntry]) -> Result<Vec<ParkedMessage>> {
    let (library, to) = (&backing.library, backing.to());
    let stream = config.name.parked_stream();
    let message = |entry: &ParkedEntry| {
        let ParkedEntry { position, revision, .. } = *entry;
        let found = library.index.nth(Term::Stream(&stream), revision.0, to)?;
        let at = found.ok_or_else(|| {
            Error::corrupted(format!("parked message is missing, stream={stream} revision={revision}"), "index", to.0)
        })?;
        let link = library.log.event(at)?;
        let note = ParkedNote::read(&link.view())?;
        Ok(ParkedMessage {
            id: MessageId(position),
            revision,
            event: feed::event_at(backing, &config.source, config.settings.resolve_links, position)?,
            reason: note.reason,
            retries: note.retries,
            consumer: note.consumer,
            held: note.held,
            parked: link.recorded_at(),
        })
    };
    entries.iter().map(message).collect()
}
