//! Which events match a query: the parts of a view one after the other, each searched by leapfrog.
//!
//! Whoever rests between two chunks [pauses](Matches::pause): he then keeps no part of the index alive that maintenance has replaced meanwhile, and
//! goes on in what took its place.
//!
//! Within a part, an item of the query has one cursor for each of its clauses, the shortest leading: it names a candidate, the others
//! jump to it or past it, and who jumps past names the next candidate. The items' answers are merged, so a position comes
//! once. Nothing is computed before it is asked for, and no lock is held between two chunks.

use std::{
    ops::Range,
    sync::{Arc, Weak},
};

use super::{
    Towards,
    clause::{Clauses, ItemClauses},
    cursor::{Answer, Content, Cursor},
    part::Part,
    view::View,
};
use crate::{error::Result, position::Position};

/// Positions that match a query, computed as they are asked for. Holds a view of the index, no lock.
#[derive(Debug)]
pub struct Matches {
    view: Arc<View>,
    rest: Rest,
}

/// Matches that nobody asks for now. Holds nothing of the index.
#[derive(Debug)]
pub struct PausedMatches {
    view: Weak<View>,
    rest: Rest,
}

/// What is left to be searched of a view.
#[derive(Debug)]
struct Rest {
    clauses: Arc<Clauses>,
    /// The positions that are left.
    range: Range<u64>,
    towards: Towards,
    /// The parts that are still to be searched.
    parts: Range<usize>,
    /// The one that is being searched.
    search: Option<(usize, PartSearch)>,
}

impl Matches {
    pub(super) fn new(view: Arc<View>, clauses: Arc<Clauses>, range: Range<u64>, towards: Towards) -> Self {
        let first = view.parts.partition_point(|part| part.end() <= range.start);
        let last = view.parts.partition_point(|part| part.first() < range.end).max(first);
        Self { view, rest: Rest { clauses, range, towards, parts: first..last, search: None } }
    }

    /// Appends up to `max` further positions to `out`, in order. `false` when there are no more after them.
    ///
    /// # Errors
    /// `Corrupted` when a run file is damaged. What comes after is not delivered by this object any more.
    pub fn next_chunk(&mut self, max: usize, out: &mut Vec<Position>) -> Result<bool> {
        let before = out.len();
        let more = self.rest.next_chunk(&self.view, before.saturating_add(max), out)?;
        if let Some(last) = out[before..].last() {
            match self.rest.towards {
                Towards::Newer => self.rest.range.start = last.next().0,
                Towards::Older => self.rest.range.end = last.0,
            }
        }
        Ok(more)
    }

    /// Lets go of the index; [`Index::resume`](super::Index::resume) goes on.
    #[must_use]
    pub fn pause(self) -> PausedMatches {
        PausedMatches { view: Arc::downgrade(&self.view), rest: self.rest }
    }
}

impl PausedMatches {
    /// Goes on where it was: in the view it was in, if that is still there, else in the one of now, which says the same.
    pub(super) fn resume(self, now: impl FnOnce() -> Arc<View>) -> Matches {
        let Self { view, rest } = self;
        match view.upgrade() {
            Some(view) => Matches { view, rest },
            None => Matches::new(now(), rest.clauses, rest.range, rest.towards),
        }
    }
}

impl Rest {
    /// Appends positions until `out` has `target` of them; `false` when there are no more.
    fn next_chunk(&mut self, view: &View, target: usize, out: &mut Vec<Position>) -> Result<bool> {
        while out.len() < target {
            let (place, search) = match &mut self.search {
                Some(search) => search,
                none => {
                    let next = match self.towards {
                        Towards::Newer => self.parts.next(),
                        Towards::Older => self.parts.next_back(),
                    };
                    let Some(place) = next else { return Ok(false) };
                    let search = PartSearch::new(&view.parts[place], &self.clauses, &self.range, self.towards)?;
                    none.insert((place, search))
                }
            };
            if !search.next_chunk(&view.parts[*place], target, out)? {
                self.search = None;
            }
        }
        Ok(true)
    }
}

/// The search of one part.
#[derive(Debug)]
struct PartSearch {
    /// `None`: every event passes.
    items: Option<Vec<ItemSearch>>,
    bounds: Range<u32>,
    /// Where to go on; `None` at the end.
    next: Option<u32>,
    towards: Towards,
}

