//! A crowd: readers, consumer groups and handlers at one store, and everything that can befall them.
//!
//! A scene of its own beside [`world`](crate::world), because groups write to the log they follow: what they write is theirs to decide, so no model can say the
//! log's next event. What must hold all the same is in [`invariants`](crate::invariants): nothing skipped, order by key, nothing twice without a reason,
//! bounds kept, progress that never goes back, figures that add up, and subscriptions that deliver what a read does.
//!
//! [`workload`] draws the [`step`]s; [`past`] is the log as it was seen; a [`ledger`] is what is known of a group's messages; [`group`], [`reader`] and
//! [`handling`] do what a step says.

pub mod group;
pub mod handling;
pub mod ledger;
pub mod past;
pub mod reader;
pub mod step;
pub mod workload;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use gesta_store::{
    AppendError, ConsumerGroups, EventData, EventStore, ExpectedRevision, Timestamp,
    clock::{Clock, ManualClock},
    disk::memory::{Fault, MemoryDisk},
    subscribe::handler::Step as Stepped,
};

use self::{
    group::{Around, Group, Heard},
    handling::Handling,
    past::Past,
    reader::Reader,
    step::{Act, Answer, Ending, Step, Word},
};
use crate::{
    Violation,
    invariants::{dense, skipping},
    settings::Settings,
    trace::digest,
    workload::name,
    world::open,
};

/// Messages taken at once when everything is worked off.
const SETTLING: usize = 16;
/// How often nothing comes, with some seconds in between, before there is nothing.
const PATIENCE: usize = 8;
/// When every run begins.
pub const BEGIN: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// See the module's words.
#[derive(Debug)]
pub struct Crowd {
    settings: Settings,
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    store: Option<EventStore>,
    incarnation: u64,
    past: Past,
    readers: Vec<Reader>,
    groups: Vec<Group>,
    handlers: Vec<Handling>,
    /// The disk failed, or was full, since the store was opened: errors are no surprise.
    shaken: bool,
}

