//! Commits under way: many are sent before the first is answered, so that one sync of the disk serves them all; answers come
//! in the order of sending.

use std::collections::VecDeque;

use gesta::{Append, EventStore, Ticket};

use crate::exit::Outcome;

/// Most commits under way. The store takes 4 096; a quarter of it keeps its writer busy.
const COMMITS_MAX: usize = 1024;
/// Most bytes of events under way: half of what the store queues.
const BYTES_MAX: usize = 32 << 20;

/// Commits sent to a store and not yet answered, each with a note of what it was.
#[derive(Debug)]
pub(crate) struct Pipeline<'s, Note> {
    store: &'s EventStore,
    under_way: VecDeque<(Note, usize, Ticket)>,
    bytes: usize,
}

impl<'s, Note> Pipeline<'s, Note> {
    pub(crate) fn new(store: &'s EventStore) -> Self {
        Self { store, under_way: VecDeque::new(), bytes: 0 }
    }

    /// Sends a commit of about `bytes`; hands answers that came to `answered`, which may end the work.
    pub(crate) fn send(
        &mut self,
        append: Append,
        note: Note,
        bytes: usize,
        mut answered: impl FnMut(Note, gesta::Outcome) -> Outcome<()>,
    ) -> Outcome<()> {
        while self.under_way.len() >= COMMITS_MAX || (self.bytes + bytes > BYTES_MAX && !self.under_way.is_empty()) {
            self.wait_for_first(&mut answered)?;
        }
        let ticket = self.store.commit(append);
        self.under_way.push_back((note, bytes, ticket));
        self.bytes += bytes;
        Ok(())
    }

    /// Waits for every answer.
    pub(crate) fn finish(&mut self, mut answered: impl FnMut(Note, gesta::Outcome) -> Outcome<()>) -> Outcome<()> {
        while !self.under_way.is_empty() {
            self.wait_for_first(&mut answered)?;
        }
        Ok(())
    }

    fn wait_for_first(&mut self, answered: &mut impl FnMut(Note, gesta::Outcome) -> Outcome<()>) -> Outcome<()> {
        if let Some((note, bytes, ticket)) = self.under_way.pop_front() {
            self.bytes -= bytes;
            answered(note, ticket.wait())?;
        }
        Ok(())
    }
}
