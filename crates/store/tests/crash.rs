//! Crashes and failing disks: whatever was answered is there afterwards, whatever was not is there as a whole or not at all.
//!
//! A workload runs on a disk in memory that fails at some operation; then the machine loses power, and the disk keeps, of what was not
//! synced, nothing, everything, or any part. What is left must open, hold every answered commit and, after them, a
//! prefix of the unanswered ones; give the same answers from the index it has as from one built anew; and take appends.

use std::{collections::BTreeMap, io::ErrorKind, path::Path, sync::Arc};

use gesta_store::{
    Append, AppendError, Direction, EventData, EventStore, EventType, ExpectedRevision, Options, Position, Query,
    QueryItem, ReadOptions, RecordedEvent, Source, StreamName, Tag, Ticket, Timestamp,
    clock::ManualClock,
    disk::{
        Disk,
        memory::{Done, Fault, MemoryDisk},
    },
    entropy::Entropy,
};
use proptest::prelude::*;
use uuid::Uuid;

/// Small enough that every workload fills some segments.
const SEGMENT_EVENTS: u64 = 12;
const STREAMS: u8 = 4;

/// An event to be: its stream, and the size of its data.
type Draft = (u8, u16);

#[derive(Clone, Debug)]
enum Step {
    /// Commits sent together; each is atomic over the streams of its events.
    Commit(Vec<Vec<Draft>>),
    Settle,
    Reopen,
}

/// What the sender of a workload knows.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Answered commits, in the order of the log.
    answered: Vec<Vec<Planned>>,
    /// Commits whose fate is unknown, in the order they were sent.
    unknown: Vec<Vec<Planned>>,
    sent: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Planned {
    id: Uuid,
    stream: StreamName,
    size: usize,
}

fn options() -> Options {
    Options {
        store_id: Some(Uuid::from_u128(7)),
        segment_bytes: 64 << 10,
        segment_events: SEGMENT_EVENTS,
        threads: false,
        clock: Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000))),
        entropy: Arc::new(Entropy::seeded(1)),
        ..Options::default()
    }
}

fn open(disk: &MemoryDisk) -> gesta_store::Result<EventStore> {
    EventStore::open_on(Arc::new(disk.clone()), options())
}

fn stream(number: u8) -> StreamName {
    StreamName::new(format!("order-{number}")).expect("valid")
}

impl Told {
    fn plan(&mut self, drafts: &[Draft]) -> Vec<Planned> {
        let mut planned: Vec<Planned> = drafts
            .iter()
            .map(|(number, size)| {
                self.sent += 1;
                Planned { id: Uuid::from_u128(self.sent.into()), stream: stream(*number), size: usize::from(*size) }
            })
            .collect();
        // So that the order of the commit's streams is that of its events.
        planned.sort_by(|one, other| one.stream.cmp(&other.stream));
        planned
    }

    /// Sends commits together and hears what comes of them; `false` when the store refuses to go on.
    fn send(&mut self, store: &EventStore, group: &[Vec<Draft>]) -> bool {
        let plans: Vec<Vec<Planned>> = group.iter().map(|drafts| self.plan(drafts)).collect();
        let tickets: Vec<Ticket> = plans.iter().map(|plan| store.commit(request(plan))).collect();
        for (plan, ticket) in plans.into_iter().zip(tickets) {
            match ticket.wait() {
                Ok(appended) => {
                    assert!(self.unknown.is_empty(), "a commit was answered though one before it failed");
                    let first = self.answered.iter().flatten().count() as u64;
                    assert_eq!(appended.first_position, Some(Position(first)));
                    self.answered.push(plan);
                }
                Err(AppendError::Failed(_)) => self.unknown.push(plan),
                Err(AppendError::Rejected(rejection)) => panic!("nothing was expected, yet: {rejection}"),
            }
        }
        self.unknown.is_empty()
    }
}

fn request(plan: &[Planned]) -> Append {
    plan.iter().fold(Append::new(), |append, planned| {
        let event_type = EventType::new(format!("Type{}", planned.size % 3)).expect("valid");
        let event = EventData::binary(event_type, vec![0x5A; planned.size]).with_id(planned.id);
        let event = event.with_tag(Tag::new(format!("/sizes/{}", planned.size % 5)).expect("valid"));
        append.stream(planned.stream.clone(), ExpectedRevision::Any, [event])
    })
}

