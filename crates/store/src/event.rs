//! Events: as proposed ([`EventData`]), and as recorded ([`RecordedEvent`], and [`EventRef`], its borrowed view).

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    error::Error,
    limits,
    name::{ContentType, EventType, StreamName, Tag},
    position::{Position, Revision, Timestamp},
};

/// A fact to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventData {
    /// The identity of the event, chosen by the client; re-sending the same ids makes an append idempotent. `None`: the store mints one (UUID v7).
    pub id: Option<Uuid>,
    /// What kind of fact it is.
    pub event_type: EventType,
    /// How `data` is encoded.
    pub content_type: ContentType,
    /// The fact itself. Kept byte for byte.
    pub data: Bytes,
    /// Facts about the fact (`$correlationId`, `$causationId`, user, …), usually a JSON object. Kept byte for byte.
    pub metadata: Bytes,
    /// By what else, beside its stream and type, the event can be found. Sorted and without duplicates once recorded.
    pub tags: Vec<Tag>,
}

impl EventData {
    /// An event with JSON data and neither metadata nor tags. `data` is not parsed.
    pub fn json(event_type: EventType, data: impl Into<Bytes>) -> Self {
        Self {
            id: None,
            event_type,
            content_type: ContentType::Json,
            data: data.into(),
            metadata: Bytes::new(),
            tags: Vec::new(),
        }
    }

    /// An event whose data is opaque bytes.
    pub fn binary(event_type: EventType, data: impl Into<Bytes>) -> Self {
        Self { content_type: ContentType::Binary, ..Self::json(event_type, data) }
    }

    /// The same event under a chosen id.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// The same event with metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The same event with one more tag.
    #[must_use]
    pub fn with_tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    /// Checks the sizes an event may have, and its content type, which need not have come through [`ContentType::new`].
    ///
    /// # Errors
    /// `Invalid`, naming the limit.
    pub fn check(&self) -> Result<(), Error> {
        self.content_type.check()?;
        let bytes = self.data.len() + self.metadata.len();
        if bytes > limits::EVENT_BYTES_MAX {
            let max = limits::EVENT_BYTES_MAX;
            return Err(Error::invalid(format!(
                "event is too large, type={} bytes={bytes} bytes_max={max}",
                self.event_type
            )));
        }
        if self.tags.len() > limits::TAGS_PER_EVENT_MAX {
            let (tags, max) = (self.tags.len(), limits::TAGS_PER_EVENT_MAX);
            return Err(Error::invalid(format!(
                "event has too many tags, type={} tags={tags} tags_max={max}",
                self.event_type
            )));
        }
        Ok(())
    }
}

/// A fact as the store keeps it. Payloads share the memory of the batch they were read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place in the whole log.
    pub position: Position,
    /// Place in its stream.
    pub revision: Revision,
    /// When it was recorded: never earlier than the event before it.
    pub recorded_at: Timestamp,
    /// Its identity.
    pub id: Uuid,
    /// Its home stream.
    pub stream: StreamName,
    /// What kind of fact it is.
    pub event_type: EventType,
    /// How `data` is encoded.
    pub content_type: ContentType,
    /// Its tags, sorted.
    pub tags: Vec<Tag>,
    /// The fact itself; empty if `erased`.
    pub data: Bytes,
    /// Facts about the fact; empty if `erased`.
    pub metadata: Bytes,
    /// Whether data and metadata were erased after recording.
    pub erased: bool,
    /// How the read came to it, if not by its own stream: the entry of a virtual stream, or a resolved link event.
    pub link: Option<Box<Link>>,
}

/// The entry of another stream through which an event was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The stream that was read, such as `$ce-order`.
    pub stream: StreamName,
    /// The place in that stream.
    pub revision: Revision,
    /// Where the link is in the log; for a virtual stream, where its target is.
    pub position: Position,
    /// The identity of the link event; stable for virtual streams too.
    pub id: Uuid,
    /// When the link was recorded.
    pub recorded_at: Timestamp,
}

/// A borrowed view of a recorded event: decoding one allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// Place in the whole log.
    pub position: Position,
    /// Place in its stream.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its identity.
    pub id: Uuid,
    /// Its home stream.
    pub stream: &'a str,
    /// What kind of fact it is.
    pub event_type: &'a str,
    /// How `data` is encoded (`application/json`, …).
    pub content_type: &'a str,
    /// Its tags, sorted.
    pub tags: Tags<'a>,
    /// The fact itself.
    pub data: &'a [u8],
    /// Facts about the fact.
    pub metadata: &'a [u8],
    /// Whether data and metadata were erased.
    pub erased: bool,
}

/// Appends the encoded block of `tags` to `block`: for each its length (u16 little-endian) and its bytes. [`Tags::parse`] is the way back.
pub fn encode_tags(tags: &[Tag], block: &mut Vec<u8>) {
    for tag in tags {
        let length = u16::try_from(tag.len()).expect("a tag is at most TAG_BYTES_MAX long, which 16 bits hold");
        block.extend_from_slice(&length.to_le_bytes());
        block.extend_from_slice(tag.as_bytes());
    }
}

/// The tags of an encoded event: a sequence of (u16 little-endian length, bytes).
#[derive(Clone, Copy, Debug, Default)]
pub struct Tags<'a>(&'a [u8]);

impl<'a> Tags<'a> {
    /// Checks an encoded tag block.
    ///
    /// Returns `None` when a length overruns the block or a tag is not UTF-8.
    #[must_use]
    pub fn parse(block: &'a [u8]) -> Option<Self> {
        let mut rest = block;
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_le_bytes(*length));
            std::str::from_utf8(after.get(..length)?).ok()?;
            rest = &after[length..];
        }
        Some(Self(block))
    }

    /// Takes a block that [`Tags::parse`] accepted when it was read from disk.
    pub(crate) fn trusted(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// The tags in order.
    #[must_use]
    pub fn iter(&self) -> TagsIter<'a> {
        TagsIter(self.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The encoded block, as the leaf hash sees it.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// The tags of an event in order: see [`Tags::iter`].
#[derive(Clone, Debug)]
pub struct TagsIter<'a>(&'a [u8]);

impl<'a> Iterator for TagsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (length, after) = self.0.split_first_chunk::<2>()?;
        let (tag, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        self.0 = after;
        // `parse` checked it; a view is only made by it.
        std::str::from_utf8(tag).ok()
    }
}
