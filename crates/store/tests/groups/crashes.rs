//! Power fails while a group is at work; the disk keeps, of what was not synced, nothing, everything, or any part.
//!
//! Whatever is left, then: nothing is skipped; what was settled before a flush that was answered comes back neither as a message nor as a parked one;
//! and what is parked is parked once, and not delivered beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
};

use gesta_store::{
    AfterPark, GroupError, KeyOf, Nack, Replay,
    disk::memory::{Done, Fault},
};
use proptest::prelude::{Just, ProptestConfig, Strategy as Generator, any, prop, prop_oneof, proptest};

use super::*;

const CONSUMERS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Take {
        consumer: usize,
        max: usize,
    },
    /// Answers the message at a place among those a consumer has.
    Answer {
        consumer: usize,
        place: usize,
        answer: Answer,
    },
    Flush,
    Wait(Duration),
    Replay(Replay),
    Leave(usize),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Ack,
    Retry,
    Park,
    Skip,
}

/// A group at work, and what its consumers know.
struct Work {
    world: World,
    consumers: Vec<Option<(Consumer, Vec<MessageId>)>>,
    /// Acked or skipped.
    settled: BTreeSet<MessageId>,
    /// Of these, those that were settled before a flush was answered.
    flushed: BTreeSet<MessageId>,
    appended: u64,
}

impl Work {
    fn new(strategy: Strategy) -> Self {
        let world = World::new();
        for number in 0..8 {
            world.append(&format!("s-{}", number % 3), ["A"]);
        }
        let settings =
            GroupSettings { max_retry_count: 1, max_checkpoint_count: 6, min_checkpoint_count: 2, ..with(strategy) };
        world.create(&on_all(), Source::All, settings);
        let consumers = (0..CONSUMERS).map(|_| None).collect();
        Self { world, consumers, settled: BTreeSet::new(), flushed: BTreeSet::new(), appended: 0 }
    }

    /// Does one step; an error is that of a store that refuses to go on.
    fn step(&mut self, step: &Step) -> Result<(), GroupError> {
        match step {
            Step::Append(stream) => {
                self.appended += 1;
                let appended =
                    self.world.store.append(name(&format!("s-{stream}")), ExpectedRevision::Any, [event("A")]);
                appended.wait().map(drop).map_err(|error| gesta_store::Error::invalid(error.to_string()).into())
            }
            Step::Take { consumer, max } => self.take(*consumer, *max),
            Step::Answer { consumer, place, answer } => self.answer(*consumer, *place, *answer),
            Step::Flush => {
                let settled = self.settled.clone();
                self.world.groups.flush(&on_all())?;
                self.flushed = settled;
                Ok(())
            }
            Step::Wait(time) => {
                self.world.clock.advance(*time);
                Ok(())
            }
            Step::Replay(which) => self.world.groups.replay(&on_all(), *which).map(drop),
            Step::Leave(consumer) => {
                self.consumers[*consumer] = None;
                Ok(())
            }
            Step::Reopen => {
                self.consumers.iter_mut().for_each(|consumer| *consumer = None);
                self.world = std::mem::replace(&mut self.world, World::new()).reopened();
                Ok(())
            }
        }
    }

    fn take(&mut self, consumer: usize, max: usize) -> Result<(), GroupError> {
        if self.consumers[consumer].is_none() {
            let options = ConsumerOptions { slots: 4, ..ConsumerOptions::default() };
            self.consumers[consumer] = Some((self.world.groups.connect(&on_all(), &options)?, Vec::new()));
        }
        let Some((connected, has)) = &mut self.consumers[consumer] else { unreachable!("connected above") };
        for id in ids(&connected.try_next(max)?) {
            assert!(!self.settled.contains(&id), "settled, and delivered in the same life, id={id}");
            has.retain(|known| *known != id); // its time was over, and it came back
            has.push(id);
        }
        Ok(())
    }

    fn answer(&mut self, consumer: usize, place: usize, answer: Answer) -> Result<(), GroupError> {
        let Some((connected, has)) = &mut self.consumers[consumer] else { return Ok(()) };
        if has.is_empty() {
            return Ok(());
        }
        let id = has.remove(place % has.len());
        let answered = match answer {
            Answer::Ack => connected.ack(&[id]),
            Answer::Skip => connected.nack(&[id], Nack::Skip, ""),
            Answer::Park => connected.nack(&[id], Nack::Park, "no"),
            Answer::Retry => connected.nack(&[id], Nack::Retry { after: SECOND }, "later"),
        };
        match (answered, answer) {
            (Ok(()), Answer::Ack | Answer::Skip) => {
                self.settled.insert(id);
                Ok(())
            }
            // Its time may be over.
            (Ok(()), _) | (Err(GroupError::NotInFlight { .. }), _) => Ok(()),
            (Err(error), _) => Err(error),
        }
    }
}

/// The messages that are parked, as the log says it, and how often each is.
fn parked_links(world: &World) -> BTreeMap<MessageId, usize> {
    let last = |stream: StreamName| {
        let read = world.store.read_stream(stream, ReadOptions::default());
        read.map(|read| read.collect::<Result<Vec<_>, _>>().unwrap()).unwrap_or_default()
    };
    let json = |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).unwrap() };
    let progress = json(&last(on_all().checkpoint_stream()).pop().unwrap().data);
    let resolved: Vec<(u64, u64)> = serde_json::from_value(progress["resolved"].clone()).unwrap();
    let mut found = BTreeMap::new();
    for link in last(on_all().parked_stream()) {
        if !resolved.iter().any(|(first, last)| (*first..=*last).contains(&link.revision.0)) {
            let position = json(&link.metadata)["position"].as_u64().unwrap();
            *found.entry(MessageId(Position(position))).or_default() += 1;
        }
    }
    found
}

