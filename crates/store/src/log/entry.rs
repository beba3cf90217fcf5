//! How is one event laid out? An entry: 60 bytes, the leaf hash before it in its stream, names, tags, metadata, data.
//!
//! Every entry carries its own CRC, so that one event can be read and trusted without its whole frame, and the distance to its
//! frame's header, so that an event found by its offset finds the facts of its commit.

use bytes::{BufMut, BytesMut};
use uuid::Uuid;

use super::layout::{Defect, array, crc32c, narrow, put, u16_at, u32_at};
use crate::{
    commit::CommittedEvent,
    event::Tags,
    leaf::{self, Hash, LeafHeader, Salt},
    name::ContentType,
    position::{Revision, Timestamp},
};

/// Bytes before the variable part.
pub(super) const ENTRY_BYTES_MIN: usize = 60;
const FIXED: usize = 44;

const JSON: u8 = 1 << 0;
const CHAINED: u8 = 1 << 1;
const ERASED: u8 = 1 << 2;
const KNOWN: u8 = JSON | CHAINED | ERASED;

/// An event as it is on disk.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Bytes from the start of the frame to the start of this entry.
    pub frame_back: u32,
    /// Place in the stream.
    pub revision: Revision,
    /// Identity.
    pub id: Uuid,
    /// Leaf hash of the event before it in its stream; none at revision 0.
    pub previous: Option<&'a Hash>,
    /// Home stream.
    pub stream: &'a str,
    /// Kind of fact.
    pub event_type: &'a str,
    /// Encoding of the data.
    pub content_type: &'a str,
    /// Tags, sorted.
    pub tags: Tags<'a>,
    /// Data and metadata, or what is left of them.
    pub payload: Payload<'a>,
}

/// What an entry says of data and metadata.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// They are there.
    Kept {
        /// Salt of both commitments.
        salt: &'a Salt,
        /// Facts about the fact.
        metadata: &'a [u8],
        /// The fact.
        data: &'a [u8],
    },
    /// They were erased; the commitments keep the leaf hash computable.
    Erased {
        /// Commitment to the metadata.
        metadata: &'a Hash,
        /// Commitment to the data.
        data: &'a Hash,
    },
}

impl<'a> Entry<'a> {
    /// Checks the CRC of the entry at the start of `bytes`, and returns it without what follows.
    pub fn verify(bytes: &'a [u8]) -> Result<&'a [u8], Defect> {
        let length = u32_at(bytes, 0)? as usize;
        if length < ENTRY_BYTES_MIN {
            return Err(Defect::Length);
        }
        let entry = bytes.get(..length).ok_or(Defect::Length)?;
        if crc32c(&entry[8..]) != u32_at(entry, 4)? {
            return Err(Defect::Checksum);
        }
        Ok(entry)
    }

    /// Decodes and checks the entry at the start of `bytes`; its CRC was checked when it came from disk.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Defect> {
        let entry = Self::decode_again(bytes)?;
        Tags::parse(entry.tags.as_bytes()).ok_or(Defect::Text)?;
        Ok(entry)
    }

