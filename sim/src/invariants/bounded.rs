//! I5: slow consumers cost themselves only. Batches are no larger than asked for, and a queue that is full says so instead of growing;
//! what it took, it answers.

use std::sync::Arc;

use gesta_store::{
    Batch, ExpectedRevision, Ticket,
    clock::{Clock, ManualClock},
    disk::memory::MemoryDisk,
    limits,
};
use uuid::Uuid;

use crate::{
    Violation,
    settings::Settings,
    step::{Change, Request, Target},
    workload::{PLAIN, name},
    world::open,
};

/// Events followers take at once: few, so that they need many batches.
pub const BATCH_EVENTS: usize = 5;

/// Checks a batch a follower got.
///
/// # Errors
/// When it is too large, or empty.
pub fn check_batch(batch: &Batch) -> Result<(), Violation> {
    if batch.is_empty() || batch.len() > BATCH_EVENTS {
        let what = format!("batch of {} events, asked for at most {BATCH_EVENTS} and at least one", batch.len());
        return Err(Violation::new("I5", what));
    }
    Ok(())
}

/// Sends more than the queue of a new store holds, without waiting for any answer.
///
/// # Errors
/// When the queue takes more than its bound, or loses something.
pub fn flood(settings: &Settings) -> Result<(), Violation> {
    let clock = Arc::new(ManualClock::default()) as Arc<dyn Clock>;
    let store = open(&MemoryDisk::new(), settings.options(clock, 0))?;
    let beyond = 10;
    let request = |number: usize| {
        let target =
            Target { stream: name(PLAIN), expected: ExpectedRevision::NoStream, change: Change::Append(Vec::new()) };
        let id = Uuid::from_u64_pair(1, number as u64);
        Request { id, targets: vec![target], conditions: Vec::new(), recorded_at: None }
    };
    let count = limits::QUEUE_PROPOSALS_MAX + beyond;
    let tickets: Vec<Ticket> = (0..count).map(|number| store.commit(request(number).to_append())).collect();
    // Without threads of the store's own, whoever finds the queue full makes room by writing what is in it.
    let waiting = tickets.iter().filter(|ticket| !ticket.is_answered()).count();
    if waiting > limits::QUEUE_PROPOSALS_MAX {
        let what = format!("queue holds {waiting} of {count} proposals, max={}", limits::QUEUE_PROPOSALS_MAX);
        return Err(Violation::new("I5", what));
    }
    for (number, ticket) in tickets.into_iter().enumerate() {
        if let Err(outcome) = ticket.wait() {
            return Err(Violation::new("I5", format!("proposal {number} of {count}: {outcome:?}")));
        }
    }
    Ok(())
}
