//! The index against the reference, through its public questions.

mod damage;

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::prelude::*;
use uuid::Uuid;

use super::{Index, Kind, Opened, Step, Term, Towards, memory::Memory, part::Part, reference::Reference, run::Run};
use crate::{
    disk::{
        Disk, FileDisk,
        memory::{Gate, MemoryDisk, Operation, WatchedDisk},
    },
    name::{Category, EventType, StreamName, Tag},
    path::PathPattern,
    position::{Position, Revision},
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

/// Every position that can be inserted counts as durable.
const EVERYTHING: Position = Position(u64::MAX - 1);

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

const PATTERNS: [&str; 7] =
    ["/accounts/*", "/accounts/**", "/files/src/{file}", "/**", "/accounts/{n:int}", "/accounts/1", "/{a|b}"];

/// An index with what it must answer.
struct Both {
    disk: MemoryDisk,
    index: Arc<Index>,
    reference: Reference,
    /// Where the newest events begin that no seal has taken.
    sealed: u64,
}

impl Both {
    fn new() -> Self {
        let disk = MemoryDisk::new();
        let (index, opened) = open(&disk);
        assert_eq!(opened, Opened::default());
        Self { disk, index, reference: Reference::default(), sealed: 0 }
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
        let (index, opened) = open(&self.disk);
        self.index = index;
        self.sealed = opened.covered.0;
        self.index.insert(self.reference.indexed(opened.covered.0..self.reference.head()));
        opened
    }

    fn settle(&self) {
        while self.index.maintain(EVERYTHING).expect("maintenance") != Step::Idle {}
    }
}

fn open(disk: &MemoryDisk) -> (Arc<Index>, Opened) {
    Index::open(Arc::new(disk.clone()), STORE).expect("open")
}

fn matches(index: &Index, query: &Query, range: Range<u64>, towards: Towards, chunk: usize) -> Vec<Position> {
    let mut found = Vec::new();
    let mut matches = index.matches(query, Position(range.start)..Position(range.end), towards);
    while matches.next_chunk(chunk, &mut found).expect("matches") {
        matches = index.resume(matches.pause());
    }
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
    prop_oneof![
        2 => prop::sample::select(&TAGS[..]).prop_map(|name| TagFilter::Exact(Tag::new(name).expect("valid"))),
        1 => prop::sample::select(&PATTERNS[..])
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
                Action::Maintain => { both.index.maintain(EVERYTHING).expect("maintenance"); }
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

/// Events by a formula: long lists, many streams, many tags; enough for skip tables, wide clauses and several shards.
fn many(count: u64) -> Reference {
    let mut reference = Reference::default();
    let mut revisions = std::collections::HashMap::<String, u64>::new();
    for n in 0..count {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let stream = format!("order-{}", mixed % 900);
        let tags = vec![
            Tag::new(format!("/customers/{}/orders", mixed % 97)).expect("valid"),
            Tag::new(if mixed % 500 == 0 { "rare" } else { "usual" }).expect("valid"),
        ];
        let revision = revisions.entry(stream.clone()).or_default();
        reference.push_at(&stream, TYPES[(mixed % 6) as usize], tags, *revision, None);
        *revision += 1;
    }
    reference
}

fn filled(reference: Reference, seal_every: u64, settle: bool) -> Both {
    let mut both = Both { reference, ..Both::new() };
    let head = both.reference.head();
    for start in (0..head).step_by(seal_every as usize) {
        let end = head.min(start + seal_every);
        both.index.insert(both.reference.indexed(start..end));
        if end - start == seal_every {
            both.index.seal(Position(end));
            both.sealed = end;
        }
        if settle {
            both.settle();
        }
    }
    both
}

#[test]
fn long_lists_and_wide_clauses_equal_the_reference_in_memory_and_in_runs() {
    let tag = |name: &str| TagFilter::Exact(Tag::new(name).expect("valid"));
    let path = |pattern: &str| TagFilter::Path(PathPattern::new(pattern).expect("valid"));
    let item = |streams: &[&str], types: &[&str], tags: Vec<TagFilter>| QueryItem {
        streams: streams.iter().map(|&pattern| StreamFilter::Pattern(pattern.into())).collect(),
        types: types.iter().map(|&name| TypeFilter::Prefix(name.into())).collect(),
        tags,
    };
    let queries = [
        Query::of(item(&[], &[], vec![tag("rare")])),
        Query::of(item(&["order-*"], &["Paid"], vec![])),
        Query::of(item(&["*-1*"], &[], vec![])),
        Query::of(item(&["order-2*"], &["P"], vec![path("/customers/{n:int}/*"), tag("usual")])),
        Query::of(item(&["order-1*7"], &[], vec![]))
            .or(item(&[], &[], vec![path("/customers/{n:int}/**"), tag("rare")]))
            .or(item(&["order-3"], &["Shipped"], vec![])),
        Query::of(item(&[], &["Paid"], vec![path("/customers/7/orders")])),
    ];
    for (seal_every, settle) in [(100_000, false), (5_000, false), (700, true)] {
        let both = filled(many(21_000), seal_every, settle);
        for query in &queries {
            for range in [0..21_000, 5_432..15_001, 20_990..21_000] {
                check_query(&both, query, range, 1000);
            }
        }
        for term in [Term::Category("order"), Term::Type("Paid"), Term::Tag("rare"), Term::Stream("order-77")] {
            let expected = both.reference.positions(term, 20_500);
            let count = both.index.count(term, Position(20_500)).expect("count");
            assert_eq!(count, expected.len() as u64);
            for n in (0..count).step_by(37) {
                let nth = both.index.nth(term, n, Position(20_500)).expect("nth");
                assert_eq!(nth, Some(expected[n as usize]));
                let rank = both.index.rank(term, expected[n as usize], Position(20_500)).expect("rank");
                assert_eq!(rank, n);
            }
        }
        assert_eq!(both.index.terms(Kind::Stream, "", None, 10_000, Position(21_000)).expect("terms").len(), 900);
    }
}

#[test]
fn merging_keeps_the_number_of_runs_logarithmic_and_leaves_no_file_behind() {
    let both = filled(many(8 * 8 * 10 + 30), 10, true);
    let info = both.index.info();
    assert_eq!((info.runs, info.pending, info.open_events), (1 + 3, 0, 0), "one of level 2, three of level 0");
    assert_eq!(both.disk.list(Path::new("index")).expect("list").len(), info.runs + 1);
}

/// When many runs wait to be merged, as after a rebuild, merging the newest first left some old ones alone among larger ones, for ever.
#[test]
fn no_run_is_left_alone_among_larger_ones() {
    let mut both = filled(many(10 * (8 * 8 + 4)), 10, false);
    both.settle();
    assert_eq!(both.index.info().runs, 1 + 4);
    for _ in 0..4 {
        both.insert(&[(0, 0, vec![], None)]);
        both.seal(0);
        both.settle();
    }
    assert_eq!(both.index.info().runs, 1 + 1);
}

#[test]
fn what_was_not_sealed_is_asked_for_again() {
    let mut both = filled(many(1_050), 100, true);
    let opened = both.reopen();
    assert_eq!(opened, Opened { covered: Position(1_000), dropped: vec![] });
    check_query(&both, &Query::all(), 0..1_050, 7);
    assert_eq!(both.index.count(Term::Category("order"), Position(1_050)).expect("count"), 1_050);
}

#[test]
fn runs_of_another_store_or_of_a_longer_log_are_thrown_away() {
    let both = filled(many(1_000), 100, true);
    let disk = || Arc::new(both.disk.clone());
    let (_, opened) = Index::open_before(disk(), STORE, Position(950)).expect("open");
    assert!(opened.covered <= Position(950) && opened.dropped.len() == 2, "{opened:?}");
    let (_, opened) = Index::open(disk(), Uuid::from_u128(8)).expect("open");
    assert_eq!(opened.covered, Position(0));
    assert!(!opened.dropped.is_empty());
}

/// A reader that began before parts were sealed, written and merged goes on as if nothing had happened.
#[test]
fn a_search_outlives_the_parts_it_began_with() {
    let mut both = filled(many(2_000), 5_000, false);
    let query = Query::of(QueryItem::default().event_type(EventType::new("Paid").expect("valid")));
    let mut matches = both.index.matches(&query, Position(0)..Position(2_000), Towards::Newer);
    let mut found = Vec::new();
    matches.next_chunk(10, &mut found).expect("matches");
    both.seal(0);
    both.settle();
    both.insert(&[(0, 1, vec![], None)]);
    while matches.next_chunk(10, &mut found).expect("matches") {}
    assert_eq!(found, both.reference.matches(&query, 0..2_000, Towards::Newer));
}

/// Subscribers that had stopped in mid catch-up kept the view they had begun with, and with it parts in memory that had long been written and files
/// that had been merged away.
#[test]
fn a_paused_search_keeps_nothing_that_was_replaced_and_misses_nothing() {
    let query = Query::of(QueryItem::default().event_type(EventType::new("Paid").expect("valid")));
    for towards in [Towards::Newer, Towards::Older] {
        let mut both = filled(many(1_000), 100, false);
        let mut found = Vec::new();
        let begin = |both: &Both, found: &mut Vec<Position>| {
            let mut matches = both.index.matches(&query, Position(0)..Position(1_000), towards);
            assert!(matches.next_chunk(10, found).expect("matches"));
            matches.pause()
        };
        let paused = begin(&both, &mut found);
        let first = Arc::downgrade(&memory(&both.index, 0));
        assert_eq!(both.index.build(EVERYTHING).expect("built"), Step::Built);
        assert!(first.upgrade().is_none(), "it is a file now");

        let mut matches = both.index.resume(paused);
        assert!(matches.next_chunk(10, &mut found).expect("matches"));
        let first = Arc::downgrade(&run(&both.index, 0));
        let paused = matches.pause();
        both.settle();
        assert!(first.upgrade().is_none(), "it was merged");
        both.insert(&[(0, 1, vec![], None)]);

        let mut matches = both.index.resume(paused);
        while matches.next_chunk(10, &mut found).expect("matches") {}
        assert_eq!(found, both.reference.matches(&query, 0..1_000, towards));
    }
}

fn memory(index: &Index, place: usize) -> Arc<Memory> {
    match &index.parts.load().parts[place] {
        Part::Memory(memory, _) => Arc::clone(memory),
        Part::Run(_) => panic!("part {place} is in memory"),
    }
}

fn run(index: &Index, place: usize) -> Arc<Run> {
    match &index.parts.load().parts[place] {
        Part::Run(run) => Arc::clone(run),
        Part::Memory(..) => panic!("part {place} is a file"),
    }
}

/// One writer, builds, merges and readers at once: whoever asks up to a published head gets what was there at that head.
#[test]
#[allow(clippy::disallowed_methods)] // threads are the matter here
fn readers_see_every_published_head_whole_while_parts_come_and_go() {
    const EVENTS: u64 = 6_000;
    let both = Both { reference: many(EVENTS), ..Both::new() };
    let (index, reference, head) = (&both.index, &both.reference, AtomicU64::new(0));
    let paid: Vec<u64> = reference.positions(Term::Type("Paid"), EVENTS).iter().map(|position| position.0).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for start in (0..EVENTS).step_by(25) {
                index.insert(reference.indexed(start..start + 25));
                head.store(start + 20, Ordering::Release); // the last five are not durable yet
                if start % 100 == 75 {
                    index.seal(Position(start + 20));
                }
            }
            head.store(EVENTS, Ordering::Release);
        });
        scope.spawn(|| {
            while head.load(Ordering::Acquire) < EVENTS {
                index.build(EVERYTHING).expect("build");
            }
        });
        scope.spawn(|| {
            while head.load(Ordering::Acquire) < EVENTS {
                index.merge(&|| true).expect("merge");
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let to = head.load(Ordering::Acquire);
                    let expected = paid.partition_point(|&position| position < to);
                    assert_eq!(index.count(Term::Type("Paid"), Position(to)).expect("count"), expected as u64);
                    let query = Query::of(QueryItem::default().event_type(EventType::new("Paid").expect("valid")));
                    let found = matches(index, &query, 0..to, Towards::Newer, 64);
                    assert!(found.iter().map(|position| position.0).eq(paid[..expected].iter().copied()));
                    if to == EVENTS {
                        break;
                    }
                }
            });
        }
    });
}

