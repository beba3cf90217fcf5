//! Commits on their way to a store, wherever it is: to one in a directory many at once, to a server one after the other, since calls that are under way
//! together have no order.

use gesta_server::{client::Client, native::AppendRequest};

use crate::{exit::Outcome, pipeline::Pipeline, reach::Reached};

/// What became of a commit; a failure, if that is not known.
pub(crate) type Answer = Outcome<gesta::Outcome>;

/// Commits that are sent, each with a note of what it was.
#[derive(Debug)]
pub(crate) enum Sending<'s, Note> {
    Here(Pipeline<'s, Note>),
    There(&'s Client),
}

impl<'s, Note> Sending<'s, Note> {
    pub(crate) fn to(store: &'s Reached) -> Self {
        match store {
            Reached::Directory(store) => Self::Here(Pipeline::new(store)),
            Reached::Server(client) => Self::There(client),
        }
    }

    /// Sends a commit of about `bytes`; hands answers that came to `answered`, which may end the work.
    pub(crate) fn send(
        &mut self,
        append: AppendRequest,
        note: Note,
        bytes: usize,
        mut answered: impl FnMut(Note, Answer) -> Outcome<()>,
    ) -> Outcome<()> {
        match self {
            Self::Here(pipeline) => pipeline.send(append.into(), note, bytes, |note, came| answered(note, Ok(came))),
            Self::There(client) => answered(note, client.append(append).map_err(Into::into)),
        }
    }

    /// Waits for every answer.
    pub(crate) fn finish(&mut self, mut answered: impl FnMut(Note, Answer) -> Outcome<()>) -> Outcome<()> {
        match self {
            Self::Here(pipeline) => pipeline.finish(|note, came| answered(note, Ok(came))),
            Self::There(_) => Ok(()),
        }
    }
}
