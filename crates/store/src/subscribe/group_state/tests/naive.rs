//! A consumer group written to be obviously right: plain vectors, linear scans, nothing remembered that can be counted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::super::{ConsumerId, Intervals, ParkReason, ParkedEntry, Progress, Reach, Rules, StrategyRule};
use crate::{
    position::{Position, Revision},
    subscribe::{
        group_error::{Discard, MessageId, Nack, NotInFlight, Replay, WhyNotInFlight},
        group_settings::AfterPark,
    },
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    Waiting,
    Retry(Duration),
    Outbox(ConsumerId),
    Flight(ConsumerId, Option<Duration>),
    Parking(ParkReason),
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) position: u64,
    pub(super) key: u64,
    pub(super) pin: u64,
    pub(super) at: At,
    pub(super) retries: u32,
    pub(super) replay: bool,
    lost_by: Option<ConsumerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Parked,
    Wanted,
    Out,
    Resolved,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) revision: u64,
    pub(super) position: u64,
    pub(super) key: Option<u64>,
    pub(super) stage: Stage,
}

#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    pub(super) slots: usize,
    pub(super) outbox: Vec<u64>,
    pub(super) taken: u64,
    pub(super) stalled: bool,
    stalls_at: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Writing {
    pub(super) progress: Progress,
    pub(super) parks: Vec<(u64, Option<u64>, u32, ParkReason)>,
    pub(super) truncate: Option<u64>,
    settled: u64,
}

pub(super) struct Naive {
    pub(super) rules: Rules,
    pub(super) now: Duration,
    pub(super) considered: u64,
    pub(super) reach: Reach,
    pub(super) messages: Vec<Message>,
    pub(super) consumers: Vec<Consumer>,
    next_consumer: u64,
    turn: Option<ConsumerId>,
    owners: Vec<Option<ConsumerId>>,
    pub(super) ready: BTreeSet<ConsumerId>,
    pub(super) entries: Vec<Entry>,
    hidden: u64,
    end: u64,
    replaying: BTreeSet<u64>,
    settled_before: BTreeSet<u64>,
    retries_before: BTreeMap<u64, u32>,
    epoch: u64,
    pub(super) written: u64,
    settled: u64,
    touched: bool,
    pub(super) writing: Option<Writing>,
    last_write: Duration,
    failures: u32,
    not_before: Duration,
}

impl Naive {
    pub(super) fn new(rules: Rules, progress: &Progress, parked: &[ParkedEntry], now: Duration) -> Self {
        let mut entries: Vec<Entry> = parked
            .iter()
            .map(|entry| {
                let resolved = progress.resolved.contains(entry.revision.0);
                let later = parked.iter().any(|other| {
                    other.position == entry.position
                        && other.revision > entry.revision
                        && !progress.resolved.contains(other.revision.0)
                });
                let stage = if resolved || later { Stage::Resolved } else { Stage::Parked };
                Entry { revision: entry.revision.0, position: entry.position.0, key: entry.key, stage }
            })
            .collect();
        entries.sort_by_key(|entry| entry.revision);
        let end = entries.iter().map(|entry| entry.revision + 1).max().unwrap_or(0);
        let resolved_end = progress.resolved.iter().map(|(_, last)| last + 1).max().unwrap_or(0);
        let mut naive = Self {
            rules,
            now,
            considered: progress.checkpoint.0,
            reach: Reach::History,
            messages: Vec::new(),
            consumers: Vec::new(),
            next_consumer: 0,
            turn: None,
            owners: vec![None; 1024],
            ready: BTreeSet::new(),
            hidden: entries.first().map_or(0, |entry| entry.revision),
            end: end.max(resolved_end),
            entries,
            replaying: BTreeSet::new(),
            settled_before: progress.settled.iter().flat_map(|(first, last)| first..=last).collect(),
            retries_before: progress.retries.iter().map(|(position, count)| (position.0, *count)).collect(),
            epoch: progress.epoch,
            written: progress.checkpoint.0,
            settled: 0,
            touched: false,
            writing: None,
            last_write: now,
            failures: 0,
            not_before: Duration::ZERO,
        };
        let mut again: Vec<Entry> = naive.open_entries().copied().collect();
        again.retain(|entry| progress.replaying.contains(entry.revision));
        again.sort_by_key(|entry| entry.position);
        for entry in again {
            naive.want(entry.position, entry.key);
        }
        naive
    }

