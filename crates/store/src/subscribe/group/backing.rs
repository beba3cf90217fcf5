//! What of the store groups stand on: they read from its library and append to its order. They hold no handle of the store, so that
//! a consumer somebody has forgotten does not keep it open.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    append::{Append, AppendError},
    entropy::Entropy,
    error::{Error, ErrorKind},
    order::{Head, Order, Ticket, prepare},
    position::{Position, Timestamp},
    read::Library,
};

/// See the module's words. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Backing {
    pub(crate) library: Library,
    pub(crate) order: Arc<dyn Order>,
    pub(crate) entropy: Arc<Entropy>,
}

impl Backing {
    /// Proposes a commit. May wait for room in the queue, so no lock may be held.
    pub(super) fn commit(&self, append: Append) -> Ticket {
        match prepare(append, &*self.library.clock, &self.entropy) {
            Ok(prepared) => self.order.propose(prepared),
            Err(error) => Ticket::answered(Err(error.into())),
        }
    }

    pub(super) fn head(&self) -> &Head {
        self.order.head()
    }

    /// What can be read.
    pub(super) fn to(&self) -> Position {
        self.head().position()
    }

    /// Time for deadlines.
    pub(super) fn elapsed(&self) -> Duration {
        self.library.clock.elapsed()
    }

    /// Time for documents.
    pub(super) fn now(&self) -> Timestamp {
        self.library.clock.now()
    }
}

impl fmt::Debug for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backing").field("head", self.head()).finish_non_exhaustive()
    }
}

/// An append of a group's own that failed, as an error. The rules refuse it only if somebody else has written to the group's streams or ended
/// them.
pub(super) fn failure(error: AppendError) -> Error {
    match error {
        AppendError::Failed(error) => error,
        AppendError::Rejected(rejection) => Error::new(
            ErrorKind::Unavailable,
            format!("the state of a consumer group could not be written: {rejection}"),
        ),
    }
}
