//! Which events on the path of a model cannot be read, whatever the model does with them.

use std::ops::ControlFlow;

use gesta_store::{ErrorKind, EventStore};

use crate::{
    error::Result,
    event::read,
    key::Key,
    model::Model,
    parked::{PARKED_MAX, ParkedEvent},
    scope::Scope,
};

/// The first of them, in order. Reads every event on the path.
pub(crate) fn unreadable<M: Model>(store: &EventStore) -> Result<Vec<ParkedEvent>> {
    let scope = if M::Key::PARTS == 0 { Scope::only::<M>()? } else { Scope::pattern::<M>()? };
    let mut found = Vec::new();
    let mut reading = match store.read(scope.source(), gesta_store::ReadOptions::default()) {
        // Never written, or deleted: no events.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        reading => reading?,
    };
    while let Some(batch) = reading.next_batch()? {
        let looked = batch.iter().filter(|event| scope.admits(event)).try_for_each(|event| {
            if let Err(defect) = read::<M::Event>(&event) {
                found.push(ParkedEvent::of(&event, defect.of(&event, M::name())));
            }
            if found.len() < PARKED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if looked.is_break() {
            break;
        }
    }
    Ok(found)
}
