//! The index against the log: every run is shown the events of its range and must say the same; the part in memory is asked for
//! each event.

use crate::{
    correlation::correlation_of,
    error::Result,
    event::EventRef,
    index::{IndexedEvent, RunAudit, Term},
    position::Position,
    read::Library,
};

/// The audits of all runs, in the order of their ranges.
pub(super) struct Audits {
    waiting: std::vec::IntoIter<RunAudit>,
    current: Option<RunAudit>,
    /// An event of the current run's range was passed over: the run cannot be judged.
    incomplete: bool,
}

impl Audits {
    pub(super) fn new(library: &Library) -> Self {
        let mut waiting = library.index.audits().into_iter();
        let current = waiting.next();
        Self { waiting, current, incomplete: false }
    }

    /// Shows the next event of the log; says what is wrong with the index.
    pub(super) fn event(&mut self, library: &Library, event: &EventRef<'_>) -> Result<Option<String>> {
        let correlation = correlation_of(event.metadata);
        let indexed = IndexedEvent::recorded(event, correlation.as_deref());
        match &mut self.current {
            Some(audit) if event.position < audit.range().end => {
                audit.event(&indexed);
                Ok(None)
            }
            Some(_) | None => self.in_memory(library, event),
        }
    }

    /// The part in memory was made by this process from the same events; what is asked of it is the one term that leads to the event.
    fn in_memory(&self, library: &Library, event: &EventRef<'_>) -> Result<Option<String>> {
        let found = library.index.nth(Term::Stream(event.stream), event.revision.0, Position(u64::MAX))?;
        Ok((found != Some(event.position)).then(|| "index does not lead to the event".to_owned()))
    }

    /// Says that events were passed over.
    pub(super) fn skip(&mut self) {
        self.incomplete = true;
    }

    /// Says that every event below `position` was shown: runs that end there are judged.
    pub(super) fn shown_to(&mut self, position: Position) -> Vec<Result<()>> {
        let mut judged = Vec::new();
        while let Some(audit) = self.current.take_if(|audit| audit.range().end <= position) {
            if !std::mem::take(&mut self.incomplete) {
                judged.push(audit.finish());
            }
            self.current = self.waiting.next();
        }
        judged
    }
}
