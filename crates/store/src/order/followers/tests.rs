//! Whom an event wakes: everybody whose filter it matches, nobody else, and at the right position. Against a model that compares every event with
//! everybody.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    interest::{Anchors, Interest},
    shown::{FreshCommit, Shown, fresh_from},
    table::{Key, Table, Wait},
};
use crate::{
    correlation::correlation_of,
    event::{EventRef, Tags, encode_tags},
    index::{ClauseEstimate, ItemEstimate, Term},
    name::{Category, EventType, StreamName, Tag, category_of},
    order::{Head, tests::Bell},
    path::PathPattern,
    position::{Position, Revision, Timestamp},
    query::{Query, QueryItem, StreamFilter, TagFilter, TypeFilter},
};

/// An event's header, owned.
#[derive(Clone, Debug, Default)]
struct Header {
    stream: &'static str,
    revision: u64,
    event_type: &'static str,
    tags: Vec<u8>,
    metadata: &'static str,
}

impl Header {
    fn at(&self, position: u64) -> EventRef<'_> {
        EventRef {
            position: Position(position),
            revision: Revision(self.revision),
            recorded_at: time_of(position),
            id: Uuid::from_u128(u128::from(position)),
            stream: self.stream,
            event_type: self.event_type,
            content_type: "application/json",
            tags: Tags::parse(&self.tags).expect("encoded here"),
            data: b"",
            metadata: self.metadata.as_bytes(),
            erased: false,
        }
    }
}

/// Several events share a time.
fn time_of(position: u64) -> Timestamp {
    Timestamp((position / 3).cast_signed())
}

