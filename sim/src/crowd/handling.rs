//! A handler: is given batches by its runner, step by step, fails or panics as it is told, and goes down in the midst of its work.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gesta_store::{
    AfterPark, Backoff, From, GroupError, Handler, HandlerFailure, HandlerOptions, HandlerRunner, Handlers,
    HandlingOrder, KeyOf, Message, Reaction, Source,
    subscribe::handler::{Resetting, Step, group_of},
};

use super::{
    group::{Around, check_event, delivered},
    ledger::{Fate, Ledger, Order, Rules},
    step::Ending,
};
use crate::{Violation, invariants::key_order};

/// See the module's words.
#[derive(Debug)]
pub struct Handling {
    /// What is known of its group.
    pub ledger: Ledger,
    name: &'static str,
    options: HandlerOptions,
    runner: Option<HandlerRunner>,
    desk: Arc<Mutex<Desk>>,
    /// How often it was started: its number as a consumer.
    starts: usize,
    /// How often the first event of those in order was tried again.
    tries: u32,
    /// It was told to wait.
    paused: bool,
}

/// A reset that was asked for: how, and where that is.
#[derive(Debug)]
pub struct AskedFor {
    resetting: Resetting,
    from: From,
    place: Option<u64>,
    in_vain: bool,
    /// How often the handler had been asked before.
    before: usize,
}

/// What lies between a handler and whoever tells it how to fare.
#[derive(Debug, Default)]
struct Desk {
    endings: VecDeque<Ending>,
    handed: Vec<(Vec<Message>, Ending)>,
    /// How often it was asked before a reset.
    asked: usize,
    refuses: bool,
}

/// The handler itself.
struct Worker(Arc<Mutex<Desk>>);

impl Handling {
    /// A handler that never ran.
    #[must_use]
    pub fn new(name: &'static str, source: Source, order: HandlingOrder, start: From, resolve_links: bool) -> Self {
        let options = HandlerOptions {
            start,
            resolve_links,
            order,
            batch_events: 4,
            max_retry_count: 1,
            backoff: Backoff { first: Duration::from_millis(500), most: Duration::from_secs(5) },
            checkpoint_count: 5,
            checkpoint_after: Duration::from_secs(2),
            ..HandlerOptions::default()
        };
        let order = match &options.order {
            HandlingOrder::ByKey { key, after_park } => Order::ByKey(key.clone(), *after_park),
            HandlingOrder::Whole => Order::Whole,
        };
        let (max_retry_count, buffer) = (options.max_retry_count, 500);
        let rules = Rules { timeout: None, max_retry_count, order, buffer, subscribers: 1, resolve_links };
        let group = group_of(name, &source).expect("short names");
        let ledger = Ledger::new(group, source, rules);
        Self { ledger, name, options, runner: None, desk: Arc::default(), starts: 0, tries: 0, paused: false }
    }

    /// One by key, and one in order, of which one begins at a time, and one follows links.
    #[must_use]
    pub fn all(by_key: Source, whole: Source, after_park: AfterPark, time: From) -> Vec<Self> {
        let keyed = HandlingOrder::ByKey { key: KeyOf::Stream, after_park };
        vec![
            Self::new("by-key", by_key, keyed, time, true),
            Self::new("whole", whole, HandlingOrder::Whole, From::Beginning, false),
        ]
    }

    /// Starts it, if it is not running.
    ///
    /// # Errors
    /// When it cannot be started on a good disk.
    pub fn start(&mut self, handlers: &Handlers, around: Around<'_>) -> Result<(), Violation> {
        if self.runner.is_some() {
            return Ok(());
        }
        let start = around.past.place(&self.ledger.source, self.options.start);
        self.ledger.ask(Some(self.ledger.rules.clone()), start);
        let handler = Worker(Arc::clone(&self.desk));
        match handlers.runner(self.name, &self.ledger.source, self.options.clone(), handler) {
            Ok(runner) => {
                self.runner = Some(runner);
                self.starts += 1;
                Ok(())
            }
            Err(GroupError::Store(_)) if around.shaken => Ok(()),
            // That time has not come.
            Err(GroupError::Setting { field: "start", .. }) if matches!(self.options.start, From::Time(_)) => Ok(()),
            Err(error) => Err(self.broken(format!("cannot be started: {error}"))),
        }
    }