/// What a crash left is what it must be, and the group goes on.
fn check_left(disk: MemoryDisk, work: &Work, context: &str) {
    let world = World::on(disk, Arc::clone(&work.world.clock), false);
    let all = world.all();
    let ours = |event: &&RecordedEvent| event.stream.starts_with("s-");
    let events: BTreeSet<MessageId> = all.iter().filter(ours).map(|event| MessageId(event.position)).collect();
    let before: BTreeSet<MessageId> = check_parked(&world, context);
    let consumer = world.connect(&on_all());
    let (mut delivered, mut replayed) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let messages = drain(&consumer);
        if messages.is_empty() {
            break;
        }
        consumer.ack(&ids(&messages)).unwrap();
        replayed.extend(messages.iter().filter(|message| message.replayed).map(|message| message.id));
        for id in ids(&messages) {
            assert!(delivered.insert(id), "{context}: delivered twice in one life, id={id}");
        }
    }
    // Until it is written, the log does not know what was replayed and acked.
    world.groups.flush(&on_all()).unwrap();
    let parked = check_parked(&world, context);
    // A replay that was asked for before the crash is done after it; nothing else takes a message away.
    assert!(parked.is_superset(&(&before - &replayed)), "{context}: parked messages vanished");
    assert!(before.is_superset(&replayed), "{context}: replayed, and not parked before");
    for id in &events {
        let known = work.settled.contains(id) || delivered.contains(id) || parked.contains(id);
        assert!(known, "{context}: skipped, id={id}");
    }
    assert!(delivered.is_subset(&events), "{context}: {delivered:?}");
    let again: Vec<_> = work.flushed.iter().filter(|id| delivered.contains(id) || parked.contains(id)).collect();
    assert!(again.is_empty(), "{context}: settled and flushed, yet not done with: {again:?}");
    let both: Vec<_> = parked.intersection(&delivered).collect();
    assert!(both.is_empty(), "{context}: parked and delivered: {both:?}");

    let disk = world.disk.crash_losing_all();
    let world = World::on(disk, Arc::clone(&world.clock), false);
    assert_eq!(drain(&world.connect(&on_all())), [], "{context}: flushed, and delivered again");
    assert_eq!(check_parked(&world, context), parked, "{context}");
}

/// The parked messages; each is parked once, and the group knows the same ones.
fn check_parked(world: &World, context: &str) -> BTreeSet<MessageId> {
    let known = world.groups.parked(&on_all(), Position::START, 1000).unwrap();
    let known: BTreeSet<MessageId> = known.iter().map(|message| message.id).collect();
    let links = parked_links(world);
    assert!(links.values().all(|count| *count == 1), "{context}: parked twice: {links:?}");
    assert_eq!(links.into_keys().collect::<BTreeSet<_>>(), known, "{context}");
    known
}

fn strategies() -> impl Generator<Value = Strategy> {
    let key_ordered = |after_park| Strategy::KeyOrdered { key: KeyOf::Stream, after_park };
    prop_oneof![
        Just(Strategy::RoundRobin),
        Just(Strategy::Pinned),
        Just(key_ordered(AfterPark::Flow)),
        Just(key_ordered(AfterPark::Hold)),
    ]
}

fn steps() -> impl Generator<Value = Vec<Step>> {
    let answer =
        prop_oneof![5 => Just(Answer::Ack), 1 => Just(Answer::Retry), 2 => Just(Answer::Park), 1 => Just(Answer::Skip)];
    let replay = prop_oneof![Just(Replay::All), Just(Replay::Count(1))];
    let step = prop_oneof![
        3 => (0..3_u8).prop_map(Step::Append),
        6 => (0..CONSUMERS, 1..4_usize).prop_map(|(consumer, max)| Step::Take { consumer, max }),
        10 => (0..CONSUMERS, 0..4_usize, answer).prop_map(|(consumer, place, answer)| Step::Answer { consumer, place, answer }),
        2 => Just(Step::Flush),
        1 => (0..40_u64).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        1 => replay.prop_map(Step::Replay),
        1 => (0..CONSUMERS).prop_map(Step::Leave),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_skipped_and_nothing_flushed_comes_back(
        strategy in strategies(),
        steps in steps(),
        passing in prop::option::of(0..60_u64),
        crashes in prop::array::uniform3(any::<u64>()),
    ) {
        let mut work = Work::new(strategy);
        if let Some(passing) = passing {
            work.world.disk.fail_after(passing, Fault::forever(ErrorKind::Other).leaving(Done::Half));
        }
        for step in &steps {
            // A store that is struck is not opened again on its disk.
            if passing.is_some() && matches!(step, Step::Reopen) {
                continue;
            }
            if work.step(step).is_err() {
                break;
            }
        }
        for seed in crashes {
            check_left(work.world.disk.crash(seed), &work, &format!("crash={seed}"));
        }
        check_left(work.world.disk.crash_losing_all(), &work, "everything unsynced lost");
    }
}
