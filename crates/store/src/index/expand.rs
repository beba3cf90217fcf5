//! Which terms of a part pass a clause: one look-up for a term, a walk through a stretch of the dictionary for a range.

use std::ops::ControlFlow;

use super::{
    clause::{Choice, Clause},
    memory::TermId,
    part::{Part, PartList},
    postings::List,
    run::{Run, dictionary_key},
    term::term_hash,
};
use crate::error::Result;

/// The lists of a part that pass a clause.
#[derive(Debug)]
pub(super) enum Expansion {
    /// All of them.
    Few(Vec<PartList>),
    /// More than were asked for, of a part in memory: all of them.
    ManyInMemory(Vec<TermId>),
    /// More than were asked for, of a run, which holds too many to be kept: walk again.
    ManyInRun,
}

impl Part {
    /// Finds the lists that pass `clause`, listing at most `max` of them.
    pub(super) fn expand(&self, clause: &Clause, max: usize) -> Result<Expansion> {
        let mut lists = Vec::new();
        match self {
            Self::Run(run) => {
                let walk = run.for_each_list(clause, |_, list| {
                    lists.push(PartList::Run(list));
                    if lists.len() > max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })?;
                Ok(if walk.is_break() { Expansion::ManyInRun } else { Expansion::Few(lists) })
            }
            Self::Memory(memory, _) => {
                let mut ids = Vec::new();
                for choice in &clause.choices {
                    match choice {
                        Choice::Term { .. } => {
                            ids.extend(choice.key().and_then(|key| memory.read().find(key)));
                        }
                        Choice::Range { kind, prefix, test } => {
                            let (tables, found) = memory.ordered(*kind, prefix, "");
                            ids.extend(found.into_iter().filter(|&id| test.passes(tables.text(id))));
                        }
                    }
                }
                if ids.len() > max {
                    return Ok(Expansion::ManyInMemory(ids));
                }
                Ok(Expansion::Few(ids.into_iter().map(PartList::Memory).collect()))
            }
        }
    }

    /// Whether some term may pass the clause, as far as can be told without reading a file.
    pub(super) fn may_have(&self, clause: &Clause) -> bool {
        match self {
            Self::Run(run) => clause.choices.iter().any(|choice| choice.key().is_none_or(|key| run.may_contain(key))),
            Self::Memory(..) => true,
        }
    }
}

impl Run {
    /// Visits the lists that pass `clause`, each with the hash of its term, until `visit` breaks off.
    pub(super) fn for_each_list(
        &self,
        clause: &Clause,
        mut visit: impl FnMut(u64, List) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        for choice in &clause.choices {
            match choice {
                Choice::Term { hash, .. } => {
                    let list = choice.key().map_or(Ok(None), |key| self.find(key))?;
                    if list.is_some_and(|list| visit(*hash, list).is_break()) {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Choice::Range { kind, prefix, test } => {
                    let start = dictionary_key(*kind, prefix);
                    let mut terms = self.terms_from(&start);
                    while let Some((key, list)) = terms.next()? {
                        if !key.starts_with(&start) {
                            break;
                        }
                        let text = self.text(&key[1..])?;
                        if test.passes(text) && visit(term_hash(*kind, text), list).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The text of a dictionary key.
    pub(super) fn text<'k>(&self, text: &'k [u8]) -> Result<&'k str> {
        std::str::from_utf8(text).map_err(|_| self.body().damage("index run has a term that is not UTF-8", 0))
    }
}
