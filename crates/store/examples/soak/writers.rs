//! Clients that append one after the other, each as soon as its last append is durable, and keep a tally of what was acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};

use gesta_store::{EventStore, ExpectedRevision};

use crate::scope::{Kind, Truth, stream};

/// Events of each append of a writer: three clients that append one, and one that appends more.
pub(crate) const APPENDS: [usize; 4] = [1, 1, 1, 10];

/// Appends until it is told to stop; what was acknowledged.
pub(crate) fn write(store: &EventStore, writer: usize, stop: &AtomicBool) -> Truth {
    let mut truth = Truth::new();
    let mut number = (writer as u64) << 40;
    while !stop.load(Ordering::Relaxed) {
        let first = Kind::of(number);
        // All events of an append are in one stream.
        let kinds: Vec<Kind> = (0..APPENDS[writer] as u64)
            .map(|index| Kind { stream: first.stream, ..Kind::of(number + index) })
            .collect();
        number += kinds.len() as u64;
        let events = kinds.iter().map(|kind| kind.event());
        let appended = store.append(stream(first.stream), ExpectedRevision::Any, events).wait().unwrap();
        let position = appended.first_position.unwrap().0;
        kinds.iter().zip(position..).for_each(|(kind, position)| truth.add(*kind, position));
    }
    truth
}
