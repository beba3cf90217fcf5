//! What happens next: steps drawn from a seed, aimed at where stores break.
//!
//! Few streams, types and tags, so that things meet; expectations that hold more often than not, so that the log grows; requests sent
//! again, conditions just behind and just before the head, and disasters of every kind.

use std::time::Duration;

use bytes::Bytes;
use gesta_store::{
    AppendCondition, EventData, EventType, ExpectedRevision, PathPattern, Position, Query, QueryItem, StreamFilter,
    StreamName, Tag, Timestamp,
    disk::memory::{Done, Lasting},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::Uuid;

use crate::{
    model::Model,
    reads,
    step::{Change, Request, Step, Target},
};

/// Streams that anything may happen to.
pub const STREAMS: [&str; 7] = ["order-1", "order-2", "order-3", "user-1", "user-2", "solo", "a-b-c"];
/// A stream that is only appended to: what a follower of a stream follows.
pub const PLAIN: &str = "plain-0";
const TYPES: [&str; 3] = ["Placed", "Paid", "Shipped"];
const TAGS: [&str; 6] = ["red", "blue", "/accounts/1", "/accounts/2", "/accounts/1/cards", "/files/src/lib.rs"];

/// A source of steps.
#[derive(Debug)]
pub struct Workload {
    random: ChaCha12Rng,
    sent: Vec<Request>,
}

/// What the workload may know of the world.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What was recorded.
    pub model: &'a Model,
    /// What the clock shows.
    pub now: Timestamp,
    /// The store refuses appends: it is time to open it again.
    pub refusing: bool,
    /// The disk is full or failing.
    pub troubled: bool,
}

