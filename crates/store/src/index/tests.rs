//! The index against the reference, through its public questions; damage; crashes between the steps of maintenance.

use std::{ops::Range, path::Path, sync::Arc};

use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Index, Kind, Opened, Step, Term, Towards, reference::Reference};
use crate::{
    disk::{Disk, FileDisk, OpenMode},
    error::ErrorKind,
    name::{Category, EventType, StreamName, Tag},
    path::PathPattern,
    position::{Position, Revision},
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

const STORE: Uuid = Uuid::from_u128(7);

const STREAMS: [&str; 14] = [
    "order-1",
    "order-2",
    "order-10",
    "order-",
    "orders-1",
    "account-1",
    "account-2-b",
    "plain",
    "-odd",
    "$settings",
    "$$order-1",
    "$$$settings",
    "$sys-1",
    "ä-ö",
];
const TYPES: [&str; 6] = ["Placed", "Paid", "PaidTwice", "$>", "$metadata", "Shipped"];
const TAGS: [&str; 9] = [
    "vip",
    "red",
    "/accounts/1",
    "/accounts/2",
    "/accounts/1/owner",
    "/files/src/a.rs",
    "/files/src/b.rs",
    "/files",
    "x-y",
];

/// An index with what it must answer.
struct Both {
    dir: TempDir,
    index: Arc<Index>,
    reference: Reference,
    /// Where the newest events begin that no seal has taken.
    sealed: u64,
}

impl Both {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (index, opened) = open(dir.path());
        assert_eq!(opened, Opened::default());
        Self { dir, index, reference: Reference::default(), sealed: 0 }
    }

    fn insert(&mut self, events: &[(usize, usize, Vec<usize>, Option<u8>)]) {
        let from = self.reference.head();
        for (stream, event_type, tags, correlation) in events {
            let tags = tags.iter().map(|&tag| Tag::new(TAGS[tag]).expect("valid tag")).collect();
            let correlation = correlation.map(|id| format!("c{}", id % 4));
            self.reference.push(STREAMS[*stream], TYPES[*event_type], tags, correlation);
        }
        self.index.insert(self.reference.indexed(from..self.reference.head()));
    }

    fn seal(&mut self, back: u64) {
        self.sealed = self.reference.head().saturating_sub(back).max(self.sealed);
        self.index.seal(Position(self.sealed));
    }

    /// Closes the index and opens it again, as the engine does: what it lost is inserted again.
    fn reopen(&mut self) -> Opened {
        let (index, opened) = open(self.dir.path());
        self.index = index;
        self.sealed = opened.covered.0;
        self.index.insert(self.reference.indexed(opened.covered.0..self.reference.head()));
        opened
    }

    fn settle(&self) {
        while self.index.maintain().expect("maintenance") != Step::Idle {}
    }
}

fn open(dir: &Path) -> (Arc<Index>, Opened) {
    Index::open(Arc::new(FileDisk::new(dir)), STORE).expect("open")
}

fn matches(index: &Index, query: &Query, range: Range<u64>, towards: Towards, chunk: usize) -> Vec<Position> {
    let mut found = Vec::new();
    let mut matches = index.matches(query, Position(range.start)..Position(range.end), towards);
    while matches.next_chunk(chunk, &mut found).expect("matches") {}
    found
}

fn all_terms() -> Vec<Term<'static>> {
    let mut terms = vec![Term::Created, Term::Stream("never"), Term::Tag("order-1"), Term::Type("")];
    terms.extend(STREAMS.map(Term::Stream));
    terms.extend(["order", "orders", "account", "", "$$order", "$sys", "$$$settings", "ä"].map(Term::Category));
    terms.extend(TYPES.map(Term::Type));
    terms.extend(TAGS.map(Term::Tag));
    terms.extend(["c0", "c1", "c2", "c3", "c9"].map(Term::Correlation));
    terms
}

