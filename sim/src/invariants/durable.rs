//! I1: durable before visible, durable before answered.
//!
//! After a crash everything that was answered is there, and of what was not, whole commits in the order they were sent, up to some one
//! and none after it. Rejections are covered too: each was compared with the model's verdict over answered commits alone, and all of
//! those are there after every crash; so no rejection can have rested on something that a crash took away.

use std::{path::Path, sync::Arc};

use gesta_store::{
    EventData, EventType, ExpectedRevision, Position, Timestamp,
    clock::{Clock, ManualClock},
    disk::{Disk, memory::MemoryDisk},
};

use crate::{
    Violation,
    model::{Model, Verdict},
    reads,
    settings::Settings,
    step::{Change, Request, Target},
    workload::{PLAIN, name},
    world::{Undecided, open},
};

/// Makes those undecided requests part of the model that a store at `head` must have recorded. How many of them it got to.
///
/// # Errors
/// When an answered commit is gone, or half a commit is there.
pub fn resolve(model: &mut Model, undecided: &[Undecided], head: Position) -> Result<usize, Violation> {
    let answered = model.head();
    if head < answered {
        let what = format!("answered events are gone, answered={answered} found={head}");
        return Err(Violation::new("I1", what));
    }
    let mut survived = 0;
    for (index, (request, now)) in undecided.iter().enumerate() {
        if model.head() == head {
            break;
        }
        if let Verdict::Commit(events, appended) = model.decide(request, *now) {
            let end = model.head().0 + events.len() as u64;
            if end > head.0 {
                let what = format!("half a commit is there, begins={} ends={end} found={head}", model.head());
                return Err(Violation::new("I1", what));
            }
            model.apply(request, events, appended);
            survived = index + 1;
        }
    }
    if model.head() != head {
        let what = format!("events are there that nobody sent, expected={} found={head}", model.head());
        return Err(Violation::new("I1", what));
    }
    Ok(survived)
}

/// Opens what a crash left: everything must be there, with the index as it was found and with one that is built anew, and the store must
/// take appends.
///
/// # Errors
/// When it is not so.
pub fn probe(
    settings: &Settings,
    crashed: &MemoryDisk,
    model: &Model,
    undecided: &[Undecided],
    now: Timestamp,
) -> Result<(), Violation> {
    crashed.set_capacity(None);
    let mut model = model.clone();
    let options = || settings.options(Arc::new(ManualClock::at(now)) as Arc<dyn Clock>, u64::MAX);
    let store = open(crashed, options())?;
    resolve(&mut model, undecided, store.head().position())?;
    reads::check_everything(&store, &model, now)?;
    drop(store);

    forget_index(crashed)?;
    let store = open(crashed, options())?;
    reads::check_everything(&store, &model, now)?;

    let event = EventData::json(EventType::new("Probed").expect("a valid type"), "{}").with_id(uuid::Uuid::nil());
    let change = Change::Append(vec![event]);
    let target = Target { stream: name(PLAIN), expected: ExpectedRevision::Any, change };
    let request = Request { id: uuid::Uuid::max(), targets: vec![target], conditions: Vec::new(), recorded_at: None };
    let answered = store.commit(request.to_append()).wait();
    match (model.decide(&request, now), answered) {
        (Verdict::Commit(events, expected), Ok(appended)) if expected == appended => {
            model.apply(&request, events, appended);
        }
        (verdict, answered) => {
            let what = format!("appending after a crash: expected {verdict:?}, answered {answered:?}");
            return Err(Violation::new("I1", what));
        }
    }
    store.settle().map_err(|error| Violation::new("I1", format!("maintenance after a crash: {error}")))?;
    reads::check_everything(&store, &model, now)
}

/// Removes every file of the index.
fn forget_index(disk: &MemoryDisk) -> Result<(), Violation> {
    let remove = || -> std::io::Result<()> {
        let dir = Path::new("index");
        for name in disk.list(dir)? {
            disk.remove(&dir.join(name))?;
        }
        disk.sync_dir(dir)
    };
    remove().map_err(|error| Violation::new("open", format!("removing the index: {error}")))
}
