//! Which nodes cover a range: pure arithmetic.
//!
//! A line of places 0, 1, 2, … is cut into blocks of a fixed number of places; a node of level 0 is a block, a node of level *n* is
//! [`FAN_OUT`] nodes of level *n − 1*. Nodes are aligned, so a node is the same whoever asks for it, and once its last place is recorded it never
//! changes.

use std::ops::Range;

/// Children of a node. With 16, an answer composes at most 15 nodes a level, and 10 million events are five levels of 256.
pub(crate) const FAN_OUT: u64 = 16;

/// A node: its level, and its number in that level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId {
    pub(crate) level: u8,
    pub(crate) index: u64,
}

impl NodeId {
    /// The blocks under the node.
    pub(crate) fn blocks(self) -> Range<u64> {
        let width = FAN_OUT.pow(self.level.into());
        self.index * width..(self.index + 1) * width
    }
}

/// A range, taken apart: places before the first whole block, whole nodes from left to right, places after the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    pub(crate) before: Range<u64>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) after: Range<u64>,
}

/// Takes a range of places apart, with the fewest nodes.
pub(crate) fn cover(range: Range<u64>, block: u64) -> Cover {
    let (first, end) = (range.start.div_ceil(block), range.end / block);
    if first >= end {
        return Cover { after: range.end..range.end, nodes: Vec::new(), before: range };
    }
    let mut nodes = Vec::new();
    let mut at = first;
    while at < end {
        let (mut level, mut width) = (0, 1);
        while at.is_multiple_of(width * FAN_OUT) && at + width * FAN_OUT <= end {
            (level, width) = (level + 1, width * FAN_OUT);
        }
        nodes.push(NodeId { level, index: at / width });
        at += width;
    }
    Cover { before: range.start..first * block, nodes, after: end * block..range.end }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cover_is_the_range_and_small() {
        proptest!(|(from in 0..200_000_u64, length in 0..200_000_u64, block in 1..300_u64)| {
            let cover = cover(from..from + length, block);
            let mut at = cover.before.end;
            prop_assert_eq!(cover.before.start, from);
            for node in &cover.nodes {
                let blocks = node.blocks();
                prop_assert_eq!(blocks.start * block, at);
                at = blocks.end * block;
            }
            prop_assert_eq!(cover.after.clone(), if cover.nodes.is_empty() { from + length..from + length } else { at..from + length });
            let edge = if cover.nodes.is_empty() { 2 * block - 1 } else { block };
            prop_assert!(cover.before.end - cover.before.start < edge && cover.after.end - cover.after.start < block);
            prop_assert!(cover.nodes.len() <= 2 * 15 * 5, "at most 15 a level on either side");
        });
    }
}
