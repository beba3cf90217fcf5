//! What a follower follows, and what there is of it: the events of a soak are spread over streams, categories, types and accounts, and whoever has
//! acknowledged them keeps a tally for each.

use gesta_store::{EventData, PathPattern, Query, QueryItem, Source, StreamName, Tag};

/// Streams that are written.
pub(crate) const STREAMS: usize = 64;
/// Categories, with as many streams each.
pub(crate) const CATEGORIES: usize = 16;
/// Types of events.
pub(crate) const TYPES: usize = 16;
/// Accounts, of which each event has one as a tag.
pub(crate) const ACCOUNTS: usize = 64;

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that were appended by the soak.
    All,
    Stream(usize),
    Category(usize),
    Type(usize),
    Account(usize),
}

impl Scope {
    pub(crate) fn source(self) -> Source {
        match self {
            Self::All => Source::All,
            Self::Stream(number) => Source::Stream(stream(number)),
            Self::Category(number) => Source::Stream(name(&format!("$ce-c{number}"))),
            Self::Type(number) => Source::Stream(name(&format!("$et-T{number}"))),
            Self::Account(number) => {
                let pattern: PathPattern = format!("/accounts/{number}").parse().unwrap();
                Source::Query(Query::of(QueryItem::default().path(pattern)))
            }
        }
    }
}

/// How many events, and which: the sum of a hash of their positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    sum: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, position: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(mix(position + 1));
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// What was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    all: Tally,
    streams: Vec<Tally>,
    categories: Vec<Tally>,
    types: Vec<Tally>,
    accounts: Vec<Tally>,
}

impl Truth {
    pub(crate) fn new() -> Self {
        let none = |count| vec![Tally::default(); count];
        let (streams, categories) = (none(STREAMS), none(CATEGORIES));
        Self { all: Tally::default(), streams, categories, types: none(TYPES), accounts: none(ACCOUNTS) }
    }

    pub(crate) fn add(&mut self, kind: Kind, position: u64) {
        self.all.add(position);
        self.streams[kind.stream].add(position);
        self.categories[kind.stream % CATEGORIES].add(position);
        self.types[kind.event_type].add(position);
        self.accounts[kind.account].add(position);
    }

    pub(crate) fn join(&mut self, other: &Self) {
        let join = |mine: &mut [Tally], others: &[Tally]| {
            mine.iter_mut().zip(others).for_each(|(mine, other)| mine.join(*other))
        };
        self.all.join(other.all);
        join(&mut self.streams, &other.streams);
        join(&mut self.categories, &other.categories);
        join(&mut self.types, &other.types);
        join(&mut self.accounts, &other.accounts);
    }

    pub(crate) fn of(&self, scope: Scope) -> Tally {
        match scope {
            Scope::All => self.all,
            Scope::Stream(number) => self.streams[number],
            Scope::Category(number) => self.categories[number],
            Scope::Type(number) => self.types[number],
            Scope::Account(number) => self.accounts[number],
        }
    }
}

/// Where an event belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) stream: usize,
    pub(crate) event_type: usize,
    pub(crate) account: usize,
}

impl Kind {
    /// That of the n-th event of a writer.
    pub(crate) fn of(number: u64) -> Self {
        let mixed = mix(number);
        let part = |shift: u32, count: usize| ((mixed >> shift) % count as u64) as usize;
        Self { stream: part(0, STREAMS), event_type: part(16, TYPES), account: part(32, ACCOUNTS) }
    }

    pub(crate) fn event(self) -> EventData {
        let event_type = format!("T{}", self.event_type);
        let tag = Tag::new(format!("/accounts/{}", self.account)).unwrap();
        EventData::binary(event_type.as_str().try_into().unwrap(), vec![7; 64]).with_tag(tag)
    }
}

pub(crate) fn stream(number: usize) -> StreamName {
    name(&format!("c{}-{number}", number % CATEGORIES))
}

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

/// Spreads numbers that follow one another.
pub(crate) fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}
