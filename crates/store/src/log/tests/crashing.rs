//! Losing power, or an operation, between any two operations anywhere.

use super::*;
use crate::{
    disk::memory::{Done, Fault, MemoryDisk},
    error::ErrorKind,
};

/// What a run came to: what was answered as durable, and whether it was closed in order.
struct Ran {
    durable: Position,
    appended: Author,
    closed: bool,
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: 8192, segment_events: 12, tail_cache_bytes: 0, ..LogOptions::new(STORE) }
}

fn open(disk: &MemoryDisk) -> Result<(Arc<Log>, LogWriter, LogFlusher, Recovered)> {
    Log::open(Arc::new(disk.clone()), options())
}

/// Appends commits of many sizes until the disk refuses, or all are durable and the log is closed.
fn run(disk: &MemoryDisk, mut author: Author, commits: u8) -> Ran {
    let mut ran = Ran { durable: author.head(), appended: author.clone(), closed: false };
    let Ok((log, mut writer, mut flusher, recovered)) = open(disk) else { return ran };
    assert_eq!(recovered.head, author.head());
    for n in 0..commits {
        let n_wide = usize::from(n);
        let shape = vec![(n % 3, (n_wide * 811) % 4000, n % 2); 1 + n_wide % 3];
        writer.append(&author.commit(&shape));
        ran.appended = author.clone();
        if n % 3 != 0 {
            let Ok(flushed) = flusher.flush(writer.take_group()) else { return ran };
            ran.durable = flushed.end;
        }
        if n % 5 == 0 {
            let _ = log.prepare_spare(&|| true);
        }
    }
    let Ok(flushed) = flusher.flush(writer.take_group()) else { return ran };
    ran.durable = flushed.end;
    ran.closed = flusher.close().is_ok();
    ran
}

/// Opens what is left, and checks that it is a prefix of whole commits that has everything that was answered.
fn check(disk: &MemoryDisk, ran: &Ran, story: &str) -> Author {
    let (log, writer, _, recovered) = open(disk).unwrap_or_else(|error| panic!("{story}: {error}"));
    let head = recovered.head;
    assert!(head >= ran.durable && head <= ran.appended.head(), "{story}: head {head} durable {}", ran.durable);
    assert_eq!(writer.next_position(), head, "{story}");
    assert!(!ran.closed || (recovered.opened_clean && recovered.cut.is_none()), "{story}: {recovered:?}");
    let events = log.read_forward(Position::START, head, usize::MAX, usize::MAX).expect("read").to_recorded();
    let count = usize::try_from(head.0).expect("few");
    assert!(events == ran.appended.recorded[..count], "{story}");
    let mut author = Author::default();
    for frame in log.frames(Position::START, head) {
        let frame = frame.unwrap_or_else(|error| panic!("{story}: {error}"));
        author.commit(&shape_of(&frame));
    }
    assert!(author.recorded == events, "{story}: commits are whole");
    author
}

/// What the author was told to write: doing it again brings another author to the same state.
fn shape_of(frame: &crate::log::StoredFrame) -> Shape {
    let shape = frame.events().map(|event| {
        let event = event.to_recorded();
        let stream = event.stream.rsplit('-').next().and_then(|number| number.parse().ok());
        (stream.expect("stream number"), event.data.len(), u8::try_from(event.tags.len()).expect("few tags"))
    });
    shape.collect()
}

#[test]
fn losing_power_after_any_operation_loses_nothing_that_was_answered() {
    let full = MemoryDisk::new();
    run(&full, Author::default(), 30);
    let moments = full.operations().changes();
    assert!(moments > 60, "{moments}");
    for moment in 0..moments {
        for done in [Done::Nothing, Done::Half, Done::Everything] {
            let disk = MemoryDisk::new();
            disk.fail_after(moment, Fault::forever(std::io::ErrorKind::Other).leaving(done));
            let ran = run(&disk, Author::default(), 30);
            check_twice(&disk.kill(), &ran, &format!("killed at {moment} {done:?}"));
            for seed in 0..4 {
                check_twice(&disk.crash(seed), &ran, &format!("power lost at {moment} {done:?} seed {seed}"));
            }
        }
    }
}

/// What opening showed must survive losing power right after it. It once did not after a failed write: its pages counted as clean, and
/// the sync of recovery kept nothing.
fn check_twice(disk: &MemoryDisk, ran: &Ran, story: &str) {
    let mut shown = check(disk, ran, story);
    let kept = check(&disk.crash_losing_all(), ran, story).head();
    assert!(kept >= shown.head(), "{story}: {} was shown, {kept} was kept", shown.head());
    // And so must what is written next: its segment's name, too, must have become durable.
    let (_, mut writer, mut flusher, _) = open(disk).expect("open");
    writer.append(&shown.commit(&[(1, 100, 0)]));
    let durable = flusher.flush(writer.take_group()).expect("flush").end;
    check(&disk.crash_losing_all(), &Ran { durable, appended: shown, closed: false }, story);
}

