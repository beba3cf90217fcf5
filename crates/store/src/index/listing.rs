//! Which terms are there: the dictionaries of all parts, merged, in the order of their bytes.

use std::collections::BTreeSet;

use super::{
    part::Part,
    run::dictionary_key,
    term::{Key, Kind, Term},
    view::View,
};
use crate::error::Result;

/// Texts taken from each part at a time, for long listings.
const TEXTS_AT_ONCE: usize = 1024;

/// Visits the terms of a kind whose texts begin with `prefix` and come after `after`, in order. `visit` says whether it took the term;
/// after `limit` of these the walk ends.
pub(super) fn for_each_term(
    view: &View,
    kind: Kind,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    mut visit: impl FnMut(Key<'_>) -> Result<bool>,
) -> Result<()> {
    let mut after = after.map(str::to_owned);
    let mut taken = 0;
    while taken < limit {
        let wanted = (limit - taken).min(TEXTS_AT_ONCE);
        // The first few of all are among the first few of each part.
        let mut texts = BTreeSet::new();
        for part in &view.parts {
            part.texts_after(kind, prefix, after.as_deref(), wanted, &mut texts)?;
        }
        if texts.is_empty() {
            return Ok(());
        }
        for text in texts.into_iter().take(wanted) {
            taken += usize::from(visit(Key::from(Term::new(kind, &text)))?);
            after = Some(text);
        }
    }
    Ok(())
}

impl Part {
    /// Adds the first `max` texts of a kind that begin with `prefix` and come after `after`.
    fn texts_after(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        max: usize,
        texts: &mut BTreeSet<String>,
    ) -> Result<()> {
        let start = after.map_or(prefix, |after| after.max(prefix));
        let is_new = |text: &str| after.is_none_or(|after| text > after);
        match self {
            Self::Run(run) => {
                let (start, prefix) = (dictionary_key(kind, start), dictionary_key(kind, prefix));
                let mut terms = run.terms_from(&start);
                let mut added = 0;
                while added < max
                    && let Some((key, _)) = terms.next()?
                    && key.starts_with(&prefix)
                {
                    let text = run.text(&key[1..])?;
                    if is_new(text) {
                        texts.insert(text.to_owned());
                        added += 1;
                    }
                }
            }
            Self::Memory(memory, _) => {
                let (tables, ids) = memory.ordered(kind, prefix, start);
                let found = ids.iter().map(|&id| tables.text(id)).filter(|text| is_new(text));
                texts.extend(found.take(max).map(str::to_owned));
            }
        }
        Ok(())
    }
}
