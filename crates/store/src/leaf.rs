//! The canonical form of an event, its commitments and its leaf hash. See `docs/formats/log.md`, "Hashes", for the exact
//! formula and test vectors; changing anything here is a new format.
//!
//! The hash of an event covers its header, and its data and metadata only through salted commitments: payload and salt can
//! be erased later while every hash stays what it was. Each leaf covers the leaf before it in the same stream.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::position::{Revision, Timestamp};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// Random bytes kept beside a payload so that its commitment says nothing about it once both are erased.
pub type Salt = [u8; 16];

/// First byte of a leaf's input (RFC 6962, section 2.1).
const LEAF: u8 = 0x00;
/// First byte of the input of a commitment to data.
const DATA: u8 = 0x02;
/// First byte of the input of a commitment to metadata.
const METADATA: u8 = 0x03;
/// Version of the canonical header.
const HEADER_VERSION: u8 = 1;

/// The commitment to an event's data.
#[must_use]
pub fn commit_to_data(salt: &Salt, data: &[u8]) -> Hash {
    commitment(DATA, salt, data)
}

/// The commitment to an event's metadata.
#[must_use]
pub fn commit_to_metadata(salt: &Salt, metadata: &[u8]) -> Hash {
    commitment(METADATA, salt, metadata)
}

fn commitment(domain: u8, salt: &Salt, payload: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    // One update for the prefix: short inputs are most of them, and each call costs.
    let mut prefix = [0; 17];
    prefix[0] = domain;
    prefix[1..].copy_from_slice(salt);
    hash.update(prefix);
    hash.update(payload);
    hash.finalize().into()
}

/// Everything the leaf hash of an event covers.
#[derive(Clone, Copy, Debug)]
pub struct LeafHeader<'a> {
    /// Identity.
    pub id: Uuid,
    /// Place in the stream.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Home stream.
    pub stream: &'a str,
    /// Kind of fact.
    pub event_type: &'a str,
    /// Encoding of the data.
    pub content_type: &'a str,
    /// Encoded tag block: (u16 little-endian length, bytes) for each tag.
    pub tags: &'a [u8],
    /// Commitment to the data.
    pub data: &'a Hash,
    /// Commitment to the metadata.
    pub metadata: &'a Hash,
    /// Leaf hash of the event before it in the same stream; zeros for the first.
    pub previous: &'a Hash,
}

/// The leaf hash of an event.
#[must_use]
pub fn leaf_hash(header: &LeafHeader<'_>) -> Hash {
    // Fixed part first, in one buffer, so that the hash is fed in few pieces.
    let mut fixed = [0_u8; 138];
    fixed[0] = LEAF;
    fixed[1] = HEADER_VERSION;
    fixed[2..18].copy_from_slice(header.id.as_bytes());
    fixed[18..26].copy_from_slice(&header.revision.0.to_le_bytes());
    fixed[26..34].copy_from_slice(&header.recorded_at.0.to_le_bytes());
    fixed[34..66].copy_from_slice(header.data);
    fixed[66..98].copy_from_slice(header.metadata);
    fixed[98..130].copy_from_slice(header.previous);
    let lengths = [header.stream.len(), header.event_type.len(), header.content_type.len(), header.tags.len()];
    for (slot, length) in fixed[130..138].chunks_exact_mut(2).zip(lengths) {
        // Limits keep every name below 64 KiB.
        slot.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    }
    let mut hash = Sha256::new();
    hash.update(fixed);
    hash.update(header.stream);
    hash.update(header.event_type);
    hash.update(header.content_type);
    hash.update(header.tags);
    hash.finalize().into()
}