/// The same life on the real file system.
#[test]
fn runs_work_on_real_files() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let reference = many(900);
    for _ in 0..2 {
        let (index, opened) = Index::open(Arc::new(FileDisk::new(dir.path())), STORE).expect("open");
        for start in (opened.covered.0..900).step_by(50) {
            index.insert(reference.indexed(start..start + 50));
            index.seal(Position(start + 50));
        }
        while index.maintain(EVERYTHING).expect("maintenance") != Step::Idle {}
        let count = index.count(Term::Type("Paid"), Position(900)).expect("count");
        assert_eq!(count, reference.positions(Term::Type("Paid"), 900).len() as u64);
    }
}

/// A disk on which merges, and nothing else, are held up at a gate where they write.
fn merges_gated(disk: &MemoryDisk) -> (Arc<WatchedDisk>, Gate) {
    let gate = Gate::default();
    let passing = gate.clone();
    let disk = WatchedDisk::new(disk.clone(), move |request| {
        let name = request.path.file_name().unwrap_or_default().to_string_lossy();
        if request.operation == Operation::Write && name.starts_with("merging-") {
            passing.pass();
        }
        Ok(())
    });
    (Arc::new(disk), gate)
}

/// A merge of a high level takes minutes. Builds that waited for it left their parts in memory, and made imports wait.
#[test]
#[allow(clippy::disallowed_methods)] // threads are the matter here
fn builds_go_on_while_a_merge_is_under_way() {
    let (disk, reference) = (MemoryDisk::new(), many(3_000));
    let (gated, gate) = merges_gated(&disk);
    let (index, _) = Index::open(gated, STORE).expect("open");
    let seal = |from: u64| {
        index.insert(reference.indexed(from..from + 100));
        index.seal(Position(from + 100));
    };
    let check = |head: u64| {
        let query = Query::of(QueryItem::default().stream(StreamFilter::Pattern("*-1*".into())));
        let found = matches(&index, &query, 0..head, Towards::Newer, 64);
        assert_eq!(found, reference.matches(&query, 0..head, Towards::Newer), "at {head}");
        for term in [Term::Type("Paid"), Term::Stream("order-77"), Term::Tag("rare"), Term::Created] {
            let mut found = Vec::new();
            index.postings_forward(term, 0, usize::MAX, Position(head), &mut found).expect("forward");
            assert_eq!(found, reference.positions(term, head), "{term:?} at {head}");
        }
    };
    (0..800).step_by(100).for_each(|from| {
        seal(from);
        assert_eq!(index.build(EVERYTHING).expect("build"), Step::Built);
    });
    let held = gate.close();
    std::thread::scope(|scope| {
        let merge = scope.spawn(|| index.merge(&|| true).expect("merge"));
        gate.wait_for_held_up();
        for from in (800..2_000).step_by(100) {
            seal(from);
            assert_eq!(index.build(EVERYTHING).expect("build"), Step::Built, "the merge holds nobody up");
            check(from + 100);
        }
        assert_eq!((index.info().runs, index.info().pending), (20, 0));
        // A crash now finds what was built, and not the merge.
        let (_, opened) = open(&disk.crash_losing_all());
        assert_eq!(opened.covered, Position(2_000));
        seal(2_000);
        drop(held);
        assert_eq!(merge.join().expect("no panic"), Step::Merged);
    });
    // Eight runs became one, those built meanwhile stayed.
    assert_eq!((index.info().runs, index.info().pending), (13, 1));
    check(2_100);
    assert_eq!(open(&disk.kill()).1, Opened { covered: Position(2_000), dropped: vec![] });
    assert_eq!(open(&disk.crash_losing_all()).1.covered, Position(2_000));
    while index.maintain(EVERYTHING).expect("maintenance") != Step::Idle {}
    check(2_100);
    assert_eq!(index.info().runs, 2 + 5, "two of level 1, five of level 0");
    for mut audit in index.audits() {
        let range = audit.range();
        reference.indexed(range.start.0..range.end.0).for_each(|event| audit.event(&event));
        audit.finish().expect("the run says what the log says");
    }
}

