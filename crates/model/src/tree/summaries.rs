//! What can be asked of the summaries of a model.

use std::{
    fmt,
    marker::PhantomData,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use gesta_store::{AsOf, Direction, ErrorKind, EventStore, Position, ReadOptions, StreamName};

use super::{
    RUN_BLOCK, Run, SHORT, TreeOptions, WHOLE_BLOCK, Workers,
    audit::Auditor,
    cover::{Cover, FAN_OUT, NodeId, cover},
    forest::Forest,
    line::{Axis, Line, Runs, Whole, Wholes},
};
use crate::{
    algebra::{Monoid, Reset},
    demotion::Demotion,
    error::{Error, Result, guarded},
    fold::{Folded, Part, each_backward, fold, stop_if},
    key::Key,
    laws::{Laws, Witness},
    model::{Algebraic, Model, Unreadable},
    scope::{Scope, path_of},
};

/// Events a check of a reset looks at, at most.
const EVIDENCE_MAX: usize = 512;
/// And before the reset.
const BEFORE_RESET: usize = 32;
/// Most times the density of a model's events stretches its blocks.
const STRETCH_MAX: u64 = 1 << 12;

/// The summaries of an algebraic model: see [`Domain::accelerate`](crate::Domain::accelerate). Cheap to clone.
pub struct Summaries<M: Algebraic> {
    inner: Arc<Inner<M>>,
}

struct Inner<M: Algebraic> {
    store: EventStore,
    options: TreeOptions,
    /// By how much blocks of the log are longer, because few of its events are the model's.
    stretch: u64,
    wholes: Forest<Whole<M::Summary>>,
    runs: Forest<Run<M::Summary>>,
    auditor: Auditor,
}

impl<M: Algebraic> Clone for Summaries<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// Facts about summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SummariesInfo {
    /// Nodes held.
    pub nodes: u64,
    /// What they weigh, in bytes.
    pub bytes: u64,
}

/// A state by summaries.
#[derive(Debug)]
pub(crate) struct Answer<M> {
    pub(crate) state: M,
    /// Nodes composed.
    pub(crate) nodes: usize,
    /// What was folded after them.
    pub(crate) tail: Folded,
}

/// A faster way to the states of a model. The seam between `get`, which takes any model, and summaries, which take algebraic ones.
pub(crate) trait Fast<M: Model>: Send + Sync {
    /// The state at `head`; `None` if folding is better, or the model was demoted.
    fn state(&self, key: &M::Key, scope: &Scope, head: Position) -> Result<Option<Answer<M>>>;
}

