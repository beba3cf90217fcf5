//! What the property tests draw: scripts, whose acts say what they aim at ("as the stream stands", "the request before the last") rather
//! than numbers. Taking an act out of a script changes what the others come to, but not what they are for; that is what makes
//! scripts shrink to the few acts that matter.

use std::time::Duration;

use gesta_sim::{
    step::{Change, Request, Step, Target},
    workload::{STREAMS, Sight, name},
};
use gesta_store::{
    AppendCondition, AsOf, Direction, EventData, EventType, ExpectedRevision, From, Position, Query, ReadOptions,
    Revision, Source, StreamName, Tag, Timestamp,
};
use uuid::Uuid;

pub(crate) const TYPES: [&str; 4] = ["Placed", "Paid", "PaidBack", "Shipped"];
pub(crate) const TAGS: [&str; 6] =
    ["red", "blue", "/accounts/1", "/accounts/2", "/accounts/1/cards", "/files/src/lib.rs"];

/// Something that is done.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Commit(Vec<Ask>),
    Read(Source, Reading),
    Explain(Query, Reading),
    List(&'static str, Option<usize>, usize),
    Follow,
    Advance(u32),
    JumpBack(u32),
    Settle,
    Reopen,
    Kill,
    Crash(u64),
    CheckAll,
    /// So many small events at once, spread over the streams: enough for a plan to prefer the index.
    Bulk(u16),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Fresh(Fresh),
    /// The n-th last request once more.
    Again(usize),
    /// Its events once more, under a new request id, with this expectation.
    SameEvents(usize, Expect),
    /// Its id, on something else.
    SameId(usize, Fresh),
}

#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) aims: Vec<Aim>,
    pub(crate) conditions: Vec<(Query, After)>,
    /// For an import: so many seconds after (or before) now.
    pub(crate) recorded_at: Option<i32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) stream: usize,
    pub(crate) expected: Expect,
    pub(crate) deed: Deed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    Any,
    /// Just as it stands.
    AsItIs,
    NoStream,
    Exists,
    Deleted,
    Ended,
    Exact(u64),
}

#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Append(Vec<Fact>),
    /// As `Append`, but it is left to the store to name the events.
    AppendUnnamed(Vec<Fact>),
    Check,
    Delete,
    Tombstone,
    Describe(Document),
}

#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) kind: usize,
    pub(crate) bytes: u16,
    pub(crate) tags: Vec<usize>,
    pub(crate) correlation: Option<u8>,
    /// It is a link to this revision of this stream.
    pub(crate) link: Option<(u8, usize)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Document {
    Plain,
    MaxCount(u8),
    MaxAge(u8),
    TruncateBefore(u8),
    Garbage,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    Nothing,
    /// So many positions before the last.
    Back(u64),
}

/// How something is read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) direction: Direction,
    pub(crate) from: Place,
    pub(crate) as_of: Option<Moment>,
    pub(crate) limit: Option<u64>,
    pub(crate) resolve_links: bool,
    pub(crate) batch_events: usize,
    pub(crate) batch_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Beginning,
    Now,
    Revision(u64),
    At(Moment),
}

/// Somewhere in the log: a fraction of it, and by what it is named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    Position(u16),
    Time(u16, i8),
}

/// Turns acts into steps, in order.
#[derive(Default)]
pub(crate) struct Director {
    ids: u64,
    sent: Vec<Request>,
}

