//! Identities that follow from a request instead of being drawn: the same request, sent or applied again, must name the same events.
//!
//! All are SHA-256 of a domain label, the proposal id and what distinguishes the event, cut to the size of a UUID (version 8, RFC 9562).
//! Labels have a fixed length per use and the only part of variable length stands last, so no two uses can collide by concatenation.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::leaf::Salt;

/// The id of the `index`-th event of a request whose client named the request but not its events: with it, sending the request
/// again proposes the same events. Deletions and tombstones count on behind the events, in the order of their targets.
#[must_use]
pub fn event_id(proposal: Uuid, index: u64) -> Uuid {
    as_uuid(digest(b"gesta/event-id", proposal, &index.to_le_bytes()))
}

/// The id of the metadata event the commit rules write when `proposal` revives the soft-deleted `stream`.
#[must_use]
pub fn revival_id(proposal: Uuid, stream: &str) -> Uuid {
    as_uuid(digest(b"gesta/undelete-id", proposal, stream.as_bytes()))
}

/// The salt of that event. It also rests on the salt of the event that revives the stream: the rest is written in the log's headers
/// and could be guessed from, while that salt is random, and is erased with its event.
pub(super) fn revival_salt(proposal: Uuid, stream: &str, reviving: &Salt) -> Salt {
    let mut distinct = reviving.to_vec();
    distinct.extend_from_slice(stream.as_bytes());
    first_half(digest(b"gesta/undelete-salt", proposal, &distinct))
}

/// The id of the metadata event the commit rules write when `proposal` leaves a document in `metadata_stream` that would show what a soft
/// delete hid.
#[must_use]
pub fn hiding_id(proposal: Uuid, metadata_stream: &str) -> Uuid {
    as_uuid(digest(b"gesta/keep-hidden-id", proposal, metadata_stream.as_bytes()))
}

/// The salt of that event, from that of the document it takes the place of.
pub(super) fn hiding_salt(proposal: Uuid, metadata_stream: &str, replaced: &Salt) -> Salt {
    first_half(digest(b"gesta/keep-hidden-salt", proposal, &[replaced, metadata_stream.as_bytes()].concat()))
}

fn digest(label: &[u8], proposal: Uuid, distinct: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(label);
    hash.update(proposal.as_bytes());
    hash.update(distinct);
    hash.finalize().into()
}

fn as_uuid(digest: [u8; 32]) -> Uuid {
    Builder::from_custom_bytes(first_half(digest)).into_uuid()
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
