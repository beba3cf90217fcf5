//! Does a run say of the log what the log says: for `verify`.
//!
//! The caller shows an audit every event of its range, in any order. Both sides are summed up as the set of their (term, position) pairs,
//! a wrapping sum of 64-bit hashes, so an audit needs no memory to speak of.

use std::{ops::Range, sync::Arc};

use super::{
    part::Part,
    postings::Cursor,
    run::{Run, dictionary_key},
    term::{IndexedEvent, Key, Kind, Term, posting_hash, term_hash},
    view::View,
};
use crate::{error::Result, position::Position};

/// The check of one run against the log.
#[derive(Debug)]
pub struct RunAudit {
    view: Arc<View>,
    index: usize,
    run: Arc<Run>,
    sum: u64,
    postings: u64,
}

impl RunAudit {
    pub(super) fn all(view: &Arc<View>) -> Vec<Self> {
        let audit = |(index, part): (usize, &Part)| match part {
            Part::Run(run) => Some(Self { view: view.clone(), index, run: run.clone(), sum: 0, postings: 0 }),
            Part::Memory(..) => None,
        };
        view.parts.iter().enumerate().filter_map(audit).collect()
    }

    /// The positions whose events must be shown.
    #[must_use]
    pub fn range(&self) -> Range<Position> {
        Position(self.run.trailer.extent.first)..Position(self.run.trailer.extent.end)
    }

    /// The name of the run's file.
    #[must_use]
    pub fn file(&self) -> String {
        self.run.trailer.extent.file_name()
    }

    /// Shows an event of the range.
    pub fn event(&mut self, event: &IndexedEvent<'_>) {
        event.for_each_term(|term| {
            self.postings += 1;
            let hash = term_hash(term.kind(), term.text());
            self.sum = self.sum.wrapping_add(posting_hash(hash, event.position.0));
        });
    }

    /// Reads the whole run and compares. Every event of the range must have been shown.
    ///
    /// # Errors
    /// `Corrupted` when the file is damaged or does not say what the events said.
    pub fn finish(self) -> Result<()> {
        let (run, body) = (&self.run, self.run.body());
        body.check_all()?;
        let (mut sum, mut postings) = (0_u64, 0_u64);
        let (first, end) = (run.trailer.extent.first, run.trailer.extent.end);
        let mut terms = run.terms_from(&dictionary_key(Kind::Stream, ""));
        while let Some((key, list)) = terms.next()? {
            let (kind, text) = run.term(key)?;
            let key = Key::from(Term::new(kind, text));
            if self.view.count_before_part(self.index, key)? != list.base {
                return Err(body.damage(&format!("index run has a wrong base for {kind:?} {text:?}"), 0));
            }
            let mut inside = true;
            Cursor::new(list).for_each(body, 0..list.count, |item| {
                let position = first + u64::from(item);
                inside &= position < end;
                sum = sum.wrapping_add(posting_hash(key.hash, position));
            })?;
            if !inside {
                return Err(body.damage(&format!("index run has a posting outside its range for {kind:?} {text:?}"), 0));
            }
            postings += list.count;
        }
        if (postings, sum) != (self.postings, self.sum) {
            let (of_log, of_run) = (self.postings, postings);
            let what = format!("index run contradicts the log, postings_of_log={of_log} postings_of_run={of_run}");
            return Err(body.damage(&what, 0));
        }
        Ok(())
    }
}