/// Every question about single terms.
fn check_terms(both: &Both, to: u64) {
    let (index, reference, to_position) = (&both.index, &both.reference, Position(to));
    for term in all_terms() {
        let expected = reference.positions(term, to);
        let count = expected.len() as u64;
        assert_eq!(index.count(term, to_position).expect("count"), count, "count of {term:?} to {to}");
        for n in 0..count + 2 {
            let nth = index.nth(term, n, to_position).expect("nth");
            assert_eq!(nth, expected.get(n as usize).copied(), "nth {n} of {term:?} to {to}");
        }
        for at in [0, to / 3, to / 2, to, to + 5] {
            let rank = expected.iter().filter(|position| position.0 < at).count() as u64;
            assert_eq!(index.rank(term, Position(at), to_position).expect("rank"), rank, "rank of {at} in {term:?}");
        }
        for (from, limit) in [(0, usize::MAX), (0, 2), (1, 3), (count / 2, 100), (count, 1), (u64::MAX, 3)] {
            let mut found = Vec::new();
            index.postings_forward(term, from, limit, to_position, &mut found).expect("forward");
            let wanted: Vec<_> = expected.iter().copied().skip(from.min(count) as usize).take(limit).collect();
            assert_eq!(found, wanted, "forward {term:?} from {from} limit {limit}");
            found.clear();
            index.postings_backward(term, from, limit, to_position, &mut found).expect("backward");
            let passed = count.saturating_sub(from.saturating_add(1)) as usize;
            let wanted: Vec<_> = expected.iter().rev().copied().skip(passed).take(limit).collect();
            assert_eq!(found, wanted, "backward {term:?} from {from} limit {limit}");
        }
    }
    for stream in STREAMS {
        let expected = reference.positions(Term::Stream(stream), to);
        let last = expected.last().map(|&position| (Revision(expected.len() as u64 - 1), position));
        assert_eq!(index.stream_last(stream, to_position).expect("last"), last, "last of {stream} to {to}");
    }
}

/// Listings.
fn check_listings(both: &Both, to: u64) {
    for (prefix, after, limit) in
        [("", None, 100), ("", None, 3), ("order", None, 100), ("order-1", Some("order-1"), 5), ("a", Some("b"), 5)]
    {
        for kind in Kind::ALL {
            let all = both.reference.terms(kind, to);
            let wanted: Vec<(String, u64)> = all
                .into_iter()
                .filter(|(text, _)| text.starts_with(prefix) && after.is_none_or(|after| text.as_str() > after))
                .take(limit)
                .collect();
            let found = both.index.terms(kind, prefix, after, limit, Position(to)).expect("terms");
            assert_eq!(found, wanted, "{kind:?} {prefix:?} after {after:?} to {to}");
            if kind == Kind::Stream {
                let streams = both.index.streams(prefix, after, limit, Position(to)).expect("streams");
                let names: Vec<String> = streams.iter().map(|(name, ..)| name.to_string()).collect();
                assert_eq!(names, wanted.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
            }
        }
    }
}

/// A query, in both directions, in chunks, with its estimate.
fn check_query(both: &Both, query: &Query, range: Range<u64>, chunk: usize) {
    for towards in [Towards::Newer, Towards::Older] {
        let expected = both.reference.matches(query, range.clone(), towards);
        let found = matches(&both.index, query, range.clone(), towards, chunk);
        assert_eq!(found, expected, "{query:?} in {range:?} {towards:?}");
        if towards == Towards::Newer {
            let first = both.index.first_match(query, Position(range.start), Position(range.end)).expect("first");
            assert_eq!(first, expected.first().copied());
            let estimate = both.index.estimate(query, Position(range.start)..Position(range.end)).expect("estimate");
            assert!(estimate.matches_at_most >= expected.len() as u64, "{estimate:?} of {query:?}");
        }
    }
}

fn events(max: usize) -> impl Strategy<Value = Vec<(usize, usize, Vec<usize>, Option<u8>)>> {
    let tags = prop::collection::vec(0..TAGS.len(), 0..4);
    prop::collection::vec((0..STREAMS.len(), 0..TYPES.len(), tags, any::<Option<u8>>()), 0..max)
}

#[derive(Clone, Debug)]
enum Action {
    Insert(Vec<(usize, usize, Vec<usize>, Option<u8>)>),
    /// Seals all but this many of the newest events.
    Seal(u64),
    Maintain,
    Settle,
    Reopen,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => events(12).prop_map(Action::Insert),
        5 => (0_u64..4).prop_map(Action::Seal),
        4 => Just(Action::Maintain),
        1 => Just(Action::Settle),
        1 => Just(Action::Reopen),
    ];
    prop::collection::vec(action, 1..40)
}

