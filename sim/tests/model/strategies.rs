//! How scripts are drawn. The first of every choice is the plainest: what shrinking ends with.

use gesta_sim::workload::STREAMS;
use gesta_store::{
    Direction, EventType, PathPattern, Query, QueryItem, Source, StreamFilter, StreamName, Tag, TagFilter, TypeFilter,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::script::{Act, After, Aim, Ask, Deed, Document, Expect, Fact, Fresh, Moment, Place, Reading, TAGS, TYPES};

/// What can be asked of a store that lives on.
pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    vec(act(), 1..28)
}

/// The same, with restarts and crashes between.
pub(crate) fn acts_and_disasters() -> impl Strategy<Value = Vec<Act>> {
    let disaster = prop_oneof![
        Just(Act::Reopen),
        Just(Act::Kill),
        any::<u64>().prop_map(Act::Crash),
        any::<u64>().prop_map(Act::Crash)
    ];
    vec(prop_oneof![6 => act(), 1 => disaster], 1..28)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        14 => vec(ask(), 1..4).prop_map(Act::Commit),
        8 => any_read().prop_map(|(source, reading)| Act::Read(source, reading)),
        1 => (query(), reading()).prop_map(|(query, reading)| Act::Explain(query, reading)),
        1 => list(),
        2 => Just(Act::Follow),
        1 => (1..90_000_u32).prop_map(Act::Advance),
        1 => (1..90_000_u32).prop_map(Act::JumpBack),
        2 => Just(Act::Settle),
        1 => Just(Act::CheckAll),
    ]
}

fn list() -> impl Strategy<Value = Act> {
    let prefix = select(vec!["", "order-", "$$", "$$order", "user-1", "zzz"]);
    (prefix, option::of(0..STREAMS.len()), 0..6_usize)
        .prop_map(|(prefix, after, limit)| Act::List(prefix, after, limit))
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        12 => fresh().prop_map(Ask::Fresh),
        1 => (0..4_usize).prop_map(Ask::Again),
        2 => (0..4_usize, expect()).prop_map(|(back, expected)| Ask::SameEvents(back, expected)),
        1 => (0..4_usize, fresh()).prop_map(|(back, fresh)| Ask::SameId(back, fresh)),
    ]
}

fn fresh() -> impl Strategy<Value = Fresh> {
    let aims = prop_oneof![3 => vec(aim(), 1), 1 => vec(aim(), 2..4)];
    let after = prop_oneof![2 => (0..6_u64).prop_map(After::Back), 1 => Just(After::Nothing)];
    let conditions = prop_oneof![3 => Just(Vec::new()), 1 => vec((query(), after), 1..3)];
    let recorded_at = prop_oneof![12 => Just(None), 1 => (-5..5_i32).prop_map(Some)];
    (aims, conditions, recorded_at).prop_map(|(aims, conditions, recorded_at)| Fresh { aims, conditions, recorded_at })
}

fn aim() -> impl Strategy<Value = Aim> {
    let deed = prop_oneof![
        14 => vec(fact(), 1..4).prop_map(Deed::Append),
        2 => vec(fact(), 1..3).prop_map(Deed::AppendUnnamed),
        1 => Just(Deed::Check),
        2 => Just(Deed::Delete),
        2 => document().prop_map(Deed::Describe),
    ];
    let deed = prop_oneof![50 => deed, 1 => Just(Deed::Tombstone)];
    // Few streams, and one of them more than the others, so that things meet.
    let stream = prop_oneof![2 => Just(0), 3 => 0..STREAMS.len()];
    (stream, expect(), deed).prop_map(|(stream, expected, deed)| Aim { stream, expected, deed })
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        3 => Just(Expect::Any),
        4 => Just(Expect::AsItIs),
        1 => Just(Expect::NoStream),
        1 => Just(Expect::Exists),
        1 => Just(Expect::Deleted),
        1 => Just(Expect::Ended),
        2 => (0..8_u64).prop_map(Expect::Exact),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    // Up to beyond the tail cache of some stores, and to a fraction of a segment.
    let bytes = prop_oneof![20 => 0..60_u16, 3 => 0..3000_u16, 1 => 0..24_000_u16];
    let tags = prop_oneof![3 => Just(Vec::new()), 2 => vec(0..TAGS.len(), 1..3)];
    let link = prop_oneof![12 => Just(None), 1 => (0..6_u8, 0..STREAMS.len()).prop_map(Some)];
    let correlation = prop_oneof![6 => Just(None), 1 => (0..3_u8).prop_map(Some)];
    (0..TYPES.len(), bytes, tags, correlation, link).prop_map(|(kind, bytes, tags, correlation, link)| Fact {
        kind,
        bytes,
        tags,
        correlation,
        link,
    })
}