    /// Takes one step, of which each batch ends as `endings` say, and well when they are used up.
    pub fn step(&mut self, endings: &mut VecDeque<Ending>) -> Option<Step> {
        let runner = self.runner.as_mut()?;
        std::mem::swap(&mut lock(&self.desk).endings, endings);
        let step = runner.step();
        std::mem::swap(&mut lock(&self.desk).endings, endings);
        Some(step)
    }

    /// Lets it wait, or go on.
    pub fn pause(&mut self, paused: bool) {
        if let Some(runner) = &self.runner {
            self.paused = paused;
            if paused { runner.pause() } else { runner.resume() }
        }
    }

    /// Whether it was told to wait.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Asks it to begin anew, if it is running.
    pub fn reset(&mut self, from: From, in_vain: bool, around: Around<'_>) -> Option<AskedFor> {
        let runner = self.runner.as_ref()?;
        let place = around.past.place(&self.ledger.source, from);
        self.ledger.ask(None, place.filter(|_| !in_vain));
        let mut desk = lock(&self.desk);
        desk.refuses = in_vain;
        Some(AskedFor { resetting: runner.reset(from), from, place, in_vain, before: desk.asked })
    }

    /// Takes what came of a reset.
    ///
    /// # Errors
    /// When it is not what must come of it.
    pub fn was_reset(&mut self, reset: &AskedFor, around: Around<'_>) -> Result<(), Violation> {
        let asked = std::mem::take(&mut lock(&self.desk).refuses) == reset.in_vain
            && lock(&self.desk).asked == reset.before + 1;
        match reset.resetting.outcome() {
            _ if !asked => Err(self.broken("begins anew without having been asked once")),
            Some(Ok(())) if reset.place.is_some() && !reset.in_vain => {
                self.ledger.end_life(!around.shaken, around.now);
                Ok(())
            }
            Some(Err(GroupError::Dropped { .. })) if reset.in_vain => Ok(()),
            Some(Err(GroupError::BeyondHead { .. } | GroupError::Setting { .. })) if reset.place.is_none() => Ok(()),
            // A time that has come, and is to come again since the clock was set back.
            Some(Err(GroupError::Setting { .. })) if matches!(reset.from, From::Time(_)) => Ok(()),
            Some(Err(GroupError::Store(_))) if around.shaken => {
                self.end_life(false, around.now);
                Ok(())
            }
            outcome => Err(self.broken(format!("a reset came to {outcome:?}, {reset:?}"))),
        }
    }

    fn broken(&self, what: impl std::fmt::Display) -> Violation {
        Violation::new("group", format!("{}: {what}", self.name))
    }

