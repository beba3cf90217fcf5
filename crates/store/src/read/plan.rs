//! How a query is answered: by looking at every event, or by the index.

use std::ops::Range;

use super::{Access, ItemPlan, Library, Plan};
use crate::{
    error::Result,
    index::{ItemEstimate, QueryEstimate},
    position::Position,
    query::Query,
};

/// Ranges up to this many events are scanned without asking the index: the scan costs less than the question.
const SCAN_AT_ONCE: u64 = 512;
/// Fetching an event through the index costs as much as scanning past this many (measured: about 0.4 µs against 0.06 µs, hot).
const FETCH_COST: u64 = 6;

/// The way to answer `query` over `range`.
pub(super) fn access(library: &Library, query: &Query, range: Range<Position>) -> Result<Access> {
    let events = range.end.0.saturating_sub(range.start.0);
    if events <= SCAN_AT_ONCE || query.items.is_empty() {
        return Ok(Access::Scan);
    }
    let estimate = library.index.estimate(query, range)?;
    Ok(choose(events, bound(&estimate)))
}

/// The most events that can match; `None` if the index cannot say.
fn bound(estimate: &QueryEstimate) -> Option<u64> {
    estimate.restricted.then_some(estimate.matches_at_most)
}

fn choose(events: u64, matches_at_most: Option<u64>) -> Access {
    match matches_at_most {
        Some(matches) if matches.saturating_mul(FETCH_COST) < events => Access::Index,
        Some(_) | None => Access::Scan,
    }
}

/// The way to answer `query` over `range`, and why.
pub(crate) fn explain(library: &Library, query: &Query, range: Range<Position>) -> Result<Plan> {
    let events_in_range = range.end.0.saturating_sub(range.start.0);
    let estimate = library.index.estimate(query, range.clone())?;
    let access = access(library, query, range)?;
    let matches_at_most = bound(&estimate);
    let reason = match (access, matches_at_most) {
        (Access::Scan, _) if query.items.is_empty() => "the query matches every event".to_owned(),
        (Access::Scan, _) if events_in_range <= SCAN_AT_ONCE => {
            format!(
                "the range has only {events_in_range} events, at most {SCAN_AT_ONCE} are scanned without asking the index"
            )
        }
        (Access::Scan, None) => "an item of the query restricts nothing the index knows".to_owned(),
        (Access::Scan, Some(matches)) => format!(
            "up to {matches} of {events_in_range} events may match, and fetching one costs as much as scanning {FETCH_COST}"
        ),
        (Access::Index, matches) => {
            let matches = matches.unwrap_or(0);
            format!("at most {matches} of {events_in_range} events can match")
        }
    };
    let items = estimate.items.iter().map(item_plan).collect();
    Ok(Plan { access, events_in_range, matches_at_most, items, reason })
}

fn item_plan(item: &ItemEstimate) -> ItemPlan {
    let restricted = [("streams", &item.streams), ("types", &item.types)];
    let restricted = restricted.into_iter().filter_map(|(kind, clause)| clause.as_ref().map(|clause| (kind, clause)));
    let tags = item.tags.iter().map(|clause| ("tag", clause));
    let terms = restricted.chain(tags).map(|(kind, clause)| (kind.to_owned(), clause.terms, clause.postings));
    ItemPlan { terms: terms.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_used_when_few_events_can_match() {
        assert_eq!(choose(1_000_000, Some(10_000)), Access::Index);
        assert_eq!(choose(1_000_000, Some(500_000)), Access::Scan);
        assert_eq!(choose(1_000_000, None), Access::Scan);
    }
}