impl Director {
    pub(crate) fn step(&mut self, act: &Act, sight: Sight<'_>) -> Step {
        match act {
            Act::Commit(asks) => Step::Commit(asks.iter().map(|ask| self.request(ask, sight)).collect()),
            Act::Read(source, reading) => Step::Read(source.clone(), reading.options(sight)),
            Act::Explain(query, reading) => Step::Explain(query.clone(), reading.options(sight)),
            Act::List(prefix, after, limit) => Step::List((*prefix).to_owned(), after.map(stream), *limit),
            Act::Follow => Step::Follow,
            Act::Advance(millis) => Step::Advance(Duration::from_millis(u64::from(*millis))),
            Act::JumpBack(millis) => Step::JumpTo(Timestamp(sight.now.0 - i64::from(*millis) * 1_000_000)),
            Act::Settle => Step::Settle,
            Act::Reopen => Step::Reopen,
            Act::Kill => Step::Kill,
            Act::Crash(seed) => Step::Crash(*seed),
            Act::CheckAll => Step::CheckAll,
            Act::Bulk(events) => Step::Commit(vec![self.bulk(usize::from(*events))]),
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u64_pair(0x6765_7374_6100_8000, 0x8000_0000_0000_0000 | self.ids)
    }

    fn request(&mut self, ask: &Ask, sight: Sight<'_>) -> Request {
        let earlier = |back: &usize| {
            let index = self.sent.len().checked_sub(1 + back)?;
            self.sent.get(index).cloned()
        };
        let request = match ask {
            Ask::Fresh(fresh) => self.fresh(fresh, sight),
            Ask::Again(back) => earlier(back).unwrap_or_else(|| nothing(Uuid::nil())),
            Ask::SameEvents(back, expected) => {
                let request = earlier(back).unwrap_or_else(|| nothing(Uuid::nil()));
                self.same_events(request, *expected, sight)
            }
            Ask::SameId(back, fresh) => {
                let id = earlier(back).map(|request| request.id);
                let fresh = self.fresh(fresh, sight);
                Request { id: id.unwrap_or(fresh.id), ..fresh }
            }
        };
        self.sent.push(request.clone());
        request
    }

    fn same_events(&mut self, mut request: Request, expected: Expect, sight: Sight<'_>) -> Request {
        request.id = self.id();
        // Events the store named are named by the request, and so would be others.
        request.targets.retain(|target| match &target.change {
            Change::Append(events) => events.iter().all(|event| event.id.is_some()),
            Change::Delete | Change::Tombstone => true,
        });
        if let [only] = &mut request.targets[..] {
            only.expected = expectation(&only.stream, expected, sight);
        }
        request
    }

    fn fresh(&mut self, fresh: &Fresh, sight: Sight<'_>) -> Request {
        let mut request = nothing(self.id());
        for aim in &fresh.aims {
            let target = self.target(aim, sight);
            let same = |other: &Target| other.stream == target.stream;
            // What a document does to a stream written by the same request is told by the commit rules' own tests.
            let own = |other: &Target| {
                other.stream.metadata_of().as_ref() == Some(&target.stream)
                    || target.stream.metadata_of().as_ref() == Some(&other.stream)
            };
            if !request.targets.iter().any(|other| same(other) || own(other)) {
                request.targets.push(target);
            }
        }
        let head = sight.model.head().0;
        request.conditions.extend(fresh.conditions.iter().map(|(query, after)| AppendCondition {
            none_matching: query.clone(),
            after: match after {
                After::Nothing => None,
                After::Back(back) => head.checked_sub(1 + back).map(Position),
            },
        }));
        request.recorded_at =
            fresh.recorded_at.map(|seconds| Timestamp(sight.now.0 + i64::from(seconds) * 1_000_000_000));
        request
    }

    fn target(&mut self, aim: &Aim, sight: Sight<'_>) -> Target {
        let mut stream = stream(aim.stream);
        let change = match &aim.deed {
            Deed::Append(facts) => Change::Append(facts.iter().map(|fact| fact.event().with_id(self.id())).collect()),
            Deed::AppendUnnamed(facts) => Change::Append(facts.iter().map(Fact::event).collect()),
            Deed::Check => Change::Append(Vec::new()),
            Deed::Delete => Change::Delete,
            Deed::Tombstone => Change::Tombstone,
            Deed::Describe(document) => {
                stream = stream.metadata_stream().expect("names are short here");
                Change::Append(vec![document.event().with_id(self.id())])
            }
        };
        Target { expected: expectation(&stream, aim.expected, sight), stream, change }
    }

    fn bulk(&mut self, events: usize) -> Request {
        let mut request = nothing(self.id());
        for (index, _) in STREAMS.iter().enumerate() {
            let numbers = (0..events).filter(|number| (number * number + number / 7) % STREAMS.len() == index);
            let fact = |number: usize| Fact {
                kind: if number.is_multiple_of(40) { 3 } else { number % 3 },
                bytes: 8,
                tags: if number.is_multiple_of(25) { vec![number / 25 % TAGS.len()] } else { Vec::new() },
                correlation: (number.is_multiple_of(50)).then_some(1),
                link: (number.is_multiple_of(60)).then_some(((number / 60) as u8, number % STREAMS.len())),
            };
            let events = numbers.map(|number| fact(number).event().with_id(self.id())).collect();
            request.targets.push(Target {
                stream: stream(index),
                expected: ExpectedRevision::Any,
                change: Change::Append(events),
            });
        }
        self.sent.push(request.clone());
        request
    }
}

fn nothing(id: Uuid) -> Request {
    Request { id, targets: Vec::new(), conditions: Vec::new(), recorded_at: None }
}

fn stream(index: usize) -> StreamName {
    name(STREAMS[index % STREAMS.len()])
}

fn expectation(stream: &StreamName, expected: Expect, sight: Sight<'_>) -> ExpectedRevision {
    match expected {
        Expect::Any => ExpectedRevision::Any,
        Expect::NoStream => ExpectedRevision::NoStream,
        Expect::Exists => ExpectedRevision::StreamExists,
        Expect::Deleted => ExpectedRevision::SoftDeleted,
        Expect::Ended => ExpectedRevision::Tombstoned,
        Expect::Exact(revision) => ExpectedRevision::Exact(Revision(revision)),
        Expect::AsItIs => sight.model.stream(stream).last.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact),
    }
}

