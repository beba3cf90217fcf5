//! Starting a process: what it calls, how it works, and where it stands by its records.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use gesta_store::{
    AfterPark, ErrorKind, EventData, EventType, ExpectedRevision, From, HandlerOptions, HandlerRunner, HandlingOrder,
    KeyOf, PathPattern, Position, Query, ReadOptions, Source, clock::Clock, subscribe::handler::Step,
};

use super::{
    Call, CallFailure, Instances, Process, ProcessOptions, RunningProcess, Start,
    agenda::{Agenda, Rest},
    calls::Calls,
    id::Namespace,
    instance::read_ledger,
    ledger::Ledger,
    names::Names,
    roster::{self, Roster},
    runner::{Recent, SharedAgenda, Worker},
};
use crate::{
    command::Lane,
    error::{Error, Result},
    event::Event,
    key::Key,
    state::Reader,
};

/// A process that is about to be started.
#[must_use = "a process works when it is started"]
pub struct Setup<P: Process> {
    reader: Arc<Reader>,
    options: ProcessOptions,
    calls: Calls,
    process: std::marker::PhantomData<fn(P)>,
}

impl<P: Process> Setup<P> {
    pub(crate) fn new(reader: Arc<Reader>) -> Self {
        Self { reader, options: ProcessOptions::default(), calls: Calls::default(), process: std::marker::PhantomData }
    }

    /// Works with these settings.
    pub fn options(mut self, options: ProcessOptions) -> Self {
        self.options = options;
        self
    }

    /// Can [call](super::Effect::call) this code under a name. What it answers with is recorded, with the note that it was called.
    ///
    /// It runs on the process's thread, and while it does, no instance goes on: it must not wait without end.
    pub fn calls<E: Event>(
        mut self,
        name: impl Into<String>,
        callee: impl FnMut(&Call<'_>) -> Result<Vec<E>, CallFailure> + Send + 'static,
    ) -> Self {
        self.calls.add(name.into(), callee);
        self
    }

    /// Starts it on a thread of its own; one that ran before goes on where it was. It runs until it is told to stop, its [`RunningProcess`]
    /// is dropped, or the store is closed.
    ///
    /// # Errors
    /// `Unanswerable` for a name that names no stream, for a path it ran on differently before, and while it is running; what the store may
    /// fail with.
    pub fn start(self) -> Result<RunningProcess<P>> {
        let reader = Arc::clone(&self.reader);
        let prepared = self.prepare()?;
        let handlers = reader.store.handlers();
        let running =
            handlers.start(&prepared.name, &prepared.source, prepared.options, prepared.worker).map_err(group_error)?;
        Ok(RunningProcess::new(running, Instances::new(reader)?, prepared.agenda))
    }

    /// As [`start`](Setup::start), but without a thread: the caller takes its steps.
    ///
    /// # Errors
    /// As [`start`](Setup::start).
    pub fn runner(self) -> Result<ProcessRunner<P>> {
        let reader = Arc::clone(&self.reader);
        let prepared = self.prepare()?;
        let handlers = reader.store.handlers();
        let runner = handlers
            .runner(&prepared.name, &prepared.source, prepared.options, prepared.worker)
            .map_err(group_error)?;
        let clock = Arc::clone(reader.store.clock());
        Ok(ProcessRunner { runner, clock, instances: Instances::new(reader)?, agenda: prepared.agenda })
    }

    fn prepare(self) -> Result<Prepared<P>> {
        let store = &self.reader.store;
        let names = Names::of::<P>()?;
        let from = beginning(&self.reader, &names, self.options.start)?;
        let agenda: SharedAgenda = Arc::new(Mutex::new(agenda_of(&self.reader, &names)?));
        let options = HandlerOptions {
            start: From::Position(from),
            order: HandlingOrder::ByKey { key: key_of::<P>()?, after_park: AfterPark::Hold },
            batch_events: self.options.batch_events,
            // Only the store itself fails a delivery: that is tried for ever.
            max_retry_count: i32::MAX.unsigned_abs(),
            backoff: self.options.backoff,
            checkpoint_after: self.options.checkpoint_after,
            ..HandlerOptions::default()
        };
        let source = Source::Query(names.heard::<P>()?);
        let worker = Worker {
            namespace: Namespace::of(store.info()?.store_id, P::NAME),
            instances: RefCell::new(Recent::new(self.options.cached_instances)),
            lane: Lane::default(),
            unlisted: 0,
            agenda: Arc::clone(&agenda),
            reader: self.reader,
            options: self.options,
            calls: RefCell::new(self.calls),
            names,
            from,
        };
        Ok(Prepared { name: format!("process:{}", P::NAME), source, options, worker, agenda })
    }
}

struct Prepared<P: Process> {
    name: String,
    source: Source,
    options: HandlerOptions,
    worker: Worker<P>,
    agenda: SharedAgenda,
}

/// A process, brought forward by its caller step by step.
#[derive(Debug)]
pub struct ProcessRunner<P: Process> {
    runner: HandlerRunner,
    clock: Arc<dyn Clock>,
    instances: Instances<P>,
    agenda: SharedAgenda,
}

impl<P: Process> ProcessRunner<P> {
    /// Does one thing, without waiting.
    pub fn step(&mut self) -> Step {
        self.runner.step()
    }