    /// As [`Entry::decode`], for bytes that it accepted before: does not look into the tags.
    pub(super) fn decode_again(bytes: &'a [u8]) -> Result<Self, Defect> {
        let fixed: &[u8; FIXED] = bytes.first_chunk().ok_or(Defect::Short)?;
        let bytes = bytes.get(..u32_at(fixed, 0)? as usize).ok_or(Defect::Length)?;
        let mut rest = bytes.get(FIXED..).ok_or(Defect::Length)?;
        let flags = fixed[22];
        if flags & !KNOWN != 0 {
            return Err(Defect::Newer);
        }
        let secret = if flags & ERASED == 0 {
            Secret::Salt(take_array(&mut rest)?)
        } else {
            Secret::Commitments { data: take_array(&mut rest)?, metadata: take_array(&mut rest)? }
        };
        let previous = if flags & CHAINED == 0 { None } else { Some(take_array(&mut rest)?) };
        let (stream_length, type_length) = (usize::from(u16_at(fixed, 16)?), usize::from(fixed[20]));
        let names = take(&mut rest, stream_length + type_length + usize::from(fixed[21]))?;
        // One check for all names: each boundary is then checked by `split_at_checked`.
        let names = std::str::from_utf8(names).map_err(|_| Defect::Text)?;
        let (stream, names) = names.split_at_checked(stream_length).ok_or(Defect::Text)?;
        let (event_type, content_type) = names.split_at_checked(type_length).ok_or(Defect::Text)?;
        let tags = take(&mut rest, usize::from(u16_at(fixed, 18)?))?;
        let metadata = take(&mut rest, u32_at(fixed, 12)? as usize)?;
        let payload = match secret {
            Secret::Salt(salt) => Payload::Kept { salt, metadata, data: rest },
            Secret::Commitments { data, metadata: commitment } => {
                if !rest.is_empty() || !metadata.is_empty() {
                    return Err(Defect::Length);
                }
                Payload::Erased { metadata: commitment, data }
            }
        };
        Ok(Self {
            frame_back: u32_at(fixed, 8)?,
            revision: revision_of(fixed),
            id: Uuid::from_bytes(array(fixed, 28)?),
            previous,
            stream,
            event_type,
            content_type: match (content_type.is_empty(), flags & JSON != 0) {
                (true, true) => "application/json",
                (true, false) => "application/octet-stream",
                (false, false) => content_type,
                (false, true) => return Err(Defect::Length),
            },
            tags: Tags::trusted(tags),
            payload,
        })
    }

    /// The leaf hash, from salt and payload or from what was kept of them.
    #[must_use]
    pub fn leaf(&self, recorded_at: Timestamp) -> Hash {
        let (data, metadata) = match self.payload {
            Payload::Kept { salt, metadata, data } => {
                (leaf::commit_to_data(salt, data), leaf::commit_to_metadata(salt, metadata))
            }
            Payload::Erased { metadata, data } => (*data, *metadata),
        };
        leaf::leaf_hash(&LeafHeader {
            id: self.id,
            revision: self.revision,
            recorded_at,
            stream: self.stream,
            event_type: self.event_type,
            content_type: self.content_type,
            tags: self.tags.as_bytes(),
            data: &data,
            metadata: &metadata,
            previous: self.previous.unwrap_or(&[0; 32]),
        })
    }

    /// The data; empty if erased.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        match self.payload {
            Payload::Kept { data, .. } => data,
            Payload::Erased { .. } => &[],
        }
    }

    /// The metadata; empty if erased.
    #[must_use]
    pub fn metadata(&self) -> &'a [u8] {
        match self.payload {
            Payload::Kept { metadata, .. } => metadata,
            Payload::Erased { .. } => &[],
        }
    }

    /// Whether data and metadata were erased.
    #[must_use]
    pub fn erased(&self) -> bool {
        matches!(self.payload, Payload::Erased { .. })
    }
}

enum Secret<'a> {
    Salt(&'a Salt),
    Commitments { data: &'a Hash, metadata: &'a Hash },
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Defect> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Defect::Length)?;
    *rest = after;
    Ok(taken)
}

fn take_array<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Defect> {
    let (taken, after) = rest.split_first_chunk().ok_or(Defect::Length)?;
    *rest = after;
    Ok(taken)
}

fn revision_of(fixed: &[u8; FIXED]) -> Revision {
    let mut bytes = [0; 8];
    bytes[..5].copy_from_slice(&fixed[23..28]);
    Revision(u64::from_le_bytes(bytes))
}

/// Bytes the entry of an event takes.
pub(super) fn encoded_bytes(committed: &CommittedEvent) -> usize {
    let data = &committed.event.data;
    let previous = if committed.revision == Revision::START { 0 } else { size_of::<Hash>() };
    let tags: usize = data.tags.iter().map(|tag| 2 + tag.len()).sum();
    let names = committed.stream.len() + data.event_type.len() + stored_content_type(&data.content_type).0.len();
    ENTRY_BYTES_MIN + previous + names + tags + data.metadata.len() + data.data.len()
}