impl Workload {
    /// The steps of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha12Rng::seed_from_u64(seed ^ 0x5745_4154_4845_5221), sent: Vec::new() }
    }

    /// The next step.
    pub fn next(&mut self, sight: Sight<'_>) -> Step {
        if sight.refusing && self.random.random_bool(0.5) {
            return self.restart();
        }
        if sight.troubled && self.random.random_bool(0.1) {
            return Step::Heal;
        }
        match self.random.random_range(0..1000) {
            0..520 => self.commit(sight),
            520..680 => {
                let (source, options) = reads::draw(&mut self.random, sight);
                Step::Read(source, options)
            }
            680..740 => Step::Follow,
            740..765 => Step::Settle,
            765..772 => Step::Explain(draw_query(&mut self.random), reads::draw(&mut self.random, sight).1),
            772..780 => self.list(),
            780..820 => Step::Advance(Duration::from_millis(self.random.random_range(1..90_000))),
            820..830 => {
                Step::JumpTo(Timestamp(sight.now.0 + self.random.random_range(-400_000_000_000..400_000_000_000)))
            }
            830..900 => Step::ProbeCrash(self.random.random()),
            900..930 => self.restart(),
            930..955 => Step::ProbeRot(self.random.random()),
            955..975 => self.fail(),
            975..985 => Step::Fill(self.random.random_range(0..40) * 4096),
            985..988 => Step::Flood,
            _ => Step::CheckAll,
        }
    }

    fn list(&mut self) -> Step {
        let prefix = ["", "order-", "$$", "user-1"][self.random.random_range(0..4)].to_owned();
        let after = self.random.random_bool(0.3).then(|| name(STREAMS[self.random.random_range(0..STREAMS.len())]));
        Step::List(prefix, after, self.random.random_range(0..6))
    }

    fn restart(&mut self) -> Step {
        match self.random.random_range(0..4) {
            0 => Step::Reopen,
            1 => Step::Kill,
            _ => Step::Crash(self.random.random()),
        }
    }

    fn fail(&mut self) -> Step {
        let (passing, lasting, done) = fault(&mut self.random, 12);
        Step::Fail(passing, lasting, done)
    }

    fn commit(&mut self, sight: Sight<'_>) -> Step {
        let count = if self.random.random_bool(0.6) { 1 } else { self.random.random_range(2..8) };
        let requests = (0..count).map(|_| self.request(sight)).collect();
        Step::Commit(requests)
    }

    fn request(&mut self, sight: Sight<'_>) -> Request {
        let request = match self.random.random_range(0..100) {
            0..8 => self.earlier(), // sent again as it was
            8..13 => self.same_events(),
            13..16 => self.reused_id(),
            _ => None,
        };
        let request = request.unwrap_or_else(|| self.fresh(sight));
        self.sent.push(request.clone());
        request
    }

    fn earlier(&mut self) -> Option<Request> {
        let last = self.sent.len().checked_sub(1)?;
        // Mostly recent ones: that is when clients retry.
        let back = self.random.random_range(0..=last.min(12));
        Some(self.sent[last - back].clone())
    }

    /// The events of one stream sent again under a new proposal id, perhaps with others after them.
    fn same_events(&mut self) -> Option<Request> {
        let mut request = self.earlier()?;
        let [Target { stream, change: Change::Append(events), .. }] = &mut request.targets[..] else {
            return self.same_streams(request);
        };
        // A metadata stream with anything but documents would be a story of its own.
        if stream.is_system() || events.first()?.id.is_none() {
            return None;
        }
        match self.random.random_range(0..4) {
            0 => events.push(self.event()),
            1 => events.truncate(1),
            _ => {}
        }
        request.conditions.clear();
        request.id = self.id();
        Some(request)
    }

    /// All events of several streams sent again under a new proposal id.
    fn same_streams(&mut self, mut request: Request) -> Option<Request> {
        let named = |target: &Target| match &target.change {
            Change::Append(events) => !target.stream.is_system() && events.iter().all(|event| event.id.is_some()),
            Change::Delete | Change::Tombstone => true,
        };
        request.id = self.id();
        request.targets.iter().all(named).then_some(request)
    }

    /// An id that was used before, on something else.
    fn reused_id(&mut self) -> Option<Request> {
        let id = self.earlier()?.id;
        let events = vec![self.event()];
        let stream = name(STREAMS[self.random.random_range(0..STREAMS.len())]);
        let target = Target { stream, expected: ExpectedRevision::Any, change: Change::Append(events) };
        Some(Request { id, targets: vec![target], conditions: Vec::new(), recorded_at: None })
    }

    fn fresh(&mut self, sight: Sight<'_>) -> Request {
        let count = if self.random.random_bool(0.7) { 1 } else { self.random.random_range(2..5) };
        let mut targets: Vec<Target> = Vec::new();
        for _ in 0..count {
            let target = self.target(sight);
            // A stream and its metadata stream in one request would be two stories in one.
            let same = |other: &StreamName| other.trim_start_matches('$') == target.stream.trim_start_matches('$');
            if !targets.iter().any(|known| same(&known.stream)) {
                targets.push(target);
            }
        }
        if self.random.random_bool(0.15) {
            unname(&mut targets);
        }
        let conditions = if self.random.random_bool(0.25) { vec![self.condition(sight)] } else { Vec::new() };
        let recorded_at = self.random.random_bool(0.05).then(|| self.moment(sight));
        Request { id: self.id(), targets, conditions, recorded_at }
    }

    /// A time an import may give: around the last event, and around now.
    fn moment(&mut self, sight: Sight<'_>) -> Timestamp {
        let last = sight.model.last_recorded_at().unwrap_or(sight.now);
        let near = if self.random.random_bool(0.5) { last } else { sight.now };
        Timestamp(near.0 + self.random.random_range(-2_000_000_000..2_000_000_000))
    }

    fn target(&mut self, sight: Sight<'_>) -> Target {
        if self.random.random_bool(0.15) {
            let change = Change::Append(self.events());
            return Target { stream: name(PLAIN), expected: ExpectedRevision::Any, change };
        }
        let stream = name(STREAMS[self.random.random_range(0..STREAMS.len())]);
        if self.random.random_bool(0.08) {
            let metadata = stream.metadata_stream().expect("names are short here");
            let change = Change::Append(vec![self.metadata()]);
            return Target { expected: self.expectation(&metadata, sight), stream: metadata, change };
        }
        let expected = self.expectation(&stream, sight);
        let change = match self.random.random_range(0..200) {
            0..12 => Change::Delete,
            12..14 => Change::Tombstone,
            14..24 => Change::Append(Vec::new()),
            _ => Change::Append(self.events()),
        };
        Target { stream, expected, change }
    }

    fn expectation(&mut self, stream: &StreamName, sight: Sight<'_>) -> ExpectedRevision {
        let last = sight.model.stream(stream).last;
        match self.random.random_range(0..20) {
            0..6 => ExpectedRevision::Any,
            6 => ExpectedRevision::NoStream,
            7 => ExpectedRevision::StreamExists,
            9 => ExpectedRevision::SoftDeleted,
            10 => ExpectedRevision::Tombstoned,
            8 => ExpectedRevision::Exact(gesta_store::Revision(self.random.random_range(0..12))),
            _ => last.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact),
        }
    }

    fn condition(&mut self, sight: Sight<'_>) -> AppendCondition {
        let head = sight.model.head().0;
        let after = match self.random.random_range(0..4) {
            0 => None,
            1 => Some(Position(self.random.random_range(0..=head))),
            _ => head.checked_sub(1).map(Position),
        };
        AppendCondition { none_matching: draw_query(&mut self.random), after }
    }

    fn events(&mut self) -> Vec<EventData> {
        let count = if self.random.random_bool(0.8) { 1 } else { self.random.random_range(2..6) };
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> EventData {
        let size = match self.random.random_range(0..40) {
            0 => self.random.random_range(0..20_000),
            1..4 => self.random.random_range(0..3000),
            _ => self.random.random_range(0..120),
        };
        let mut data = vec![0; size];
        self.random.fill(&mut data[..]);
        let event_type = EventType::new(TYPES[self.random.random_range(0..TYPES.len())]).expect("a valid type");
        let mut event = EventData::binary(event_type, data).with_id(self.id());
        if self.random.random_bool(0.06) {
            let (revision, stream) = (self.random.random_range(0..8), self.random.random_range(0..STREAMS.len()));
            event.event_type = EventType::new("$>").expect("a valid type");
            event.data = format!("{revision}@{}", STREAMS[stream]).into();
        }
        while self.random.random_bool(0.4) {
            event = event.with_tag(tag(TAGS[self.random.random_range(0..TAGS.len())]));
        }
        if self.random.random_bool(0.1) {
            let correlation = self.random.random_range(0..3);
            event = event.with_metadata(format!("{{\"$correlationId\":\"c{correlation}\"}}"));
        }
        event
    }

    fn metadata(&mut self) -> EventData {
        // As the model would print them: keys sorted, no spaces.
        let document = match self.random.random_range(0..4) {
            0 => format!("{{\"$maxCount\":{}}}", self.random.random_range(1..6)),
            1 => format!("{{\"$maxAge\":{}}}", self.random.random_range(1..200)),
            2 => format!("{{\"$tb\":{}}}", self.random.random_range(0..10)),
            _ => "{\"owner\":\"x\"}".to_owned(),
        };
        EventData::json(EventType::new("$metadata").expect("a valid type"), Bytes::from(document)).with_id(self.id())
    }

    fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid()
    }
}

