//! The positions of one clause in one part, searched forward or backward.
//!
//! A cursor answers one question: going in a direction, which is the first position at or after `at`? All cursors of a query are asked with
//! ever later `at`. A clause of a few terms keeps a place in each of their lists; one of many terms is merged into a
//! bitmap, window by window, so that memory does not grow with the number of terms.

use std::{ops::Range, sync::Arc};

use super::{
    Towards,
    clause::Clause,
    expand::Expansion,
    memory::{Tables, TermId},
    part::{Part, PartList},
    postings::{self, List},
    run::Run,
};
use crate::error::Result;

/// Lists of a clause that are kept open side by side; each may hold a decoded block of half a kilobyte.
const UNION_LISTS_MAX: usize = 32;
/// Positions in the windows of all wide clauses of a query together: 2 MiB of bits.
const WINDOW_POSITIONS_MAX: u32 = 1 << 24;
/// Positions in a window at least: 32 KiB.
const WINDOW_POSITIONS_MIN: u32 = 1 << 18;

/// What the positions are read from.
pub(super) enum Content<'a> {
    Run(&'a Run),
    Memory(&'a Tables),
}

/// Where the positions of one clause are. Positions are distances from the part's first one.
#[derive(Debug)]
pub(super) enum Cursor {
    Run(postings::Cursor),
    Memory { id: TermId, hint: usize },
    Union(Vec<Cached>),
    Wide(Wide),
}

/// A cursor with its last answer, which stands until it is passed.
#[derive(Debug)]
pub(super) struct Cached {
    cursor: Cursor,
    answer: Answer,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    NotAsked,
    At(u32),
    NoMore,
}

impl Answer {
    /// The answer to a question at or after `at`, if it is known already.
    pub(super) fn known(self, at: u32, towards: Towards) -> Option<Option<u32>> {
        match self {
            Self::NotAsked => None,
            Self::NoMore => Some(None),
            Self::At(last) if !towards.is_before(last, at) => Some(Some(last)),
            Self::At(_) => None,
        }
    }
}

impl From<Option<u32>> for Answer {
    fn from(answer: Option<u32>) -> Self {
        answer.map_or(Self::NoMore, Self::At)
    }
}

impl Towards {
    /// Whether one comes to `left` before `right`.
    pub(super) fn is_before(self, left: u32, right: u32) -> bool {
        match self {
            Self::Newer => left < right,
            Self::Older => left > right,
        }
    }

    /// The one of two answers to which one comes first.
    pub(super) fn nearer(self, left: Option<u32>, right: Option<u32>) -> Option<u32> {
        match (left, right) {
            (Some(left), Some(right)) => Some(if self.is_before(right, left) { right } else { left }),
            (only, None) | (None, only) => only,
        }
    }
}

impl Cursor {
    /// A cursor over the positions of `clause` in `part`, within `bounds`; `None` when there are none. `wide_share`: how many
    /// clauses share the memory for windows.
    pub(super) fn open(
        part: &Part,
        clause: &Arc<Clause>,
        bounds: &Range<u32>,
        wide_share: usize,
    ) -> Result<Option<Self>> {
        let lists = match part.expand(clause, UNION_LISTS_MAX)? {
            Expansion::Few(lists) => lists,
            Expansion::ManyInMemory(ids) => {
                return Ok(Some(Self::Wide(Wide::new(Lists::InMemory(ids), bounds, wide_share))));
            }
            Expansion::ManyInRun => {
                return Ok(Some(Self::Wide(Wide::new(Lists::InRun(clause.clone()), bounds, wide_share))));
            }
        };
        let mut cursors = lists.into_iter().map(|list| match list {
            PartList::Run(list) => Self::Run(postings::Cursor::new(list)),
            PartList::Memory(id) => Self::Memory { id, hint: 0 },
        });
        Ok(match (cursors.next(), cursors.len()) {
            (None, _) => None,
            (only, 0) => only,
            (first, _) => {
                let all = first.into_iter().chain(cursors);
                Some(Self::Union(all.map(|cursor| Cached { cursor, answer: Answer::NotAsked }).collect()))
            }
        })
    }

    /// About how many positions there are: cursors with fewer lead the search.
    pub(super) fn weight(&self, content: &Content<'_>) -> u64 {
        match (self, content) {
            (Self::Run(cursor), _) => cursor.count(),
            (Self::Memory { id, .. }, Content::Memory(tables)) => tables.postings(*id).len() as u64,
            (Self::Union(all), _) => all.iter().map(|cached| cached.cursor.weight(content)).sum(),
            (Self::Wide(_), _) | (Self::Memory { .. }, Content::Run(_)) => u64::MAX,
        }
    }

    /// The first position at or after `at`, in this direction.
    pub(super) fn seek(&mut self, content: &Content<'_>, at: u32, towards: Towards) -> Result<Option<u32>> {
        match (self, content) {
            (Self::Run(cursor), Content::Run(run)) => cursor.seek(run.body(), at, towards),
            (Self::Memory { id, hint }, Content::Memory(tables)) => {
                Ok(seek_slice(tables.postings(*id), hint, at, towards))
            }
            (Self::Union(all), _) => {
                let mut nearest = None;
                for Cached { cursor, answer } in all {
                    let found = match answer.known(at, towards) {
                        Some(known) => known,
                        None => cursor.seek(content, at, towards)?,
                    };
                    *answer = found.into();
                    nearest = towards.nearer(nearest, found);
                }
                Ok(nearest)
            }
            (Self::Wide(wide), _) => wide.seek(content, at, towards),
            (Self::Run(_), Content::Memory(_)) | (Self::Memory { .. }, Content::Run(_)) => {
                panic!("a cursor is only used with the part it was opened on")
            }
        }
    }
}

/// Searches from `hint`, the place of the last answer, with steps that double.
fn seek_slice(items: &[u32], hint: &mut usize, at: u32, towards: Towards) -> Option<u32> {
    let (mut low, mut high) = (0, items.len());
    match towards {
        Towards::Newer => {
            low = (*hint).min(items.len());
            if low > 0 && items[low - 1] >= at {
                low = 0; // not asked in order: search everything
            }
            let mut step = 1;
            while low + step < items.len() && items[low + step] < at {
                low += step;
                step *= 2;
            }
            high = (low + step + 1).min(items.len());
        }
        Towards::Older => {}
    }
    let index = low + items[low..high].partition_point(|&item| item < at);
    *hint = index;
    match towards {
        Towards::Newer => items.get(index).copied(),
        Towards::Older if items.get(index) == Some(&at) => Some(at),
        Towards::Older => index.checked_sub(1).map(|index| items[index]),
    }
}

/// The lists of a clause that many terms pass.
#[derive(Debug)]
enum Lists {
    InMemory(Vec<TermId>),
    InRun(Arc<Clause>),
}

/// A clause that many terms pass, as a bitmap of a window of positions.
#[derive(Debug)]
pub(super) struct Wide {
    lists: Lists,
    bounds: Range<u32>,
    window: Range<u32>,
    window_positions: u32,
    bits: Vec<u64>,
}

impl Wide {
    fn new(lists: Lists, bounds: &Range<u32>, wide_share: usize) -> Self {
        let share = WINDOW_POSITIONS_MAX / u32::try_from(wide_share.max(1)).unwrap_or(u32::MAX);
        Self {
            lists,
            bounds: bounds.clone(),
            window: 0..0,
            window_positions: share.max(WINDOW_POSITIONS_MIN),
            bits: Vec::new(),
        }
    }

    fn seek(&mut self, content: &Content<'_>, at: u32, towards: Towards) -> Result<Option<u32>> {
        let mut at = at;
        while self.bounds.contains(&at) {
            if !self.window.contains(&at) {
                self.fill(content, at, towards)?;
            }
            let found = match towards {
                Towards::Newer => self.next_bit(at),
                Towards::Older => self.previous_bit(at),
            };
            if found.is_some() {
                return Ok(found);
            }
            at = match towards {
                Towards::Newer => self.window.end,
                Towards::Older => match self.window.start.checked_sub(1) {
                    Some(before) => before,
                    None => return Ok(None),
                },
            };
        }
        Ok(None)
    }

    /// Marks the positions of the window that begins, in this direction, at `at`.
    fn fill(&mut self, content: &Content<'_>, at: u32, towards: Towards) -> Result<()> {
        self.window = match towards {
            Towards::Newer => at..self.bounds.end.min(at.saturating_add(self.window_positions)),
            Towards::Older => self.bounds.start.max((at + 1).saturating_sub(self.window_positions))..at + 1,
        };
        let window = self.window.clone();
        self.bits.clear();
        self.bits.resize((window.len()).div_ceil(64), 0);
        let Self { lists, bits, .. } = self;
        let mut mark = |item: u32| {
            let bit = item - window.start;
            bits[(bit / 64) as usize] |= 1 << (bit % 64);
        };
        let filled = match (lists, content) {
            (Lists::InMemory(ids), Content::Memory(tables)) => {
                for &id in &*ids {
                    let items = tables.postings(id);
                    let start = items.partition_point(|&item| item < window.start);
                    items[start..].iter().take_while(|&&item| item < window.end).for_each(|&item| mark(item));
                }
                Ok(())
            }
            (Lists::InRun(clause), Content::Run(run)) => mark_lists(run, clause, &window, mark),
            (Lists::InMemory(_), Content::Run(_)) | (Lists::InRun(_), Content::Memory(_)) => {
                panic!("a cursor is only used with the part it was opened on")
            }
        };
        if filled.is_err() {
            self.window = 0..0; // half a bitmap must never be asked
        }
        filled
    }

    fn next_bit(&self, at: u32) -> Option<u32> {
        let from = at - self.window.start;
        let mut word = (from / 64) as usize;
        let mut bits = self.bits[word] & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.bits.get(word)?;
        }
        Some(self.window.start + word as u32 * 64 + bits.trailing_zeros())
    }

    fn previous_bit(&self, at: u32) -> Option<u32> {
        let from = at - self.window.start;
        let mut word = (from / 64) as usize;
        let mut bits = self.bits[word] & (u64::MAX >> (63 - from % 64));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.bits[word];
        }
        Some(self.window.start + word as u32 * 64 + (63 - bits.leading_zeros()))
    }
}

/// Marks the positions in `window` of all lists of a run that pass a clause.
fn mark_lists(run: &Run, clause: &Clause, window: &Range<u32>, mut mark: impl FnMut(u32)) -> Result<()> {
    let mut cursor: Option<postings::Cursor> = None;
    let mut failed = None;
    let mut visit = |list: List| -> Result<()> {
        let cursor = cursor.get_or_insert_with(|| postings::Cursor::new(list));
        cursor.reuse(list);
        let start = if window.start == 0 { 0 } else { cursor.rank(run.body(), window.start)? };
        let whole = u64::from(window.end) >= run.trailer.extent.end - run.trailer.extent.first;
        let end = if whole { list.count } else { cursor.rank(run.body(), window.end)? };
        cursor.for_each(run.body(), start..end, &mut mark)
    };
    let _ = run.for_each_list(clause, |_, list| match visit(list) {
        Ok(()) => std::ops::ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            std::ops::ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}