/// Runs steps until they are over or the store gives up.
fn run(disk: &MemoryDisk, steps: &[Step]) -> Told {
    let mut told = Told::default();
    let Ok(mut store) = open(disk) else { return told };
    for step in steps {
        match step {
            Step::Commit(group) => {
                if !told.send(&store, group) {
                    break;
                }
            }
            // Maintenance that fails must do no harm: what it did is looked at later.
            Step::Settle => drop(store.settle()),
            Step::Reopen => {
                drop(store.close());
                match open(disk) {
                    Ok(opened) => store = opened,
                    Err(_) => return told,
                }
            }
        }
        check_served(&store, &told);
    }
    check_served(&store, &told);
    told
}

/// Reads are served, and show what was answered and nothing else.
fn check_served(store: &EventStore, told: &Told) {
    let read = all(store);
    let answered: Vec<&Planned> = told.answered.iter().flatten().collect();
    assert_eq!(read.len(), answered.len(), "an event is visible that was not answered, or an answered one is not");
    assert!(read.iter().zip(answered).all(|(event, planned)| is(event, planned)));
}

fn all(store: &EventStore) -> Vec<RecordedEvent> {
    let read = store.read_all(ReadOptions::default()).expect("reading is served");
    read.collect::<Result<_, _>>().expect("events are readable")
}

fn is(event: &RecordedEvent, planned: &Planned) -> bool {
    event.id == planned.id && event.stream == planned.stream && event.data.len() == planned.size
}

/// What a crash left is what it must be, and the store goes on.
fn check_left(disk: &MemoryDisk, told: &Told, context: &str) {
    disk.set_capacity(None);
    let store = open(disk).unwrap_or_else(|error| panic!("{context}: does not open: {error}"));
    let events = all(&store);
    check_commits(&events, told, context);
    check_dense(&events, context);
    let found = answers(&store);
    drop(store);
    forget_index(disk);
    let store = open(disk).unwrap_or_else(|error| panic!("{context}: does not open without its index: {error}"));
    assert_eq!(answers(&store), found, "{context}: the index found and the index rebuilt answer differently");
    let report = store.verify(|_| ()).expect("verifiable");
    assert_eq!(report.problems, Vec::<String>::new(), "{context}");

    let plan = Told { sent: u64::MAX / 2, ..Told::default() }.plan(&[(0, 10); 3]);
    let appended = store.commit(request(&plan)).wait().unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(appended.first_position, Some(Position(events.len() as u64)), "{context}");
    store.settle().unwrap_or_else(|error| panic!("{context}: maintenance: {error}"));
    check_dense(&all(&store), context);
}

/// Every answered commit, then a prefix of the others, each whole.
fn check_commits(events: &[RecordedEvent], told: &Told, context: &str) {
    let mut rest = events;
    for commit in &told.answered {
        assert!(starts_with(rest, commit), "{context}: an answered commit is gone, commit={commit:?} found={rest:?}");
        rest = &rest[commit.len()..];
    }
    for commit in &told.unknown {
        if rest.is_empty() {
            break;
        }
        assert!(
            starts_with(rest, commit),
            "{context}: half a commit, or one out of turn, commit={commit:?} found={rest:?}"
        );
        rest = &rest[commit.len()..];
    }
    assert!(rest.is_empty(), "{context}: events nobody sent: {rest:?}");
}

fn starts_with(events: &[RecordedEvent], commit: &[Planned]) -> bool {
    events.len() >= commit.len() && events.iter().zip(commit).all(|(event, planned)| is(event, planned))
}

fn check_dense(events: &[RecordedEvent], context: &str) {
    let mut revisions: BTreeMap<&StreamName, u64> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.position, Position(position as u64), "{context}");
        let revision = revisions.entry(&event.stream).or_default();
        assert_eq!(event.revision.0, *revision, "{context}");
        *revision += 1;
    }
}

/// Every kind of question the index answers, and what it says.
fn answers(store: &EventStore) -> Vec<(Source, Option<Vec<RecordedEvent>>)> {
    let names = ["order-0", "order-1", "order-2", "order-3", "$ce-order", "$et-Type0", "$et-Type1", "$streams"];
    let streams = names.iter().map(|name| Source::Stream(StreamName::new(name).expect("valid")));
    let tag = QueryItem::default().tag(Tag::new("/sizes/1").expect("valid"));
    let path = QueryItem::default().path("/sizes/*".parse().expect("valid"));
    let event_type = QueryItem::default().event_type(EventType::new("Type2").expect("valid"));
    let queries = [Query::of(tag.clone()), Query::of(path), Query::of(event_type).or(tag)].map(Source::Query);
    let mut answers = Vec::new();
    for source in streams.chain(queries) {
        for direction in [Direction::Forward, Direction::Backward] {
            let options = ReadOptions { direction, ..ReadOptions::default() };
            let read = store.read(source.clone(), options).ok();
            let events = read.map(|read| read.collect::<Result<Vec<_>, _>>().expect("events are readable"));
            answers.push((source.clone(), events));
        }
    }
    answers
}