/// The search for one item: one cursor for each clause, the shortest first.
#[derive(Debug)]
struct ItemSearch {
    cursors: Vec<Cursor>,
    bounds: Range<u32>,
    answer: Answer,
}

impl PartSearch {
    fn new(part: &Part, clauses: &Clauses, range: &Range<u64>, towards: Towards) -> Result<Self> {
        let bounds = part.distance(range.start)..part.distance(range.end);
        let mut items = None;
        if let Some(all) = &clauses.items {
            let mut searches = Vec::new();
            for item in all {
                searches.extend(ItemSearch::new(part, item, &bounds, clauses.len())?);
            }
            items = Some(searches);
        }
        let nothing = bounds.is_empty() || items.as_ref().is_some_and(Vec::is_empty);
        let next = match towards {
            _ if nothing => None,
            Towards::Newer => Some(bounds.start),
            Towards::Older => Some(bounds.end - 1),
        };
        Ok(Self { items, bounds, next, towards })
    }

    /// Appends positions until `out` has `target` of them; `false` when there are no more.
    fn next_chunk(&mut self, part: &Part, target: usize, out: &mut Vec<Position>) -> Result<bool> {
        let first = part.first();
        match part {
            Part::Run(run) => self.search(&Content::Run(run), first, target, out),
            Part::Memory(memory, _) => self.search(&Content::Memory(&memory.read()), first, target, out),
        }
    }

    fn search(&mut self, content: &Content<'_>, first: u64, target: usize, out: &mut Vec<Position>) -> Result<bool> {
        while let Some(at) = self.next {
            if out.len() >= target {
                return Ok(true);
            }
            let Some(found) = self.seek(content, at)?.filter(|found| self.bounds.contains(found)) else {
                self.next = None;
                break;
            };
            out.push(Position(first + u64::from(found)));
            self.next = match self.towards {
                Towards::Newer => found.checked_add(1),
                Towards::Older => found.checked_sub(1),
            };
        }
        Ok(false)
    }

    /// The first position at or after `at` that some item has.
    fn seek(&mut self, content: &Content<'_>, at: u32) -> Result<Option<u32>> {
        let Some(items) = &mut self.items else { return Ok(Some(at)) };
        let mut nearest = None;
        for item in items {
            let found = match item.answer.known(at, self.towards) {
                Some(known) => known,
                None => item.seek(content, at, self.towards)?,
            };
            item.answer = found.into();
            nearest = self.towards.nearer(nearest, found);
        }
        Ok(nearest)
    }
}

impl ItemSearch {
    /// `None` when no event of the part can pass.
    fn new(part: &Part, item: &ItemClauses, bounds: &Range<u32>, wide_share: usize) -> Result<Option<Self>> {
        // The filters first: they are in memory.
        if !item.all().all(|clause| part.may_have(clause)) {
            return Ok(None);
        }
        let mut cursors = Vec::new();
        for clause in item.all() {
            let Some(cursor) = Cursor::open(part, clause, bounds, wide_share)? else { return Ok(None) };
            cursors.push(cursor);
        }
        match part {
            Part::Run(run) => cursors.sort_by_key(|cursor| cursor.weight(&Content::Run(run))),
            Part::Memory(memory, _) => {
                let tables = memory.read();
                cursors.sort_by_key(|cursor| cursor.weight(&Content::Memory(&tables)));
            }
        }
        Ok(Some(Self { cursors, bounds: bounds.clone(), answer: Answer::NotAsked }))
    }

    /// The first position at or after `at`, within the bounds, that all cursors have.
    fn seek(&mut self, content: &Content<'_>, at: u32, towards: Towards) -> Result<Option<u32>> {
        let Some((leader, others)) = self.cursors.split_first_mut() else { return Ok(Some(at)) };
        let mut at = at;
        'candidates: loop {
            let candidate = leader.seek(content, at, towards)?;
            let Some(candidate) = candidate.filter(|candidate| self.bounds.contains(candidate)) else {
                return Ok(None);
            };
            for cursor in &mut *others {
                match cursor.seek(content, candidate, towards)? {
                    Some(found) if found == candidate => {}
                    Some(found) => {
                        at = found;
                        continue 'candidates;
                    }
                    None => return Ok(None),
                }
            }
            return Ok(Some(candidate));
        }
    }
}