impl Crowd {
    /// A new store, and a crowd that has not come yet.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn new(settings: Settings) -> Result<Self, Violation> {
        let mut crowd = Self {
            settings,
            disk: MemoryDisk::new(),
            clock: Arc::new(ManualClock::at(BEGIN)),
            store: None,
            incarnation: 0,
            past: Past::default(),
            readers: Reader::all(BEGIN),
            groups: workload::groups(settings.seed),
            handlers: workload::handlers(settings.seed),
            shaken: false,
        };
        crowd.open()?;
        Ok(crowd)
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The head of the log.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.past.head()
    }

    /// One of the events that others than groups have recorded, as links name it.
    #[must_use]
    pub fn linkable(&self, choice: u64) -> Option<String> {
        let theirs: Vec<_> = self.past.iter().filter(|(_, event)| !past::is_of_groups(event)).collect();
        let (_, event) = theirs.get(usize::try_from(choice).ok()?.checked_rem(theirs.len())?)?;
        Some(format!("{}@{}", event.revision, event.stream))
    }

    /// Whether a group exists.
    #[must_use]
    pub fn exists(&self, group: usize) -> bool {
        self.groups[group].ledger.exists
    }

    /// Whether somebody sits there.
    #[must_use]
    pub fn sits(&self, group: usize, seat: usize) -> bool {
        self.groups[group].sits(seat)
    }

    /// Whether errors are no surprise.
    #[must_use]
    pub fn is_shaken(&self) -> bool {
        self.shaken
    }

    /// A digest of every byte on the disk.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest(&self.disk)
    }

    /// Lets a step happen and checks what it shows.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn step(&mut self, step: &Step) -> Result<(), Violation> {
        self.learn()?;
        match step {
            Step::Append(stream, events) => self.append(stream, events)?,
            Step::Read(reader, deliveries) => {
                let store = self.store().clone();
                self.readers[*reader].read(&store, &self.past, *deliveries)?;
            }
            Step::Save(reader) => self.readers[*reader].save(),
            Step::Lose(reader) => self.readers[*reader].lose(),
            Step::Group(group, act) => self.act(*group, act)?,
            Step::Handle(handler, steps, endings) => {
                self.handle(*handler, *steps, &mut endings.iter().copied().collect())?;
            }
            Step::Halt(handler) => {
                let now = self.clock.elapsed();
                self.handlers[*handler].halt(now);
            }
            Step::Tell(handler, word) => self.tell(*handler, *word)?,
            Step::Advance(duration) => self.clock.advance(*duration),
            Step::JumpTo(time) => self.clock.jump_to(*time),
            Step::Maintain => match self.store().settle() {
                Err(error) if !self.shaken => {
                    return Err(Violation::new("open", format!("maintenance failed on a good disk: {error}")));
                }
                Ok(()) | Err(_) => {}
            },
            Step::Fail(passing, lasting, done) => {
                let fault = Fault { lasting: *lasting, ..Fault::once(std::io::ErrorKind::Other) };
                self.disk.fail_after(*passing, fault.leaving(*done));
                self.shaken = true;
            }
            Step::Fill(free) => {
                self.disk.set_capacity(Some(self.disk.allocated_bytes() + free));
                self.shaken = true;
            }
            Step::Heal => self.heal(),
            Step::Reopen => self.reopen()?,
            Step::Kill => self.restart(self.disk.kill(), false)?,
            Step::Crash(seed) => self.restart(self.disk.crash(*seed), false)?,
            Step::Settle => self.settle()?,
        }
        self.learn()
    }

    fn store(&self) -> &EventStore {
        self.store.as_ref().expect("a crowd has a store but while it is opened")
    }

    /// Reads what was recorded since the last time, and lets everybody know.
    fn learn(&mut self) -> Result<(), Violation> {
        let store = self.store().clone();
        let range = self.past.learn(&store)?;
        if range.is_empty() {
            return Ok(());
        }
        let (groups, now) = (store.groups(), self.clock.elapsed());
        let ledgers = self.groups.iter_mut().map(|group| &mut group.ledger);
        for ledger in ledgers.chain(self.handlers.iter_mut().map(|handler| &mut handler.ledger)) {
            let name = ledger.name.clone();
            ledger.learn(&self.past, range.clone(), now, || parked(&groups, &name))?;
        }
        Ok(())
    }

    fn append(&mut self, stream: &str, events: &[EventData]) -> Result<(), Violation> {
        let ticket = self.store().append(name(stream), ExpectedRevision::Any, events.to_vec());
        let first = match ticket.wait() {
            Ok(appended) => appended.first_position.map_or(u64::MAX, |position| position.0),
            Err(AppendError::Failed(_)) if self.shaken => return Ok(()),
            Err(error) => return Err(Violation::new("model", format!("append failed on a good disk: {error}"))),
        };
        self.learn()?;
        let is_there = |(position, event): (u64, &EventData)| {
            let found = self.past.event(position);
            found.is_some_and(|found| {
                found.stream.as_str() == stream && found.id == event.id && found.data == event.data
            })
        };
        if (first..).zip(events).all(is_there) {
            return Ok(());
        }
        Err(Violation::new("I1", format!("what was answered is not there, position={first}")))
    }

    fn act(&mut self, group: usize, act: &Act) -> Result<(), Violation> {
        let groups = self.store().groups();
        let heard = self.groups[group].act(act, around(&self.past, &self.clock, self.shaken, &groups));
        self.heard(group, heard, &groups)
    }

    fn heard(&mut self, group: usize, heard: Heard, groups: &ConsumerGroups) -> Result<(), Violation> {
        if !heard.comes_first() {
            self.learn()?;
        }
        self.groups[group].hear(heard, around(&self.past, &self.clock, self.shaken, groups))?;
        self.learn()
    }

    fn handle(&mut self, handler: usize, steps: usize, endings: &mut VecDeque<Ending>) -> Result<bool, Violation> {
        let (groups, handlers) = (self.store().groups(), self.store().handlers());
        self.handlers[handler].start(&handlers, around(&self.past, &self.clock, self.shaken, &groups))?;
        self.learn()?;
        let mut worked = false;
        for _ in 0..steps {
            worked |= self.take_step(handler, endings)? == Some(Stepped::Worked);
        }
        Ok(worked)
    }

    fn tell(&mut self, handler: usize, word: Word) -> Result<(), Violation> {
        match word {
            Word::Pause => self.handlers[handler].pause(true),
            Word::Resume => self.handlers[handler].pause(false),
            Word::Reset(from) => self.reset(handler, from, false)?,
            Word::ResetInVain(from) => self.reset(handler, from, true)?,
        }
        Ok(())
    }

    /// Lets a handler that runs begin anew.
    fn reset(&mut self, handler: usize, from: gesta_store::From, in_vain: bool) -> Result<(), Violation> {
        // What it gives back is written first, so that the head is known from which it may begin.
        let paused = self.handlers[handler].is_paused();
        self.handlers[handler].pause(true);
        self.take_step(handler, &mut VecDeque::new())?;
        let groups = self.store().groups();
        let around_it = around(&self.past, &self.clock, self.shaken, &groups);
        let Some(reset) = self.handlers[handler].reset(from, in_vain, around_it) else { return Ok(()) };
        self.take_step(handler, &mut VecDeque::new())?;
        self.handlers[handler].was_reset(&reset, around(&self.past, &self.clock, self.shaken, &groups))?;
        self.handlers[handler].pause(paused);
        self.learn()
    }

    /// Lets a handler that runs take a step; what that was.
    fn take_step(&mut self, handler: usize, endings: &mut VecDeque<Ending>) -> Result<Option<Stepped>, Violation> {
        let groups = self.store().groups();
        let step = self.handlers[handler].step(endings);
        self.handlers[handler].hear(step.as_ref(), around(&self.past, &self.clock, self.shaken, &groups))?;
        self.learn()?;
        Ok(step)
    }

    fn heal(&self) {
        self.disk.heal();
        self.disk.set_capacity(None);
    }

    fn reopen(&mut self) -> Result<(), Violation> {
        let closed = self.store().clone().close();
        self.disk.heal();
        match closed {
            Err(error) if !self.shaken => {
                return Err(Violation::new("open", format!("closing failed on a good disk: {error}")));
            }
            Ok(()) | Err(_) => {}
        }
        self.restart(self.disk.clone(), !self.shaken)
    }

    /// Opens what is left on `disk`; whether everything was written down before.
    fn restart(&mut self, disk: MemoryDisk, written: bool) -> Result<(), Violation> {
        let now = self.clock.elapsed();
        // All of them hold parts of the store, and what they write now is written to a disk that is gone.
        self.readers.iter_mut().for_each(Reader::lose);
        self.groups.iter_mut().for_each(|group| group.end_life(written, now));
        self.handlers.iter_mut().for_each(|handler| handler.end_life(written, now));
        self.store = None;
        self.disk = disk;
        self.incarnation += 1;
        self.open()?;
        self.past.check(self.store())?;
        self.learn()
    }

    fn open(&mut self) -> Result<(), Violation> {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let options = || self.settings.options(Arc::clone(&clock), self.incarnation);
        let store = match open(&self.disk, options()) {
            Err(_) if self.shaken => {
                self.heal();
                open(&self.disk, options())?
            }
            store => store?,
        };
        self.heal();
        self.shaken = false;
        self.store = Some(store);
        Ok(())
    }

    /// Everybody works off what there is.
    fn settle(&mut self) -> Result<(), Violation> {
        if self.shaken || self.groups.iter().any(Group::is_unsure) {
            self.heal();
            self.reopen()?;
        }
        for group in 0..self.groups.len() {
            if self.groups[group].ledger.exists {
                self.settle_group(group)?;
            }
        }
        for handler in 0..self.handlers.len() {
            self.settle_handler(handler)?;
        }
        self.learn()?;
        let store = self.store().clone();
        for reader in &mut self.readers {
            reader.settle(&store, &self.past)?;
        }
        self.past.check(&store)?;
        dense::check(&store)
    }

    /// One consumer acks everything, until nothing comes even when time passes.
    fn settle_group(&mut self, group: usize) -> Result<(), Violation> {
        for seat in 0..group::SEATS {
            self.act(group, &Act::Die(seat))?;
        }
        self.act(group, &Act::Connect(0, 2 * SETTLING))?;
        // It reads on only a little at a time, past what groups write too.
        let mut empty = 0;
        while empty < PATIENCE || (empty < 100 * PATIENCE && self.check_settled(group).is_err()) {
            let groups = self.store().groups();
            let take = Act::Take(0, SETTLING);
            let heard = self.groups[group].act(&take, around(&self.past, &self.clock, self.shaken, &groups));
            let Heard::Taken(_, _, Ok(messages)) = &heard else {
                return Err(Violation::new("group", format!("nobody can work any more, heard={heard:?}")));
            };
            let nothing = messages.is_empty();
            self.heard(group, heard, &groups)?;
            if nothing {
                empty += 1;
                self.clock.advance(Duration::from_secs(10));
            } else {
                empty = 0;
                // Every place of what it has: none is divisible so that one it had is chosen.
                let choices = (0..2 * SETTLING as u64).map(|place| place * 8).collect();
                self.act(group, &Act::Answer(0, choices, Answer::Ack))?;
            }
        }
        self.act(group, &Act::Flush)?;
        self.act(group, &Act::Inspect)?;
        self.check_settled(group)?;
        self.act(group, &Act::Die(0))
    }

    fn check_settled(&mut self, group: usize) -> Result<(), Violation> {
        let groups = self.store().groups();
        let around = around(&self.past, &self.clock, self.shaken, &groups);
        let parked = self.groups[group].parked(around)?.unwrap_or_default();
        skipping::check_settled(&self.groups[group].ledger, &parked)
    }

    fn settle_handler(&mut self, handler: usize) -> Result<(), Violation> {
        self.handlers[handler].pause(false);
        let mut idle = 0;
        while idle < PATIENCE {
            if self.handle(handler, 1, &mut VecDeque::new())? {
                idle = 0;
            } else {
                idle += 1;
                self.clock.advance(Duration::from_secs(1));
            }
        }
        let groups = self.store().groups();
        let ledger = &self.handlers[handler].ledger;
        if !ledger.exists {
            return Ok(()); // the time at which it begins has not come
        }
        groups.flush(&ledger.name).map_err(|error| Violation::new("group", error.to_string()))?;
        self.learn()?;
        let ledger = &self.handlers[handler].ledger;
        let parked = parked(&groups, &ledger.name);
        self.handlers[handler].ledger.flushed();
        skipping::check_settled(&self.handlers[handler].ledger, &parked)
    }
}

fn around<'a>(past: &'a Past, clock: &ManualClock, shaken: bool, groups: &'a ConsumerGroups) -> Around<'a> {
    Around { groups, past, now: clock.elapsed(), shaken }
}

/// What a group says is parked; nothing, if it cannot be asked.
fn parked(groups: &ConsumerGroups, group: &gesta_store::GroupName) -> BTreeSet<u64> {
    group::all_parked(groups, group).unwrap_or_default()
}
