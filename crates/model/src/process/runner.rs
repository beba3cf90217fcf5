//! A process at work: what a delivery, a time that has come, or somebody who has looked sets going, one instance after the other.
//!
//! - Whatever brings an instance forward, it is brought forward in the same way: it carries out what is open, hears the next event or takes the
//!   next timer, whichever was first, and so on until it must wait. So a delivery is no more than a hint: it may come twice, late, or
//!   out of order.
//! - What it decides on the way is written together, when it must be. If something comes in between, the instance is read anew and goes the same way step by
//!   step, so that what it stands before is known, and all that came before it written.
//! - An event is answered for only when it is heard, or written down as received.
//! - What fails in one instance holds up no other, but for the store itself.
//! - Several instances are brought forward at once, each by one at a time: what one does while it waits for nothing, no other sees half done.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gesta_store::{ErrorKind, Handler, HandlerFailure, Message, Position, Reaction, Timestamp};

use super::{
    EffectId, Process, ProcessOptions,
    agenda::{Agenda, Rest},
    calls::Calls,
    executor::{Executor, Trouble, deadline, received},
    id::Namespace,
    instance::Instance,
    instances_of,
    names::Names,
    record::{Obstacle, Parked, RESUMED, Record},
    roster::{self, Roster},
    together::together,
};
use crate::{command::Lane, error::Error, state::Reader};

/// How often an instance is read anew at once because somebody else has written its stream.
const STALE_MAX: u32 = 3;
/// Instances brought forward by one call for what is due.
const DUE_AT_ONCE: usize = 64;
/// Most instances on a roster: at some twenty bytes each, two megabytes.
const ROSTER_MAX: usize = 100_000;

/// Shared by a process and whoever looks after it.
pub(crate) type SharedAgenda = Arc<Mutex<Agenda>>;

/// A process at work.
pub(crate) struct Worker<P: Process> {
    pub(crate) reader: Arc<Reader>,
    pub(crate) names: Names,
    pub(crate) namespace: Namespace,
    pub(crate) options: ProcessOptions,
    pub(crate) calls: RefCell<Calls>,
    pub(crate) lane: Lane,
    pub(crate) agenda: SharedAgenda,
    /// Earlier events are state, and not heard.
    pub(crate) from: Position,
    pub(crate) instances: RefCell<Recent<P>>,
    /// Records since the last roster, about.
    pub(crate) unlisted: u32,
}

/// Instances that were of use lately: those since the last clearing, and those since the one before.
pub(crate) struct Recent<P: Process> {
    young: HashMap<Box<str>, Instance<P>>,
    old: HashMap<Box<str>, Instance<P>>,
    max: usize,
}

impl<P: Process> Recent<P> {
    pub(crate) fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), max }
    }

    fn take(&mut self, name: &str) -> Option<Instance<P>> {
        self.young.remove(name).or_else(|| self.old.remove(name))
    }

    fn put(&mut self, instance: Instance<P>) {
        if self.young.len() >= self.max / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(instance.name.clone(), instance);
    }
}

/// What an instance could not do, and why.
struct Stuck {
    on: Obstacle,
    trouble: Trouble,
}

/// When what an instance has decided is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// When something must be durable before it can go on.
    Together,
    /// After each step: so that of several things decided it shows which one is in the way.
    StepByStep,
}

