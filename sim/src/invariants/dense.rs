//! I2: dense order. Positions are 0, 1, 2, … without gaps; revisions of a stream likewise; time never runs back.

use std::collections::BTreeMap;

use gesta_store::{EventStore, ReadOptions, StreamName, Timestamp};

use crate::Violation;

/// Walks the whole log.
///
/// # Errors
/// At the first gap.
pub fn check(store: &EventStore) -> Result<(), Violation> {
    let broken = |what: String| Violation::new("I2", what);
    let read = store.read_all(ReadOptions::default()).map_err(|error| broken(error.to_string()))?;
    let head = store.head().position();
    let mut next_revisions: BTreeMap<StreamName, u64> = BTreeMap::new();
    let mut next_position = 0;
    let mut last = Timestamp::MIN;
    for event in read {
        let event = event.map_err(|error| broken(error.to_string()))?;
        if event.position.0 != next_position {
            return Err(broken(format!("expected position {next_position}, found {}", event.position)));
        }
        let next = next_revisions.entry(event.stream.clone()).or_default();
        if event.revision.0 != *next {
            return Err(broken(format!("expected revision {next} of {}, found {}", event.stream, event.revision)));
        }
        if event.recorded_at < last {
            return Err(broken(format!("time runs back, position={next_position}")));
        }
        *next += 1;
        next_position += 1;
        last = event.recorded_at;
    }
    if next_position != head.0 {
        return Err(broken(format!("a reader at head {head} has seen {next_position} events")));
    }
    Ok(())
}