fn stream_filter() -> impl Strategy<Value = StreamFilter> {
    let name = prop::sample::select(&STREAMS[..]);
    prop_oneof![
        name.prop_map(|name| StreamFilter::Exact(StreamName::new(name).expect("valid"))),
        prop::sample::select(&["order", "account", "$$order", "a-b", "ä", "nothing"][..])
            .prop_map(|name| StreamFilter::Category(Category::new(name).expect("valid"))),
        prop::sample::select(&["", "o", "order-", "order-1", "$$", "$$order-", "-", "z"][..])
            .prop_map(|prefix| StreamFilter::Prefix(prefix.into())),
        prop::sample::select(&["*", "order-*", "order-1*", "*-1", "o*-1*", "plain", "**", "$$order-*", "-*", ""][..])
            .prop_map(|pattern| StreamFilter::Pattern(pattern.into())),
    ]
}

fn type_filter() -> impl Strategy<Value = TypeFilter> {
    prop_oneof![
        prop::sample::select(&TYPES[..]).prop_map(|name| TypeFilter::Exact(EventType::new(name).expect("valid"))),
        prop::sample::select(&["", "P", "Paid", "$", "Q"][..]).prop_map(|prefix| TypeFilter::Prefix(prefix.into())),
    ]
}

fn tag_filter() -> impl Strategy<Value = TagFilter> {
    let patterns =
        ["/accounts/*", "/accounts/**", "/files/src/{file}", "/**", "/accounts/{n:int}", "/accounts/1", "/{a|b}"];
    prop_oneof![
        2 => prop::sample::select(&TAGS[..]).prop_map(|name| TagFilter::Exact(Tag::new(name).expect("valid"))),
        1 => prop::sample::select(&patterns[..])
            .prop_map(|pattern| TagFilter::Path(PathPattern::new(pattern).expect("valid"))),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let item = (
        prop::collection::vec(stream_filter(), 0..3),
        prop::collection::vec(type_filter(), 0..3),
        prop::collection::vec(tag_filter(), 0..3),
    )
        .prop_map(|(streams, types, tags)| QueryItem { streams, types, tags });
    prop::collection::vec(item, 0..4).prop_map(|items| Query { items })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_equals_the_reference(
        actions in actions(),
        queries in prop::collection::vec((query(), any::<u16>(), any::<u16>(), 1_usize..20), 8),
        cut in any::<u16>(),
    ) {
        let mut both = Both::new();
        for action in actions {
            match action {
                Action::Insert(events) => both.insert(&events),
                Action::Seal(back) => both.seal(back),
                Action::Maintain => { both.index.maintain().expect("maintenance"); }
                Action::Settle => both.settle(),
                Action::Reopen => { both.reopen(); }
            }
        }
        let head = both.reference.head();
        for to in [head, u64::from(cut) % (head + 1)] {
            check_terms(&both, to);
            check_listings(&both, to);
        }
        for (query, from, to, chunk) in queries {
            let to = u64::from(to) % (head + 1);
            check_query(&both, &query, u64::from(from) % (to + 1)..to, chunk);
            check_query(&both, &query, 0..head, chunk);
        }
        for mut audit in both.index.audits() {
            let range = audit.range();
            both.reference.indexed(range.start.0..range.end.0).for_each(|event| audit.event(&event));
            audit.finish().expect("the run says what the log says");
        }
    }
}