impl Fact {
    fn event(&self) -> EventData {
        let event_type = |name: &str| EventType::new(name).expect("a valid type");
        let mut event = EventData::binary(event_type(TYPES[self.kind]), vec![b'x'; usize::from(self.bytes)]);
        if let Some((revision, index)) = self.link {
            event = EventData::json(event_type("$>"), format!("{revision}@{}", STREAMS[index]));
        }
        if let Some(correlation) = self.correlation {
            event = event.with_metadata(format!("{{\"$correlationId\":\"c{correlation}\"}}"));
        }
        self.tags.iter().fold(event, |event, tag| event.with_tag(Tag::new(TAGS[*tag]).expect("a valid tag")))
    }
}

impl Document {
    fn event(self) -> EventData {
        let document = match self {
            Self::Plain => "{\"owner\":\"x\"}".to_owned(),
            Self::MaxCount(count) => format!("{{\"$maxCount\":{count}}}"),
            Self::MaxAge(seconds) => format!("{{\"$maxAge\":{seconds}}}"),
            Self::TruncateBefore(revision) => format!("{{\"$tb\":{revision}}}"),
            Self::Garbage => "not a document".to_owned(),
        };
        EventData::json(EventType::new("$metadata").expect("a valid type"), document)
    }
}

impl Reading {
    fn options(&self, sight: Sight<'_>) -> ReadOptions {
        ReadOptions {
            direction: self.direction,
            from: match self.from {
                Place::Beginning => From::Beginning,
                Place::Now => From::Now,
                Place::Revision(revision) => From::Revision(Revision(revision)),
                Place::At(moment) => match moment.as_of(sight) {
                    AsOf::Position(position) => From::Position(position),
                    AsOf::Time(time) => From::Time(time),
                },
            },
            as_of: self.as_of.map(|moment| moment.as_of(sight)),
            limit: self.limit,
            resolve_links: self.resolve_links,
            batch_events: self.batch_events,
            batch_bytes: self.batch_bytes,
        }
    }
}

impl Moment {
    fn as_of(self, sight: Sight<'_>) -> AsOf {
        let (Self::Position(part) | Self::Time(part, _)) = self;
        // Up to one past the head, where nothing is yet.
        let position = Position((u64::from(part) * (sight.model.head().0 + 2)) >> 16);
        match self {
            Self::Position(_) => AsOf::Position(position),
            Self::Time(_, nanos) => {
                let near = sight.model.event(position).map_or(sight.now, |event| event.recorded_at);
                AsOf::Time(Timestamp(near.0 + i64::from(nanos)))
            }
        }
    }
}
