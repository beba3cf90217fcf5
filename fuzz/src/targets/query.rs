//! Queries answered by the index against a look at every event.
//!
//! Input: lines. `=name`, `-category`, `^prefix`, `*pattern` restrict the streams, `:type` and `;prefix` the types, `#tag` and `/path` the
//! tags; `|` begins another item; `@from to chunk` is the range, and how many matches are asked for at a time.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use gesta_store::{
    Position, Query, QueryItem, StreamFilter, TagFilter, TypeFilter,
    index::{Index, Towards},
};

use crate::sample::{self, ENDS, Event};

/// Pieces of queries.
pub const TOKENS: &[&[u8]] = &[
    b"\n=order-1",
    b"\n-order",
    b"\n^order",
    b"\n**-1",
    b"\n:Paid",
    b"\n;P",
    b"\n#vip",
    b"\n/accounts/**",
    b"\n|",
    b"\n@0 370 1",
    b"\n@299 341 7",
];

/// Evaluates a query.
pub fn run(input: &[u8]) {
    static WHOLE: OnceLock<(Vec<Event>, Arc<Index>)> = OnceLock::new();
    let (events, index) = WHOLE.get_or_init(|| {
        let events = sample::events();
        let (_, index) = sample::index(&events);
        (events, index)
    });
    let Some((query, range, chunk)) = str::from_utf8(input).ok().and_then(parse) else { return };
    let mut expected = sample::matches(events, &query, range.clone());
    let positions = Position(range.start)..Position(range.end);

    let estimate = index.estimate(&query, positions.clone()).expect("an index that is whole");
    assert!(expected.len() as u64 <= estimate.matches_at_most, "{query:?} {estimate:?} matches={}", expected.len());
    let first = index.first_match(&query, positions.start, positions.end).expect("an index that is whole");
    assert_eq!(first, expected.first().copied(), "{query:?} {range:?}");
    for towards in [Towards::Newer, Towards::Older] {
        let mut found = Vec::new();
        let mut matches = index.matches(&query, positions.clone(), towards);
        while matches.next_chunk(chunk, &mut found).expect("an index that is whole") {}
        assert_eq!(found, expected, "{query:?} {range:?} {towards:?}");
        expected.reverse();
    }
}

fn parse(text: &str) -> Option<(Query, Range<u64>, usize)> {
    let mut items = vec![QueryItem::default()];
    let (mut range, mut chunk) = (0..*ENDS.last()?, 64);
    for line in text.lines() {
        let item = items.last_mut()?;
        let Some((sigil, rest)) = line.split_at_checked(1) else { continue };
        match sigil {
            "=" => item.streams.push(StreamFilter::Exact(rest.try_into().ok()?)),
            "-" => item.streams.push(StreamFilter::Category(rest.try_into().ok()?)),
            "^" => item.streams.push(StreamFilter::Prefix(rest.into())),
            "*" => item.streams.push(StreamFilter::Pattern(rest.into())),
            ":" => item.types.push(TypeFilter::Exact(rest.try_into().ok()?)),
            ";" => item.types.push(TypeFilter::Prefix(rest.into())),
            "#" => item.tags.push(TagFilter::Exact(rest.try_into().ok()?)),
            "/" => item.tags.push(TagFilter::Path(line.parse().ok()?)),
            "|" => items.push(QueryItem::default()),
            "@" => {
                let mut numbers = rest.split(' ').map_while(|number| number.parse::<u64>().ok());
                let (from, to) = (numbers.next()?, numbers.next()?);
                range = from.min(to)..to.min(*ENDS.last()?);
                range.start = range.start.min(range.end);
                chunk = usize::try_from(numbers.next()?.clamp(1, 1000)).ok()?;
            }
            _ => {}
        }
    }
    let query = Query { items };
    query.check().ok()?;
    Some((query, range, chunk))
}
