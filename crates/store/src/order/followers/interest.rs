//! What a follower waits for: which events match, and by which *anchors* the few interests an event may match are found among many.
//!
//! An anchor is a term every matching event has, or the beginning of one. An interest has one anchor, or several of which every matching
//! event has at least one. That an anchor fits says only that the event may match; [`Interest::matches`] decides.

use std::cmp::Reverse;

use super::shown::Shown;
use crate::{
    correlation::correlation_of,
    error::Result,
    index::{ItemEstimate, Kind, TagList, Term},
    name::Tag,
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

/// Which events end a wait.
#[derive(Debug)]
pub(crate) struct Interest {
    filter: Filter,
    pub(super) anchors: Anchors,
}

#[derive(Debug)]
enum Filter {
    Everything,
    /// The events of a stream, written or virtual: those with one term.
    Term(Kind, String),
    Query(Query),
}

/// How an interest is found.
#[derive(Debug)]
pub(super) enum Anchors {
    /// Every event matches: nobody needs to look at it.
    Everything,
    /// By any of these.
    Terms(Vec<Anchor>),
    /// By nothing: every event must be compared with it.
    None,
}

/// A term, or the beginning of one, as a hash: what is found by it is compared anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) kind: Kind,
    /// The bytes of the beginning; `None`: the whole term.
    pub(super) prefix: Option<usize>,
    pub(super) hash: u64,
    /// The lead of every term it fits; `None` for a beginning that is shorter than a lead.
    pub(super) lead: Option<u8>,
}

/// Bytes of a term that its lead is made of.
const LEAD_BYTES: usize = 4;

/// What the first bytes of a term come to: for the cheapest look that can tell that no anchor fits.
pub(super) fn lead(text: &[u8]) -> u8 {
    let mut word = [0; LEAD_BYTES];
    let length = text.len().min(LEAD_BYTES);
    word[..length].copy_from_slice(&text[..length]);
    (u32::from_le_bytes(word).wrapping_mul(0x9e37_79b1) >> 24) as u8
}

/// An event, and what there is to know of it, computed once.
#[derive(Debug)]
pub(super) struct Looked<'a> {
    event: Shown<'a>,
    correlation: Option<String>,
}

impl Interest {
    /// The events of a stream, by the term of the index that stands for it.
    pub(crate) fn in_stream(term: Term<'_>) -> Self {
        let (kind, text) = (term.kind(), term.text().to_owned());
        Self { anchors: Anchors::Terms(vec![Anchor::exact(kind, &text)]), filter: Filter::Term(kind, text) }
    }

    /// Every event.
    pub(crate) fn in_all() -> Self {
        Self { filter: Filter::Everything, anchors: Anchors::Everything }
    }

    /// The events a query matches. `estimate` says what the index has of its items: each is found by what has been rarest so far.
    ///
    /// # Errors
    /// As `estimate`.
    pub(crate) fn in_query(query: &Query, estimate: impl FnOnce(&Query) -> Result<Vec<ItemEstimate>>) -> Result<Self> {
        let narrow = |item: &QueryItem| !(item.streams.is_empty() && item.types.is_empty() && item.tags.is_empty());
        if query.items.is_empty() || !query.items.iter().all(narrow) {
            return Ok(Self::in_all());
        }
        let is_choice = |item: &QueryItem| candidates(item).len() > 1;
        let estimates = if query.items.iter().any(is_choice) { estimate(query)? } else { Vec::new() };
        let mut anchors = Some(Vec::new());
        for (place, item) in query.items.iter().enumerate() {
            let found = rarest(candidates(item), estimates.get(place));
            anchors = anchors.zip(found).map(|(mut anchors, mut found)| {
                anchors.append(&mut found);
                anchors
            });
        }
        let anchors = anchors.map_or(Anchors::None, Anchors::Terms);
        Ok(Self { filter: Filter::Query(query.clone()), anchors })
    }

    /// Whether the event ends the wait.
    pub(super) fn matches(&self, looked: &Looked<'_>) -> bool {
        match &self.filter {
            Filter::Everything => true,
            Filter::Term(kind, text) => {
                let mut found = false;
                looked.for_each_term(|term| found |= term.kind() == *kind && term.text() == text);
                found
            }
            Filter::Query(query) => {
                let Shown { stream, event_type, tags, .. } = looked.event;
                match tags {
                    TagList::Encoded(tags) => query.matches(stream, event_type, tags.iter()),
                    TagList::Proposed(tags) => query.matches(stream, event_type, tags.iter().map(Tag::as_str)),
                }
            }
        }
    }
}

impl Anchor {
    fn exact(kind: Kind, text: &str) -> Self {
        Self { kind, prefix: None, hash: hash(kind, None, text.as_bytes()), lead: Some(lead(text.as_bytes())) }
    }

