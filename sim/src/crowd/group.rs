//! A group and those who work for it: does what a step says, and holds what comes of it against the ledger.
//!
//! [`Group::act`] asks the store, [`Group::hear`] takes the answer; and between them, or after them, the world reads what was recorded.

use std::{collections::BTreeSet, time::Duration};

use gesta_store::{
    Consumer, ConsumerGroups, ConsumerOptions, Discard, GroupError, GroupInfo, GroupName, Message, MessageId, Nack,
    ParkedOnReset, Position, Replay, Revision,
};

use super::{
    ledger::{Delivered, Fate, Ledger, Rules},
    past::Past,
    step::{Act, Answer, Which},
};
use crate::{
    Violation,
    invariants::{crowding, figures, skipping},
};

/// Seats for consumers.
pub const SEATS: usize = 4;

/// See the module's words.
#[derive(Debug)]
pub struct Group {
    /// What is known of it.
    pub ledger: Ledger,
    seats: Vec<Option<Seat>>,
    /// Consumers that ever connected.
    connected: usize,
    /// Most slots there were together since the group was last loaded.
    slots_most: usize,
    /// An operation failed, and nobody knows what came of it: nothing more is done before the store is opened again.
    unsure: bool,
}

/// A consumer, and what it knows.
#[derive(Debug)]
struct Seat {
    consumer: Consumer,
    number: usize,
    slots: usize,
    taken: u64,
    /// The group was changed since, or it stopped itself.
    dropped: bool,
    had: Vec<u64>,
}

/// What came of an act.
#[derive(Debug)]
pub enum Heard {
    /// There was nobody to do it.
    Nothing,
    /// The group was to be changed.
    Changed(Change, Result<(), GroupError>),
    /// Somebody was to be let in.
    Connected(usize, usize, Result<Consumer, GroupError>),
    /// Somebody asked for messages.
    Taken(usize, usize, Result<Vec<Message>, GroupError>),
    /// Somebody answered messages.
    Answered(usize, Vec<u64>, Answer, Result<(), GroupError>),
    /// Parked messages were asked for again, or given up.
    Parked(Parked, Result<u64, GroupError>),
    /// The group was asked where it stands.
    Inspected(Box<Result<GroupInfo, GroupError>>),
    /// The consumer with this number has gone.
    Gone(usize),
}

/// What was to be changed of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// That it exists.
    Create,
    /// Its settings, where it is, or that it exists.
    Anew,
    /// That its progress is durable.
    Flush,
}

/// What was to become of parked messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    /// They come again.
    Replayed,
    /// They are given up.
    GivenUp,
}

/// What is going on around a group.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The groups of the store.
    pub groups: &'a ConsumerGroups,
    /// What was recorded.
    pub past: &'a Past,
    /// The time that passes.
    pub now: Duration,
    /// The disk failed since the store was opened: errors are no surprise.
    pub shaken: bool,
}

impl Heard {
    /// Whether what was recorded meanwhile comes of it; else it comes of what was recorded.
    #[must_use]
    pub fn comes_first(&self) -> bool {
        matches!(self, Self::Answered(..))
    }
}