/// Leaves it to the store to name the events.
fn unname(targets: &mut [Target]) {
    let appends = targets.iter_mut().filter_map(|target| match &mut target.change {
        Change::Append(events) => Some(events),
        Change::Delete | Change::Tombstone => None,
    });
    appends.flatten().for_each(|event| event.id = None);
}

/// A query over what the workload writes.
pub fn draw_query(random: &mut ChaCha12Rng) -> Query {
    let mut item = QueryItem::default();
    if random.random_bool(0.6) {
        item = item.stream(match random.random_range(0..4) {
            0 => StreamFilter::Category("order".try_into().expect("a valid category")),
            1 => StreamFilter::Prefix("user-".into()),
            2 => StreamFilter::Pattern("*-1".into()),
            _ => StreamFilter::Exact(name(STREAMS[random.random_range(0..STREAMS.len())])),
        });
    }
    if random.random_bool(0.5) {
        item = item.event_type(EventType::new(TYPES[random.random_range(0..TYPES.len())]).expect("a valid type"));
    }
    if random.random_bool(0.4) {
        item = item.tag(tag(TAGS[random.random_range(0..TAGS.len())]));
    }
    if random.random_bool(0.2) {
        let pattern = ["/accounts/*", "/accounts/**", "/files/**", "/**"][random.random_range(0..4)];
        item = item.path(PathPattern::new(pattern).expect("a valid pattern"));
    }
    let query = Query::of(item);
    if random.random_bool(0.2) { query.or(QueryItem::default().tag(tag("red"))) } else { query }
}

/// The stream of a name the workload uses.
///
/// # Panics
/// If it is no name.
#[must_use]
pub fn name(stream: &str) -> StreamName {
    StreamName::new(stream).expect("a valid name")
}

/// How the disk will fail, after fewer than `most` more changes.
pub(crate) fn fault(random: &mut ChaCha12Rng, most: u64) -> (u64, Lasting, Done) {
    let lasting = if random.random_bool(0.5) { Lasting::Once } else { Lasting::Forever };
    let done = [Done::Nothing, Done::Half, Done::Everything][random.random_range(0..3)];
    (random.random_range(0..most), lasting, done)
}

fn tag(tag: &str) -> Tag {
    Tag::new(tag).expect("a valid tag")
}