/// What is written of a content type, and its flag.
fn stored_content_type(content_type: &ContentType) -> (&str, u8) {
    match content_type {
        ContentType::Json => ("", JSON),
        ContentType::Binary => ("", 0),
        ContentType::Other(other) => (other, 0),
    }
}

/// Appends the entry of an event, `frame_back` bytes into its frame, and returns its CRC.
pub(super) fn encode(committed: &CommittedEvent, frame_back: usize, into: &mut BytesMut) -> u32 {
    assert!(committed.revision <= Revision::MAX, "the commit rules keep revisions within 40 bits");
    let data = &committed.event.data;
    let chained = committed.revision != Revision::START;
    let (content_type, json) = stored_content_type(&data.content_type);
    let tags_bytes: usize = data.tags.iter().map(|tag| 2 + tag.len()).sum();
    let short = |length: usize| u16::try_from(length).expect("limits keep names and tag blocks below 64 KiB");
    let tiny = |length: usize| u8::try_from(length).expect("limits keep types below 256 bytes");
    let mut fixed = [0; ENTRY_BYTES_MIN];
    put(&mut fixed, 0, narrow(encoded_bytes(committed)).to_le_bytes());
    put(&mut fixed, 8, narrow(frame_back).to_le_bytes());
    put(&mut fixed, 12, narrow(data.metadata.len()).to_le_bytes());
    put(&mut fixed, 16, short(committed.stream.len()).to_le_bytes());
    put(&mut fixed, 18, short(tags_bytes).to_le_bytes());
    fixed[20] = tiny(data.event_type.len());
    fixed[21] = tiny(content_type.len());
    fixed[22] = json | if chained { CHAINED } else { 0 };
    fixed[23..28].copy_from_slice(&committed.revision.0.to_le_bytes()[..5]);
    put(&mut fixed, 28, committed.event.id.into_bytes());
    put(&mut fixed, FIXED, committed.event.salt);
    let start = into.len();
    into.put_slice(&fixed);
    if chained {
        into.put_slice(&committed.previous);
    }
    into.put_slice(committed.stream.as_bytes());
    into.put_slice(data.event_type.as_bytes());
    into.put_slice(content_type.as_bytes());
    for tag in &data.tags {
        into.put_u16_le(short(tag.len()));
        into.put_slice(tag.as_bytes());
    }
    into.put_slice(&data.metadata);
    into.put_slice(&data.data);
    let crc = crc32c(&into[start + 8..]);
    put(&mut into[start..], 4, crc.to_le_bytes());
    crc
}

/// The entry that remains of `entry` once its payload is erased: names, tags, hashes and commitments.
///
/// Used by tests to make the golden example; retention will rewrite sealed segments with it.
#[cfg(any(test, feature = "testing"))]
pub fn erase(entry: &[u8]) -> Result<Vec<u8>, Defect> {
    let decoded = Entry::decode(entry)?;
    let Payload::Kept { salt, metadata, data } = decoded.payload else {
        return Ok(entry.to_vec());
    };
    let names_at = ENTRY_BYTES_MIN + if decoded.previous.is_some() { 32 } else { 0 };
    let names_end = entry.len() - metadata.len() - data.len();
    let mut erased = entry[..FIXED].to_vec();
    erased.extend_from_slice(&leaf::commit_to_data(salt, data));
    erased.extend_from_slice(&leaf::commit_to_metadata(salt, metadata));
    erased.extend_from_slice(&entry[ENTRY_BYTES_MIN..names_at]);
    erased.extend_from_slice(&entry[names_at..names_end]);
    erased[22] |= ERASED;
    let length = narrow(erased.len());
    put(&mut erased, 0, length.to_le_bytes());
    put(&mut erased, 12, 0_u32.to_le_bytes());
    let crc = crc32c(&erased[8..]);
    put(&mut erased, 4, crc.to_le_bytes());
    Ok(erased)
}