impl Group {
    /// Of a group that does not exist yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let seats = (0..SEATS).map(|_| None).collect();
        Self { ledger, seats, connected: 0, slots_most: 0, unsure: false }
    }

    /// Whether somebody sits there.
    #[must_use]
    pub fn sits(&self, seat: usize) -> bool {
        self.seats[seat].is_some()
    }

    /// Does something.
    pub fn act(&mut self, act: &Act, around: Around<'_>) -> Heard {
        let (groups, name) = (around.groups, self.ledger.name.clone());
        if self.unsure {
            return Heard::Nothing;
        }
        match act {
            Act::Create(settings) => {
                let start = around.past.place(&self.ledger.source, settings.start);
                self.ledger.ask(Some(Rules::of(settings)), start);
                Heard::Changed(Change::Create, groups.create(&name, self.ledger.source.clone(), settings.clone()))
            }
            Act::Update(settings) => {
                self.ledger.ask(Some(Rules::of(settings)), None);
                Heard::Changed(Change::Anew, groups.update(&name, settings.clone()))
            }
            Act::Delete => {
                self.ledger.ask(None, None);
                Heard::Changed(Change::Anew, groups.delete(&name))
            }
            Act::Reset(from, parked) => {
                self.ledger.ask(None, around.past.place(&self.ledger.source, *from));
                // What was kept could not be asked for afterwards.
                let parked = if around.shaken { ParkedOnReset::Discard } else { *parked };
                Heard::Changed(Change::Anew, groups.reset(&name, *from, parked))
            }
            Act::Flush => Heard::Changed(Change::Flush, groups.flush(&name)),
            Act::Inspect => Heard::Inspected(Box::new(groups.info(&name))),
            Act::Replay(which) => {
                let which = match which {
                    Which::All => Replay::All,
                    Which::First(count) => Replay::Count(*count),
                    Which::One(choice) => Replay::One(self.parked_one(*choice)),
                };
                Heard::Parked(Parked::Replayed, groups.replay(&name, which))
            }
            Act::Discard(which) => {
                let which = match which {
                    Which::All => Discard::All,
                    Which::First(count) => Discard::Before(Revision(*count)),
                    Which::One(choice) => Discard::One(self.parked_one(*choice)),
                };
                Heard::Parked(Parked::GivenUp, groups.discard_parked(&name, which))
            }
            Act::Connect(seat, slots) => self.connect(*seat, *slots, groups),
            Act::Take(seat, max) => match &self.seats[*seat] {
                Some(there) => Heard::Taken(*seat, *max, there.consumer.try_next(*max)),
                None => Heard::Nothing,
            },
            Act::Answer(seat, choices, answer) => self.answer(*seat, choices, *answer),
            Act::Die(seat) => match self.seats[*seat].take() {
                Some(there) => Heard::Gone(there.number), // here its consumer is dropped
                None => Heard::Nothing,
            },
        }
    }

    /// One of those that are parked, or nobody's message.
    fn parked_one(&self, choice: u64) -> MessageId {
        let parked: Vec<u64> = self
            .ledger
            .messages
            .iter()
            .filter(|(_, message)| message.fate == Fate::Parked)
            .map(|(id, _)| *id)
            .collect();
        MessageId(Position(pick(&parked, choice).unwrap_or(choice)))
    }

    fn connect(&self, seat: usize, slots: usize, groups: &ConsumerGroups) -> Heard {
        if self.seats[seat].is_some() {
            return Heard::Nothing;
        }
        let options = ConsumerOptions { name: format!("consumer-{}", self.connected), slots };
        Heard::Connected(seat, slots, groups.connect(&self.ledger.name, &options))
    }

    fn answer(&self, seat: usize, choices: &[u64], answer: Answer) -> Heard {
        let Some(there) = &self.seats[seat] else { return Heard::Nothing };
        let has = self.held_by(there.number);
        let choose = |choice: &u64| pick(if choice % 8 == 7 { &there.had } else { &has }, *choice);
        let ids: BTreeSet<u64> = choices.iter().filter_map(choose).collect();
        if ids.is_empty() {
            return Heard::Nothing;
        }
        let named: Vec<MessageId> = ids.iter().map(|id| MessageId(Position(*id))).collect();
        let nack = |nack| there.consumer.nack(&named, nack, "no");
        let answered = match answer {
            Answer::Ack => there.consumer.ack(&named),
            Answer::Retry(after) => nack(Nack::Retry { after }),
            Answer::Park => nack(Nack::Park),
            Answer::Skip => nack(Nack::Skip),
            Answer::Stop => nack(Nack::Stop),
        };
        Heard::Answered(seat, ids.into_iter().collect(), answer, answered)
    }

    fn held_by(&self, number: usize) -> Vec<u64> {
        let held = |fate: &Fate| matches!(fate, Fate::Held { by, .. } if *by == number);
        self.ledger.messages.iter().filter(|(_, message)| held(&message.fate)).map(|(id, _)| *id).collect()
    }

    /// How many messages a consumer has whose time is not over.
    fn has(&self, number: usize, now: Duration) -> usize {
        let held = self.held_by(number).into_iter();
        held.filter(|id| self.ledger.messages.get(id).is_some_and(|message| message.is_held(now))).count()
    }

    /// Takes what came of an act.
    ///
    /// # Errors
    /// When it breaks a promise.
    pub fn hear(&mut self, heard: Heard, around: Around<'_>) -> Result<(), Violation> {
        match heard {
            Heard::Nothing => Ok(()),
            Heard::Changed(change, changed) => self.changed(change, changed, around),
            Heard::Connected(seat, slots, connected) => self.connected(seat, slots, connected, around),
            Heard::Taken(seat, max, taken) => self.taken(seat, max, taken, around),
            Heard::Answered(seat, ids, answer, answered) => self.answered(seat, &ids, answer, answered, around),
            Heard::Parked(parked, counted) => self.parked_changed(parked, counted, around),
            Heard::Inspected(info) => self.inspected(*info, around),
            Heard::Gone(number) => {
                self.ledger.leave(number, around.now);
                Ok(())
            }
        }
    }

    fn changed(
        &mut self,
        change: Change,
        changed: Result<(), GroupError>,
        around: Around<'_>,
    ) -> Result<(), Violation> {
        match (changed, change) {
            (Ok(()), Change::Create) => Ok(()),
            (Ok(()), Change::Flush) => {
                self.ledger.flushed();
                Ok(())
            }
            (Ok(()), Change::Anew) => {
                self.ledger.end_life(!around.shaken, around.now);
                self.seats.iter_mut().flatten().for_each(|seat| seat.dropped = true);
                self.slots_most = 0;
                Ok(())
            }
            (Err(GroupError::GroupExists { .. }), Change::Create) if self.ledger.exists => Ok(()),
            (Err(GroupError::NoSuchGroup { .. }), _) if !self.ledger.exists => Ok(()),
            (Err(GroupError::BeyondHead { .. } | GroupError::Setting { .. }), _) => Ok(()),
            (Err(error), _) => self.failed(&error, around),
        }
    }

    fn connected(
        &mut self,
        seat: usize,
        slots: usize,
        connected: Result<Consumer, GroupError>,
        around: Around<'_>,
    ) -> Result<(), Violation> {
        let there = self.seats.iter().flatten().filter(|seat| !seat.dropped).count();
        match connected {
            Ok(consumer) => {
                let number = self.connected;
                self.connected += 1;
                let had = Vec::new();
                self.seats[seat] = Some(Seat { consumer, number, slots, taken: 0, dropped: false, had });
                let together = self.seats.iter().flatten().map(|seat| seat.slots).sum();
                self.slots_most = self.slots_most.max(together);
                Ok(())
            }
            Err(GroupError::NoSuchGroup { .. }) if !self.ledger.exists => Ok(()),
            Err(GroupError::MaximumSubscribers { .. }) if there >= self.ledger.rules.subscribers => Ok(()),
            Err(error) => self.failed(&error, around),
        }
    }

    fn taken(
        &mut self,
        seat: usize,
        max: usize,
        taken: Result<Vec<Message>, GroupError>,
        around: Around<'_>,
    ) -> Result<(), Violation> {
        let Some(there) = &mut self.seats[seat] else { return Ok(()) };
        let messages = match taken {
            Ok(messages) => messages,
            Err(GroupError::Dropped { .. }) if there.dropped => {
                self.seats[seat] = None;
                return Ok(());
            }
            Err(error) => return self.failed(&error, around),
        };
        let (number, slots) = (there.number, there.slots);
        there.taken += messages.len() as u64;
        for message in &messages {
            check_event(message, &self.ledger.rules, around.past)?;
            let delivered = delivered(message);
            there.had.push(delivered.id);
            self.ledger.deliver(number, &delivered, around.now)?;
        }
        let has = self.has(number, around.now);
        crowding::check_taken(&self.ledger, messages.len(), max, has, slots)
    }

    fn answered(
        &mut self,
        seat: usize,
        ids: &[u64],
        answer: Answer,
        answered: Result<(), GroupError>,
        around: Around<'_>,
    ) -> Result<(), Violation> {
        let Some(there) = &mut self.seats[seat] else { return Ok(()) };
        let refused: BTreeSet<u64> = match answered {
            Ok(()) => BTreeSet::new(),
            Err(GroupError::NotInFlight { refused }) => refused.into_iter().map(|one| one.id.0.0).collect(),
            Err(GroupError::Dropped { .. }) if there.dropped => {
                self.seats[seat] = None;
                return Ok(());
            }
            Err(error) => return self.failed(&error, around),
        };
        let number = there.number;
        there.dropped |= answer == Answer::Stop;
        for id in ids {
            let (taken, now) = (!refused.contains(id), around.now);
            match answer {
                Answer::Ack | Answer::Skip => self.ledger.settle(number, *id, taken, now)?,
                Answer::Retry(_) => self.ledger.fail(number, *id, false, taken, now)?,
                Answer::Park => self.ledger.fail(number, *id, true, taken, now)?,
                Answer::Stop => {}
            }
        }
        if answer == Answer::Stop {
            self.ledger.leave(number, around.now);
        }
        Ok(())
    }

    fn parked_changed(
        &mut self,
        parked: Parked,
        counted: Result<u64, GroupError>,
        around: Around<'_>,
    ) -> Result<(), Violation> {
        match counted {
            Ok(_) => {
                // Both are durable when they are answered, and so is everything before them.
                self.ledger.flushed();
                let Some(left) = self.parked(around)? else { return Ok(()) };
                if parked == Parked::GivenUp {
                    self.ledger.discard(&left);
                    self.ledger.flushed();
                }
                skipping::check_parked(&self.ledger, &left)
            }
            Err(GroupError::NoSuchGroup { .. }) if !self.ledger.exists => Ok(()),
            // What was chosen may be on its way to be parked.
            Err(GroupError::NotParked { id }) => {
                let parked = self.parked(around)?;
                if parked.is_some_and(|parked| parked.contains(&id.0.0)) {
                    Err(self.broken(format!("not found among the parked, id={id}")))
                } else {
                    Ok(())
                }
            }
            Err(error) => {
                self.failed(&error, around)?;
                if parked == Parked::GivenUp {
                    self.ledger.discard_perhaps();
                }
                Ok(())
            }
        }
    }

    fn inspected(&mut self, info: Result<GroupInfo, GroupError>, around: Around<'_>) -> Result<(), Violation> {
        let info = match info {
            Ok(info) => info,
            Err(GroupError::NoSuchGroup { .. }) if !self.ledger.exists => return Ok(()),
            Err(error) => return self.failed(&error, around),
        };
        let Some(parked) = self.parked(around)? else { return Ok(()) };
        skipping::check_parked(&self.ledger, &parked)?;
        crowding::check(&self.ledger, &info, self.slots_most)?;
        let mut there: Vec<&Seat> = self.seats.iter().flatten().filter(|seat| !seat.dropped).collect();
        there.sort_by_key(|seat| seat.number);
        let known: Vec<figures::Known> = there
            .into_iter()
            .map(|seat| figures::Known { slots: seat.slots, has: self.has(seat.number, around.now), taken: seat.taken })
            .collect();
        figures::check(&self.ledger, &info, &known, &parked)
    }

    /// What the group says is parked; nothing, if the disk keeps it from saying it.
    ///
    /// # Errors
    /// When it cannot be had on a good disk.
    pub fn parked(&mut self, around: Around<'_>) -> Result<Option<BTreeSet<u64>>, Violation> {
        match all_parked(around.groups, &self.ledger.name) {
            Ok(parked) => Ok(Some(parked)),
            Err(error) => self.failed(&error, around).map(|()| None),
        }
    }

    /// An operation failed: right only if the disk did.
    fn failed(&mut self, error: &GroupError, around: Around<'_>) -> Result<(), Violation> {
        if !around.shaken || !matches!(error, GroupError::Store(_)) {
            return Err(self.broken(format!("failed on a good disk: {error}")));
        }
        self.end_life(false, around.now);
        self.unsure = true;
        Ok(())
    }

    /// Nobody is there any more, as when the store goes away; whether all was written down before.
    pub fn end_life(&mut self, written: bool, now: Duration) {
        self.seats.iter_mut().for_each(|seat| *seat = None);
        self.ledger.end_life(written, now);
        self.slots_most = 0;
        self.unsure = false;
    }

    /// Whether nobody knows what came of the last operation.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }

    fn broken(&self, what: impl std::fmt::Display) -> Violation {
        Violation::new("group", format!("{}: {what}", self.ledger.name))
    }
}

