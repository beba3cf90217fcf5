//! What is known of the messages of a group: what it must deliver, who has what, and what was said of it.
//!
//! The ledger believes the log and the ears of consumers, never the group. What it hears it first holds against the invariants of
//! [`repeating`], [`key_order`] and [`advancing`]; then it takes note.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gesta_store::{AfterPark, GroupName, GroupSettings, KeyOf, Source, Strategy};
use serde_json::Value;

use super::past::{self, Past};
use crate::{
    Violation,
    invariants::{advancing, key_order, repeating},
    model::Event,
};

/// A group as those outside know it.
#[derive(Debug)]
pub struct Ledger {
    /// Its name.
    pub name: GroupName,
    /// What it follows.
    pub source: Source,
    /// Whether there is such a group, as the log says.
    pub exists: bool,
    /// How it behaves.
    pub rules: Rules,
    /// Where this epoch began.
    pub start: u64,
    /// Its epoch, as the log says.
    pub epoch: u64,
    /// The newest checkpoint in the log.
    pub checkpoint: u64,
    /// What it has to deliver, by position; and what it had parked before it was reset, and kept.
    pub messages: BTreeMap<u64, Message>,
    /// A message may have been parked durably though the log was not read since.
    pub behind: bool,
    /// What was last asked for, and may be found in the log.
    asked: Asked,
}

/// The settings, as far as they are promises to those outside.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How long a consumer may have a message.
    pub timeout: Option<Duration>,
    /// How often a message is delivered again.
    pub max_retry_count: u32,
    /// In which order messages come.
    pub order: Order,
    /// Most messages that lie ready.
    pub buffer: usize,
    /// Most consumers.
    pub subscribers: usize,
}

/// In which order messages come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// In any.
    Free,
    /// Those of a key in theirs.
    ByKey(KeyOf, AfterPark),
    /// All in that of the log, to one who may have many.
    Whole,
}

/// A message of this epoch.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its key, where the group has keys.
    pub key: String,
    /// Where it is.
    pub fate: Fate,
    /// How often it may have failed.
    pub retries: u32,
    /// Whether it was settled at some time in this epoch.
    pub settled_once: bool,
    /// Whether that is durable.
    pub flushed: bool,
    /// Whether somebody did what leads to its being parked.
    pub may_park: bool,
    /// Whether a link in the log says that it is parked.
    pub linked: bool,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With the group.
    Open,
    /// With a consumer, until its time is over.
    Held {
        /// Which.
        by: usize,
        /// When it is over.
        until: Option<Duration>,
        /// Whether it is parked, and was delivered again.
        replayed: bool,
    },
    /// Worked off, passed over or given up.
    Settled,
    /// Settled, but whether the group has written that down nobody knows.
    Perhaps,
    /// Parked, or about to be.
    Parked,
}

/// A message as a consumer gets it.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Which.
    pub id: u64,
    /// How often it failed, as the group says.
    pub retries: u32,
    /// Whether it was parked, as the group says.
    pub replayed: bool,
}

#[derive(Debug, Default)]
struct Asked {
    rules: Option<Rules>,
    start: Option<u64>,
}

impl Rules {
    /// Those of a group's settings.
    #[must_use]
    pub fn of(settings: &GroupSettings) -> Self {
        let order = match &settings.strategy {
            Strategy::KeyOrdered { key, after_park } => Order::ByKey(key.clone(), *after_park),
            Strategy::RoundRobin | Strategy::DispatchToSingle | Strategy::Pinned | Strategy::PinnedByCorrelation => {
                Order::Free
            }
        };
        Self {
            timeout: settings.message_timeout,
            max_retry_count: settings.max_retry_count,
            order,
            buffer: settings.history_buffer.max(settings.live_buffer),
            subscribers: if settings.max_subscribers == 0 { usize::MAX } else { settings.max_subscribers },
        }
    }