/// What a long merge leaves undone is done within it: otherwise runs would pile up behind it, as many as an import makes meanwhile.
#[test]
fn a_long_merge_stops_for_the_shorter_ones() {
    const RUN: u64 = 4_000;
    let reference = many(72 * RUN);
    let (index, _) = open(&MemoryDisk::new());
    let build = |run: u64| {
        index.insert(reference.indexed(run * RUN..(run + 1) * RUN));
        index.seal(Position((run + 1) * RUN));
        assert_eq!(index.build(EVERYTHING).expect("build"), Step::Built);
    };
    for run in 0..64 {
        build(run);
        if run < 63 {
            while index.merge(&|| true).expect("merge") == Step::Merged {}
        }
    }
    // Eight of level 0 complete the eighth of level 1.
    assert_eq!(index.merge(&|| true).expect("merge"), Step::Merged);
    assert_eq!(index.info().runs, 8);
    // Every time the long merge asks whether to go on, one more run is there; the shorter merge does not ask.
    let built = std::cell::Cell::new(64);
    let merge = index.merge(&|| {
        if built.get() < 72 {
            build(built.get());
            built.set(built.get() + 1);
        }
        true
    });
    assert_eq!((merge.expect("merge"), built.get()), (Step::Merged, 72));
    assert_eq!(index.info().runs, 2, "one of level 2, one of level 1");
    assert_eq!(index.count(Term::Category("order"), Position(72 * RUN)).expect("count"), 72 * RUN);
}

/// A store that closes does not wait for a merge; what there was stays, and nothing is left over that counts.
#[test]
fn a_merge_can_be_given_up() {
    let (disk, reference) = (MemoryDisk::new(), many(80_000));
    let (index, _) = open(&disk);
    for from in (0..80_000).step_by(10_000) {
        index.insert(reference.indexed(from..from + 10_000));
        index.seal(Position(from + 10_000));
        assert_eq!(index.build(EVERYTHING).expect("build"), Step::Built);
    }
    assert_eq!(index.merge(&|| false).expect("given up"), Step::Idle);
    assert_eq!(index.info().runs, 8);
    assert_eq!(open(&disk).1, Opened { covered: Position(80_000), dropped: vec![] });
    assert_eq!(index.merge(&|| true).expect("merge"), Step::Merged);
}