impl<M: Algebraic<Event: Clone>> Summaries<M> {
    pub(crate) fn new(store: EventStore, options: TreeOptions) -> Result<Self> {
        // A model with many instances, each by a query of its own, has no scope of all.
        let scope = if M::Key::PARTS == 0 { Some(only_scope::<M>()?) } else { Scope::pattern::<M>().ok() };
        let stretch = scope.map_or(Ok(1), |scope| stretch(&store, &scope))?;
        let inner = Inner {
            store,
            options,
            stretch,
            wholes: Forest::new(options.cache_bytes, Whole::bytes),
            runs: Forest::new(options.cache_bytes, Run::bytes),
            auditor: Auditor::new(options.audit_share),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The state of one instance when everything below `head` was recorded.
    ///
    /// # Errors
    /// As [`Get::wait`](crate::Get::wait); `Demoted` if a law turned out to be false.
    pub fn state(&self, key: &M::Key, head: Position) -> Result<M> {
        let scope = Scope::of::<M>(key)?;
        if !scope.is_steady(&self.inner.store)? {
            return self.folded(&scope, head);
        }
        self.answer(key, &scope, head).map(|answer| answer.state)
    }

    /// What the events of one instance in a range of positions come to.
    ///
    /// # Errors
    /// As [`state`](Summaries::state).
    pub fn between(&self, key: &M::Key, range: Range<Position>) -> Result<M::Summary> {
        let scope = Scope::of::<M>(key)?;
        if !scope.is_steady(&self.inner.store)? {
            // What its readers see now, no node has.
            let line = self.log(scope, range.end, WHOLE_BLOCK)?;
            return self.lifted(&line, range.start.0..range.end.0);
        }
        let Some(line) = self.line(&scope, range.end)? else { return self.between_by_runs(key, scope, range) };
        let places = match line.axis {
            Axis::Positions => range.start.0..range.end.0,
            Axis::Revisions => {
                let stream = line.scope.stream().expect("revisions are of a stream");
                let [start, end] = [range.start, range.end].map(|head| length(&self.inner.store, stream, head));
                start?..end?
            }
        };
        let Cover { before, nodes, after } = cover(places, line.block);
        let mut sum = self.lifted(&line, before)?;
        for node in nodes {
            sum.combine(&self.whole(&line, node)?.summary);
        }
        sum.combine(&self.lifted(&line, after)?);
        Ok(sum)
    }

    fn between_by_runs(&self, key: &M::Key, scope: Scope, range: Range<Position>) -> Result<M::Summary> {
        let (runs, path) = self.runs_with(key, range.end)?;
        let Cover { before, nodes, after } = cover(range.start.0..range.end.0, runs.block);
        // At the edges the events of this instance alone: by the index.
        let own = Line { scope, ..runs.clone() };
        let mut sum = self.lifted(&own, before)?;
        self.compose(&runs, nodes, &path, &mut sum)?;
        sum.combine(&self.lifted(&own, after)?);
        Ok(sum)
    }

    /// What the events of every instance in a range of positions come to, by path. A model with many instances only.
    ///
    /// Counts what the log holds, as queries do: events that a stream's metadata hides too.
    ///
    /// # Errors
    /// As [`state`](Summaries::state).
    pub fn by_path_between(&self, range: Range<Position>) -> Result<Run<M::Summary>> {
        let line = self.log(Scope::pattern::<M>()?, range.end, RUN_BLOCK)?;
        let mut parts = Vec::new();
        let edges = &mut |places: Range<u64>, parts: &mut Vec<Arc<Run<M::Summary>>>| {
            if !places.is_empty() {
                parts.push(Arc::new(self.runs_of(&line).run(places)?));
            }
            Ok::<_, Error>(())
        };
        let Cover { before, nodes, after } = cover(range.start.0..range.end.0, line.block);
        edges(before, &mut parts)?;
        for node in nodes {
            parts.push(self.run(&line, node)?);
        }
        edges(after, &mut parts)?;
        Ok(Run::merge_all(&parts))
    }

    /// The state of one instance by the runs of all: no stream of its own is needed.
    ///
    /// # Errors
    /// As [`state`](Summaries::state).
    pub fn point(&self, key: &M::Key, head: Position) -> Result<M> {
        let scope = Scope::of::<M>(key)?;
        if !scope.is_steady(&self.inner.store)? {
            return self.folded(&scope, head);
        }
        self.by_runs(key, scope, head).map(|answer| answer.state)
    }

    /// Computes every node up to `head` that is missing, on the threads of `workers`.
    ///
    /// # Errors
    /// As [`state`](Summaries::state); the first one met.
    pub fn build(&self, workers: &dyn Workers, head: Position) -> Result<()> {
        if M::Key::PARTS > 0 {
            let line = self.log(Scope::pattern::<M>()?, head, RUN_BLOCK)?;
            let jobs = head.0 / line.block;
            all(workers, jobs, &|index| self.run(&line, NodeId { level: 0, index }).map(drop))?;
            let Cover { nodes, .. } = cover(0..head.0, line.block);
            return nodes.into_iter().try_for_each(|node| self.run(&line, node).map(drop));
        }
        let line = self.log(only_scope::<M>()?, head, WHOLE_BLOCK)?;
        // Sixteen leaves are read at once.
        let jobs = head.0 / line.block / FAN_OUT;
        all(workers, jobs, &|index| self.whole(&line, NodeId { level: 1, index }).map(drop))?;
        let Cover { nodes, .. } = cover(0..head.0, line.block);
        nodes.into_iter().try_for_each(|node| self.whole(&line, node).map(drop))
    }

    /// Why the model is answered by its fold alone; `None` while no law was found to be false.
    #[must_use]
    pub fn demotion(&self) -> Option<Demotion> {
        self.inner.auditor.demotion().cloned()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn info(&self) -> SummariesInfo {
        let [(wholes, whole_bytes), (runs, run_bytes)] = [self.inner.wholes.size(), self.inner.runs.size()];
        SummariesInfo { nodes: wholes + runs, bytes: whole_bytes + run_bytes }
    }

    /// Forgets every node. What is asked again is computed again.
    pub fn clear(&self) {
        self.inner.wholes.clear();
        self.inner.runs.clear();
    }

    /// The line that one instance is on; `None` if it has none of its own.
    fn line(&self, scope: &Scope, head: Position) -> Result<Option<Line>> {
        if M::Key::PARTS == 0 {
            return self.log(scope.clone(), head, WHOLE_BLOCK).map(Some);
        }
        Ok(scope.stream().map(|_| {
            let block = self.inner.options.block.unwrap_or(WHOLE_BLOCK);
            Line { store: self.inner.store.clone(), scope: scope.clone(), axis: Axis::Revisions, block, head }
        }))
    }

    /// The log, for a scope.
    fn log(&self, scope: Scope, head: Position, block: u64) -> Result<Line> {
        if head > self.inner.store.head().position() {
            return Err(Error::Unanswerable(format!("head is not reached yet, head={head}")));
        }
        let block = self.inner.options.block.unwrap_or(block * self.inner.stretch);
        Ok(Line { store: self.inner.store.clone(), scope, axis: Axis::Positions, block, head })
    }

    fn answer(&self, key: &M::Key, scope: &Scope, head: Position) -> Result<Answer<M>> {
        let Some(line) = self.line(scope, head)? else { return self.by_runs(key, scope.clone(), head) };
        let end = match (line.axis, scope.stream()) {
            (Axis::Revisions, Some(stream)) => length(&self.inner.store, stream, head)?,
            (Axis::Revisions | Axis::Positions, _) => head.0,
        };
        let Cover { before, nodes, after } = cover(0..end, line.block);
        let count = nodes.len();
        let parts = nodes.into_iter().map(|node| self.whole(&line, node)).collect::<Result<Vec<_>>>()?;
        let sum = M::Summary::product(parts.iter().map(|part| &part.summary));
        if self.inner.auditor.wants_answer() {
            self.inner.auditor.compare::<M>(&sum, parts.iter().map(|part| &part.summary))?;
        }
        let mut state = acted(M::default(), &sum)?;
        // Without whole blocks everything is before them.
        let rest = if count == 0 { before } else { after };
        let mut tail = line.each::<M>(rest, |_, event, place| state.apply(event, place))?;
        if line.axis == Axis::Revisions {
            tail.last_revision = end.checked_sub(1).map(gesta_store::Revision);
        }
        Ok(Answer { state, nodes: count, tail })
    }

    fn by_runs(&self, key: &M::Key, scope: Scope, head: Position) -> Result<Answer<M>> {
        let (runs, path) = self.runs_with(key, head)?;
        let Cover { before, nodes, after } = cover(0..head.0, runs.block);
        let count = nodes.len();
        let parts = nodes.into_iter().map(|node| self.run(&runs, node)).collect::<Result<Vec<_>>>()?;
        let summaries = || parts.iter().filter_map(|run| run.get(&path));
        let sum = M::Summary::product(summaries());
        if self.inner.auditor.wants_answer() {
            self.inner.auditor.compare::<M>(&sum, summaries())?;
        }
        let mut state = acted(M::default(), &sum)?;
        let own = Line { scope, ..runs };
        let rest = if count == 0 { before } else { after };
        let tail = own.each::<M>(rest, |_, event, place| state.apply(event, place))?;
        Ok(Answer { state, nodes: count, tail })
    }

    /// The line of all instances, and the path under which runs have this one.
    fn runs_with(&self, key: &M::Key, head: Position) -> Result<(Line, String)> {
        if M::query(key).is_some() {
            let model = M::name();
            return Err(Error::Unanswerable(format!("a model by query has no summaries by path, model={model}")));
        }
        Ok((self.log(Scope::pattern::<M>()?, head, RUN_BLOCK)?, path_of::<M>(key)?))
    }

    /// The state by the fold alone.
    fn folded(&self, scope: &Scope, head: Position) -> Result<M> {
        self.trusted()?;
        let mut state = M::default();
        fold(&self.inner.store, scope, Part::until(head), &mut state)?;
        Ok(state)
    }

    fn compose(&self, runs: &Line, nodes: Vec<NodeId>, path: &str, sum: &mut M::Summary) -> Result<()> {
        for node in nodes {
            if let Some(part) = self.run(runs, node)?.get(path) {
                sum.combine(part);
            }
        }
        Ok(())
    }

    fn lifted(&self, line: &Line, places: Range<u64>) -> Result<M::Summary> {
        let mut sum = M::Summary::identity();
        line.each::<M>(places, |_, event, place| sum.combine(&M::lift(event, place)))?;
        Ok(sum)
    }

    fn whole(&self, line: &Line, node: NodeId) -> Result<Arc<Whole<M::Summary>>> {
        self.trusted()?;
        let name = match line.axis {
            Axis::Positions => None,
            Axis::Revisions => line.scope.stream().map(|stream| Arc::from(stream.as_str())),
        };
        let grow = Wholes::<M> { line, name, auditor: &self.inner.auditor, model: PhantomData };
        self.inner.wholes.node(&grow, node)
    }

    fn runs_of<'l>(&'l self, line: &'l Line) -> Runs<'l, M> {
        Runs { line, auditor: &self.inner.auditor, model: PhantomData }
    }

    fn run(&self, line: &Line, node: NodeId) -> Result<Arc<Run<M::Summary>>> {
        self.trusted()?;
        self.inner.runs.node(&self.runs_of(line), node)
    }

    /// Refuses to serve what may be wrong.
    fn trusted(&self) -> Result<()> {
        match self.inner.auditor.demotion() {
            None => Ok(()),
            Some(demotion) => {
                self.clear();
                Err(Error::Demoted(Box::new(demotion.clone())))
            }
        }
    }
}

impl<M: Algebraic<Event: Clone, Summary: Reset>> Summaries<M> {
    /// The state of one instance, read backwards until an event that makes everything before it irrelevant.
    ///
    /// Takes no nodes, and as long as the way to that event. Does not compile for a model whose summary knows no reset.
    ///
    /// # Errors
    /// As [`state`](Summaries::state).
    pub fn state_since_reset(&self, key: &M::Key, head: Position) -> Result<M> {
        self.trusted()?;
        let scope = Scope::of::<M>(key)?;
        let auditor = &self.inner.auditor;
        let mut sum = M::Summary::identity();
        // The events that were composed, and some before the reset, which must not matter: newest first.
        let mut evidence = auditor.wants_answer().then(Vec::new);
        let (mut found, mut before) = (false, 0);
        each_backward::<M>(&self.inner.store, &scope, head, &mut |event, place| {
            if found {
                before += 1;
            } else {
                sum = M::lift(event, place).then(&sum);
                found = sum.is_reset();
            }
            let Some(witnesses) = &mut evidence else { return stop_if(found) };
            if witnesses.len() < EVIDENCE_MAX {
                witnesses.push(Witness::at(event.clone(), place));
            }
            stop_if(found && (before == BEFORE_RESET || witnesses.len() == EVIDENCE_MAX))
        })?;
        if let Some(mut witnesses) = evidence {
            witnesses.reverse();
            auditor.check(&Laws::<M>::default().reset(), witnesses)?;
        }
        acted(M::default(), &sum)
    }
}

impl<M: Algebraic<Event: Clone>> Fast<M> for Summaries<M> {
    fn state(&self, key: &M::Key, scope: &Scope, head: Position) -> Result<Option<Answer<M>>> {
        // What was skipped is counted, and what was parked is told; nodes do neither.
        if self.inner.auditor.demotion().is_some() || M::UNREADABLE != Unreadable::Fail {
            return Ok(None);
        }
        let store = &self.inner.store;
        let events = match (M::Key::PARTS, scope.stream()) {
            (0, _) => head.0 / self.inner.stretch,
            (_, Some(stream)) => length(store, stream, head)?,
            (_, None) if M::query(key).is_some() => return Ok(None),
            (_, None) => store.explain(&scope.condition(), &ReadOptions::default())?.matches_at_most.unwrap_or(head.0),
        };
        if events < self.inner.options.block.map_or(SHORT, |block| block * 4) {
            return Ok(None);
        }
        match self.answer(key, scope, head) {
            // A law that does not hold is not the reader's trouble, nor is an event of another instance that cannot be read: the fold answers.
            Err(Error::Demoted(_) | Error::UnknownKind { .. } | Error::Undecodable { .. } | Error::Panicked { .. }) => {
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}

/// The scope of a model of which there is one.
fn only_scope<M: Model>() -> Result<Scope> {
    // A key without parts is `()`, unless the application made one of its own; then the path says which events.
    let unit: &dyn std::any::Any = &();
    unit.downcast_ref::<M::Key>().map_or_else(Scope::pattern::<M>, Scope::of::<M>)
}

fn acted<M: Algebraic>(mut state: M, summary: &M::Summary) -> Result<M> {
    guarded(
        || format!("{}::act", M::name()),
        || {
            state.act(summary);
            state
        },
    )
}

/// Runs fallible jobs; the first error is the outcome.
fn all(workers: &dyn Workers, jobs: u64, job: &(dyn Fn(u64) -> Result<()> + Sync)) -> Result<()> {
    let failed = Mutex::new(None);
    let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    let jobs = usize::try_from(jobs).map_err(|_| Error::Unanswerable("log is too long for this machine".to_owned()))?;
    workers.run(jobs, &|index| {
        if lock().is_some() {
            return;
        }
        if let Err(error) = job(index as u64) {
            lock().get_or_insert(error);
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Events in a stream when everything below `head` was recorded.
fn length(store: &EventStore, stream: &StreamName, head: Position) -> Result<u64> {
    let Some(last) = head.0.checked_sub(1) else { return Ok(0) };
    let options = ReadOptions {
        direction: Direction::Backward,
        as_of: Some(AsOf::Position(Position(last))),
        limit: Some(1),
        ..ReadOptions::default()
    };
    match store.read_stream(stream.clone(), options) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        read => Ok(read?.next().transpose()?.map_or(0, |event| event.revision.0 + 1)),
    }
}

/// By how much the blocks of a scope are longer, so that they hold about as many of its events.
fn stretch(store: &EventStore, scope: &Scope) -> Result<u64> {
    let plan = store.explain(&scope.condition(), &ReadOptions::default())?;
    let Some(matches) = plan.matches_at_most.filter(|matches| *matches > 0) else { return Ok(1) };
    let times = plan.events_in_range / matches;
    Ok(times.checked_ilog2().map_or(1, |log| 1 << log).min(STRETCH_MAX))
}

impl<M: Algebraic> fmt::Debug for Summaries<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summaries").field("model", &M::name()).finish_non_exhaustive()
    }
}
