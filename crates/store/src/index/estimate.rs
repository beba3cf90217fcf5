//! How much a query will find: counts of terms and postings, for the planner and for `explain`.

use std::{collections::HashSet, ops::ControlFlow, ops::Range};

use super::{
    clause::{Choice, Clause, Clauses, ItemClauses},
    part::{Part, PartList},
    term::term_hash,
    view::View,
};
use crate::error::Result;

/// Terms of one clause that are looked at before the estimate gives up: about half a millisecond of walking a dictionary.
const TERMS_MAX: usize = 4096;

/// What the index says of one restricted kind of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClauseEstimate {
    /// Terms that pass; a lower bound if `bounded`.
    pub terms: u64,
    /// Postings they have in the range: an upper bound of the events that pass, since an event may carry several.
    pub postings: u64,
    /// So many terms pass that they were not all looked at; `postings` is then the length of the range.
    pub bounded: bool,
}

/// What the index says of one item of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemEstimate {
    /// The streams, if restricted.
    pub streams: Option<ClauseEstimate>,
    /// The types, if restricted.
    pub types: Option<ClauseEstimate>,
    /// Every required tag.
    pub tags: Vec<ClauseEstimate>,
    /// No more events than this can match.
    pub matches_at_most: u64,
}

/// What the index says of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryEstimate {
    /// Every item, in the order of the query.
    pub items: Vec<ItemEstimate>,
    /// No more events than this can match.
    pub matches_at_most: u64,
    /// Whether every item is restricted by something. If not, every event matches, and a scan is as good.
    pub restricted: bool,
}

pub(super) fn estimate(view: &View, clauses: &Clauses, range: Range<u64>) -> Result<QueryEstimate> {
    let length = range.end.saturating_sub(range.start);
    let Some(items) = &clauses.items else {
        return Ok(QueryEstimate { items: Vec::new(), matches_at_most: length, restricted: false });
    };
    let items = items.iter().map(|item| item_estimate(view, item, &range)).collect::<Result<Vec<_>>>()?;
    let sum = items.iter().fold(0_u64, |sum, item| sum.saturating_add(item.matches_at_most));
    let restricted = clauses.items.iter().flatten().all(|item| item.all().next().is_some());
    Ok(QueryEstimate { items, matches_at_most: sum.min(length), restricted })
}

fn item_estimate(view: &View, item: &ItemClauses, range: &Range<u64>) -> Result<ItemEstimate> {
    let of = |clause: &Clause| clause_estimate(view, clause, range);
    let streams = item.streams.as_deref().map(of).transpose()?;
    let types = item.types.as_deref().map(of).transpose()?;
    let tags = item.tags.iter().map(|clause| of(clause)).collect::<Result<Vec<_>>>()?;
    let bounds = streams.iter().chain(&types).chain(&tags).map(|clause| clause.postings);
    let matches_at_most = bounds.min().unwrap_or(u64::MAX).min(range.end.saturating_sub(range.start));
    Ok(ItemEstimate { streams, types, tags, matches_at_most })
}

fn clause_estimate(view: &View, clause: &Clause, range: &Range<u64>) -> Result<ClauseEstimate> {
    let parts = view.parts.iter().filter(|part| part.end() > range.start && part.first() < range.end);
    let mut seen = HashSet::new();
    let mut postings = 0_u64;
    for part in parts {
        let mut lists = Vec::new();
        let _ = for_each_term(part, clause, |hash, list| {
            seen.insert(hash);
            lists.push(list);
            if seen.len() > TERMS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if seen.len() > TERMS_MAX {
            let length = range.end.saturating_sub(range.start);
            return Ok(ClauseEstimate { terms: seen.len() as u64, postings: length, bounded: true });
        }
        for list in lists {
            let before = if range.start > part.first() { part.rank(list, range.start)? } else { 0 };
            postings += part.rank(list, range.end)?.saturating_sub(before);
        }
    }
    Ok(ClauseEstimate { terms: seen.len() as u64, postings, bounded: false })
}

/// Visits the terms of a part that pass a clause, as hashes.
fn for_each_term(
    part: &Part,
    clause: &Clause,
    mut visit: impl FnMut(u64, PartList) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    match part {
        Part::Run(run) => run.for_each_list(clause, |hash, list| visit(hash, PartList::Run(list))),
        Part::Memory(memory, _) => {
            for choice in &clause.choices {
                let found: Vec<_> = match choice {
                    Choice::Term { hash, .. } => {
                        let id = choice.key().and_then(|key| memory.read().find(key));
                        id.map(|id| (*hash, id)).into_iter().collect()
                    }
                    Choice::Range { kind, prefix, test } => {
                        let (tables, ids) = memory.ordered(*kind, prefix, "");
                        let passing = ids.into_iter().filter(|&id| test.passes(tables.text(id)));
                        passing.map(|id| (term_hash(*kind, tables.text(id)), id)).collect()
                    }
                };
                for (hash, id) in found {
                    if visit(hash, PartList::Memory(id)).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        }
    }
}
