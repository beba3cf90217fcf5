//! What happens next to a crowd: steps drawn from a seed. Small buffers and small batches, so that every bound is met; few streams and accounts, so that
//! keys meet; and more work than failure, so that groups come forward.

use std::time::Duration;

use gesta_store::{
    AfterPark, EventData, EventType, From, GroupName, GroupSettings, KeyOf, ParkedOnReset, PathPattern, Position,
    Query, QueryItem, Reaction, Revision, Source, Strategy, Tag, Timestamp,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use uuid::Uuid;

use super::{
    BEGIN, Crowd, group,
    group::Group,
    handling::Handling,
    ledger::{Ledger, Rules},
    step::{Act, Answer, Ending, Step, Which, Word},
};
use crate::workload::{PLAIN, fault, name};

const STREAMS: [&str; 5] = ["order-1", "order-2", "order-3", "user-1", PLAIN];
const TYPES: [&str; 3] = ["Placed", "Paid", "Shipped"];
const TAGS: [&str; 4] = ["red", "/accounts/1", "/accounts/2", "/accounts/2/cards"];
/// Groups of a run: few of all kinds, so that each gets work.
const GROUPS: usize = 2;

/// What a group is called, follows and is.
fn kinds() -> [(&'static str, Source, Strategy); 8] {
    let stream = |stream| Source::Stream(name(stream));
    let key_ordered = |key, after_park| Strategy::KeyOrdered { key, after_park };
    let pattern = |pattern: &str| PathPattern::new(pattern).expect("a valid pattern");
    let accounts = Source::Query(Query::of(QueryItem::default().path(pattern("/accounts/**"))));
    let by_account = KeyOf::PathSegment { pattern: pattern("/accounts/{account}/**"), name: "account".into() };
    [
        ("turns", Source::All, Strategy::RoundRobin),
        ("single", stream("$ce-order"), Strategy::DispatchToSingle),
        ("pinned", stream(PLAIN), Strategy::Pinned),
        ("correlated", stream("$et-Paid"), Strategy::PinnedByCorrelation),
        ("flowing", stream("$ce-order"), key_ordered(KeyOf::Stream, AfterPark::Flow)),
        ("holding", Source::All, key_ordered(KeyOf::Stream, AfterPark::Hold)),
        ("tagged", accounts.clone(), key_ordered(KeyOf::Tag { prefix: "/accounts/".into() }, AfterPark::Hold)),
        ("accounts", accounts, key_ordered(by_account, AfterPark::Flow)),
    ]
}

/// The kinds of groups of a seed.
fn kinds_of(seed: u64) -> impl Iterator<Item = (&'static str, Source, Strategy)> {
    let kinds = kinds();
    let first = usize::try_from(seed % 8).unwrap_or_default();
    (0..GROUPS).map(move |place| {
        kinds[(first + 3 * place + place * usize::try_from(seed / 8 % 5).unwrap_or_default()) % kinds.len()].clone()
    })
}

/// The groups of a seed, none of which exists yet.
#[must_use]
pub fn groups(seed: u64) -> Vec<Group> {
    let group = |(name, source, strategy)| {
        let group = match &source {
            Source::Stream(stream) => GroupName::on_stream(stream.clone(), name),
            Source::All | Source::Query(_) => GroupName::on_all(name),
        };
        let rules = Rules::of(&GroupSettings { strategy, ..GroupSettings::default() });
        Group::new(Ledger::new(group.expect("short names"), source, rules))
    };
    kinds_of(seed).map(group).collect()
}

/// The handlers of a seed, none of which has run yet.
#[must_use]
pub fn handlers(seed: u64) -> Vec<Handling> {
    let orders = Source::Stream(name("$ce-order"));
    let accounts =
        Source::Query(Query::of(QueryItem::default().path(PathPattern::new("/accounts/**").expect("valid"))));
    let after_park = if seed.is_multiple_of(2) { AfterPark::Hold } else { AfterPark::Flow };
    let seconds = i64::try_from(seed % 4).unwrap_or_default() * 20;
    let time = From::Time(Timestamp(BEGIN.0 + seconds * 1_000_000_000));
    match seed % 3 {
        0 => Handling::all(orders, Source::All, after_park, time),
        1 => Handling::all(Source::All, accounts, after_park, time),
        _ => Handling::all(accounts, orders, after_park, time),
    }
}

/// A source of steps.
#[derive(Debug)]
pub struct Workload {
    random: ChaCha12Rng,
    strategies: Vec<Strategy>,
    seed: u64,
    /// The groups are created first, or most steps would be about nothing.
    created: usize,
}

impl Workload {
    /// The steps of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let random = ChaCha12Rng::seed_from_u64(seed ^ 0x4352_4f57_4445_4421);
        Self { random, strategies: kinds_of(seed).map(|(_, _, strategy)| strategy).collect(), seed, created: 0 }
    }

    /// The next step.
    pub fn next(&mut self, crowd: &Crowd) -> Step {
        if crowd.is_shaken() && self.random.random_bool(0.1) {
            return self.restart();
        }
        if self.created < GROUPS && self.random.random_bool(0.3) {
            self.created += 1;
            return Step::Group(self.created - 1, Act::Create(self.settings(self.created - 1, crowd)));
        }
        match self.random.random_range(0..1000) {
            0..150 => self.append(crowd),
            150..210 => Step::Read(self.random.random_range(0..8), self.random.random_range(1..6)),
            210..220 => Step::Save(self.random.random_range(0..8)),
            220..226 => Step::Lose(self.random.random_range(0..8)),
            226..800 => self.group(crowd),
            800..875 => self.handle(),
            875..890 => self.tell(crowd),
            890..896 => Step::Halt(self.random.random_range(0..2)),
            896..946 => Step::Advance(Duration::from_millis(self.random.random_range(1..20_000))),
            946..956 => {
                Step::JumpTo(Timestamp(crowd.now().0 + self.random.random_range(-400_000_000_000..400_000_000_000)))
            }
            956..970 => Step::Maintain,
            970..984 => self.restart(),
            984..990 => self.fail(),
            990..992 => Step::Fill(self.random.random_range(0..40) * 4096),
            992..998 => Step::Heal,
            _ => Step::Settle,
        }
    }

    fn restart(&mut self) -> Step {
        match self.random.random_range(0..4) {
            0 => Step::Reopen,
            1 => Step::Kill,
            _ => Step::Crash(self.random.random()),
        }
    }

    fn fail(&mut self) -> Step {
        let (passing, lasting, done) = fault(&mut self.random, 8);
        Step::Fail(passing, lasting, done)
    }

    fn append(&mut self, crowd: &Crowd) -> Step {
        let count = if self.random.random_bool(0.5) { 1 } else { self.random.random_range(2..7) };
        let events = (0..count).map(|_| self.event(crowd)).collect();
        Step::Append(STREAMS[self.random.random_range(0..STREAMS.len())], events)
    }

    fn event(&mut self, crowd: &Crowd) -> EventData {
        let mut event_type = TYPES[self.random.random_range(0..TYPES.len())];
        let size = if self.random.random_bool(0.05) { self.random.random_range(0..3000) } else { 10 };
        let mut data = vec![0; size];
        self.random.fill(&mut data[..]);
        if self.random.random_bool(0.08) {
            // To what is there, or to what will never be: where a link points must not change on the way.
            let target = crowd.linkable(self.random.random()).filter(|_| self.random.random_bool(0.8));
            (event_type, data) = ("$>", target.unwrap_or_else(|| "7@nowhere".to_owned()).into_bytes());
        }
        let event_type = EventType::new(event_type).expect("a valid type");
        let id = uuid::Builder::from_random_bytes(self.random.random()).into_uuid();
        let mut event = EventData::binary(event_type, data).with_id(Uuid::from_bytes(*id.as_bytes()));
        let mut tags: Vec<&str> = TAGS.into_iter().filter(|_| self.random.random_bool(0.25)).collect();
        tags.sort_unstable();
        for tag in tags {
            event = event.with_tag(Tag::new(tag).expect("a valid tag"));
        }
        if self.random.random_bool(0.3) {
            let correlation = self.random.random_range(0..3);
            event = event.with_metadata(format!("{{\"$correlationId\":\"c{correlation}\"}}"));
        }
        event
    }

    fn group(&mut self, crowd: &Crowd) -> Step {
        let group = self.random.random_range(0..GROUPS);
        let seat = self.random.random_range(0..group::SEATS);
        let act = match self.random.random_range(0..1000) {
            0..500 if !crowd.exists(group) => Act::Create(self.settings(group, crowd)),
            0..300 if !crowd.sits(group, seat) => Act::Connect(seat, self.random.random_range(1..7)),
            0..400 => Act::Take(seat, self.random.random_range(1..6)),
            400..800 => self.answer(seat),
            800..820 => Act::Die(seat),
            820..880 => Act::Inspect,
            880..900 => Act::Flush,
            900..945 => Act::Replay(self.which()),
            945..960 => Act::Discard(self.which()),
            960..980 => Act::Update(self.settings(group, crowd)),
            980..988 => Act::Reset(self.from(crowd), [ParkedOnReset::Keep, ParkedOnReset::Discard][seat % 2]),
            988..991 => Act::Delete,
            _ => Act::Create(self.settings(group, crowd)),
        };
        Step::Group(group, act)
    }

    fn answer(&mut self, seat: usize) -> Act {
        let choices = (0..self.random.random_range(1..6)).map(|_| self.random.random_range(0..1 << 40)).collect();
        let answer = match self.random.random_range(0..100) {
            0..55 => Answer::Ack,
            55..76 => {
                let wait = if self.random.random_bool(0.5) { 0 } else { self.random.random_range(0..30_000) };
                Answer::Retry(Duration::from_millis(wait))
            }
            76..91 => Answer::Park,
            91..97 => Answer::Skip,
            _ => Answer::Stop,
        };
        Act::Answer(seat, choices, answer)
    }

    fn which(&mut self) -> Which {
        match self.random.random_range(0..3) {
            0 => Which::All,
            1 => Which::First(self.random.random_range(0..4)),
            _ => Which::One(self.random.random_range(0..1 << 40)),
        }
    }

    fn from(&mut self, crowd: &Crowd) -> From {
        match self.random.random_range(0..10) {
            0 => From::Now,
            1..3 => From::Position(Position(self.random.random_range(0..=crowd.head() + 1))),
            3 => From::Time(Timestamp(crowd.now().0 - self.random.random_range(0..100_000_000_000))),
            4 => From::Revision(Revision(self.random.random_range(0..30))),
            _ => From::Beginning,
        }
    }

    fn settings(&mut self, group: usize, crowd: &Crowd) -> GroupSettings {
        let read_batch = self.random.random_range(1..5);
        let max_checkpoint_count = self.random.random_range(0..8);
        let by_count = max_checkpoint_count > 0;
        let seconds = if by_count { self.random.random_range(0..6) } else { self.random.random_range(1..6) };
        let strategy = match &self.strategies[group] {
            Strategy::KeyOrdered { key, .. } if self.random.random_bool(0.15) => {
                let after_park = [AfterPark::Flow, AfterPark::Hold][self.random.random_range(0..2)];
                Strategy::KeyOrdered { key: key.clone(), after_park }
            }
            other => other.clone(),
        };
        GroupSettings {
            start: self.from(crowd),
            // The same as long as the group exists: by what its messages are kept together must not change under those that are parked.
            resolve_links: (self.seed / 3 + group as u64).is_multiple_of(2),
            message_timeout: self
                .random
                .random_bool(0.85)
                .then(|| Duration::from_millis(self.random.random_range(500..40_000))),
            max_retry_count: self.random.random_range(0..4),
            history_buffer: read_batch + self.random.random_range(1..8),
            live_buffer: read_batch + self.random.random_range(0..8),
            read_batch,
            min_checkpoint_count: if by_count { self.random.random_range(0..=max_checkpoint_count) } else { 1 },
            max_checkpoint_count,
            checkpoint_after: Duration::from_secs(seconds),
            max_subscribers: [0, 0, 1, 2, 3][self.random.random_range(0..5)],
            strategy,
            extra_statistics: false,
            only: None,
        }
    }

    fn handle(&mut self) -> Step {
        let endings = (0..self.random.random_range(0..4)).map(|_| self.ending()).collect();
        Step::Handle(self.random.random_range(0..2), self.random.random_range(1..5), endings)
    }

    fn tell(&mut self, crowd: &Crowd) -> Step {
        let word = match self.random.random_range(0..10) {
            0..3 => Word::Pause,
            3..7 => Word::Resume,
            7..9 => Word::Reset(self.from(crowd)),
            _ => Word::ResetInVain(self.from(crowd)),
        };
        Step::Tell(self.random.random_range(0..2), word)
    }

    fn ending(&mut self) -> Ending {
        let reaction = match self.random.random_range(0..8) {
            0 => Some(Reaction::Park),
            1 => Some(Reaction::Skip),
            2 => Some(Reaction::RetryAfter(Duration::from_millis(700))),
            3 => Some(Reaction::Stop),
            _ => None,
        };
        match self.random.random_range(0..8) {
            0..4 => Ending::Well,
            4..7 => Ending::Fail(self.random.random_range(0..5), reaction),
            _ => Ending::Panic,
        }
    }
}