    /// The key of an event.
    #[must_use]
    pub fn key(&self, event: &Event) -> String {
        let Order::ByKey(key, _) = &self.order else { return String::new() };
        let tag = |prefix: &str| event.tags.iter().find(|tag| tag.starts_with(prefix)).map(|tag| tag.to_string());
        let found = match key {
            KeyOf::Stream | KeyOf::Field(_) => None,
            KeyOf::Tag { prefix } => tag(prefix),
            // The one pattern in use here is `/accounts/{account}/**`.
            KeyOf::PathSegment { .. } => {
                tag("/accounts/").and_then(|tag| tag.split('/').nth(2).map(|segment| format!("/{segment}")))
            }
        };
        found.unwrap_or_else(|| format!("stream {}", event.stream))
    }
}

impl Message {
    fn new(key: String) -> Self {
        Self { key, fate: Fate::Open, retries: 0, settled_once: false, flushed: false, may_park: false, linked: false }
    }

    /// Nobody has it any more; its time may have been over before, which counts as a failure.
    fn abandon(&mut self, now: Duration, rules: &Rules) {
        self.may_park = self.may_be_parked(now, rules);
        if matches!(self.fate, Fate::Held { .. }) && !self.is_held(now) {
            self.retries += 1;
        }
        self.give_back();
    }

    /// Whether a consumer has it whose time is not over.
    #[must_use]
    pub fn is_held(&self, now: Duration) -> bool {
        matches!(self.fate, Fate::Held { until, .. } if until.is_none_or(|until| now < until))
    }

    /// Whether it may be parked by now.
    #[must_use]
    pub fn may_be_parked(&self, now: Duration, rules: &Rules) -> bool {
        let timed_out = matches!(self.fate, Fate::Held { until: Some(until), .. } if until <= now);
        self.may_park || (timed_out && self.retries >= rules.max_retry_count)
    }

    fn settle(&mut self) {
        self.fate = Fate::Settled;
        self.settled_once = true;
        self.flushed = false;
    }

    /// Nobody has it any more.
    fn give_back(&mut self) {
        match self.fate {
            Fate::Held { replayed: true, .. } => self.fate = Fate::Parked,
            Fate::Held { replayed: false, .. } => self.fate = Fate::Open,
            Fate::Open | Fate::Settled | Fate::Perhaps | Fate::Parked => {}
        }
    }
}

impl Ledger {
    /// Of a group that does not exist yet.
    #[must_use]
    pub fn new(name: GroupName, source: Source, rules: Rules) -> Self {
        let (messages, asked) = (BTreeMap::new(), Asked::default());
        Self { name, source, exists: false, rules, start: 0, epoch: 0, checkpoint: 0, messages, behind: false, asked }
    }

    /// Notes what is asked of the group: whether it happens, the log says.
    pub fn ask(&mut self, rules: Option<Rules>, start: Option<u64>) {
        self.asked = Asked { rules, start };
    }

    /// Reads what was recorded. `parked`: what the group keeps parked, asked for when it began anew.
    ///
    /// # Errors
    /// When the log says what must not be.
    pub fn learn(
        &mut self,
        past: &Past,
        range: std::ops::Range<u64>,
        now: Duration,
        parked: impl Fn() -> BTreeSet<u64>,
    ) -> Result<(), Violation> {
        for (position, event) in past.range(range.clone()) {
            self.expect(position, event);
        }
        // A commit says first how far the group is, and then what is parked.
        let own = self.name.parked_stream();
        let mut links = Vec::new();
        for (_, event) in past.range(range.clone()).filter(|(_, event)| event.stream == own) {
            let note: Value = serde_json::from_slice(&event.metadata).unwrap_or_default();
            links.push((note["position"].as_u64().unwrap_or(u64::MAX), note["held"] == Value::Bool(true)));
        }
        for (id, held) in links {
            advancing::check_link(self, id, held, now)?;
            let Some(message) = self.messages.get_mut(&id) else { continue };
            message.linked = true;
            message.may_park = false;
            message.fate = Fate::Parked;
        }
        for (_, event) in past.range(range) {
            self.learn_progress(past, event, now, &parked)?;
        }
        Ok(())
    }

