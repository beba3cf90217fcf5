//! Under which terms an event is found.
//!
//! This file decides what every event puts into the index, and gives each term its 64-bit hash, which is part of the format:
//! the filters of run files are built over it. In-memory tables use the same hash, so that a look-up over any number
//! of parts hashes once.
//!
//! Decisions: a link event (`$>`) counts in the category of the stream it was written to, and under its own type `$>`, never under the
//! type of its target; metadata streams (`$$…`) belong to no category; `Created` holds the first event of every stream.

use crate::{
    event::{EventRef, Tags},
    limits,
    name::{Tag, category_of},
    position::{Position, Revision},
};

/// The kinds of terms. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A stream's name.
    Stream = 1,
    /// A category.
    Category = 2,
    /// An event type.
    Type = 3,
    /// A tag.
    Tag = 4,
    /// A correlation id.
    Correlation = 5,
    /// The first events of all streams; it has one term only, the empty text.
    Created = 6,
}

impl Kind {
    /// Every kind, in the order of the format.
    pub const ALL: [Self; 6] = [Self::Stream, Self::Category, Self::Type, Self::Tag, Self::Correlation, Self::Created];

    /// The byte that begins the dictionary keys of this kind.
    pub(super) const fn byte(self) -> u8 {
        self as u8
    }

