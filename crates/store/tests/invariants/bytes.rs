//! I3: determinism.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use gesta_store::{
    Append, AppendCondition, ExpectedRevision, Options, Outcome, Query, QueryItem, clock::ManualClock,
    disk::memory::MemoryDisk,
};

use crate::{event, open, options, stream};

/// How a store is fed.
#[derive(Clone, Copy, Debug)]
struct Way {
    threads: bool,
    /// Requests sent before the first answer is waited for.
    together: usize,
    /// Closed and opened again after so many requests.
    restart_after: usize,
    settle: bool,
}

/// Requests of every kind, some of them refused, some sent twice.
fn request(number: usize) -> Append {
    let name = stream(&format!("order-{}", number % 7));
    let facts = (0..1 + number % 4).map(|_| event("Placed", vec![number as u8; number * 13 % 700]));
    match number % 9 {
        3 => Append::to(name, ExpectedRevision::NoStream, facts),
        4 => Append::new().delete(name, ExpectedRevision::Any),
        5 => Append::to(name, ExpectedRevision::Any, facts).stream(
            stream("all"),
            ExpectedRevision::Any,
            [event("B", "b")],
        ),
        6 => Append::to(name, ExpectedRevision::Any, facts).condition(AppendCondition {
            none_matching: Query::of(QueryItem::default().event_type("B".try_into().unwrap())),
            after: None,
        }),
        7 => Append::to(name, ExpectedRevision::Any, [event("Once", "x").with_id(uuid::Uuid::from_u128(7))]),
        8 if number % 63 == 8 => Append::new().tombstone(name, ExpectedRevision::Any),
        _ => Append::to(name, ExpectedRevision::Any, facts),
    }
}

fn feed(way: Way) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<String>) {
    let disk = MemoryDisk::new();
    let clock = Arc::new(ManualClock::default());
    // The random bytes and the time are drawn before a proposal is ordered: the same for all, and none after.
    let options = Options {
        clock: Arc::clone(&clock) as _,
        queue_timeout: Duration::from_secs(3600), // on that clock much time passes
        ..options(way.threads)
    };
    let mut store = open(&disk, options.clone()).unwrap();
    let (mut tickets, mut answers) = (Vec::new(), Vec::new());
    let told = |outcome: Outcome| match outcome {
        Ok(appended) => format!("{appended:?}"),
        Err(refused) => refused.to_string(),
    };
    for number in 0..400 {
        clock.advance(Duration::from_millis(number as u64));
        tickets.push(store.commit(request(number)));
        if tickets.len() == way.together {
            answers.extend(tickets.drain(..).map(|ticket| told(ticket.wait())));
        }
        if (number + 1) % way.restart_after == 0 {
            answers.extend(tickets.drain(..).map(|ticket| told(ticket.wait())));
            if way.settle {
                store.settle().unwrap();
            }
            store.close().unwrap();
            store = open(&disk, options.clone()).unwrap();
        }
    }
    answers.extend(tickets.drain(..).map(|ticket| told(ticket.wait())));
    drop(store);
    let mut segments = disk.snapshot();
    segments.retain(|path, _| path.extension().is_some_and(|extension| extension == "seg"));
    for bytes in segments.values_mut() {
        // Space that is not written yet.
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
    }
    segments.retain(|_, bytes| !bytes.is_empty());
    (segments, answers)
}

#[test]
fn i3_the_same_proposals_make_the_same_bytes_however_they_come() {
    let plain = Way { threads: false, together: 1, restart_after: 1000, settle: false };
    let (segments, answers) = feed(plain);
    assert!(segments.len() > 3, "only {} segments: make them smaller", segments.len());
    let ways = [
        Way { together: 50, ..plain },
        Way { threads: true, together: 400, ..plain },
        Way { threads: true, together: 7, restart_after: 90, settle: true },
        Way { together: 3, restart_after: 11, ..plain },
    ];
    for way in ways {
        let (found, told) = feed(way);
        assert_eq!(told, answers, "{way:?}");
        assert_eq!(found.keys().collect::<Vec<_>>(), segments.keys().collect::<Vec<_>>(), "{way:?}");
        for (path, bytes) in &segments {
            assert!(found[path] == *bytes, "{} differs, {way:?}", path.display());
        }
    }
}
