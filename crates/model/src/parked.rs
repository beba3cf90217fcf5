//! Events that were set aside because they cannot be read: what a state says of the facts it is without.

use gesta_store::{EventRef, Position};

use crate::error::Error;

/// Most events one state is without; one more, and it cannot be read. A state that lacks more is not worth asking for, and a list of more is read by nobody.
pub(crate) const PARKED_MAX: usize = 1_000;
/// Bytes one of them takes, about.
pub(crate) const PARKED_BYTES: usize = 256;

/// An event on a model's path that cannot be read, and was set aside by [`Unreadable::Park`](crate::Unreadable::Park).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// Where it is in the log.
    pub position: Position,
    /// The stream it is in.
    pub stream: Box<str>,
    /// Why it cannot be read: [`UnknownKind`](Error::UnknownKind) or [`Undecodable`](Error::Undecodable).
    pub reason: Error,
}

impl ParkedEvent {
    pub(crate) fn of(event: &EventRef<'_>, reason: Error) -> Self {
        Self { position: event.position, stream: event.stream.into(), reason }
    }
}
