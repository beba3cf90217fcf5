//! Whether a program knows what a store holds: asked at its start, before a model meets an event that it cannot read.

use std::collections::BTreeSet;

use gesta_store::{EventStore, EventType};

use super::Event;
use crate::error::{Error, Result};

/// Types asked for at once.
const TYPES_AT_ONCE: usize = 256;

/// The types of events that a program knows.
///
/// ```
/// use gesta_model::{Event, event::KnownKinds};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Serialize, Deserialize)]
/// # enum Bank { #[event("money-deposited", at = "account-{account}")] Deposited { account: u32 } }
/// # let dir = tempfile::tempdir()?;
/// # let store = gesta_store::EventStore::open(dir.path())?;
/// KnownKinds::of::<Bank>().ignoring(["heartbeat"]).check(&store)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownKinds {
    types: BTreeSet<String>,
}

impl KnownKinds {
    /// Those of one `Event` type: its kinds in all versions that can be read, and what it ignores.
    #[must_use]
    pub fn of<E: Event>() -> Self {
        Self::default().and::<E>()
    }

    /// Those of another one as well.
    #[must_use]
    pub fn and<E: Event>(mut self) -> Self {
        for kind in E::KINDS {
            self.types.insert(kind.wire.to_owned());
            self.types.extend(kind.upcasts.iter().map(|old| old.wire.to_owned()));
        }
        self.ignoring(E::IGNORES.iter().copied())
    }

    /// And these, which say nothing to this program.
    #[must_use]
    pub fn ignoring<'t>(mut self, types: impl IntoIterator<Item = &'t str>) -> Self {
        self.types.extend(types.into_iter().map(str::to_owned));
        self
    }

    /// The types a store holds and the program does not know, each with how many events are of it. The system's own, which begin with `$`, are known.
    ///
    /// # Errors
    /// As a read of the store.
    pub fn unknown(&self, store: &EventStore) -> Result<Vec<(EventType, u64)>> {
        let (mut unknown, mut after) = (Vec::new(), None);
        loop {
            let types = store.event_types(after.as_ref(), TYPES_AT_ONCE)?;
            let Some((last, _)) = types.last() else { return Ok(unknown) };
            after = Some(last.clone());
            unknown
                .extend(types.into_iter().filter(|(name, _)| !name.starts_with('$') && !self.types.contains(&**name)));
        }
    }

    /// Fails if there are such.
    ///
    /// # Errors
    /// `UnknownKinds`; as a read of the store.
    pub fn check(&self, store: &EventStore) -> Result<()> {
        let unknown = self.unknown(store)?;
        if unknown.is_empty() { Ok(()) } else { Err(Error::UnknownKinds(unknown)) }
    }
}
