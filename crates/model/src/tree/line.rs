//! A line of events, cut into blocks: the log for a scope over many streams, or one stream by its revisions. And how nodes of it are computed.

use std::{ops::Range, sync::Arc};

use gesta_store::{EventRef, EventStore, From, Position, Revision};

use super::{audit::Auditor, cover::NodeId, forest::Grow, run::Run};
use crate::{
    algebra::Monoid,
    error::Result,
    event::Place,
    fold::{Folded, Part, all, each},
    laws::{Laws, Witness},
    model::{Algebraic, Model},
    scope::{Scope, paths_of},
};

/// What the places of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Positions of the log.
    Positions,
    /// Revisions of the only stream.
    Revisions,
}

/// A line of events as of a head.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) store: EventStore,
    pub(crate) scope: Scope,
    pub(crate) axis: Axis,
    /// Places in a block.
    pub(crate) block: u64,
    /// Nothing from here on exists for whoever asks.
    pub(crate) head: Position,
}

impl Line {
    /// Sees the events at a range of places, all of them.
    pub(crate) fn each<M: Model>(
        &self,
        places: Range<u64>,
        see: impl FnMut(&EventRef<'_>, &M::Event, &Place<'_>),
    ) -> Result<Folded> {
        if places.is_empty() {
            return Ok(Folded::default());
        }
        let part = match self.axis {
            Axis::Positions => {
                Part { from: From::Position(Position(places.start)), head: Position(places.end), limit: None }
            }
            Axis::Revisions => {
                let limit = Some(places.end - places.start);
                Part { from: From::Revision(Revision(places.start)), head: self.head, limit }
            }
        };
        each::<M>(&self.store, &self.scope, part, &mut all(see))
    }

    fn block_of(&self, event: &EventRef<'_>) -> u64 {
        match self.axis {
            Axis::Positions => event.position.0 / self.block,
            Axis::Revisions => event.revision.0 / self.block,
        }
    }
}

/// One summary.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole<S> {
    pub(crate) summary: S,
}

impl<S: Monoid> Whole<S> {
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.summary.heap_bytes()
    }
}

/// Grows nodes with one summary for all events of the line.
pub(crate) struct Wholes<'l, M> {
    pub(crate) line: &'l Line,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) auditor: &'l Auditor,
    pub(crate) model: std::marker::PhantomData<fn() -> M>,
}

const ASSOCIATIVITY: &str = "associativity: (a·b)·c = a·(b·c)";
const SIDES: [&str; 2] = ["from the left: ", "from the right:"];

/// Events of the blocks that are audited, by block.
type Evidence<E> = Vec<(u64, Vec<Witness<E>>)>;

fn evidence_for<E>(auditor: &Auditor, blocks: Range<u64>) -> Evidence<E> {
    blocks.filter(|block| auditor.wants(*block)).map(|block| (block, Vec::new())).collect()
}

impl<M: Algebraic<Event: Clone>> Grow for Wholes<'_, M> {
    type Node = Whole<M::Summary>;

    fn leaves(&self, blocks: Range<u64>) -> Result<Vec<Self::Node>> {
        let nothing = || Whole { summary: M::Summary::identity() };
        let mut leaves: Vec<_> = blocks.clone().map(|_| nothing()).collect();
        let mut evidence = evidence_for::<M::Event>(self.auditor, blocks.clone());
        let places = blocks.start * self.line.block..blocks.end * self.line.block;
        self.line.each::<M>(places, |recorded, event, place| {
            let block = self.line.block_of(recorded);
            let leaf = usize::try_from(block - blocks.start).expect("a few blocks are read at once");
            leaves[leaf].summary.combine(&M::lift(event, place));
            if let Some((_, witnesses)) = evidence.iter_mut().find(|(audited, _)| *audited == block) {
                witnesses.push(Witness::of(event.clone(), recorded));
            }
        })?;
        for (_, witnesses) in evidence {
            self.auditor.check(&Laws::<M>::default(), witnesses)?;
        }
        Ok(leaves)
    }

    fn join(&self, node: NodeId, children: &[Arc<Self::Node>]) -> Result<Self::Node> {
        let summaries = || children.iter().map(|child| &child.summary);
        let summary = M::Summary::product(summaries());
        if self.auditor.wants(node.index) {
            let other = summaries().rev().fold(M::Summary::identity(), |later, child| child.clone().then(&later));
            self.auditor.expect_equal::<M, _>(ASSOCIATIVITY, SIDES, &summary, &other)?;
            self.auditor.compare::<M>(&summary, summaries())?;
        }
        Ok(Whole { summary })
    }

    fn line(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }
}

/// Grows nodes with a summary for each path.
pub(crate) struct Runs<'l, M> {
    pub(crate) line: &'l Line,
    pub(crate) auditor: &'l Auditor,
    pub(crate) model: std::marker::PhantomData<fn() -> M>,
}

impl<M: Algebraic<Event: Clone>> Runs<'_, M> {
    /// The run of a range of places.
    pub(crate) fn run(&self, places: Range<u64>) -> Result<Run<M::Summary>> {
        // Paths end to end, and for each event on a path where its path is.
        let (mut text, mut entries) = (String::new(), Vec::new());
        let audited = self.auditor.wants(places.start / self.line.block);
        let mut evidence: Option<(String, Vec<Witness<M::Event>>)> = None;
        let folded = self.line.each::<M>(places, |recorded, event, place| {
            for path in paths_of::<M>(recorded.stream, recorded.tags.iter()) {
                let start = text.len();
                text.push_str(path);
                entries.push((start..text.len(), M::lift(event, place)));
                if audited {
                    let (chosen, witnesses) = evidence.get_or_insert_with(|| (path.to_owned(), Vec::new()));
                    if *chosen == path {
                        witnesses.push(Witness::of(event.clone(), recorded));
                    }
                }
            }
        })?;
        if let Some((_, witnesses)) = evidence {
            self.auditor.check(&Laws::<M>::default(), witnesses)?;
        }
        Ok(Run::of(
            entries.into_iter().map(|(path, summary)| (&text[path], summary)).collect(),
            folded.skipped + folded.parked.len() as u64,
        ))
    }
}

impl<M: Algebraic<Event: Clone>> Grow for Runs<'_, M> {
    type Node = Run<M::Summary>;

    fn leaves(&self, blocks: Range<u64>) -> Result<Vec<Self::Node>> {
        let block = self.line.block;
        blocks.map(|index| self.run(index * block..(index + 1) * block)).collect()
    }

    fn join(&self, node: NodeId, children: &[Arc<Self::Node>]) -> Result<Self::Node> {
        let run = Run::merge_all(children);
        if self.auditor.wants(node.index) {
            let from_the_left =
                children.iter().skip(1).fold(Run::clone(&children[0]), |all, run| Run::merge(&all, run));
            self.auditor.expect_equal::<M, _>(ASSOCIATIVITY, SIDES, &from_the_left, &run)?;
            // One path stands for all of them.
            if let Some((path, summary)) = run.iter().nth(usize::try_from(node.index).unwrap_or(0) % run.len().max(1)) {
                self.auditor.compare::<M>(summary, children.iter().filter_map(|child| child.get(path)))?;
            }
        }
        Ok(run)
    }

    fn line(&self) -> Option<&Arc<str>> {
        None
    }
}