    fn learn_progress(
        &mut self,
        past: &Past,
        event: &Event,
        now: Duration,
        parked: &impl Fn() -> BTreeSet<u64>,
    ) -> Result<(), Violation> {
        let document = || serde_json::from_slice::<Value>(&event.data).unwrap_or_default();
        if event.stream.as_str() == "$persistentSubscriptionConfig" {
            let change = document();
            let named = |field: &str| change[field].as_str().unwrap_or_default().to_owned();
            if (named("stream").as_str(), named("group").as_str()) == (self.name.source(), self.name.name()) {
                self.exists = named("action") != "deleted";
                if let Some(rules) = self.asked.rules.take() {
                    // Whose time was over before may still be parked by the rules of then.
                    let earlier = std::mem::replace(&mut self.rules, rules);
                    self.messages
                        .values_mut()
                        .for_each(|message| message.may_park = message.may_be_parked(now, &earlier));
                    self.rekey(past);
                }
            }
        }
        if event.stream != self.name.checkpoint_stream() || event.event_type != "$SubscriptionCheckpoint" {
            return Ok(());
        }
        let progress = document();
        let (epoch, checkpoint) =
            (progress["epoch"].as_u64().unwrap_or_default(), progress["checkpoint"].as_u64().unwrap_or_default());
        if epoch == self.epoch + 1 {
            advancing::check_beginning(self.asked.start.take(), checkpoint)?;
            self.begin(past, epoch, checkpoint, &parked());
            return Ok(());
        }
        let settled: Vec<(u64, u64)> = serde_json::from_value(progress["settled"].clone()).unwrap_or_default();
        advancing::check(self, epoch, checkpoint, &settled)?;
        self.checkpoint = checkpoint;
        Ok(())
    }

    /// A new epoch, in which what is kept parked stays so.
    fn begin(&mut self, past: &Past, epoch: u64, start: u64, kept: &BTreeSet<u64>) {
        (self.epoch, self.start, self.checkpoint) = (epoch, start, start);
        self.messages.retain(|id, _| kept.contains(id));
        for message in self.messages.values_mut() {
            let key = std::mem::take(&mut message.key);
            *message = Message { fate: Fate::Parked, linked: true, ..Message::new(key) };
        }
        if let Some(rules) = &self.asked.rules {
            self.rules = rules.clone();
        }
        for (position, event) in past.iter() {
            self.expect(position, event);
        }
    }

    fn rekey(&mut self, past: &Past) {
        for (id, message) in &mut self.messages {
            if let Some(event) = past.event(*id) {
                message.key = self.rules.key(event);
            }
        }
    }

    fn expect(&mut self, position: u64, event: &Event) {
        if position >= self.start && past::matches(&self.source, event) && !past::is_of_groups(event) {
            let key = self.rules.key(event);
            self.messages.entry(position).or_insert_with(|| Message::new(key));
        }
    }

    /// A consumer gets a message.
    ///
    /// # Errors
    /// When it should not.
    pub fn deliver(&mut self, by: usize, delivered: &Delivered, now: Duration) -> Result<(), Violation> {
        let Delivered { id, retries, replayed } = *delivered;
        let Some(message) = self.messages.get(&id) else {
            let what = format!("{}: delivered what is not its, id={id} start={}", self.name, self.start);
            return Err(Violation::new("repeating", what));
        };
        repeating::check(self, message, delivered, now)?;
        key_order::check(self, id, replayed, now)?;
        let until = self.rules.timeout.map(|timeout| now + timeout);
        if self.rules.order != Order::Free && !replayed {
            // They were before it, so they are done.
            let key = message.key.clone();
            let before = self.messages.range_mut(..id).map(|(_, message)| message);
            let unsure = before.filter(|message| message.fate == Fate::Perhaps && message.key == key);
            unsure.filter(|message| !message.linked).for_each(|message| message.fate = Fate::Settled);
        }
        if let Some(message) = self.messages.get_mut(&id) {
            message.retries = retries;
            message.may_park = false;
            message.fate = Fate::Held { by, until, replayed };
        }
        Ok(())
    }

