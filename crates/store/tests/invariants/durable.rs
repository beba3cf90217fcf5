//! I1: durable before visible, durable before answered.

use std::{io::ErrorKind, time::Duration};

use gesta_store::{
    AppendError, Delivery, EventStore, ExpectedRevision, Rejection, Revision, Source, StreamStatus, SubscribeOptions,
    disk::memory::{Done, Fault, MemoryDisk},
};

use crate::{all, event, gated, open, options, positions, stream};

/// While the write is under way nothing of it shows, to nobody, and nobody is told anything that rests on it.
#[test]
fn i1_nothing_shows_and_nobody_is_answered_while_a_write_is_under_way() {
    let (disk, gate) = gated();
    let store = EventStore::open_on(disk, options(true)).unwrap();
    let append = |name: &str, expected| store.append(stream(name), expected, [event("Happened", "x")]);
    append("first", ExpectedRevision::NoStream).wait().unwrap();
    let mut subscription = store.subscribe(Source::All, SubscribeOptions::default()).unwrap();
    assert!(matches!(subscription.next(None).unwrap(), Some(Delivery::Events(batch)) if batch.len() == 1));
    assert!(matches!(subscription.next(None).unwrap(), Some(Delivery::CaughtUp(_))));

    let held = gate.close();
    let appended = append("second", ExpectedRevision::NoStream);
    gate.wait_for_held_up();
    // Decided in the next group: refused because of what is not durable yet, and for a reason that is older than that.
    let refused = append("second", ExpectedRevision::NoStream);
    let refused_anyway = append("first", ExpectedRevision::NoStream);
    assert_eq!((store.head().position().0, all(&store).len()), (1, 1));
    assert_eq!(store.stream_status(&stream("second")).unwrap(), StreamStatus::Missing);
    assert_eq!(store.streams("", None, 9).unwrap().len(), 1);
    assert!(subscription.next(Some(Duration::ZERO)).unwrap().is_none());
    assert!(!appended.is_answered() && !refused.is_answered() && !refused_anyway.is_answered());

    drop(held);
    appended.wait().unwrap();
    assert_eq!((store.head().position().0, all(&store).len()), (2, 2));
    for (ticket, name) in [(refused, "second"), (refused_anyway, "first")] {
        let expected = Rejection::WrongRevision {
            stream: stream(name),
            expected: ExpectedRevision::NoStream,
            actual: Some(Revision(0)),
        };
        assert!(matches!(ticket.wait(), Err(AppendError::Rejected(rejection)) if rejection == expected));
    }
}

/// Whatever call of the disk fails: what was read or told before is there after the power failed.
#[test]
fn i1_whatever_was_seen_or_told_survives_a_failure_anywhere() {
    for (passing, done) in
        (0..60).flat_map(|passing| [Done::Nothing, Done::Half, Done::Everything].map(|done| (passing, done)))
    {
        let disk = MemoryDisk::new();
        disk.fail_after(passing, Fault::forever(ErrorKind::Other).leaving(done));
        let (mut seen, mut told) = (Vec::new(), None);
        if let Ok(store) = open(&disk, options(false)) {
            for _ in 0..8 {
                let append =
                    |bytes| store.append(stream("a"), ExpectedRevision::Any, [event("Happened", vec![1; bytes])]);
                let refused = Rejection::WrongRevision {
                    stream: stream("a"),
                    expected: ExpectedRevision::NoStream,
                    actual: None,
                };
                let tickets = [append(9000), store.append(stream("a"), ExpectedRevision::NoStream, [event("No", "")])];
                for ticket in tickets {
                    match ticket.wait() {
                        Ok(appended) => told = appended.next_revisions[0].current(),
                        Err(AppendError::Rejected(Rejection::WrongRevision { actual, .. })) => told = actual.max(told),
                        Err(AppendError::Failed(_)) => {}
                        Err(other) => panic!("{other} instead of {refused}"),
                    }
                }
                seen = all(&store);
            }
        }
        let crashed = disk.crash_losing_all();
        let store = open(&crashed, options(false)).unwrap();
        let found = all(&store);
        assert!(positions(&found).starts_with(&positions(&seen)), "passing={passing} done={done:?}");
        assert!(found.last().map(|event| event.revision) >= told, "told of {told:?}, passing={passing} done={done:?}");
    }
}
