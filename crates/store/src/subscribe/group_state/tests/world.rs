//! A state and its naive model, driven together and compared after every step, and a witness who sees only what goes in and comes
//! out and holds the promises against it: order, nothing twice, nothing lost, progress that tells the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    super::{
        ConsumerId, GroupState, Offer, ParkedEntry, Progress, Reach, Rules, StrategyRule, Urgency, Write, Written,
    },
    naive::{At, Naive, Stage},
};
use crate::{
    position::{Position, Revision},
    subscribe::{
        group_error::{Discard, GroupError, MessageId, Nack, Replay},
        group_settings::AfterPark,
    },
};

/// An event of the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) position: u64,
    pub(super) key: u64,
    pub(super) pin: u64,
}

/// What a consumer has, as the witness saw it.
#[derive(Clone, Copy, Debug)]
struct InHand {
    consumer: ConsumerId,
    event: Event,
    until: Option<Duration>,
}

#[derive(Default)]
struct Disk {
    progress: Progress,
    entries: Vec<ParkedEntry>,
    hidden: u64,
}

pub(super) struct World {
    pub(super) state: GroupState<u64>,
    pub(super) naive: Naive,
    rules: Rules,
    pub(super) log: Vec<Event>,
    cursor: usize,
    now: Duration,
    disk: Disk,
    under_way: Option<Write<u64>>,
    next_revision: u64,
    hands: Vec<InHand>,
    slots_max: BTreeMap<ConsumerId, usize>,
    /// Acked, skipped or discarded in this life, or by what was durable when it began.
    cleared: BTreeSet<u64>,
    /// Parked, by which key.
    parked: BTreeMap<u64, Option<u64>>,
    /// Acked, skipped or discarded ever.
    done: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        let progress = Progress { epoch: 7, ..Progress::default() };
        Self {
            state: GroupState::new(rules.clone(), progress.clone(), Vec::new(), Duration::ZERO),
            naive: Naive::new(rules.clone(), &progress, &[], Duration::ZERO),
            rules,
            log: Vec::new(),
            cursor: 0,
            now: Duration::ZERO,
            disk: Disk { progress, ..Disk::default() },
            under_way: None,
            next_revision: 0,
            hands: Vec::new(),
            slots_max: BTreeMap::new(),
            cleared: BTreeSet::new(),
            parked: BTreeMap::new(),
            done: BTreeSet::new(),
        }
    }

    /// The consumer a script means by a number.
    pub(super) fn consumer(&self, number: usize) -> Option<ConsumerId> {
        let consumers = &self.naive.consumers;
        (!consumers.is_empty()).then(|| consumers[number % consumers.len()].id)
    }

    /// What a consumer has in its hands.
    pub(super) fn in_hand(&self, consumer: ConsumerId) -> Vec<u64> {
        self.hands.iter().filter(|hand| hand.consumer == consumer).map(|hand| hand.event.position).collect()
    }

    // Steps.

    pub(super) fn append(&mut self, gap: u64, key: u64, pin: u64) {
        let next = self.log.last().map_or(0, |event| event.position + 1);
        self.log.push(Event { position: next + gap, key, pin });
    }

    /// Offers as many events as there are, as there is room for, and as asked for.
    pub(super) fn offer(&mut self, max: usize) {
        let events = &self.log[self.cursor..];
        for event in events.iter().take(max.min(self.state.room())) {
            let Event { position, key, pin } = *event;
            self.state.offer(Offer { position: Position(position), key, pin, body: position }, self.now);
            self.naive.offer(position, key, pin);
            self.cursor += 1;
        }
    }

    /// Tells how far the source was looked at: to the head, or to the next event that is not offered.
    pub(super) fn consider(&mut self, beyond: u64) {
        let next = self.log.get(self.cursor).map(|event| event.position);
        let head = self.log.last().map_or(0, |event| event.position + 1) + beyond;
        let (to, reach) = next.map_or((head, Reach::Live), |next| (next, Reach::History));
        // Events to come are recorded at the head or later.
        if next.is_none() && beyond > 0 {
            self.log.push(Event { position: head, key: 0, pin: 0 });
        }
        self.state.considered(Position(to), reach);
        self.naive.considered = self.naive.considered.max(to);
        self.naive.reach = reach;
    }

    pub(super) fn connect(&mut self, slots: usize) {
        let expected = self.naive.connect(slots);
        match (self.state.connect(slots, self.now), expected) {
            (Ok(id), Some(expected)) => {
                assert_eq!(id, expected);
                self.slots_max.insert(id, slots);
            }
            (Err(GroupError::MaximumSubscribers { limit }), None) => assert_eq!(limit, self.rules.max_subscribers),
            (got, expected) => panic!("connect gave {got:?}, expected {expected:?}"),
        }
    }

    pub(super) fn set_slots(&mut self, id: ConsumerId, slots: usize) {
        self.state.set_slots(id, slots).unwrap();
        self.naive
            .consumers
            .iter_mut()
            .filter(|consumer| consumer.id == id)
            .for_each(|consumer| consumer.slots = slots);
        let most = self.slots_max.entry(id).or_default();
        *most = slots.max(*most);
    }

    pub(super) fn disconnect(&mut self, id: ConsumerId) {
        self.state.disconnect(id, self.now);
        self.naive.disconnect(id);
        self.hands.retain(|hand| hand.consumer != id);
    }

    pub(super) fn dispatch(&mut self) {
        self.state.dispatch(self.now);
        self.naive.dispatch();
    }

    pub(super) fn take(&mut self, id: ConsumerId, max: usize) {
        let mut out = Vec::new();
        self.state.take(id, max, &mut out, self.now).unwrap();
        let got: Vec<(u64, u32, bool)> = out.iter().map(|m| (m.id.0.0, m.retries, m.replayed)).collect();
        assert_eq!(got, self.naive.take(id, max), "deliveries to {id:?}");
        for message in out {
            assert_eq!(message.body, message.id.0.0, "the body is that of the message");
            let event = *self.log.iter().find(|event| event.position == message.id.0.0).unwrap();
            self.witness_delivery(event, message.replayed);
            let until = self.rules.message_timeout.map(|timeout| self.now + timeout);
            self.hands.push(InHand { consumer: id, event, until });
        }
    }

    fn witness_delivery(&self, event: Event, replayed: bool) {
        let position = event.position;
        assert!(self.hands.iter().all(|hand| hand.event.position != position), "{position} is in two hands");
        assert!(!self.cleared.contains(&position), "{position} was settled");
        assert_eq!(self.parked.contains_key(&position), replayed, "{position} is parked just if it is replayed");
        let StrategyRule::KeyOrdered(after_park) = self.rules.strategy else { return };
        let twin = self.hands.iter().find(|hand| hand.event.key == event.key);
        assert!(twin.is_none(), "a key is in flight twice: {event:?} and {twin:?}");
        if replayed && after_park == AfterPark::Flow {
            return;
        }
        for earlier in self.log.iter().filter(|other| other.key == event.key && other.position < position) {
            let flows = match self.parked.get(&earlier.position) {
                // Parked by another key, under other settings: nothing waits for it.
                Some(key) => after_park == AfterPark::Flow || *key != Some(event.key),
                None => false,
            };
            assert!(flows || self.cleared.contains(&earlier.position), "{event:?} overtakes {earlier:?}");
        }
    }

    /// Acks (`None`) or nacks.
    pub(super) fn answer(&mut self, id: ConsumerId, positions: &[u64], action: Option<Nack>) {
        let ids: Vec<MessageId> = positions.iter().map(|position| MessageId(Position(*position))).collect();
        let answered = match action {
            None => self.state.ack(id, &ids, self.now),
            Some(action) => self.state.nack(id, &ids, action, "because", self.now),
        };
        let refused = match answered {
            Ok(()) => Vec::new(),
            Err(GroupError::NotInFlight { refused }) => refused,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(refused, self.naive.answer(id, positions, action), "refused answers");
        // A position that is named twice is refused once.
        let mut left: Vec<u64> = refused.iter().map(|refused| refused.id.0.0).collect();
        for position in positions {
            if let Some(at) = left.iter().rposition(|refused| refused == position)
                && positions.iter().filter(|other| *other == position).count() == 1
            {
                left.remove(at);
                continue;
            }
            self.hands.retain(|hand| hand.event.position != *position || hand.consumer != id);
            let settled = self.naive.messages.iter().all(|message| message.position != *position);
            let refused = refused.iter().filter(|refused| refused.id.0.0 == *position).count();
            let named = positions.iter().filter(|other| *other == position).count();
            if matches!(action, None | Some(Nack::Skip)) && settled && refused < named {
                self.clear(*position);
            }
        }
        if action == Some(Nack::Stop) {
            self.hands.retain(|hand| hand.consumer != id);
        }
    }

    fn clear(&mut self, position: u64) {
        self.cleared.insert(position);
        self.parked.remove(&position);
        self.done.insert(position);
    }

    /// Moves time, which may stand still or be told too small, and lets it do what it does.
    pub(super) fn tick(&mut self, by: Duration, told_back: Duration) {
        self.now += by;
        self.naive.now = self.now;
        self.state.tick(self.now);
        self.state.tick(self.now.saturating_sub(told_back));
        self.naive.tick();
        self.hands.retain(|hand| hand.until.is_none_or(|until| until > self.now));
    }

    pub(super) fn begin_write(&mut self, urgency: Urgency) {
        let expected = self.naive.begin_write(urgency == Urgency::Now);
        let write = self.state.begin_write(urgency, self.now);
        match (write, expected) {
            (None, None) => {}
            (Some(write), Some(expected)) => {
                assert_eq!(write.progress, expected.progress);
                let parks = write.parks.iter().map(|park| (park.body, park.key, park.retries, park.why.clone()));
                assert_eq!(parks.collect::<Vec<_>>(), expected.parks);
                assert_eq!(write.truncate_parked_before, expected.truncate.map(Revision));
                self.witness_write(&write);
                self.under_way = Some(write);
            }
            (got, expected) => panic!("begin_write gave {got:?}, expected {expected:?}"),
        }
    }

    /// What the document says is settled is just what is.
    fn witness_write(&self, write: &Write<u64>) {
        let Progress { checkpoint, settled, .. } = &write.progress;
        let cut = settled.len() >= self.rules.intervals_max;
        for event in &self.log[..self.cursor] {
            let position = event.position;
            let said = position < checkpoint.0 || settled.contains(position);
            let parked = write.parks.iter().any(|park| park.position.0 == position);
            let is = self.cleared.contains(&position) || self.parked.contains_key(&position) || parked;
            assert!(is || !said, "the progress passes {position}, which is not settled");
            assert!(said || !is || cut, "the progress forgets {position}, which is settled");
        }
    }

    /// The write that is under way becomes durable.
    fn land(&mut self, write: &Write<u64>, skipped_revisions: u64) -> Option<u64> {
        let first = self.next_revision + skipped_revisions;
        for (revision, park) in (first..).zip(&write.parks) {
            let entry = ParkedEntry { position: park.position, revision: Revision(revision), key: park.key };
            self.disk.entries.push(entry);
            self.next_revision = revision + 1;
        }
        self.disk.progress = write.progress.clone();
        self.disk.hidden = write.truncate_parked_before.map_or(self.disk.hidden, |before| before.0);
        (!write.parks.is_empty()).then_some(first)
    }

    pub(super) fn end_write(&mut self, succeeds: bool, skipped_revisions: u64) {
        let Some(write) = self.under_way.take() else { return };
        if !succeeds {
            self.naive.end_write(None);
            self.state.end_write(Written::Failed, self.now);
            return;
        }
        let first_parked = self.land(&write, skipped_revisions);
        self.naive.end_write(Some(first_parked.unwrap_or(0)));
        self.state.end_write(Written::Done { first_parked: first_parked.map(Revision) }, self.now);
        self.parked.extend(write.parks.iter().map(|park| (park.position.0, park.key)));
    }

    pub(super) fn replay(&mut self, which: Replay) {
        match (self.state.replay(which, self.now), self.naive.replay(which)) {
            (Ok(count), Some(expected)) => assert_eq!(count, expected),
            (Err(GroupError::NotParked { .. }), None) => {}
            (got, expected) => panic!("replay gave {got:?}, expected {expected:?}"),
        }
    }

    pub(super) fn load_replays(&mut self, max: usize) {
        let wanted = self.state.wanted_replays(max);
        let positions: Vec<u64> = wanted.iter().map(|entry| entry.position.0).collect();
        assert_eq!(positions, self.naive.wanted(max));
        for entry in wanted {
            let event = *self.log.iter().find(|event| event.position == entry.position.0).unwrap();
            let Event { position, key, pin } = event;
            assert_eq!(Some(entry.revision), self.naive.revision_of(position));
            self.state.offer_replay(Offer { position: Position(position), key, pin, body: position }, self.now);
            self.naive.offer_replay(position, key, pin);
        }
    }

    pub(super) fn discard(&mut self, which: Discard) {
        match (self.state.discard_parked(which, self.now), self.naive.discard(which)) {
            (Ok(count), Some(expected)) => {
                assert_eq!(count, expected.len() as u64);
                self.hands.retain(|hand| !expected.contains(&hand.event.position));
                expected.into_iter().for_each(|position| self.clear(position));
            }
            (Err(GroupError::NotParked { .. }), None) => {}
            (got, expected) => panic!("discard gave {got:?}, expected {expected:?}"),
        }
    }

    /// A crash. What was being written may or may not have become durable.
    pub(super) fn restart(&mut self, strategy: StrategyRule, lands: bool) {
        if let Some(write) = self.under_way.take().filter(|_| lands) {
            self.land(&write, 0);
        }
        self.rules.strategy = strategy;
        let readable = self.disk.entries.iter().filter(|entry| entry.revision.0 >= self.disk.hidden);
        let entries: Vec<ParkedEntry> = readable.copied().collect();
        let progress = &self.disk.progress;
        self.naive = Naive::new(self.rules.clone(), progress, &entries, self.now);
        self.parked = self.naive.open_entries().map(|entry| (entry.position, entry.key)).collect();
        let settled =
            |event: &&Event| event.position < progress.checkpoint.0 || progress.settled.contains(event.position);
        let settled = self.log.iter().filter(settled).map(|event| event.position);
        self.cleared = settled.filter(|position| !self.parked.contains_key(position)).collect();
        let lost = self.cleared.iter().find(|position| !self.done.contains(position));
        assert_eq!(lost, None, "never worked off, and not delivered again");
        self.state = GroupState::new(self.rules.clone(), progress.clone(), entries, self.now);
        self.cursor = self.log.partition_point(|event| event.position < progress.checkpoint.0);
        self.hands.clear();
        self.slots_max.clear();
    }

    // Judging.

    pub(super) fn check(&mut self) {
        let (facts, naive) = (self.state.facts(), &self.naive);
        let count = |is: fn(&At) -> bool| naive.count(is);
        assert_eq!(facts.buffered, count(|at| matches!(at, At::Waiting)), "buffered");
        assert_eq!(facts.retrying, count(|at| matches!(at, At::Retry(_))), "retrying");
        assert_eq!(facts.in_flight, count(|at| matches!(at, At::Outbox(_) | At::Flight(..))), "in flight");
        assert_eq!(facts.parking, count(|at| matches!(at, At::Parking(_))), "parking");
        assert_eq!(facts.parked, naive.open_entries().count(), "parked");
        let replaying = naive.open_entries().filter(|entry| entry.stage != Stage::Parked);
        assert_eq!(facts.replaying, replaying.count(), "replaying");
        assert_eq!(facts.parked_full, !naive.has_room_to_park(), "parked full");
        assert_eq!(facts.checkpoint.0, naive.checkpoint(), "checkpoint");
        assert_eq!((facts.considered.0, facts.written.0), (naive.considered, naive.written), "considered, written");
        assert_eq!(self.state.room(), naive.room(), "room");
        assert_eq!(self.state.next_deadline(), naive.next_deadline(), "next deadline");
        let due = naive.write_due_at().is_some_and(|at| at <= self.now);
        assert_eq!(self.state.write_due(self.now), due, "write due");
        assert_eq!(facts.consumers.len(), naive.consumers.len());
        for (got, expected) in facts.consumers.iter().zip(&naive.consumers) {
            let got_facts = (got.id, got.slots, got.in_flight, got.taken, got.stalled);
            let in_flight = naive.in_flight(expected.id);
            assert_eq!(got_facts, (expected.id, expected.slots, in_flight, expected.taken, expected.stalled));
            assert_eq!(self.state.has_deliveries(got.id), !expected.outbox.is_empty());
            assert!(got.in_flight <= self.slots_max[&got.id], "more in flight than slots");
        }
        assert!(facts.consumers.len() <= self.rules.max_subscribers);
        assert!(facts.parked <= self.rules.parked_max, "more parked than may be");
        let known: BTreeSet<ConsumerId> = std::mem::take(&mut self.naive.ready);
        assert_eq!(self.state.ready_consumers(), known.into_iter().collect::<Vec<_>>(), "whom to wake");
    }

    /// Lets everything that is left be worked off: nothing may be lost, nothing may be stuck.
    pub(super) fn drain(&mut self) {
        let consumers: Vec<ConsumerId> = self.naive.consumers.iter().map(|consumer| consumer.id).collect();
        consumers.into_iter().for_each(|consumer| self.disconnect(consumer));
        self.connect(8);
        let consumer = self.consumer(0).unwrap();
        for _ in 0..400 {
            self.tick(Duration::from_secs(11), Duration::ZERO);
            self.end_write(true, 0);
            self.begin_write(Urgency::Now);
            self.end_write(true, 0);
            self.offer(usize::MAX);
            self.replay(Replay::All);
            self.load_replays(usize::MAX);
            self.dispatch();
            self.check();
            self.take(consumer, usize::MAX);
            self.answer(consumer, &self.in_hand(consumer), None);
            self.check();
            let facts = self.state.facts();
            let outstanding = facts.buffered + facts.retrying + facts.in_flight + facts.parking + facts.parked;
            if outstanding == 0 && self.cursor == self.log.len() {
                let all: Vec<u64> = self.log.iter().map(|event| event.position).collect();
                let lost: Vec<u64> = all.into_iter().filter(|position| !self.done.contains(position)).collect();
                assert_eq!(lost, [0; 0], "lost");
                return;
            }
        }
        panic!("stuck: {:?}", self.state.facts());
    }
}
