//! Who waits for something: noted now and then, so that a start need not read every record there ever was. It may be older than the newest
//! record, and be missing: it only says where reading begins, and whom to read besides.

use std::collections::BTreeSet;

use gesta_store::{Direction, ErrorKind, EventData, EventStore, EventType, ExpectedRevision, Position, ReadOptions};
use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::error::{Error, Result};

const ROSTER: &str = "$process-roster";

/// The instances that were not at rest when everything below a position was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Roster {
    pub(crate) to: Position,
    pub(crate) waiting: BTreeSet<String>,
}

/// The newest roster.
pub(crate) fn read(store: &EventStore, names: &Names) -> Result<Option<Roster>> {
    let (stream, options) =
        (names.roster()?, ReadOptions { direction: Direction::Backward, limit: Some(1), ..ReadOptions::default() });
    let mut reading = match store.read_stream(stream, options) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        reading => reading?,
    };
    let Some(batch) = reading.next_batch()? else { return Ok(None) };
    // One that cannot be read is as good as none.
    Ok(batch.iter().next().and_then(|event| serde_json::from_slice(event.data).ok()))
}

/// Notes a roster.
pub(crate) fn write(store: &EventStore, names: &Names, roster: &Roster) -> Result<()> {
    let data = serde_json::to_vec(roster).expect("a roster is made of what JSON has");
    let event = EventData::json(EventType::new(ROSTER)?, data);
    match store.append(names.roster()?, ExpectedRevision::Any, [event]).wait() {
        Ok(_) => Ok(()),
        Err(gesta_store::AppendError::Failed(error)) => Err(error.into()),
        Err(gesta_store::AppendError::Rejected(rejection)) => Err(Error::Rejected(rejection)),
    }
}