impl<P: Process> Worker<P> {
    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executor(&self) -> Executor<'_> {
        Executor { reader: &self.reader, calls: &self.calls, lane: &self.lane, namespace: self.namespace }
    }

    fn elapsed(&self) -> Duration {
        self.reader.store.clock().elapsed()
    }

    fn now(&self) -> Timestamp {
        self.reader.store.clock().now()
    }

    /// Brings an instance as far as it comes. An event that was delivered is heard afterwards, or will be.
    async fn attend(&self, name: &str, delivered: Option<Position>) -> Result<(), HandlerFailure> {
        let attended = self.attend_once(name, delivered).await;
        if let Err(failure) = &attended {
            // What it has written by now is on no roster, unless it waits.
            let (at, reason) = (self.elapsed(), failure.to_string());
            self.agenda().set(name, Rest::Retry { at, tries: 0, reason });
        }
        attended
    }

    async fn attend_once(&self, name: &str, delivered: Option<Position>) -> Result<(), HandlerFailure> {
        let known = self.instances.borrow_mut().take(name);
        let mut instance = match known {
            Some(instance) => instance,
            None => self.load(name)?,
        };
        let rest = self.advance(&mut instance).await?;
        if let Some(position) = delivered
            && matches!(rest, Rest::Retry { .. } | Rest::Parked(_))
            && instance.ledger.is_new(position)
            && instance.ledger.received_to < Some(position)
        {
            // It is not delivered again: that it waits must be written down.
            let noted = self.executor().note(&mut instance, received(position)).await;
            noted.map_err(|trouble| failure(&trouble))?;
        }
        let keep = !matches!(rest, Rest::Parked(_));
        self.agenda().set(name, rest);
        if keep {
            self.instances.borrow_mut().put(instance);
        }
        Ok(())
    }

    /// Notes who waits, now and then. Only between two instances: then all that was written is on the agenda.
    fn list(&mut self, attended: usize) {
        self.unlisted = self.unlisted.saturating_add(u32::try_from(attended).unwrap_or(u32::MAX));
        if self.unlisted < self.options.roster_records {
            return;
        }
        let store = &self.reader.store;
        let to = store.head().position();
        let waiting = {
            let agenda = self.agenda();
            let names = agenda.names();
            (names.len() <= ROSTER_MAX).then(|| names.map(str::to_owned).collect())
        };
        self.unlisted = 0;
        if let Some(waiting) = waiting {
            // Without one, a start reads from the one before.
            drop(roster::write(store, &self.names, &Roster { to, waiting }));
        }
    }

    fn load(&self, name: &str) -> Result<Instance<P>, HandlerFailure> {
        Instance::load(&self.reader.store, &self.names, name).map_err(|error| {
            let transient = matches!(&error, Error::Store(store) if is_transient(store.kind()));
            let failure = HandlerFailure::from(error);
            // Without its records nothing can be said of the instance, and nothing be written down.
            if transient { failure } else { failure.reaction(Reaction::Park) }
        })
    }

    /// Steps until the instance must wait, and all it has decided is written.
    async fn advance(&self, instance: &mut Instance<P>) -> Result<Rest, HandlerFailure> {
        let mut tries = match self.agenda().get(&instance.name) {
            Some(Rest::Retry { tries, .. }) => *tries,
            Some(Rest::Idle | Rest::Until(_) | Rest::Parked(_)) | None => 0,
        };
        let (mut stale, mut writing) = (0, Writing::Together);
        loop {
            let written_to = instance.written_to();
            let stuck = match self.step_and_write(instance, writing).await {
                Ok(Some(rest)) => return Ok(rest),
                Ok(None) => {
                    if instance.written_to() != written_to {
                        (tries, stale) = (0, 0);
                    }
                    continue;
                }
                Err(stuck) => stuck,
            };
            let (name, is_alone) = (instance.name.clone(), !instance.draft.has_more_than(&stuck.on));
            match &stuck.trouble {
                Trouble::Closed(_) => return Err(failure(&stuck.trouble)),
                Trouble::Stale(_) if stale < STALE_MAX => {
                    stale += 1;
                    *instance = self.load(&name)?;
                }
                Trouble::Later(_) | Trouble::Never(_) | Trouble::Stale(_)
                    if !is_alone && writing == Writing::Together =>
                {
                    writing = Writing::StepByStep;
                    *instance = self.load(&name)?;
                }
                Trouble::Later(reason) | Trouble::Stale(reason) if tries < self.options.retries => {
                    let reason = reason.clone();
                    // What it stands on in memory may be half done.
                    *instance = self.load(&name)?;
                    if let Obstacle::Event(_) = stuck.on
                        && !instance.ledger.is_behind()
                    {
                        // Nothing says yet that the event waits: it has to be delivered again.
                        return Err(failure(&stuck.trouble));
                    }
                    return Ok(self.retry(instance, &stuck.on, tries, reason));
                }
                Trouble::Later(reason) | Trouble::Never(reason) | Trouble::Stale(reason) => {
                    let reason = reason.clone();
                    *instance = self.load(&name)?;
                    self.give_up(instance, stuck, reason).await?;
                    tries = 0;
                }
            }
        }
    }

    /// Does one thing, and writes what was decided so far if that cannot wait; `Some` when there is nothing to do now, and nothing to write.
    async fn step_and_write(&self, instance: &mut Instance<P>, writing: Writing) -> Result<Option<Rest>, Stuck> {
        let rest = self.step(instance).await?;
        if instance.draft.is_empty() {
            return Ok(rest);
        }
        if rest.is_some() || writing == Writing::StepByStep || instance.draft.is_full() {
            let about = instance.draft.about().cloned();
            let written = self.executor().write(instance).await;
            let on = about.unwrap_or(Obstacle::Event(self.from));
            written.map_err(|trouble| Stuck { on, trouble })?;
        }
        // What was written may be for itself.
        Ok(None)
    }

    /// When an effect is tried again.
    fn retry(&self, instance: &Instance<P>, on: &Obstacle, tries: u32, reason: String) -> Rest {
        let mut wait = self.options.backoff.after(tries);
        if let Obstacle::Effect(effect) = on
            && let Some(deadline) = instance.ledger.open.get(effect).and_then(deadline)
        {
            // It is given up just after its time is over.
            let left = u64::try_from(deadline.0.saturating_sub(self.now().0).saturating_add(1)).unwrap_or(0);
            wait = wait.min(Duration::from_nanos(left));
        }
        Rest::Retry { at: self.elapsed().saturating_add(wait), tries: tries + 1, reason }
    }

    /// Does what is to be done instead, or parks the instance.
    async fn give_up(&self, instance: &mut Instance<P>, stuck: Stuck, reason: String) -> Result<(), HandlerFailure> {
        if let (Obstacle::Effect(effect), Trouble::Later(_) | Trouble::Stale(_)) = (&stuck.on, &stuck.trouble)
            && let Some(open) = instance.ledger.open.get(effect).cloned()
            && open.plan.or.is_some()
        {
            let refused = self.executor().refuse(instance, effect, &open, reason);
            return refused.map_err(|trouble| failure(&trouble));
        }
        let record = Record::Parked(Parked { on: stuck.on, reason });
        self.executor().note(instance, record).await.map_err(|trouble| failure(&trouble))
    }

    /// Does one thing; `Some` when there is nothing to do now.
    async fn step(&self, instance: &mut Instance<P>) -> Result<Option<Rest>, Stuck> {
        if let Some(parked) = &instance.ledger.parked {
            return Ok(Some(Rest::Parked(parked.reason.clone())));
        }
        if let Some((effect, _)) = instance.ledger.next_undelayed() {
            let effect = effect.clone();
            return self.carry_out(instance, effect).await;
        }
        if instance.ledger.completed {
            return Ok(Some(Rest::Idle));
        }
        let timer = instance.ledger.next_timer().map(|(effect, _, due)| (effect.clone(), due));
        let next = instance.inbox.next(&self.reader.store, &instance.ledger.passed_over).map_err(|unread| Stuck {
            on: Obstacle::Event(unread.at.unwrap_or(self.from)),
            trouble: unread.error.into(),
        })?;
        let event = next.map(|incoming| incoming.recorded_at);
        match (event, timer) {
            // What was due before the event was recorded comes first, as it would have if nobody had been late.
            (Some(recorded), Some((effect, due))) if due < recorded && due <= self.now() => {
                self.carry_out(instance, effect).await
            }
            (Some(_), _) => self.hear(instance),
            (None, Some((effect, due))) if due <= self.now() => self.carry_out(instance, effect).await,
            (None, Some((_, due))) => Ok(Some(Rest::Until(due))),
            (None, None) => Ok(Some(Rest::Idle)),
        }
    }

    async fn carry_out(&self, instance: &mut Instance<P>, effect: EffectId) -> Result<Option<Rest>, Stuck> {
        match self.executor().carry_out(instance, &effect).await {
            Ok(()) => Ok(None),
            Err(trouble) => Err(Stuck { on: Obstacle::Effect(effect), trouble }),
        }
    }

    /// Applies the next event, and reacts to it if that was not done before.
    fn hear(&self, instance: &mut Instance<P>) -> Result<Option<Rest>, Stuck> {
        let at = instance.inbox.next_position();
        let stuck = |trouble| Stuck { on: Obstacle::Event(at), trouble };
        let Some(incoming) = instance.inbox.apply().map_err(|error| stuck(error.into()))? else { return Ok(None) };
        let is_new = incoming.position >= self.from && instance.ledger.is_new(incoming.position);
        if !is_new || !P::hears(&incoming.event) {
            return Ok(None);
        }
        let effects = instance.inbox.react(&instance.name, &incoming).map_err(|error| stuck(error.into()))?;
        if effects.len() > usize::from(u16::MAX) {
            return Err(stuck(Trouble::Never(format!("too many effects at one event, effects={}", effects.len()))));
        }
        let plans = effects.into_iter().map(super::Effect::into_plan).collect::<Result<_, _>>();
        let plans = plans.map_err(|reason| stuck(Trouble::Never(format!("effect cannot be recorded: {reason}"))))?;
        self.executor().hear(instance, &incoming, plans).map_err(stuck)?;
        Ok(None)
    }

    /// Sees to one instance all that messages say of it, in their order; a failure with the message that it was.
    async fn see_to(&self, errand: Errand<'_>) -> Result<(), (usize, HandlerFailure)> {
        for (index, told) in errand.told {
            let delivered = match told {
                Told::Delivered(position) => Some(position),
                Told::Resumed => {
                    // What is in memory does not know of it.
                    drop(self.instances.borrow_mut().take(errand.name));
                    None
                }
            };
            self.attend(errand.name, delivered).await.map_err(|failure| (index, failure))?;
        }
        Ok(())
    }
}