#[test]
fn losing_power_while_opening_loses_nothing_either() {
    let full = MemoryDisk::new();
    run(&full, Author::default(), 14);
    for moment in (0..full.operations().changes()).step_by(3) {
        let disk = MemoryDisk::new();
        disk.fail_after(moment, Fault::forever(std::io::ErrorKind::Other).leaving(Done::Half));
        let ran = run(&disk, Author::default(), 14);
        let left = disk.crash(moment);
        for step in 0.. {
            let disk = left.kill();
            disk.fail_after(step, Fault::forever(std::io::ErrorKind::Other).leaving(Done::Half));
            let opened = open(&disk).is_ok();
            check(&disk.crash(step), &ran, &format!("power lost at {moment}, and at {step} of opening"));
            if opened {
                break;
            }
        }
    }
}

/// Segments were once sealed when the next frame did not fit. A frame lost in a crash then left its trace: the segment before it
/// stayed sealed early, and a node that had crashed had other files than one that had not.
#[test]
fn a_log_continues_after_many_crashes_with_the_bytes_of_one_that_had_none() {
    let mut disk = MemoryDisk::new();
    let mut author = Author::default();
    let mut shapes = Vec::new();
    for seed in 0..40 {
        disk.fail_after(7 + seed % 11, Fault::forever(std::io::ErrorKind::Other).leaving(Done::Half));
        let before = usize::try_from(author.commits).expect("few");
        let ran = run(&disk, author, 30);
        disk = disk.crash(seed);
        author = check(&disk, &ran, &format!("crash {seed}"));
        assert!(usize::try_from(author.commits).expect("few") >= before);
        shapes.push(author.head());
    }
    assert!(author.head().0 > 60, "{shapes:?}");
    // One more commit on both: a crash may have left a segment that was begun and has no events yet.
    let reference = MemoryDisk::new();
    let mut replay = Author::default();
    let (_, mut writer, mut flusher, _) = open(&reference).expect("open");
    let (log, mut last_writer, mut last_flusher, _) = open(&disk).expect("open");
    for frame in log.frames(Position::START, author.head()) {
        writer.append(&replay.commit(&shape_of(&frame.expect("frame"))));
    }
    let last = author.commit(&[(1, 5000, 0)]);
    for (writer, flusher) in [(&mut writer, &mut flusher), (&mut last_writer, &mut last_flusher)] {
        writer.append(&last);
        flusher.flush(writer.take_group()).expect("flush");
    }
    let segments = |disk: &MemoryDisk| {
        let mut files = disk.snapshot();
        files.retain(|path, _| path.extension().is_some_and(|extension| extension == "seg"));
        let (_, last) = files.pop_last().expect("segments");
        let trimmed = last[..last.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)].to_vec();
        (files, trimmed)
    };
    let ((sealed, last), (sealed_reference, last_reference)) = (segments(&disk), segments(&reference));
    assert_eq!(sealed.keys().collect::<Vec<_>>(), sealed_reference.keys().collect::<Vec<_>>());
    for (path, bytes) in &sealed {
        let differs = bytes.iter().zip(&sealed_reference[path]).position(|(ours, theirs)| ours != theirs);
        assert_eq!((differs, bytes.len()), (None, sealed_reference[path].len()), "{}", path.display());
    }
    assert!(last == last_reference);
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_serving_reads() {
    let disk = MemoryDisk::new();
    disk.set_capacity(Some(40_000));
    let mut author = Author::default();
    let (log, mut writer, mut flusher, _) = open(&disk).expect("open");
    let error = loop {
        writer.append(&author.commit(&[(1, 1500, 0)]));
        match flusher.flush(writer.take_group()) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let durable = author.head().0 - 1;
    assert_eq!(log.read_forward(Position(0), Position(durable), 1000, 1 << 20).expect("read").len() as u64, durable);
    // Opening needs no space; writing goes on once there is some.
    let (log, ..) = open(&disk).expect("open while full");
    assert_eq!(log.event(Position(durable - 1)).expect("read").position(), Position(durable - 1));
    disk.set_capacity(None);
    let (_, mut writer, mut flusher, recovered) = open(&disk).expect("open");
    let mut author = Author::default();
    while author.head() < recovered.head {
        author.commit(&[(1, 1500, 0)]);
    }
    writer.append(&author.commit(&[(1, 1500, 0)]));
    flusher.flush(writer.take_group()).expect("flush");
}
