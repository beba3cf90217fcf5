//! The chain of leaf hashes in each stream: every event must follow the one before it in its stream, by revision and by hash.

use std::collections::HashMap;

use crate::{
    error::Result, event::EventRef, index::Term, leaf::Hash, log::StoredEvent, position::Position, read::Library,
};

/// Stream ends kept in memory; a stream that is not among them is looked up. About 150 MiB at names of 40 bytes.
const ENDS_MAX: usize = 1 << 20;

/// The ends of the streams seen so far, bounded.
pub(super) struct Chains<'a> {
    library: &'a Library,
    ends: HashMap<Box<str>, (u64, Hash)>,
    forgotten: bool,
}

impl<'a> Chains<'a> {
    pub(super) fn new(library: &'a Library) -> Self {
        Self { library, ends: HashMap::new(), forgotten: false }
    }

    /// Says that events were passed over: what follows is compared with what is looked up.
    pub(super) fn forget(&mut self) {
        self.ends.clear();
        self.forgotten = true;
    }

    /// Checks an event against the one before it in its stream; says what is wrong.
    pub(super) fn check(&mut self, event: &StoredEvent) -> Result<Option<String>> {
        let view = event.view();
        let expected = match self.ends.get(view.stream) {
            Some(&end) => Some(end),
            None if self.forgotten => self.look_up(&view)?,
            None => None,
        };
        let (next, previous) = expected.unwrap_or((0, [0; 32]));
        let problem = if view.revision.0 != next {
            Some(format!("revision is {} where {next} was due", view.revision))
        } else if event.previous() != previous {
            Some("hash of the event before does not match".to_owned())
        } else {
            None
        };
        self.remember(&view, event.leaf());
        Ok(problem)
    }

    fn remember(&mut self, view: &EventRef<'_>, leaf: Hash) {
        if let Some(end) = self.ends.get_mut(view.stream) {
            *end = (view.revision.0 + 1, leaf);
            return;
        }
        if self.ends.len() >= ENDS_MAX {
            self.forget();
        }
        self.ends.insert(view.stream.into(), (view.revision.0 + 1, leaf));
    }

    /// The end of a stream before `view`, as index and log have it.
    fn look_up(&self, view: &EventRef<'_>) -> Result<Option<(u64, Hash)>> {
        let Some(before) = view.revision.0.checked_sub(1) else {
            // A stream's first event: nothing may be before it.
            let earlier = self.library.index.rank(Term::Stream(view.stream), view.position, Position(u64::MAX))?;
            return Ok((earlier > 0).then_some((earlier, [0; 32])));
        };
        let position = self.library.index.nth(Term::Stream(view.stream), before, view.position)?;
        let Some(position) = position else {
            return Ok(None);
        };
        Ok(Some((view.revision.0, self.library.log.event(position)?.leaf())))
    }
}
