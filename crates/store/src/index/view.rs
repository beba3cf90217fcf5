//! All parts of the index at one moment, and questions about one term in them.
//!
//! Parts are asked from the newest to the oldest, and no further than needed: a run knows how many events carried a term before
//! it, so the first run that has the term ends the search for a count. Parts in memory know that for streams only; for other
//! terms the next older part that has the term tells it.

use std::{ops::Range, sync::Arc};

use super::{
    Towards,
    memory::Memory,
    part::{Part, PartList},
    term::Key,
};
use crate::{
    error::Result,
    position::{Position, Revision},
};

/// The parts, oldest first, without a gap; the last one is the open part.
#[derive(Debug)]
pub(super) struct View {
    pub(super) parts: Vec<Part>,
}

/// A part that has a term, and which of the term's ordinals are in it.
struct Holding<'v> {
    part: &'v Part,
    list: PartList,
    base: u64,
    count: u64,
}

impl View {
    /// The part that takes new events.
    pub(super) fn open(&self) -> &Arc<Memory> {
        match self.parts.last() {
            Some(Part::Memory(memory, _)) => memory,
            Some(Part::Run(_)) | None => panic!("the last part of a view is the open one"),
        }
    }

    /// The parts that have the term before `to`, newest first, as far back as the ordinal `back_to`, and at least one if there is any.
    fn holdings(&self, key: Key<'_>, to: u64, back_to: u64) -> Result<Vec<Holding<'_>>> {
        holdings(&self.parts, key, to, back_to)
    }

    /// How many events before the part with this index carry the term.
    pub(super) fn count_before_part(&self, index: usize, key: Key<'_>) -> Result<u64> {
        let newest = holdings(&self.parts[..index], key, u64::MAX, u64::MAX)?;
        Ok(newest.first().map_or(0, |newest| newest.base + newest.count))
    }

    /// How many events before `to` carry the term.
    pub(super) fn count(&self, key: Key<'_>, to: u64) -> Result<u64> {
        let holdings = self.holdings(key, to, u64::MAX)?;
        Ok(holdings.first().map_or(0, |newest| newest.base + newest.count))
    }

    /// Whether an event in `range` carries the term. Looks only at the parts that reach into the range, and allocates nothing.
    pub(super) fn any(&self, key: Key<'_>, range: Range<u64>) -> Result<bool> {
        let newest_first = self.parts.iter().rev().filter(|part| part.first() < range.end);
        for part in newest_first.take_while(|part| part.end() > range.start) {
            if let Some(found) = part.find(key)?
                && part.rank(found.list, range.end)? > part.rank(found.list, range.start.max(part.first()))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ordinal and position of the last event before `to` that carries the term.
    pub(super) fn last(&self, key: Key<'_>, to: u64) -> Result<Option<(Revision, Position)>> {
        let holdings = self.holdings(key, to, u64::MAX)?;
        let Some(newest) = holdings.first() else { return Ok(None) };
        let position = newest.part.nth(newest.list, newest.count - 1)?;
        Ok(Some((Revision(newest.base + newest.count - 1), Position(position))))
    }

    /// The position of the event with ordinal `n` among those before `to`.
    pub(super) fn nth(&self, key: Key<'_>, n: u64, to: u64) -> Result<Option<Position>> {
        for holding in self.holdings(key, to, n)? {
            if holding.base <= n {
                let within = n - holding.base;
                return match within < holding.count {
                    true => Ok(Some(Position(holding.part.nth(holding.list, within)?))),
                    false => Ok(None),
                };
            }
        }
        Ok(None)
    }

    /// Appends the positions with these ordinals among those before `to`; there may be fewer.
    pub(super) fn copy(
        &self,
        key: Key<'_>,
        ordinals: Range<u64>,
        towards: Towards,
        to: u64,
        out: &mut Vec<Position>,
    ) -> Result<()> {
        let mut holdings = self.holdings(key, to, ordinals.start)?;
        if towards == Towards::Newer {
            holdings.reverse();
        }
        for holding in holdings {
            let (start, end) = holding.overlap(ordinals.start, ordinals.end);
            if start < end {
                holding.part.copy(holding.list, start..end, towards, out)?;
            }
        }
        Ok(())
    }
}

impl Holding<'_> {
    /// The part of the ordinals `start..end` that is here, as ordinals within the list.
    fn overlap(&self, start: u64, end: u64) -> (u64, u64) {
        (start.max(self.base) - self.base, end.clamp(self.base, self.base + self.count) - self.base)
    }
}

/// Gives bases to the last `open_ended` holdings, of which the oldest, now last, begins at `base`.
fn complete(holdings: &mut [Holding<'_>], open_ended: usize, base: u64) {
    let mut base = base;
    let settled = holdings.len() - open_ended;
    for holding in holdings[settled..].iter_mut().rev() {
        holding.base = base;
        base += holding.count;
    }
}

/// See [`View::holdings`].
fn holdings<'v>(parts: &'v [Part], key: Key<'_>, to: u64, back_to: u64) -> Result<Vec<Holding<'v>>> {
    let mut holdings: Vec<Holding<'v>> = Vec::new();
    // How many of the newest holdings have no base yet.
    let mut open_ended = 0;
    for part in parts.iter().rev().filter(|part| part.first() < to) {
        let Some(found) = part.find(key)? else { continue };
        let count = part.rank(found.list, to)?;
        if count > 0 {
            holdings.push(Holding { part, list: found.list, base: 0, count });
            open_ended += 1;
        }
        if let Some(base) = found.base {
            complete(&mut holdings, open_ended, base);
            if count > 0 {
                open_ended = 0;
            }
            if base == 0 || (count > 0 && base <= back_to) {
                return Ok(holdings);
            }
        }
    }
    complete(&mut holdings, open_ended, 0);
    Ok(holdings)
}