    /// `None` for an empty beginning, which every term has.
    fn beginning(kind: Kind, text: &str) -> Option<Self> {
        let (prefix, text) = (Some(text.len()), text.as_bytes());
        let lead = (text.len() >= LEAD_BYTES).then(|| lead(text));
        (!text.is_empty()).then(|| Self { kind, prefix, hash: hash(kind, prefix, text), lead })
    }
}

/// The hash an anchor is found by. Two that differ may have the same: what is found is compared.
pub(super) fn hash(kind: Kind, prefix: Option<usize>, text: &[u8]) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::with_seed(kind as u64).hash_one((prefix, text))
}

/// One way to find an item, with what it restricts.
struct Candidate {
    clause: ClauseOf,
    anchors: Vec<Anchor>,
}

/// Which clause of an item.
#[derive(Clone, Copy)]
enum ClauseOf {
    Streams,
    Types,
    Tag(usize),
}

impl ClauseOf {
    /// How many events have had it so far.
    fn postings(self, estimate: Option<&ItemEstimate>) -> u64 {
        let clause = estimate.and_then(|item| match self {
            Self::Streams => item.streams,
            Self::Types => item.types,
            Self::Tag(place) => item.tags.get(place).copied(),
        });
        clause.map_or(u64::MAX, |clause| clause.postings)
    }
}

/// The ways an item can be found: any clause of which every choice is a term or begins with some text.
fn candidates(item: &QueryItem) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |clause, anchors: Option<Vec<Anchor>>| {
        found.extend(anchors.map(|anchors| Candidate { clause, anchors }));
    };
    if !item.streams.is_empty() {
        add(ClauseOf::Streams, item.streams.iter().map(stream_anchor).collect());
    }
    if !item.types.is_empty() {
        add(ClauseOf::Types, item.types.iter().map(type_anchor).collect());
    }
    for (place, filter) in item.tags.iter().enumerate() {
        add(ClauseOf::Tag(place), tag_anchor(filter).map(|anchor| vec![anchor]));
    }
    found
}

/// The way by which the fewest events were found so far; among equals, whole terms before beginnings, and long ones before short.
fn rarest(candidates: Vec<Candidate>, estimate: Option<&ItemEstimate>) -> Option<Vec<Anchor>> {
    let cost = |candidate: &Candidate| {
        let shortest = candidate.anchors.iter().filter_map(|anchor| anchor.prefix).min();
        (candidate.clause.postings(estimate), shortest.is_some(), Reverse(shortest))
    };
    candidates.into_iter().min_by_key(cost).map(|candidate| candidate.anchors)
}

fn stream_anchor(filter: &StreamFilter) -> Option<Anchor> {
    match filter {
        StreamFilter::Exact(name) => Some(Anchor::exact(Kind::Stream, name)),
        // Metadata streams have no category in the index, but to a query they do.
        StreamFilter::Category(category) if category.starts_with("$$") => {
            Anchor::beginning(Kind::Stream, &format!("{category}-"))
        }
        StreamFilter::Category(category) => Some(Anchor::exact(Kind::Category, category)),
        StreamFilter::Pattern(pattern) if !pattern.contains('*') => Some(Anchor::exact(Kind::Stream, pattern)),
        StreamFilter::Prefix(_) | StreamFilter::Pattern(_) => Anchor::beginning(Kind::Stream, filter.literal_prefix()),
    }
}

fn type_anchor(filter: &TypeFilter) -> Option<Anchor> {
    match filter {
        TypeFilter::Exact(name) => Some(Anchor::exact(Kind::Type, name)),
        TypeFilter::Prefix(prefix) => Anchor::beginning(Kind::Type, prefix),
    }
}

fn tag_anchor(filter: &TagFilter) -> Option<Anchor> {
    match filter {
        TagFilter::Exact(tag) => Some(Anchor::exact(Kind::Tag, tag)),
        TagFilter::Path(pattern) => match pattern.exact() {
            Some(path) => Some(Anchor::exact(Kind::Tag, path)),
            None => Anchor::beginning(Kind::Tag, pattern.literal_prefix()),
        },
    }
}

impl<'a> Looked<'a> {
    /// Looks at an event; its metadata only if somebody waits for a correlation.
    pub(super) fn at(event: Shown<'a>, correlations: bool) -> Self {
        let correlation = if correlations { correlation_of(event.metadata) } else { None };
        Self { event, correlation }
    }

    pub(super) fn for_each_term<'s>(&'s self, visit: impl FnMut(Term<'s>)) {
        self.event.for_each_term(self.correlation.as_deref(), visit);
    }
}