    /// Takes what was handed over in a step, before what was recorded meanwhile is learned: most of that comes of it.
    ///
    /// # Errors
    /// When it should not have been.
    pub fn hear(&mut self, step: Option<&Step>, around: Around<'_>) -> Result<(), Violation> {
        let handed = std::mem::take(&mut lock(&self.desk).handed);
        // What could not be parked the first time may have been parked before anything was handed over.
        self.ledger.behind = around.shaken;
        if (self.paused || step == Some(&Step::Paused)) && !handed.is_empty() {
            return Err(self.broken("was handed something while it was to wait"));
        }
        for (messages, ending) in handed {
            self.handed(&messages, ending, around)?;
        }
        match step {
            Some(Step::Ended) => self.halt(around.now),
            Some(Step::Paused) => {
                self.tries = 0;
                self.ledger.leave(self.starts, around.now);
            }
            // What it was given is answered by now, or was given back.
            Some(_) if self.ledger.rules.order != Order::Whole => self.ledger.leave(self.starts, around.now),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn handed(&mut self, messages: &[Message], ending: Ending, around: Around<'_>) -> Result<(), Violation> {
        let (by, now) = (self.starts, around.now);
        let ids: Vec<u64> = messages.iter().map(|message| message.id.0.0).collect();
        let source: Vec<u64> =
            messages.iter().filter(|message| !message.replayed).map(|message| message.id.0.0).collect();
        key_order::check_whole(&self.ledger, &source)?;
        for message in messages {
            check_event(message, &self.ledger.rules, around.past)?;
            let known = self.ledger.messages.get(&message.id.0.0).map(|message| message.fate);
            // It keeps what failed until it is answered.
            if !matches!(known, Some(Fate::Held { by: holder, .. }) if holder == by) {
                self.ledger.deliver(by, &delivered(message), now)?;
            }
        }
        let (at, reaction) = match ending {
            Ending::Well => (Some(ids.len()), None),
            Ending::Fail(at, reaction) if at < ids.len() => (Some(at), reaction),
            Ending::Fail(_, reaction) => ((ids.len() == 1).then_some(0), reaction),
            Ending::Panic => ((ids.len() == 1).then_some(0), None),
        };
        let Some(at) = at else { return Ok(()) };
        for id in &ids[..at] {
            self.tries = 0;
            self.ledger.settle(by, *id, true, now)?;
        }
        match ids.get(at) {
            Some(id) => self.failed(*id, reaction.unwrap_or(self.options.on_failure), now),
            None => Ok(()),
        }
    }

    fn failed(&mut self, id: u64, reaction: Reaction, now: Duration) -> Result<(), Violation> {
        let by = self.starts;
        let whole = self.ledger.rules.order == Order::Whole;
        match reaction {
            Reaction::Retry | Reaction::RetryAfter(_) if whole && self.tries < self.options.max_retry_count => {
                self.tries += 1; // here, not by the group
                return Ok(());
            }
            Reaction::Retry | Reaction::RetryAfter(_) => self.ledger.fail(by, id, whole, true, now)?,
            Reaction::Park => self.ledger.fail(by, id, true, true, now)?,
            Reaction::Skip => self.ledger.settle(by, id, true, now)?,
            Reaction::Stop => self.ledger.leave(by, now),
        }
        self.tries = 0;
        Ok(())
    }

    /// Goes down.
    pub fn halt(&mut self, now: Duration) {
        self.runner = None;
        (self.tries, self.paused) = (0, false);
        self.ledger.leave(self.starts, now);
    }

    /// As [`halt`](Self::halt), when the store goes away; whether all was written down before.
    pub fn end_life(&mut self, written: bool, now: Duration) {
        self.halt(now);
        self.ledger.end_life(written, now);
    }
}

impl Handler for Worker {
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        work(&self.0, messages)
    }

    fn before_reset(&mut self) -> Result<(), HandlerFailure> {
        let mut desk = lock(&self.0);
        desk.asked += 1;
        if desk.refuses { Err(HandlerFailure::new("not now")) } else { Ok(()) }
    }
}

fn work(desk: &Mutex<Desk>, messages: &[Message]) -> Result<(), HandlerFailure> {
    let mut desk = lock(desk);
    let ending = desk.endings.pop_front().unwrap_or(Ending::Well);
    desk.handed.push((messages.to_vec(), ending));
    drop(desk);
    match ending {
        Ending::Well => Ok(()),
        Ending::Fail(at, reaction) => {
            let failure = HandlerFailure::new("no").at(at);
            Err(reaction.map_or(failure.clone(), |reaction| failure.reaction(reaction)))
        }
        Ending::Panic => panic!("the handler panics"),
    }
}

fn lock(desk: &Mutex<Desk>) -> std::sync::MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