    // Looking.

    fn keyed(&self) -> bool {
        matches!(self.rules.strategy, StrategyRule::KeyOrdered(_))
    }

    fn holding(&self) -> bool {
        self.rules.strategy == StrategyRule::KeyOrdered(AfterPark::Hold)
    }

    pub(super) fn open_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.stage != Stage::Resolved)
    }

    fn entry_mut(&mut self, position: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.position == position && entry.stage != Stage::Resolved)
    }

    fn index(&self, position: u64) -> Option<usize> {
        self.messages.iter().position(|message| message.position == position)
    }

    pub(super) fn count(&self, is: impl Fn(&At) -> bool) -> usize {
        self.messages.iter().filter(|message| is(&message.at)).count()
    }

    fn idle(&self, replay: bool) -> usize {
        let idle = |at: &At| matches!(at, At::Waiting | At::Retry(_) | At::Parking(_));
        self.messages.iter().filter(|message| message.replay == replay && idle(&message.at)).count()
    }

    pub(super) fn room(&self) -> usize {
        let buffer = if self.reach == Reach::Live { self.rules.live_buffer } else { self.rules.history_buffer };
        buffer.saturating_sub(self.idle(false))
    }

    pub(super) fn has_room_to_park(&self) -> bool {
        let parking = self.messages.iter().filter(|message| !message.replay && matches!(message.at, At::Parking(_)));
        self.open_entries().count() + parking.count() < self.rules.parked_max
    }

    /// The first message of a key that is parked or about to be.
    fn first_held(&self, key: u64) -> Option<u64> {
        let entries = self.open_entries().filter(|entry| entry.key == Some(key)).map(|entry| entry.position);
        let parking = self.messages.iter().filter(|m| m.key == key && matches!(m.at, At::Parking(_)));
        entries.chain(parking.map(|message| message.position)).min().filter(|_| self.holding())
    }

    pub(super) fn in_flight(&self, id: ConsumerId) -> usize {
        self.count(|at| matches!(at, At::Outbox(consumer) | At::Flight(consumer, _) if *consumer == id))
    }

    fn is_free(&self, consumer: &Consumer) -> bool {
        !consumer.stalled && self.in_flight(consumer.id) < consumer.slots
    }

    fn timeout(&self) -> Option<Duration> {
        self.rules.message_timeout.map(|timeout| self.now + timeout)
    }

    pub(super) fn checkpoint(&self) -> u64 {
        let open = self.messages.iter().filter(|message| !message.replay).map(|message| message.position);
        open.min().unwrap_or(self.considered)
    }

    pub(super) fn write_due_at(&self) -> Option<Duration> {
        if self.writing.is_some() {
            return None;
        }
        let (min, max, after) =
            (self.rules.min_checkpoint_count, self.rules.max_checkpoint_count, self.rules.checkpoint_after);
        let parks = self.count(|at| matches!(at, At::Parking(_))) > 0;
        if parks || (max > 0 && self.settled >= max) {
            Some(self.not_before)
        } else if self.settled > 0 && self.settled >= min && after > Duration::ZERO {
            Some((self.last_write + after).max(self.not_before))
        } else {
            None
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let timers = self.messages.iter().filter_map(|message| match message.at {
            At::Retry(at) | At::Flight(_, Some(at)) => Some(at),
            At::Waiting | At::Outbox(_) | At::Flight(_, None) | At::Parking(_) => None,
        });
        let stalls = self.consumers.iter().filter_map(|consumer| consumer.stalls_at);
        timers.chain(stalls).chain(self.write_due_at()).min()
    }

    // Coming in.

    pub(super) fn offer(&mut self, position: u64, key: u64, pin: u64) {
        if position < self.considered {
            return;
        }
        self.considered = position + 1;
        let retries = self.retries_before.remove(&position).unwrap_or(0);
        if self.settled_before.contains(&position) || self.open_entries().any(|entry| entry.position == position) {
            return;
        }
        self.messages.push(Message { position, key, pin, at: At::Waiting, retries, replay: false, lost_by: None });
        self.hold_back(position);
    }

    /// Parks a message in line if one before it of its key is parked, and the key is not being replayed.
    fn hold_back(&mut self, position: u64) {
        let Some(index) = self.index(position) else { return };
        let message = &self.messages[index];
        let first = self.first_held(message.key).filter(|first| *first < position);
        let in_line = matches!(message.at, At::Waiting | At::Retry(_));
        if let Some(first) = first
            && in_line
            && !self.replaying.contains(&message.key)
            && self.has_room_to_park()
        {
            self.messages[index].at = At::Parking(ParkReason::Held { waits_for: Position(first) });
        }
    }

    fn hold_back_key(&mut self, key: u64) {
        let of_key = self.messages.iter().filter(|message| message.key == key).map(|message| message.position);
        let mut positions: Vec<u64> = of_key.collect();
        positions.sort_unstable();
        positions.into_iter().for_each(|position| self.hold_back(position));
    }

    // Consumers.

    pub(super) fn connect(&mut self, slots: usize) -> Option<ConsumerId> {
        if self.consumers.len() >= self.rules.max_subscribers {
            return None;
        }
        let id = ConsumerId(self.next_consumer);
        self.next_consumer += 1;
        self.consumers.push(Consumer { id, slots, outbox: vec![], taken: 0, stalled: false, stalls_at: None });
        self.join(id);
        Some(id)
    }

    fn share(&self, id: ConsumerId) -> usize {
        self.owners.iter().filter(|owner| **owner == Some(id)).count()
    }

    fn members(&self) -> Vec<ConsumerId> {
        self.consumers.iter().filter(|consumer| !consumer.stalled).map(|consumer| consumer.id).collect()
    }

    /// Takes bucket after bucket, always from whoever has most.
    fn join(&mut self, id: ConsumerId) {
        let members = self.members();
        if members.len() == 1 {
            self.owners.fill(Some(id));
        }
        while self.share(id) < 1024 / members.len() {
            let others = members.iter().filter(|other| **other != id);
            let largest = *others.max_by_key(|other| (self.share(**other), Reverse(**other))).unwrap();
            let bucket = (0..1024).rev().find(|bucket| self.owners[*bucket] == Some(largest)).unwrap();
            self.owners[bucket] = Some(id);
        }
    }

    fn leave(&mut self, id: ConsumerId) {
        let members: Vec<ConsumerId> = self.members().into_iter().filter(|other| *other != id).collect();
        for bucket in 0..1024 {
            if self.owners[bucket] == Some(id) {
                self.owners[bucket] = members.iter().copied().min_by_key(|other| (self.share(*other), *other));
            }
        }
    }

    pub(super) fn disconnect(&mut self, id: ConsumerId) {
        if !self.consumers.iter().any(|consumer| consumer.id == id) {
            return;
        }
        if self.members().contains(&id) {
            self.leave(id);
        }
        self.consumers.retain(|consumer| consumer.id != id);
        self.ready.remove(&id);
        for message in &mut self.messages {
            if matches!(message.at, At::Outbox(other) | At::Flight(other, _) if other == id) {
                message.at = At::Waiting;
            }
        }
    }

    /// The first message that may go, and to whom.
    fn next_delivery(&self) -> Option<(u64, ConsumerId)> {
        let mut waiting: Vec<&Message> = self.messages.iter().filter(|message| message.at == At::Waiting).collect();
        waiting.sort_by_key(|message| message.position);
        let free: Vec<ConsumerId> = self.consumers.iter().filter(|c| self.is_free(c)).map(|c| c.id).collect();
        let in_turn = free.iter().find(|id| self.turn.is_some_and(|turn| **id > turn)).or(free.first()).copied();
        waiting.into_iter().find_map(|message| {
            let consumer = match self.rules.strategy {
                StrategyRule::RoundRobin => in_turn,
                StrategyRule::DispatchToSingle => free.first().copied(),
                StrategyRule::Pinned => self.owners[(message.pin % 1024) as usize].filter(|owner| free.contains(owner)),
                StrategyRule::KeyOrdered(_) => in_turn.filter(|_| self.may_go(message)),
            };
            consumer.map(|consumer| (message.position, consumer))
        })
    }

    /// Whether nothing of the key is away, earlier in line, or parked before it.
    fn may_go(&self, message: &Message) -> bool {
        let others = self.messages.iter().filter(|o| o.key == message.key && o.position != message.position);
        let free = others.into_iter().all(|other| match other.at {
            At::Waiting | At::Retry(_) => other.position > message.position,
            At::Outbox(_) | At::Flight(..) | At::Parking(_) => false,
        });
        free && self.first_held(message.key).is_none_or(|first| first >= message.position)
    }

    pub(super) fn dispatch(&mut self) {
        if self.holding() {
            let keys: BTreeSet<u64> = self.messages.iter().map(|message| message.key).collect();
            keys.into_iter().for_each(|key| self.hold_back_key(key));
        }
        while let Some((position, id)) = self.next_delivery() {
            let stalls_at = self.timeout();
            let index = self.index(position).unwrap();
            self.messages[index].at = At::Outbox(id);
            let consumer = self.consumers.iter_mut().find(|consumer| consumer.id == id).unwrap();
            consumer.outbox.push(position);
            if consumer.outbox.len() == 1 {
                self.ready.insert(id);
                consumer.stalls_at = stalls_at;
            }
            self.turn = Some(id);
        }
    }

    /// What a consumer gets: position, retries, whether replayed.
    pub(super) fn take(&mut self, id: ConsumerId, max: usize) -> Vec<(u64, u32, bool)> {
        let consumer = self.consumers.iter_mut().find(|consumer| consumer.id == id).unwrap();
        if consumer.stalled {
            consumer.stalled = false;
            self.join(id);
            self.dispatch();
        }
        let until = self.timeout();
        let consumer = self.consumers.iter_mut().find(|consumer| consumer.id == id).unwrap();
        let taken: Vec<u64> = consumer.outbox.drain(..max.min(consumer.outbox.len())).collect();
        consumer.taken += taken.len() as u64;
        consumer.stalls_at = until.filter(|_| !consumer.outbox.is_empty());
        let mut out = Vec::new();
        for position in taken {
            let index = self.index(position).unwrap();
            let message = &mut self.messages[index];
            message.at = At::Flight(id, until);
            message.lost_by = None;
            out.push((position, message.retries, message.replay));
        }
        out
    }

    // Answers.

    fn answerable(&self, id: ConsumerId, position: u64, late: bool) -> Result<usize, WhyNotInFlight> {
        let Some(index) = self.index(position) else {
            let seen = position < self.considered;
            return Err(if seen { WhyNotInFlight::AlreadySettled } else { WhyNotInFlight::NeverDelivered });
        };
        let message = &self.messages[index];
        let lost = message.lost_by == Some(id);
        match &message.at {
            At::Flight(holder, _) if *holder == id => Ok(index),
            At::Flight(..) => Err(WhyNotInFlight::HeldByAnother),
            At::Parking(_) if lost => Err(WhyNotInFlight::TimedOut),
            At::Parking(_) => Err(WhyNotInFlight::AlreadySettled),
            _ if lost && late => Ok(index),
            _ if lost => Err(WhyNotInFlight::TimedOut),
            _ => Err(WhyNotInFlight::Waiting),
        }
    }

    pub(super) fn answer(&mut self, id: ConsumerId, positions: &[u64], action: Option<Nack>) -> Vec<NotInFlight> {
        let mut refused = Vec::new();
        for &position in positions {
            match self.answerable(id, position, action.is_none()) {
                Err(why) => refused.push(NotInFlight { id: MessageId(Position(position)), why }),
                Ok(index) => match action {
                    None | Some(Nack::Skip) => self.settle(index),
                    Some(Nack::Retry { after }) => self.retry(index, after, id, "because"),
                    Some(Nack::Park) => self.park(index, id, "because"),
                    Some(Nack::Stop) => {}
                },
            }
        }
        if action == Some(Nack::Stop) {
            self.disconnect(id);
            self.ready.insert(id);
        }
        refused
    }

    fn pull_from_outbox(&mut self, position: u64) {
        for consumer in &mut self.consumers {
            let before = consumer.outbox.len();
            consumer.outbox.retain(|other| *other != position);
            if consumer.outbox.is_empty() && before > 0 {
                consumer.stalls_at = None;
            }
        }
    }

    fn settle(&mut self, index: usize) {
        let message = self.messages.remove(index);
        self.pull_from_outbox(message.position);
        self.settled += 1;
        self.resolve(message.position);
    }

    fn resolve(&mut self, position: u64) {
        let key = self.entry_mut(position).and_then(|entry| {
            entry.stage = Stage::Resolved;
            entry.key
        });
        if position >= self.considered {
            self.settled_before.insert(position);
        }
        self.forget_replay(key);
    }

    fn forget_replay(&mut self, key: Option<u64>) {
        if let Some(key) = key.filter(|key| self.first_held(*key).is_none()) {
            self.replaying.remove(&key);
        }
    }

    fn retry(&mut self, index: usize, after: Duration, id: ConsumerId, reason: &str) {
        if self.messages[index].retries >= self.rules.max_retry_count {
            return self.park(index, id, reason);
        }
        self.touched = true;
        self.messages[index].retries += 1;
        self.messages[index].at = if after.is_zero() { At::Waiting } else { At::Retry(self.now + after) };
    }

    fn park(&mut self, index: usize, id: ConsumerId, reason: &str) {
        let Message { position, key, replay, .. } = self.messages[index];
        if self.holding() && replay {
            self.messages.remove(index);
            self.entry_mut(position).unwrap().stage = Stage::Parked;
            self.touched = true;
            return self.call_off(key);
        }
        if self.holding() {
            self.messages[index].at = At::Retry(Duration::MAX); // in nobody's hands while the rest is dealt with
            self.call_off_but(key, Some(position));
        }
        let index = self.index(position).unwrap();
        if replay || self.has_room_to_park() {
            let why = ParkReason::Failed { reason: reason.into(), consumer: Some(id) };
            self.messages[index].at = At::Parking(why);
            self.hold_back_key(key);
        } else {
            self.messages[index].at = At::Retry(self.now + Duration::from_secs(10));
        }
    }

    fn call_off(&mut self, key: u64) {
        self.call_off_but(key, None);
    }

    fn call_off_but(&mut self, key: u64, kept: Option<u64>) {
        if !self.replaying.remove(&key) {
            return;
        }
        self.touched = true;
        let of_key: Vec<u64> = self.open_entries().filter(|e| e.key == Some(key)).map(|e| e.position).collect();
        for position in of_key {
            self.messages.retain(|message| message.position != position);
            self.pull_from_outbox(position);
            self.entry_mut(position).unwrap().stage = Stage::Parked;
        }
        let line = self.messages.iter().filter(|message| message.key == key).map(|message| message.position);
        let mut line: Vec<u64> = line.filter(|position| Some(*position) != kept).collect();
        line.sort_unstable();
        line.into_iter().for_each(|position| self.hold_back(position));
    }

    // Time.

    pub(super) fn tick(&mut self) {
        while let Some((_, index)) = (0..self.messages.len())
            .filter_map(|index| match self.messages[index].at {
                At::Retry(at) | At::Flight(_, Some(at)) if at <= self.now => {
                    Some(((at, self.messages[index].position), index))
                }
                _ => None,
            })
            .min()
        {
            let message = &mut self.messages[index];
            match message.at {
                At::Flight(id, _) => {
                    message.lost_by = Some(id);
                    let reason = format!("timed out, deliveries={}", message.retries + 1);
                    self.retry(index, Duration::ZERO, id, &reason);
                }
                _ => message.at = At::Waiting,
            }
        }
        let now = self.now;
        let due = |consumer: &&Consumer| consumer.stalls_at.is_some_and(|at| at <= now);
        while let Some(id) = self.consumers.iter().filter(due).min_by_key(|c| (c.stalls_at, c.id)).map(|c| c.id) {
            let consumer = self.consumers.iter_mut().find(|consumer| consumer.id == id).unwrap();
            consumer.stalled = true;
            consumer.stalls_at = None;
            for position in std::mem::take(&mut consumer.outbox) {
                let index = self.index(position).unwrap();
                self.messages[index].at = At::Waiting;
            }
            self.leave(id);
        }
    }

    // Parked messages.

    fn want(&mut self, position: u64, key: Option<u64>) -> u64 {
        let whole_key = key.filter(|_| self.holding());
        self.replaying.extend(whole_key);
        let mut count = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.stage == Stage::Parked) {
            if entry.position == position || (whole_key.is_some() && entry.key == whole_key) {
                entry.stage = Stage::Wanted;
                count += 1;
            }
        }
        count
    }

    pub(super) fn replay(&mut self, which: Replay) -> Option<u64> {
        let mut entries: Vec<Entry> = self.open_entries().copied().collect();
        entries.sort_by_key(|entry| entry.position);
        let max = match which {
            Replay::All => u64::MAX,
            Replay::Count(count) => count,
            Replay::One(id) => {
                entries.retain(|entry| entry.position == id.0.0);
                if entries.is_empty() {
                    return None;
                }
                1
            }
        };
        let mut count = 0;
        for entry in entries {
            if count < max {
                count += self.want(entry.position, entry.key);
            }
        }
        self.touched |= count > 0;
        Some(count)
    }

    pub(super) fn wanted(&self, max: usize) -> Vec<u64> {
        let wanted = self.entries.iter().filter(|entry| entry.stage == Stage::Wanted).map(|entry| entry.position);
        let mut wanted: Vec<u64> = wanted.collect();
        wanted.sort_unstable();
        wanted.truncate(max.min(self.rules.read_batch.saturating_sub(self.idle(true))));
        wanted
    }

    pub(super) fn offer_replay(&mut self, position: u64, key: u64, pin: u64) {
        let keyed = self.keyed();
        let Some(entry) = self.entry_mut(position).filter(|entry| entry.stage == Stage::Wanted) else { return };
        entry.stage = Stage::Out;
        if keyed && entry.key != Some(key) {
            let before = entry.key.replace(key);
            self.forget_replay(before);
            if self.holding() {
                self.want(position, Some(key));
            }
        }
        self.messages.push(Message { position, key, pin, at: At::Waiting, retries: 0, replay: true, lost_by: None });
    }

    pub(super) fn discard(&mut self, which: Discard) -> Option<Vec<u64>> {
        let mut entries: Vec<Entry> = self.open_entries().copied().collect();
        match which {
            Discard::All => {}
            Discard::Before(end) => entries.retain(|entry| entry.revision < end.0),
            Discard::One(id) => {
                entries.retain(|entry| entry.position == id.0.0);
                if entries.is_empty() {
                    return None;
                }
            }
        }
        let mut discarded = Vec::new();
        for entry in entries {
            let parking = |message: &Message| matches!(message.at, At::Parking(_));
            if self.index(entry.position).is_some_and(|index| parking(&self.messages[index])) {
                continue;
            }
            self.messages.retain(|message| message.position != entry.position);
            self.pull_from_outbox(entry.position);
            self.resolve(entry.position);
            self.settled += 1;
            discarded.push(entry.position);
        }
        Some(discarded)
    }

    // Writing.

    pub(super) fn begin_write(&mut self, now: bool) -> Option<Writing> {
        let news = self.settled > 0 || self.touched || self.count(|at| matches!(at, At::Parking(_))) > 0;
        let due = self.write_due_at().is_some_and(|at| at <= self.now);
        if self.writing.is_some() || !(if now { news } else { due }) {
            return None;
        }
        let mut parks: Vec<Message> = self.messages.clone();
        parks.retain(|message| matches!(message.at, At::Parking(_)));
        parks.sort_by_key(|message| message.position);
        parks.truncate(self.rules.parks_per_write_max);
        let first_open = self.open_entries().map(|entry| entry.revision).min().unwrap_or(self.end);
        let described = parks.iter().map(|message| {
            let At::Parking(why) = &message.at else { unreachable!() };
            (message.position, self.keyed().then_some(message.key), message.retries, why.clone())
        });
        let writing = Writing {
            progress: self.progress(&parks, first_open),
            parks: described.collect(),
            truncate: (first_open > self.hidden).then_some(first_open),
            settled: self.settled,
        };
        self.settled = 0;
        self.touched = false;
        self.writing = Some(writing.clone());
        Some(writing)
    }

    /// Asks of every single number whether it is settled, or resolved.
    fn progress(&self, parks: &[Message], first_open: u64) -> Progress {
        let parked_now = |position: u64| parks.iter().any(|park| park.position == position);
        let mut open: Vec<(u64, u32)> = self
            .messages
            .iter()
            .filter(|m| !m.replay && !parked_now(m.position))
            .map(|m| (m.position, m.retries))
            .collect();
        open.sort_unstable();
        let checkpoint = open.first().map_or(self.considered, |(position, _)| *position);
        let is_open = |position: u64| open.iter().any(|(other, _)| *other == position);
        let settled = (checkpoint..self.considered).filter(|position| !is_open(*position));
        let ahead = self.settled_before.iter().copied().filter(|position| *position >= self.considered);
        let replaced =
            |revision: u64| self.open_entries().any(|entry| entry.revision == revision && parked_now(entry.position));
        let is_open_entry = |revision: u64| self.open_entries().any(|entry| entry.revision == revision);
        let resolved = (self.hidden..self.end)
            .filter(|revision| replaced(*revision) || (*revision > first_open && !is_open_entry(*revision)));
        let retries = open.iter().copied().filter(|(_, retries)| *retries > 0);
        let before = self.retries_before.iter().map(|(position, retries)| (*position, *retries));
        let before = before.filter(|(position, _)| *position >= self.considered);
        Progress {
            checkpoint: Position(checkpoint),
            settled: self.intervals(settled.chain(ahead)),
            resolved: self.intervals(resolved),
            retries: retries.chain(before).map(|(position, retries)| (Position(position), retries)).collect(),
            replaying: self.intervals(self.being_replayed().filter(|revision| !replaced(*revision))),
            epoch: self.epoch,
        }
    }

    /// Revisions in order.
    fn being_replayed(&self) -> impl Iterator<Item = u64> {
        let out = |entry: &&Entry| matches!(entry.stage, Stage::Wanted | Stage::Out);
        let revisions: BTreeSet<u64> = self.entries.iter().filter(out).map(|entry| entry.revision).collect();
        revisions.into_iter()
    }

    fn intervals(&self, numbers: impl Iterator<Item = u64>) -> Intervals {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some(run) if run.1 + 1 == number => run.1 = number,
                _ => runs.push((number, number)),
            }
        }
        runs.truncate(self.rules.intervals_max);
        runs.into_iter().collect()
    }

    /// The write has ended: at which revision its first parked message is, if it is durable.
    pub(super) fn end_write(&mut self, first_parked: Option<u64>) -> Writing {
        let writing = self.writing.take().unwrap();
        let Some(first) = first_parked else {
            self.settled += writing.settled;
            self.touched = true;
            let wait = Duration::from_millis(100 << self.failures.min(16)).min(Duration::from_secs(10));
            self.failures += 1;
            self.not_before = self.now + wait;
            return writing;
        };
        self.written = writing.progress.checkpoint.0;
        self.last_write = self.now;
        self.failures = 0;
        self.not_before = Duration::ZERO;
        self.hidden = writing.truncate.unwrap_or(self.hidden);
        for (revision, (position, _, _, _)) in (first..).zip(&writing.parks) {
            let message = self.messages.remove(self.index(*position).unwrap());
            if let Some(former) = self.entry_mut(*position) {
                former.stage = Stage::Resolved;
            }
            let stage = if self.replaying.contains(&message.key) { Stage::Wanted } else { Stage::Parked };
            let key = self.keyed().then_some(message.key);
            self.entries.push(Entry { revision, position: *position, key, stage });
            self.end = self.end.max(revision + 1);
        }
        writing
    }

    pub(super) fn revision_of(&self, position: u64) -> Option<Revision> {
        self.open_entries().find(|entry| entry.position == position).map(|entry| Revision(entry.revision))
    }
}