/// A message as the ledger takes it.
#[must_use]
pub fn delivered(message: &Message) -> Delivered {
    Delivered { id: message.id.0.0, retries: message.retries, replayed: message.replayed }
}

/// Checks that a message is the event it says it is, or what that points to.
///
/// # Errors
/// When it is not.
pub fn check_event(message: &Message, rules: &Rules, past: &Past) -> Result<(), Violation> {
    let event = past.event(message.id.0.0).map(|event| rules.seen(event, past));
    match event.map(|event| event.difference(&message.event)) {
        Some(None) => Ok(()),
        difference => Err(Violation::new("group", format!("id={} is another event: {difference:?}", message.id))),
    }
}

fn pick(from: &[u64], choice: u64) -> Option<u64> {
    let count = from.len() as u64;
    (count > 0).then(|| from[usize::try_from((choice / 8) % count).unwrap_or_default()])
}

/// Where everything stands that a group keeps parked. It is told by pages.
///
/// # Errors
/// Those of [`ConsumerGroups::parked`].
pub fn all_parked(groups: &ConsumerGroups, group: &GroupName) -> Result<BTreeSet<u64>, GroupError> {
    let mut all = BTreeSet::new();
    let mut from = Position::START;
    loop {
        let page = groups.parked(group, from, usize::MAX)?;
        let Some(last) = page.last() else { return Ok(all) };
        from = Position(last.id.0.0 + 1);
        all.extend(page.into_iter().map(|message| message.id.0.0));
    }
}