fn forget_index(disk: &MemoryDisk) {
    let dir = Path::new("index");
    for name in disk.list(dir).expect("list") {
        disk.remove(&dir.join(name)).expect("remove");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![8 => 0..200_u16, 1 => 0..9000_u16];
    let commit = prop::collection::vec((0..STREAMS, size), 1..5);
    let group = prop::collection::vec(commit, 1..5);
    let step = prop_oneof![8 => group.prop_map(Step::Commit), 2 => Just(Step::Settle), 1 => Just(Step::Reopen)];
    prop::collection::vec(step, 1..14)
}

fn fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![Just(ErrorKind::Other), Just(ErrorKind::StorageFull)];
    let done = prop_oneof![Just(Done::Nothing), Just(Done::Half), Just(Done::Everything)];
    let fault = prop_oneof![Just(Fault::once as fn(ErrorKind) -> Fault), Just(Fault::forever as _)];
    (fault, kind, done).prop_map(|(fault, kind, done)| fault(kind).leaving(done))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_answered_survives_any_crash(
        steps in steps(),
        fault in fault(),
        passing in 0..160_u64,
        crashes in prop::array::uniform4(any::<u64>()),
    ) {
        let disk = MemoryDisk::new();
        disk.fail_after(passing, fault);
        let told = run(&disk, &steps);
        for seed in crashes {
            check_left(&disk.crash(seed), &told, &format!("crash={seed}"));
        }
        check_left(&disk.crash_losing_all(), &told, "everything unsynced lost");
        check_left(&disk.kill(), &told, "killed");
    }
}

/// A workload that meets every kind of operation: several segments, groups, commits over streams, maintenance, a clean restart.
fn fixed_steps() -> Vec<Step> {
    let commit = |first: u16| Step::Commit(vec![vec![(0, first), (1, first + 1)], vec![(2, first + 2)]]);
    let mut steps: Vec<Step> = (0..7).map(|round| commit(round * 10)).collect();
    steps.insert(3, Step::Settle);
    steps.extend([Step::Settle, commit(5000), Step::Reopen, commit(300), commit(400), Step::Settle]);
    steps
}

#[test]
fn every_operation_may_fail() {
    let steps = fixed_steps();
    let whole = MemoryDisk::new();
    let told = run(&whole, &steps);
    assert_eq!(told.unknown, Vec::<Vec<Planned>>::new(), "without a fault everything is answered");
    let operations = whole.operations().changes();
    for passing in 0..operations {
        for (index, done) in [Done::Nothing, Done::Half, Done::Everything].into_iter().enumerate() {
            for fault in [Fault::once(ErrorKind::Other), Fault::forever(ErrorKind::StorageFull)] {
                let disk = MemoryDisk::new();
                disk.fail_after(passing, fault.leaving(done));
                let told = run(&disk, &steps);
                let context = format!("operation={passing} of={operations} fault={fault:?} done={done:?}");
                check_left(&disk.crash(passing * 3 + index as u64), &told, &context);
                check_left(&disk.crash_losing_all(), &told, &context);
            }
        }
    }
}

/// Power fails again while the store recovers from the last time it did.
#[test]
fn recovery_may_be_interrupted_anywhere() {
    let steps = fixed_steps();
    let disk = MemoryDisk::new();
    disk.fail_after(60, Fault::forever(ErrorKind::Other).leaving(Done::Half));
    let told = run(&disk, &steps);
    for seed in 0..12 {
        for passing in 0.. {
            let crashed = disk.crash(seed);
            crashed.fail_after(passing, Fault::forever(ErrorKind::Other));
            if let Ok(store) = open(&crashed) {
                // Either may be struck; what they leave is looked at below.
                drop(store.settle());
                drop(store.close());
            }
            check_left(&crashed.crash(passing), &told, &format!("crash={seed} operation={passing}"));
            if crashed.operations().changes() <= passing {
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_appends_serves_reads_and_loses_nothing() {
    let steps = fixed_steps();
    let whole = MemoryDisk::new();
    run(&whole, &steps);
    let blocks = whole.allocated_bytes() / 4096;
    for capacity in 0..=blocks {
        let disk = MemoryDisk::new();
        disk.set_capacity(Some(capacity * 4096));
        // Checks on its way that reads are served.
        let told = run(&disk, &steps);
        let context = format!("blocks={capacity} of={blocks}");
        check_left(&disk.kill(), &told, &context);
        check_left(&disk.crash(capacity), &told, &context);
    }
}