    /// The kind of a dictionary key that begins with `byte`.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Something by which events are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term<'a> {
    /// The events of a stream; the ordinal of an event is its revision.
    Stream(&'a str),
    /// The events of the streams of a category; the ordinal of an event is its revision in `$ce-…`.
    Category(&'a str),
    /// The events of a type; the ordinal is the revision in `$et-…`.
    Type(&'a str),
    /// The events that carry a tag.
    Tag(&'a str),
    /// The events of a correlation id; the ordinal is the revision in `$bc-…`.
    Correlation(&'a str),
    /// The first events of all streams; the ordinal is the revision in `$streams`.
    Created,
}

impl<'a> Term<'a> {
    /// Which kind of term this is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Stream(_) => Kind::Stream,
            Self::Category(_) => Kind::Category,
            Self::Type(_) => Kind::Type,
            Self::Tag(_) => Kind::Tag,
            Self::Correlation(_) => Kind::Correlation,
            Self::Created => Kind::Created,
        }
    }

    /// The term's text; empty for `Created`.
    #[must_use]
    pub fn text(self) -> &'a str {
        match self {
            Self::Stream(text)
            | Self::Category(text)
            | Self::Type(text)
            | Self::Tag(text)
            | Self::Correlation(text) => text,
            Self::Created => "",
        }
    }

    /// The term of `kind` with this text.
    #[must_use]
    pub fn new(kind: Kind, text: &'a str) -> Self {
        match kind {
            Kind::Stream => Self::Stream(text),
            Kind::Category => Self::Category(text),
            Kind::Type => Self::Type(text),
            Kind::Tag => Self::Tag(text),
            Kind::Correlation => Self::Correlation(text),
            Kind::Created => Self::Created,
        }
    }
}

/// The tags of an event, as they come from the writer or from the log.
#[derive(Clone, Copy, Debug)]
pub enum TagList<'a> {
    /// As they are encoded in the log.
    Encoded(Tags<'a>),
    /// As they were proposed.
    Proposed(&'a [Tag]),
}

impl<'a> TagList<'a> {
    fn for_each(self, mut visit: impl FnMut(&'a str)) {
        match self {
            Self::Encoded(tags) => tags.iter().for_each(visit),
            Self::Proposed(tags) => tags.iter().for_each(|tag| visit(tag.as_str())),
        }
    }
}

/// What the index needs to know of an event.
#[derive(Clone, Copy, Debug)]
pub struct IndexedEvent<'a> {
    /// Its place in the log.
    pub position: Position,
    /// Its place in its stream.
    pub revision: Revision,
    /// Its stream.
    pub stream: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Its tags.
    pub tags: TagList<'a>,
    /// Its `$correlationId`, if its metadata has one.
    pub correlation: Option<&'a str>,
}

impl<'a> IndexedEvent<'a> {
    /// What the index needs to know of an event that was read from the log: the same when it is rebuilt and when it is audited.
    #[must_use]
    pub fn recorded(event: &EventRef<'a>, correlation: Option<&'a str>) -> Self {
        Self {
            position: event.position,
            revision: event.revision,
            stream: event.stream,
            event_type: event.event_type,
            tags: TagList::Encoded(event.tags),
            correlation,
        }
    }

    /// Visits every term of the event, its stream first and the stream's category, if it has one, second.
    pub(crate) fn for_each_term(&self, mut visit: impl FnMut(Term<'a>)) {
        visit(Term::Stream(self.stream));
        if let Some(category) = indexed_category(self.stream) {
            visit(Term::Category(category));
        }
        self.for_each_term_beside_stream(visit);
    }

    /// As [`Self::for_each_term`], without stream and category.
    pub(super) fn for_each_term_beside_stream(&self, mut visit: impl FnMut(Term<'a>)) {
        visit(Term::Type(self.event_type));
        self.tags.for_each(|tag| visit(Term::Tag(tag)));
        // A longer one could never be asked for: `$bc-…` would be no stream name.
        if let Some(id) = self.correlation.filter(|id| id.len() <= limits::STREAM_NAME_BYTES_MAX) {
            visit(Term::Correlation(id));
        }
        if self.revision == Revision::START {
            visit(Term::Created);
        }
    }
}

/// The category under which the events of `stream` are indexed.
pub(super) fn indexed_category(stream: &str) -> Option<&str> {
    category_of(stream).filter(|_| !stream.starts_with("$$"))
}

/// A term with its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) hash: u64,
}

impl<'a> From<Term<'a>> for Key<'a> {
    fn from(term: Term<'a>) -> Self {
        Self { kind: term.kind(), text: term.text(), hash: term_hash(term.kind(), term.text()) }
    }
}

/// The hash of a term: see `docs/formats/index.md`, "Hash". Folded 64×64→128-bit multiplications, as in wyhash.
pub(super) fn term_hash(kind: Kind, text: &str) -> u64 {
    const SECRETS: [u64; 3] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3];
    let mut state = SECRETS[0] ^ u64::from(kind.byte());
    let mut chunks = text.as_bytes().chunks_exact(16);
    for chunk in &mut chunks {
        let (low, high) = chunk.split_at(8);
        state = fold(word(low) ^ SECRETS[1], word(high) ^ state);
    }
    let rest = chunks.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    state = fold(word(low) ^ SECRETS[1], word(high) ^ state);
    fold(state ^ SECRETS[2], text.len() as u64 ^ SECRETS[1])
}

/// A hash of one posting: sums of these compare sets of postings.
pub(super) fn posting_hash(term_hash: u64, position: u64) -> u64 {
    fold(term_hash ^ 0x5895_96b5_5a4c_8f1d, position ^ 0xd6e8_feb8_6659_fd93)
}

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes as a little-endian number.
fn word(bytes: &[u8]) -> u64 {
    if let Ok(bytes) = bytes.try_into() {
        return u64::from_le_bytes(bytes);
    }
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash is part of the format: these values must never change.
    #[test]
    fn the_hash_has_test_vectors() {
        let text = "order-0123456789-0123456789-0123456789";
        let lengths = [0, 1, 7, 8, 9, 15, 16, 17, 32, 38];
        let hashes: Vec<String> =
            lengths.iter().map(|&length| format!("{:016x}", term_hash(Kind::Stream, &text[..length]))).collect();
        expect_test::expect![[r#"
            ccd58ea1dd117a2c
            b67fac51af22adb5
            5ce734de307c82dc
            6cf3cd6d7daf1385
            bdf414ebe4f4ac96
            cbdc7083c4e7119f
            888e757ce260fa67
            3905fa7aa80537ac
            2b993611a473317a
            1501a54646bdc7da"#]]
        .assert_eq(&hashes.join("\n"));
        assert_ne!(term_hash(Kind::Stream, "a"), term_hash(Kind::Tag, "a"));
    }
}