/// What messages say of one instance.
struct Errand<'m> {
    name: &'m str,
    /// Each with its place among the messages.
    told: Vec<(usize, Told)>,
}

#[derive(Clone, Copy)]
enum Told {
    /// An event was delivered.
    Delivered(Position),
    /// Somebody has looked after it.
    Resumed,
}

/// What messages say, by instance: never two errands to one.
fn errands<'m, P: Process>(names: &Names, messages: &'m [Message]) -> Vec<Errand<'m>> {
    let (mut errands, mut places): (Vec<Errand<'_>>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
    for (index, message) in messages.iter().enumerate() {
        let event = &message.event;
        let (told, instances) = match names.instance_at(&event.stream) {
            Some(name) if &*event.event_type == RESUMED => (Told::Resumed, vec![name]),
            Some(_) => continue,
            None => {
                (Told::Delivered(event.position), instances_of::<P>(&event.stream, event.tags.iter().map(|tag| &**tag)))
            }
        };
        for name in instances {
            let place = *places.entry(name).or_insert_with(|| {
                errands.push(Errand { name, told: Vec::new() });
                errands.len() - 1
            });
            errands[place].told.push((index, told));
        }
    }
    errands
}

impl<P: Process> Handler for Worker<P> {
    fn handle(&mut self, messages: &[Message]) -> Result<(), HandlerFailure> {
        let errands = errands::<P>(&self.names, messages);
        let done = together(errands.into_iter().map(|errand| self.see_to(errand)), self.options.at_once);
        // Those before the first that failed have been handled; those after it come again, and are known to have been heard.
        if let Some((index, failure)) = done.into_iter().filter_map(Result::err).min_by_key(|(index, _)| *index) {
            return Err(failure.at(index));
        }
        self.list(messages.len());
        Ok(())
    }

    fn next_due(&self) -> Option<Duration> {
        self.agenda().next_due(self.now(), self.elapsed())
    }

    fn work_due(&mut self) -> Result<(), HandlerFailure> {
        let due = self.agenda().due(self.now(), self.elapsed(), DUE_AT_ONCE);
        let done = together(due.iter().map(|name| self.attend(name, None)), self.options.at_once);
        done.into_iter().collect::<Result<(), _>>()?;
        self.list(due.len());
        Ok(())
    }
}

fn is_transient(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Closed)
}

/// Trouble with what everything stands on: the delivery failed.
fn failure(trouble: &Trouble) -> HandlerFailure {
    match trouble {
        Trouble::Later(reason) | Trouble::Never(reason) | Trouble::Stale(reason) => HandlerFailure::new(reason.clone()),
        Trouble::Closed(error) => HandlerFailure::new(error.to_string()),
    }
}