fn document() -> impl Strategy<Value = Document> {
    prop_oneof![
        Just(Document::Plain),
        (0..5_u8).prop_map(Document::MaxCount),
        (0..100_u8).prop_map(Document::MaxAge),
        (0..8_u8).prop_map(Document::TruncateBefore),
        Just(Document::Garbage),
    ]
}

/// A source, and how it is read.
pub(crate) fn any_read() -> impl Strategy<Value = (Source, Reading)> {
    (source(), reading())
}

fn source() -> impl Strategy<Value = Source> {
    let name = |name: &str| StreamName::new(name).expect("a valid name");
    let written = (0..STREAMS.len()).prop_map(move |index| name(STREAMS[index]));
    let metadata = (0..STREAMS.len()).prop_map(move |index| name(&format!("$${}", STREAMS[index])));
    let computed =
        vec!["$ce-order", "$ce-user", "$ce-a", "$ce-none", "$et-Paid", "$et-$>", "$et-$metadata", "$bc-c1", "$streams"];
    prop_oneof![
        3 => written.prop_map(Source::Stream),
        2 => Just(Source::All),
        3 => query().prop_map(Source::Query),
        1 => metadata.prop_map(Source::Stream),
        3 => select(computed).prop_map(move |stream| Source::Stream(name(stream))),
    ]
}

/// How something is read.
pub(crate) fn reading() -> impl Strategy<Value = Reading> {
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let moment = || {
        prop_oneof![
            any::<u16>().prop_map(Moment::Position),
            (any::<u16>(), -1..2_i8).prop_map(|(part, nanos)| Moment::Time(part, nanos)),
        ]
    };
    let from = prop_oneof![
        4 => Just(Place::Beginning),
        1 => Just(Place::Now),
        3 => (0..12_u64).prop_map(Place::Revision),
        4 => moment().prop_map(Place::At),
    ];
    let as_of = prop_oneof![3 => Just(None), 1 => moment().prop_map(Some)];
    let limit = prop_oneof![2 => Just(None), 1 => (0..12_u64).prop_map(Some)];
    (direction, from, as_of, limit, any::<bool>(), 1..40_usize, 1..30_000_usize).prop_map(
        |(direction, from, as_of, limit, resolve_links, batch_events, batch_bytes)| Reading {
            direction,
            from,
            as_of,
            limit,
            resolve_links,
            batch_events,
            batch_bytes,
        },
    )
}

/// A query: several items, every kind of filter.
pub(crate) fn query() -> impl Strategy<Value = Query> {
    let streams = prop_oneof![
        3 => (0..STREAMS.len()).prop_map(|index| StreamFilter::Exact(StreamName::new(STREAMS[index]).expect("valid"))),
        1 => select(vec!["order", "user", "a", "none"])
            .prop_map(|category| StreamFilter::Category(category.try_into().expect("valid"))),
        1 => select(vec!["", "order-", "user", "$$", "zz"]).prop_map(|prefix| StreamFilter::Prefix(prefix.into())),
        1 => select(vec!["*", "*-1", "o*r-*", "*o*", "$$*-2", "solo"])
            .prop_map(|glob| StreamFilter::Pattern(glob.into())),
    ];
    let types = prop_oneof![
        3 => (0..TYPES.len()).prop_map(|kind| TypeFilter::Exact(EventType::new(TYPES[kind]).expect("valid"))),
        1 => select(vec!["Paid", "P", "$", ""]).prop_map(|prefix| TypeFilter::Prefix(prefix.into())),
    ];
    let paths = select(vec!["/accounts/*", "/accounts/**", "/accounts/1", "/accounts/*/cards", "/**", "/files/src/*"]);
    let tags = prop_oneof![
        2 => (0..TAGS.len()).prop_map(|tag| TagFilter::Exact(Tag::new(TAGS[tag]).expect("valid"))),
        1 => paths.prop_map(|pattern| TagFilter::Path(PathPattern::new(pattern).expect("valid"))),
    ];
    let item = (vec(streams, 0..3), vec(types, 0..3), vec(tags, 0..3)).prop_map(|(streams, types, tags)| QueryItem {
        streams,
        types,
        tags,
    });
    vec(item, 0..4).prop_map(|items| Query { items })
}