const STREAMS: [&str; 7] = ["order-1", "order-2", "orders", "ord-1", "$$order-1", "a-b-c", "plain"];
const TYPES: [&str; 4] = ["Paid", "Placed", "PaidBack", "$>"];
const TAGS: [&str; 6] = ["/accounts/1", "/accounts/1/in", "/accounts/12", "/", "red", "/x"];
const METADATA: [&str; 4] = ["", "{}", r#"{"$correlationId":"c-1"}"#, r#"{"$correlationId":"c-2"}"#];

fn headers() -> impl Strategy<Value = Header> {
    let tags = prop::collection::vec(prop::sample::select(&TAGS[..]), 0..3);
    let names = (prop::sample::select(&STREAMS[..]), prop::sample::select(&TYPES[..]));
    (names, 0..2_u64, tags, prop::sample::select(&METADATA[..])).prop_map(|(names, revision, tags, metadata)| {
        let tags: Vec<Tag> = tags.into_iter().map(|tag| Tag::new(tag).expect("valid")).collect();
        let mut block = Vec::new();
        encode_tags(&tags, &mut block);
        Header { stream: names.0, revision, event_type: names.1, tags: block, metadata }
    })
}

/// What somebody waits for, as the model sees it.
#[derive(Clone, Debug)]
enum Wish {
    All,
    Stream(&'static str),
    Category(&'static str),
    Type(&'static str),
    Correlation(&'static str),
    Streams,
    Query(Query),
}

impl Wish {
    fn interest(&self, counts: &[u64]) -> Interest {
        match self {
            Self::All => Interest::in_all(),
            Self::Stream(name) => Interest::in_stream(Term::Stream(name)),
            Self::Category(name) => Interest::in_stream(Term::Category(name)),
            Self::Type(name) => Interest::in_stream(Term::Type(name)),
            Self::Correlation(name) => Interest::in_stream(Term::Correlation(name)),
            Self::Streams => Interest::in_stream(Term::Created),
            Self::Query(query) => Interest::in_query(query, |query| Ok(estimates(query, counts))).expect("given"),
        }
    }

    fn matches(&self, event: &EventRef<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Stream(name) => event.stream == *name,
            Self::Category(name) => category_of(event.stream) == Some(*name) && !event.stream.starts_with("$$"),
            Self::Type(name) => event.event_type == *name,
            Self::Correlation(name) => correlation_of(event.metadata).as_deref() == Some(*name),
            Self::Streams => event.revision.0 == 0,
            Self::Query(query) => query.matches(event.stream, event.event_type, event.tags.iter()),
        }
    }
}

/// Any figures: they may change what an interest costs, never what it means.
fn estimates(query: &Query, counts: &[u64]) -> Vec<ItemEstimate> {
    let mut counts = counts.iter().cycle().copied();
    let mut clause = || ClauseEstimate { postings: counts.next().unwrap_or(0), ..ClauseEstimate::default() };
    let item = |item: &QueryItem| ItemEstimate {
        streams: Some(clause()),
        types: Some(clause()),
        tags: item.tags.iter().map(|_| clause()).collect(),
        matches_at_most: 0,
    };
    query.items.iter().map(item).collect()
}

fn stream_filters() -> impl Strategy<Value = StreamFilter> {
    prop_oneof![
        prop::sample::select(&STREAMS[..]).prop_map(|name| StreamFilter::Exact(StreamName::new(name).expect("valid"))),
        prop::sample::select(&["order", "ord", "a", "$$order", "a-b"][..])
            .prop_map(|name| StreamFilter::Category(Category::new(name).expect("valid"))),
        prop::sample::select(&["", "o", "order", "order-", "plain", "plainer"][..])
            .prop_map(|prefix| StreamFilter::Prefix(prefix.into())),
        prop::sample::select(&["*", "*-1", "order*", "o*-2", "plain"][..])
            .prop_map(|pattern| StreamFilter::Pattern(pattern.into())),
    ]
}

fn type_filters() -> impl Strategy<Value = TypeFilter> {
    prop_oneof![
        prop::sample::select(&TYPES[..]).prop_map(|name| TypeFilter::Exact(EventType::new(name).expect("valid"))),
        prop::sample::select(&["", "P", "Paid"][..]).prop_map(|prefix| TypeFilter::Prefix(prefix.into())),
    ]
}

fn tag_filters() -> impl Strategy<Value = TagFilter> {
    prop_oneof![
        prop::sample::select(&TAGS[..]).prop_map(|tag| TagFilter::Exact(Tag::new(tag).expect("valid"))),
        prop::sample::select(&["/**", "/*", "/accounts/*", "/accounts/1/**", "/accounts/1", "/{a|x}", "/*/1"][..])
            .prop_map(|pattern| TagFilter::Path(PathPattern::new(pattern).expect("valid"))),
    ]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let item = (
        prop::collection::vec(stream_filters(), 0..3),
        prop::collection::vec(type_filters(), 0..3),
        prop::collection::vec(tag_filters(), 0..3),
    );
    let item = item.prop_map(|(streams, types, tags)| QueryItem { streams, types, tags });
    prop_oneof![
        1 => Just(Wish::All),
        2 => prop::sample::select(&STREAMS[..]).prop_map(Wish::Stream),
        1 => prop::sample::select(&["order", "ord", "$$order"][..]).prop_map(Wish::Category),
        1 => prop::sample::select(&TYPES[..]).prop_map(Wish::Type),
        1 => prop::sample::select(&["c-1", "c-2"][..]).prop_map(Wish::Correlation),
        1 => Just(Wish::Streams),
        8 => prop::collection::vec(item, 0..3).prop_map(|items| Wish::Query(Query { items })),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    /// Somebody comes and waits, for events that are no older than so many ticks from now, and for a mark so many positions on.
    Enter { wish: Wish, since: Option<u8>, mark: Option<u8>, counts: Vec<u64> },
    /// Somebody goes.
    Leave(prop::sample::Index),
    /// Events are recorded but not announced; whoever leads keeps them until they are, or not.
    Record(Vec<Header>, bool),
    /// So many of those that were not announced are; 0: all, without looking, if nobody has to.
    Announce(u8),
}

fn acts() -> impl Strategy<Value = Act> {
    let enter = (
        wishes(),
        prop::option::weighted(0.2, 0..4_u8),
        prop::option::weighted(0.3, 1..9_u8),
        prop::collection::vec(0..5_u64, 1..5),
    );
    prop_oneof![
        4 => enter.prop_map(|(wish, since, mark, counts)| Act::Enter { wish, since, mark, counts }),
        1 => any::<prop::sample::Index>().prop_map(Act::Leave),
        3 => (prop::collection::vec(headers(), 1..6), any::<bool>()).prop_map(|(headers, keep)| Act::Record(headers, keep)),
        4 => (0..5_u8).prop_map(Act::Announce),
    ]
}

/// A follower in the model.
struct Follower {
    wish: Wish,
    from: u64,
    since: Option<Timestamp>,
    mark: Option<u64>,
    bell: Arc<Bell>,
}

impl Follower {
    /// Where his wait ends, when the events below `announced_to` are announced in stretches that end at `ends`.
    fn ends_at(&self, log: &[Header], ends: &[u64]) -> Option<u64> {
        let mut begin = self.from;
        for &end in ends.iter().filter(|end| **end > self.from) {
            let counts = |position: &u64| {
                let event = log[usize::try_from(*position).expect("small")].at(*position);
                self.since.is_none_or(|since| event.recorded_at >= since) && self.wish.matches(&event)
            };
            if let Some(position) = (begin..end).find(counts) {
                return Some(position);
            }
            if self.mark.is_some_and(|mark| mark <= end) {
                return Some(end);
            }
            begin = end;
        }
        None
    }
}

/// Runs the acts on the table and on the model.
fn run(acts: Vec<Act>) {
    let mut log: Vec<Header> = Vec::new();
    let mut fresh: Vec<FreshCommit> = Vec::new();
    let mut ends: Vec<u64> = Vec::new();
    let mut table = Table::new(Position::START);
    let mut followers: BTreeMap<Key, Follower> = BTreeMap::new();
    for act in acts {
        let head = log.len() as u64;
        match act {
            Act::Enter { wish, since, mark, counts } => {
                let since = since.map(|ticks| Timestamp(time_of(head).0 + i64::from(ticks)));
                let mark = mark.map(|distance| head + u64::from(distance));
                let bell = Arc::new(Bell::default());
                let interest = Arc::new(wish.interest(&counts));
                let wait = Wait { interest, from: Position(head), since, mark: mark.map(Position) };
                let was_empty = table.waiting() == 0;
                let key = table.enter(wait, Waker::from(Arc::clone(&bell)));
                assert!(!was_empty || table.announced_to().0 == head, "what nobody waited for is never looked at");
                followers.insert(key, Follower { wish, from: head, since, mark, bell });
            }
            Act::Leave(index) if !followers.is_empty() => {
                let key = *followers.keys().nth(index.index(followers.len())).expect("within");
                let follower = followers.remove(&key).expect("there");
                let known = follower.ends_at(&log, &ends);
                let quiet_to = ends.last().copied().unwrap_or(0).max(follower.from);
                assert_eq!(table.leave(key).0, Position(known.unwrap_or(quiet_to)), "{:?}", follower.wish);
            }
            Act::Leave(_) => {}
            Act::Record(headers, keep) => {
                log.extend(headers);
                let recorded = (head..).zip(&log[usize::try_from(head).expect("small")..]);
                fresh.extend(recorded.filter(|_| keep).map(|(at, header)| FreshCommit::of(&header.at(at))));
            }
            Act::Announce(count) => {
                let from = table.announced_to().0;
                let look = table.looks_at_events();
                let mut end = if look && count > 0 { head.min(from + u64::from(count)) } else { head };
                let mut woken = Vec::new();
                let stretch = usize::try_from(end.saturating_sub(from)).expect("small");
                if !look {
                    table.pass(Position(end), &mut woken);
                } else if let Some(events) = fresh_from(&fresh, Position(from)) {
                    // There may be a gap behind them.
                    end = table.announce(events.take(stretch), &mut woken).0;
                } else {
                    let events =
                        (from..end).map(|position| (position, &log[usize::try_from(position).expect("small")]));
                    table.announce(events.map(|(position, header)| Shown::from(header.at(position))), &mut woken);
                }
                ends.push(end.max(ends.last().copied().unwrap_or(0)));
                woken.into_iter().for_each(Waker::wake);
            }
        }
        let mut waiting = 0;
        for (key, follower) in &followers {
            let ended = follower.ends_at(&log, &ends).is_some();
            let (told, _) = table.look(*key, Waker::from(Arc::clone(&follower.bell)));
            assert_eq!(told, ended, "{:?}", follower.wish);
            assert_eq!(follower.bell.0.load(Ordering::SeqCst), usize::from(ended), "{:?}", follower.wish);
            waiting += usize::from(!ended);
        }
        assert_eq!(table.waiting(), waiting);
    }
    // Nothing is left of those who go.
    for key in followers.into_keys() {
        table.leave(key);
    }
    assert!(table.is_empty(), "{table:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn an_event_wakes_those_who_wait_for_it_and_nobody_else(acts in prop::collection::vec(acts(), 1..40)) {
        run(acts);
    }
}

fn query(item: QueryItem) -> Query {
    Query::of(item)
}

/// An item is found by the clause that was rarest so far; one that restricts nothing is no reason to compare every event.
#[test]
fn an_interest_is_anchored_at_what_is_rarest() {
    let tag = |tag: &str| Tag::new(tag).expect("valid");
    let item = QueryItem::default().event_type(EventType::new("Paid").expect("valid")).tag(tag("red")).tag(tag("blue"));
    let anchored = |counts: [u64; 4]| {
        let interest = Interest::in_query(&query(item.clone()), |query| Ok(estimates(query, &counts))).expect("given");
        match interest.anchors {
            Anchors::Terms(anchors) => anchors,
            other @ (Anchors::Everything | Anchors::None) => panic!("{other:?}"),
        }
    };
    // streams, types, first tag, second tag
    let [by_type, by_red, by_blue] = [anchored([9, 1, 2, 3]), anchored([9, 3, 1, 2]), anchored([9, 3, 2, 1])];
    assert!(by_type.len() == 1 && by_red.len() == 1 && by_blue.len() == 1);
    assert!(by_type != by_red && by_red != by_blue && by_blue != by_type);

    let open = query(QueryItem::default().stream(StreamFilter::Pattern("*-1".into())));
    let interest = Interest::in_query(&open, |_| panic!("there is nothing to choose")).expect("no estimate");
    assert!(matches!(interest.anchors, Anchors::None));
    let everything = Query { items: vec![item, QueryItem::default()] };
    let interest = Interest::in_query(&everything, |_| panic!("there is nothing to choose")).expect("no estimate");
    assert!(matches!(interest.anchors, Anchors::Everything));
}

/// What was ordered while somebody waited is announced as it was ordered; the log is asked for what is not among it, and for nothing else.
#[test]
fn what_was_ordered_while_somebody_waited_is_not_read_back() {
    let log: Vec<Header> = STREAMS.map(|stream| Header { stream, event_type: "Paid", ..Header::default() }).into();
    let event = |position: u64| log[usize::try_from(position).expect("small")].at(position);
    let fresh = |positions: &[u64]| -> Vec<_> { positions.iter().map(|at| FreshCommit::of(&event(*at))).collect() };
    let cases: [(&[u64], Option<Range<u64>>); 4] = [
        (&[0, 1, 2, 3, 4, 5, 6], None),
        (&[], Some(0..7)),
        (&[2, 3, 4, 5, 6], Some(0..7)),
        (&[0, 1, 4, 5, 6], Some(2..7)),
    ];
    for (kept, wanted) in cases {
        let head = Head::at(Position::START);
        let bell = Arc::new(Bell::default());
        let interest = Arc::new(Interest::in_stream(Term::Stream(STREAMS[6])));
        let wait = Wait { interest, from: Position::START, since: None, mark: None };
        let following = head.follow(wait, Waker::from(Arc::clone(&bell))).expect("open").expect("nothing is there");
        drop(head.publish(Position(7)));
        let asked = RefCell::new(Vec::new());
        head.announce(&fresh(kept), |range| {
            asked.borrow_mut().push(range.start.0..range.end.0);
            Ok(Owned((range.start.0..range.end.0).map(event).collect()))
        });
        let wanted: Vec<_> = wanted.into_iter().collect();
        assert_eq!((asked.into_inner(), bell.0.load(Ordering::SeqCst)), (wanted, 1), "{kept:?}");
        assert_eq!(following.end(), Position(6));
    }
}

/// Events as they are read from a log.
struct Owned<'l>(Vec<EventRef<'l>>);

impl<'b> IntoIterator for &'b Owned<'_> {
    type Item = EventRef<'b>;
    type IntoIter = std::iter::Copied<std::slice::Iter<'b, EventRef<'b>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().copied()
    }
}