    /// A consumer's ack or skip was taken, or refused.
    ///
    /// # Errors
    /// When that is wrong.
    pub fn settle(&mut self, by: usize, id: u64, taken: bool, now: Duration) -> Result<(), Violation> {
        self.check_answer(by, id, taken, now)?;
        if let Some(message) = self.messages.get_mut(&id).filter(|_| taken) {
            message.abandon(now, &self.rules);
            message.settle();
        }
        Ok(())
    }

    /// A consumer's failure was taken, or refused; `park`: it is not to be tried again.
    ///
    /// # Errors
    /// When that is wrong.
    pub fn fail(&mut self, by: usize, id: u64, park: bool, taken: bool, now: Duration) -> Result<(), Violation> {
        self.check_answer(by, id, taken, now)?;
        let max = self.rules.max_retry_count;
        let Some(message) = self.messages.get_mut(&id).filter(|_| taken) else { return Ok(()) };
        let parks = park || message.retries >= max;
        message.retries += u32::from(!parks);
        message.give_back();
        if parks {
            message.may_park = true;
            message.fate = Fate::Parked;
        }
        Ok(())
    }

    /// Whether an answer was rightly taken, or refused.
    fn check_answer(&self, by: usize, id: u64, taken: bool, now: Duration) -> Result<(), Violation> {
        let message = self.messages.get(&id);
        let holds =
            message.is_some_and(|message| matches!(message.fate, Fate::Held { by: holder, .. } if holder == by));
        let in_time = message.is_some_and(|message| message.is_held(now));
        if taken && !holds {
            let what = format!("{}: an answer counted that must not, id={id} by={by} message={message:?}", self.name);
            return Err(Violation::new("repeating", what));
        }
        if !taken && holds && in_time {
            let what = format!("{}: an answer in time was refused, id={id} by={by} message={message:?}", self.name);
            return Err(Violation::new("repeating", what));
        }
        Ok(())
    }

    /// A consumer is gone.
    pub fn leave(&mut self, by: usize, now: Duration) {
        let rules = self.rules.clone();
        let held = |message: &&mut Message| matches!(message.fate, Fate::Held { by: holder, .. } if holder == by);
        for message in self.messages.values_mut().filter(held) {
            message.abandon(now, &rules);
        }
    }

    /// What is settled is durable.
    pub fn flushed(&mut self) {
        let settled = self.messages.values_mut().filter(|message| message.fate == Fate::Settled);
        settled.for_each(|message| message.flushed = true);
    }

    /// What the group knew in memory is gone; whether it had written all of it down.
    pub fn end_life(&mut self, written: bool, now: Duration) {
        if written {
            self.flushed();
        }
        let rules = self.rules.clone();
        for message in self.messages.values_mut() {
            message.abandon(now, &rules);
            match message.fate {
                Fate::Settled if !message.flushed => message.fate = Fate::Perhaps,
                Fate::Parked if !message.linked => message.fate = Fate::Open,
                Fate::Open | Fate::Held { .. } | Fate::Settled | Fate::Perhaps | Fate::Parked => {}
            }
        }
    }

    /// What the group says is parked, after some was given up.
    pub fn discard(&mut self, parked: &BTreeSet<u64>) {
        let given_up = |(id, message): &(&u64, &mut Message)| message.linked && !parked.contains(id);
        let messages = self.messages.iter_mut().filter(given_up).map(|(_, message)| message);
        messages.filter(|message| message.fate != Fate::Settled).for_each(Message::settle);
    }

    /// What is parked may have been given up.
    pub fn discard_perhaps(&mut self) {
        let parked = self.messages.values_mut().filter(|message| message.linked && message.fate == Fate::Parked);
        parked.for_each(|message| message.fate = Fate::Perhaps);
    }
}
