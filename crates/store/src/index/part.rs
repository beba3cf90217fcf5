//! One contiguous range of positions, in a file or in memory: the same questions for both.

use std::{ops::Range, sync::Arc};

use super::{
    Towards,
    memory::{Memory, TermId},
    postings::{Cursor, List},
    run::Run,
    term::Key,
};
use crate::{error::Result, position::Position};

/// A part of the index.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A run file.
    Run(Arc<Run>),
    /// Positions in memory, up to an end: the open part has none, a pending part has the place where its log segment ended.
    Memory(Arc<Memory>, u64),
}

/// Where a term is in a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum PartList {
    Run(List),
    Memory(TermId),
}

/// A term that was found in a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) list: PartList,
    /// How many events carried the term before this part, where the part knows.
    pub(super) base: Option<u64>,
}

impl Part {
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Run(run) => run.trailer.extent.first,
            Self::Memory(memory, _) => memory.first(),
        }
    }

    /// The position after the part's range.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Run(run) => run.trailer.extent.end,
            Self::Memory(_, end) => *end,
        }
    }

    pub(super) fn find(&self, key: Key<'_>) -> Result<Option<Found>> {
        Ok(match self {
            Self::Run(run) => run.find(key)?.map(|list| Found { list: PartList::Run(list), base: Some(list.base) }),
            Self::Memory(memory, _) => {
                let tables = memory.read();
                tables.find(key).map(|id| Found { list: PartList::Memory(id), base: tables.base(id) })
            }
        })
    }

    /// How many positions of a list are before `at`.
    pub(super) fn rank(&self, list: PartList, at: u64) -> Result<u64> {
        match (self, list) {
            (Self::Run(run), PartList::Run(list)) if at >= run.trailer.extent.end => Ok(list.count),
            (Self::Run(run), PartList::Run(list)) => Cursor::new(list).rank(run.body(), self.distance(at)),
            (Self::Memory(memory, end), PartList::Memory(id)) => {
                let tables = memory.read();
                let (postings, at) = (tables.postings(id), at.min(*end).saturating_sub(memory.first()));
                // Mostly everything is before, or the last one alone is not.
                Ok(match postings.last() {
                    Some(&last) if u64::from(last) >= at => postings.partition_point(|&item| u64::from(item) < at),
                    Some(_) | None => postings.len(),
                } as u64)
            }
            (Self::Run(_), PartList::Memory(_)) | (Self::Memory(..), PartList::Run(_)) => unreachable_list(),
        }
    }

    /// The position with ordinal `n` within a list, which must have it.
    pub(super) fn nth(&self, list: PartList, n: u64) -> Result<u64> {
        let distance = match (self, list) {
            (Self::Run(run), PartList::Run(list)) => Cursor::new(list).nth(run.body(), n)?,
            (Self::Memory(memory, _), PartList::Memory(id)) => memory.read().postings(id)[n as usize],
            (Self::Run(_), PartList::Memory(_)) | (Self::Memory(..), PartList::Run(_)) => unreachable_list(),
        };
        Ok(self.first() + u64::from(distance))
    }

    /// Appends the positions with these ordinals within a list, which must have them.
    pub(super) fn copy(
        &self,
        list: PartList,
        ordinals: Range<u64>,
        towards: Towards,
        out: &mut Vec<Position>,
    ) -> Result<()> {
        let (first, start) = (self.first(), out.len());
        let mut push = |item: u32| out.push(Position(first + u64::from(item)));
        match (self, list) {
            (Self::Run(run), PartList::Run(list)) => Cursor::new(list).for_each(run.body(), ordinals, &mut push)?,
            (Self::Memory(memory, _), PartList::Memory(id)) => {
                let tables = memory.read();
                let items = &tables.postings(id)[ordinals.start as usize..ordinals.end as usize];
                items.iter().copied().for_each(&mut push);
            }
            (Self::Run(_), PartList::Memory(_)) | (Self::Memory(..), PartList::Run(_)) => unreachable_list(),
        }
        match towards {
            Towards::Newer => {}
            Towards::Older => out[start..].reverse(),
        }
        Ok(())
    }

    /// The distance of a position from the part's first one, cut to the part's range.
    pub(super) fn distance(&self, at: u64) -> u32 {
        let end = match self {
            Self::Run(run) => run.trailer.extent.end,
            Self::Memory(memory, end) => memory.read().end().min(*end),
        };
        let distance = at.clamp(self.first(), end.max(self.first())) - self.first();
        u32::try_from(distance).expect("a part spans less than 2^32 positions")
    }
}

fn unreachable_list() -> ! {
    panic!("a list is only used with the part it was found in")
}
