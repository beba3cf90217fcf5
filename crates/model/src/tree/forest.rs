//! The nodes that were computed, kept as long as there is room: they are functions of what cannot change, so they are evicted and never wrong.

use std::{ops::Range, sync::Arc};

use super::cover::{FAN_OUT, NodeId};
use crate::error::Result;

/// Bytes a node costs beside what it holds (the cache's lists, its key, its lock).
const NODE_BYTES: usize = 200;

/// Trees of one kind of nodes: one for each line.
pub(crate) struct Forest<N> {
    nodes: moka::sync::Cache<NodeKey, Arc<N>, foldhash::fast::RandomState>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct NodeKey {
    /// The stream, or `None` for the whole log.
    line: Option<Arc<str>>,
    node: NodeId,
}

/// Where the nodes of one line come from.
pub(crate) trait Grow {
    type Node;

    /// The nodes of level 0 for a range of whole blocks, all recorded.
    fn leaves(&self, blocks: Range<u64>) -> Result<Vec<Self::Node>>;

    /// The node above `children`.
    fn join(&self, node: NodeId, children: &[Arc<Self::Node>]) -> Result<Self::Node>;

    /// What the line is called.
    fn line(&self) -> Option<&Arc<str>>;
}

impl<N: Send + Sync + 'static> Forest<N> {
    pub(crate) fn new(bytes_max: u64, bytes: fn(&N) -> usize) -> Self {
        let weigher = move |_: &NodeKey, node: &Arc<N>| u32::try_from(NODE_BYTES + bytes(node)).unwrap_or(u32::MAX);
        let nodes = moka::sync::Cache::builder().weigher(weigher).max_capacity(bytes_max);
        Self { nodes: nodes.build_with_hasher(foldhash::fast::RandomState::default()) }
    }

    /// A node, computed if it is not there. Two who ask at once may both compute it, and get the same.
    pub(crate) fn node(&self, grow: &dyn Grow<Node = N>, node: NodeId) -> Result<Arc<N>> {
        let key = |node| NodeKey { line: grow.line().cloned(), node };
        if let Some(found) = self.nodes.get(&key(node)) {
            return Ok(found);
        }
        let children = node.index * FAN_OUT..(node.index + 1) * FAN_OUT;
        let made = match node.level.checked_sub(1) {
            None => grow.leaves(node.blocks())?.pop().expect("one leaf for one block"),
            Some(0) => grow.join(node, &self.leaves(grow, children)?)?,
            Some(level) => {
                let children = children.map(|index| self.node(grow, NodeId { level, index }));
                grow.join(node, &children.collect::<Result<Vec<_>>>()?)?
            }
        };
        let made = Arc::new(made);
        self.nodes.insert(key(node), Arc::clone(&made));
        Ok(made)
    }

    /// Neighbouring leaves: those that are missing are read at once.
    fn leaves(&self, grow: &dyn Grow<Node = N>, blocks: Range<u64>) -> Result<Vec<Arc<N>>> {
        let key = |index| NodeKey { line: grow.line().cloned(), node: NodeId { level: 0, index } };
        let found: Option<Vec<_>> = blocks.clone().map(|index| self.nodes.get(&key(index))).collect();
        if let Some(found) = found {
            return Ok(found);
        }
        let made: Vec<_> = grow.leaves(blocks.clone())?.into_iter().map(Arc::new).collect();
        for (index, leaf) in blocks.zip(&made) {
            self.nodes.insert(key(index), Arc::clone(leaf));
        }
        Ok(made)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.nodes.invalidate_all();
        self.nodes.run_pending_tasks();
    }

    /// Nodes held, and their bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.nodes.run_pending_tasks();
        (self.nodes.entry_count(), self.nodes.weighted_size())
    }
}