    /// Takes steps until there is nothing to do at this time.
    pub fn settle(&mut self) {
        loop {
            match self.step() {
                Step::Worked => {}
                Step::Idle(Some(until)) if until <= self.clock.elapsed() => {}
                #[allow(clippy::wildcard_enum_match_arm)] // the store's enum, which grows: nothing else is work
                Step::Idle(_) | Step::Paused | Step::Ended | _ => return,
            }
        }
    }

    /// Its instances.
    #[must_use]
    pub fn instances(&self) -> &Instances<P> {
        &self.instances
    }

    /// The parked instances, and why they are.
    #[must_use]
    pub fn parked(&self) -> Vec<(String, String)> {
        self.agenda.lock().unwrap_or_else(std::sync::PoisonError::into_inner).parked()
    }
}

/// Where a process begins: as was written down when it first started.
fn beginning(reader: &Reader, names: &Names, start: Start) -> Result<Position> {
    const STARTED: &str = "$process-started";
    let (store, stream) = (&reader.store, names.process()?);
    let written = || -> Result<Option<Position>> {
        let mut reading =
            match store.read_stream(stream.clone(), ReadOptions { limit: Some(1), ..ReadOptions::default() }) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                reading => reading?,
            };
        let Some(batch) = reading.next_batch()? else { return Ok(None) };
        let data = batch.iter().next().map(|event| serde_json::from_slice::<BTreeMap<String, Position>>(event.data));
        let from = data.and_then(Result::ok).and_then(|data| data.get("from").copied());
        from.map(Some)
            .ok_or_else(|| Error::Unanswerable(format!("process did not write down where it began, stream={stream}")))
    };
    if let Some(from) = written()? {
        return Ok(from);
    }
    let from = match start {
        Start::Beginning => Position::START,
        Start::Now => store.head().position(),
    };
    let started = EventData::json(EventType::new(STARTED)?, format!(r#"{{"from":{from}}}"#));
    match store.append(stream.clone(), ExpectedRevision::NoStream, [started]).wait() {
        Ok(_) => Ok(from),
        Err(gesta_store::AppendError::Failed(error)) => Err(error.into()),
        // Somebody else was faster.
        Err(gesta_store::AppendError::Rejected(rejection)) => written()?.ok_or(Error::Rejected(rejection)),
    }
}

/// Who waits for what: of those the last roster lists, and those that wrote a record since.
fn agenda_of(reader: &Reader, names: &Names) -> Result<Agenda> {
    let Roster { to, mut waiting } = roster::read(&reader.store, names)?.unwrap_or_default();
    let options = ReadOptions { from: From::Position(to), ..ReadOptions::default() };
    let mut reading = reader.store.read_query(Query::of(names.records()), options)?;
    while let Some(batch) = reading.next_batch()? {
        let instances = batch.iter().filter_map(|event| names.instance_at(event.stream).map(str::to_owned));
        waiting.extend(instances);
    }
    let mut agenda = Agenda::default();
    for name in waiting {
        let ledger = read_ledger(&reader.store, &names.stream(&name)?)?;
        agenda.set(&name, rest_of(&ledger));
    }
    Ok(agenda)
}

fn rest_of(ledger: &Ledger) -> Rest {
    if let Some(parked) = &ledger.parked {
        return Rest::Parked(parked.reason.clone());
    }
    match ledger.next_timer() {
        _ if ledger.is_at_rest() => Rest::Idle,
        Some((_, _, due)) if ledger.next_undelayed().is_none() && !ledger.is_behind() => Rest::Until(due),
        Some(_) | None => Rest::Retry { at: Duration::ZERO, tries: 0, reason: "it was interrupted".to_owned() },
    }
}

/// What keeps the events of an instance together.
fn key_of<P: Process>() -> Result<KeyOf> {
    if !P::AT.starts_with('/') || <P::Key as Key>::PARTS == 0 {
        return Ok(KeyOf::Stream);
    }
    // The first `*` captures: two instances that share it wait for one another, and nothing else.
    let pattern = PathPattern::new(&P::AT.replacen('*', "{first}", 1))?;
    Ok(KeyOf::PathSegment { pattern, name: "first".into() })
}

fn group_error(error: gesta_store::GroupError) -> Error {
    #[allow(clippy::wildcard_enum_match_arm)] // only one kind is an error of ours
    match error {
        gesta_store::GroupError::Store(error) => Error::Store(error),
        other => Error::Unanswerable(format!("process cannot be started: {other}")),
    }
}

impl<P: Process> std::fmt::Debug for Setup<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("process", &P::NAME)
            .field("options", &self.options)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}
