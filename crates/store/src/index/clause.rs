//! A query in the words of the index: alternatives of terms and of ranges of the dictionary.
//!
//! An item of a query becomes one clause for its streams, one for its types and one for each tag; an event passes when every clause
//! has it. A filter that lets everything pass becomes no clause at all; `order-*` becomes the category `order`, since both name
//! the same streams.

use std::sync::Arc;

use super::term::{Key, Kind, Term, term_hash};
use crate::{
    path::PathPattern,
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

/// A query, compiled.
#[derive(Debug)]
pub(super) struct Clauses {
    /// The alternatives; `None` when there are none, which every event passes.
    pub(super) items: Option<Vec<ItemClauses>>,
}

/// An item of a query, compiled. All clauses must hold.
#[derive(Debug, Default)]
pub(super) struct ItemClauses {
    pub(super) streams: Option<Arc<Clause>>,
    pub(super) types: Option<Arc<Clause>>,
    pub(super) tags: Vec<Arc<Clause>>,
}

impl ItemClauses {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Clause>> {
        self.streams.iter().chain(&self.types).chain(&self.tags)
    }
}

/// Any of these.
#[derive(Debug, Default)]
pub(super) struct Clause {
    pub(super) choices: Vec<Choice>,
}

/// One term, or all terms of a stretch of the dictionary that pass a test.
#[derive(Debug)]
pub(super) enum Choice {
    Term { kind: Kind, text: String, hash: u64 },
    Range { kind: Kind, prefix: String, test: Test },
}

/// Which of the terms that begin with the prefix pass.
#[derive(Debug)]
pub(super) enum Test {
    All,
    Stream(StreamFilter),
    Path(PathPattern),
}

impl Test {
    pub(super) fn passes(&self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Stream(filter) => filter.matches(text),
            Self::Path(pattern) => pattern.matches(text),
        }
    }
}

impl Choice {
    fn term(term: Term<'_>) -> Self {
        let (kind, text) = (term.kind(), term.text());
        Self::Term { kind, text: text.to_owned(), hash: term_hash(kind, text) }
    }

    fn range(kind: Kind, prefix: &str, test: Test) -> Self {
        Self::Range { kind, prefix: prefix.to_owned(), test }
    }

    /// The key of a single term.
    pub(super) fn key(&self) -> Option<Key<'_>> {
        match self {
            Self::Term { kind, text, hash } => Some(Key { kind: *kind, text, hash: *hash }),
            Self::Range { .. } => None,
        }
    }
}

/// What a filter comes to.
enum Meaning {
    Everything,
    Nothing,
    Choice(Choice),
}

impl Clauses {
    pub(super) fn new(query: &Query) -> Self {
        let items = (!query.items.is_empty()).then(|| query.items.iter().map(ItemClauses::new).collect());
        Self { items }
    }

    /// How many clauses there are in all.
    pub(super) fn len(&self) -> usize {
        self.items.iter().flatten().map(|item| item.all().count()).sum()
    }
}

impl ItemClauses {
    fn new(item: &QueryItem) -> Self {
        Self {
            streams: clause(item.streams.iter().map(stream_meaning)),
            types: clause(item.types.iter().map(type_meaning)),
            tags: item.tags.iter().map(tag_choice).map(|choice| Arc::new(Clause { choices: vec![choice] })).collect(),
        }
    }
}

/// The clause of a list of alternatives; `None` when it does not restrict.
fn clause(meanings: impl ExactSizeIterator<Item = Meaning>) -> Option<Arc<Clause>> {
    if meanings.len() == 0 {
        return None;
    }
    let mut choices = Vec::with_capacity(meanings.len());
    for meaning in meanings {
        match meaning {
            Meaning::Everything => return None,
            Meaning::Nothing => {}
            Meaning::Choice(choice) => choices.push(choice),
        }
    }
    Some(Arc::new(Clause { choices }))
}

fn stream_meaning(filter: &StreamFilter) -> Meaning {
    match filter {
        StreamFilter::Exact(name) => Meaning::Choice(Choice::term(Term::Stream(name))),
        StreamFilter::Category(category) if category.contains('-') => Meaning::Nothing,
        StreamFilter::Category(category) => streams_that_begin(&format!("{category}-")),
        StreamFilter::Prefix(prefix) => streams_that_begin(prefix),
        StreamFilter::Pattern(pattern) => {
            let open_ended = pattern.trim_end_matches('*');
            match (open_ended.contains('*'), open_ended.len() < pattern.len()) {
                (false, false) => Meaning::Choice(Choice::term(Term::Stream(pattern))),
                (false, true) => streams_that_begin(open_ended),
                (true, _) => {
                    Meaning::Choice(Choice::range(Kind::Stream, filter.literal_prefix(), Test::Stream(filter.clone())))
                }
            }
        }
    }
}

fn streams_that_begin(prefix: &str) -> Meaning {
    let category = prefix.strip_suffix('-').filter(|category| !category.is_empty() && !category.contains('-'));
    match category {
        // Metadata streams are not indexed by category.
        Some(category) if !category.starts_with("$$") => Meaning::Choice(Choice::term(Term::Category(category))),
        Some(_) | None if prefix.is_empty() => Meaning::Everything,
        Some(_) | None => Meaning::Choice(Choice::range(Kind::Stream, prefix, Test::All)),
    }
}

fn type_meaning(filter: &TypeFilter) -> Meaning {
    match filter {
        TypeFilter::Exact(name) => Meaning::Choice(Choice::term(Term::Type(name))),
        TypeFilter::Prefix(prefix) if prefix.is_empty() => Meaning::Everything,
        TypeFilter::Prefix(prefix) => Meaning::Choice(Choice::range(Kind::Type, prefix, Test::All)),
    }
}

fn tag_choice(filter: &TagFilter) -> Choice {
    match filter {
        TagFilter::Exact(tag) => Choice::term(Term::Tag(tag)),
        TagFilter::Path(pattern) => match pattern.exact() {
            Some(path) => Choice::term(Term::Tag(path)),
            None => Choice::range(Kind::Tag, pattern.literal_prefix(), Test::Path(pattern.clone())),
        },
    }
}
