//! I6: only a torn tail may be cut.

use std::{collections::BTreeMap, path::PathBuf};

use gesta_store::{
    Error, ErrorKind, EventStore, ExpectedRevision, Options, ReadOptions, RecordedEvent, Result,
    disk::memory::MemoryDisk,
};

use crate::{all, event, open, options, stream};

fn small() -> Options {
    Options { segment_events: 5, ..options(false) }
}

/// Two sealed segments and an open one, closed properly.
fn written() -> (MemoryDisk, Vec<RecordedEvent>) {
    let disk = MemoryDisk::new();
    let store = open(&disk, small()).unwrap();
    for number in 0..13_u8 {
        store.append(stream("a"), ExpectedRevision::Any, [event("Happened", vec![number; 20])]).wait().unwrap();
    }
    let events = all(&store);
    store.close().unwrap();
    (disk, events)
}

fn segments(disk: &MemoryDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = disk.snapshot();
    files.retain(|path, bytes| {
        path.extension().is_some_and(|extension| extension == "seg") && bytes.iter().any(|byte| *byte != 0)
    });
    files
}

fn assert_names(text: &str, file: &str) {
    assert!(text.contains(file) && text.contains("offset="), "names neither file nor place, file={file}: {text}");
}

fn assert_corrupted(error: &Error, file: &str) {
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    assert_names(&error.to_string(), file);
}

fn read_all(store: &EventStore) -> Result<Vec<RecordedEvent>> {
    store.read_all(ReadOptions::default())?.collect()
}

/// Whether the damage was reported, with the file that has it; panics if it made a difference without being reported.
fn is_reported(disk: &MemoryDisk, events: &[RecordedEvent], file: &str) -> bool {
    let store = match open(disk, small()) {
        Ok(store) => store,
        Err(error) => {
            assert_corrupted(&error, file);
            return true;
        }
    };
    let found = read_all(&store);
    match &found {
        Err(error) => assert_corrupted(error, file),
        Ok(found) => assert_eq!(found, events, "damage was believed"),
    }
    let report = store.verify(|_| ()).unwrap();
    report.problems.iter().for_each(|problem| assert_names(problem, file));
    found.is_err() || !report.is_sound()
}

#[test]
fn i6_a_changed_byte_is_reported_with_its_segment_and_place() {
    let (disk, events) = written();
    let files = segments(&disk);
    assert_eq!(files.len(), 3);
    for (path, bytes) in &files {
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let file = path.file_name().unwrap().to_str().unwrap();
        let mut silent = Vec::new();
        for offset in 0..used {
            let damaged = disk.kill();
            damaged.corrupt(path, offset as u64, 1 << (offset % 8)).unwrap();
            if !is_reported(&damaged, &events, file) {
                silent.push(offset);
            }
        }
        // What holds nothing may rot unseen: zeros between what was written, never a byte that means something.
        let meant: Vec<usize> = silent.iter().copied().filter(|offset| bytes[*offset] != 0).collect();
        assert_eq!(meant, Vec::<usize>::new(), "{file}");
    }
}

/// Killed while it wrote: what is left of the last frame is cut, whatever is left of it, and what is cut is kept aside and reported. That also goes
/// for damage a little earlier in a store that was not closed in order, where nobody can tell the two apart (`docs/formats/log.md`,
/// "Recovery"); in one that was closed, the same damage is reported as what it is.
#[test]
fn i6_only_the_last_frame_may_be_cut() {
    let disk = MemoryDisk::new();
    let store = open(&disk, options(false)).unwrap();
    let mut ends = Vec::new();
    for number in 1..6_u8 {
        store.append(stream("a"), ExpectedRevision::Any, [event("Happened", vec![number; 40])]).wait().unwrap();
        let (_, bytes) = segments(&disk).pop_first().unwrap();
        ends.push(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    }
    let events = all(&store);
    let (path, bytes) = segments(&disk).pop_first().unwrap();
    for from in ends[3]..ends[4] {
        let torn = disk.kill();
        for (offset, byte) in bytes.iter().enumerate().take(ends[4]).skip(from) {
            torn.corrupt(&path, offset as u64, *byte).unwrap(); // zeros again
        }
        let store = open(&torn, options(false)).unwrap();
        let found = all(&store);
        assert_eq!(found, events[..4], "from={from}");
        let left = bytes[ends[3]..from].iter().any(|byte| *byte != 0);
        assert_eq!(left, store.info().unwrap().recovery.cut.is_some(), "from={from}");
    }
    for offset in ends[2]..ends[3] {
        let damaged = disk.kill();
        damaged.corrupt(&path, offset as u64, 0x55).unwrap();
        match open(&damaged, options(false)) {
            Err(error) => assert_corrupted(&error, path.file_name().unwrap().to_str().unwrap()),
            Ok(store) => {
                let found = read_all(&store).unwrap();
                assert!(events.starts_with(&found), "offset={offset}");
                assert_eq!(found.len() < 5, store.info().unwrap().recovery.cut.is_some(), "offset={offset}");
                let aside = damaged.snapshot().into_keys().any(|path| path.extension().is_some_and(|it| it == "cut"));
                assert_eq!(found.len() < 5, aside, "what is cut is kept aside, offset={offset}");
            }
        }
    }
    store.close().unwrap();
    for offset in ends[2]..ends[3] {
        let damaged = disk.kill();
        damaged.corrupt(&path, offset as u64, 0x55).unwrap();
        let error = open(&damaged, options(false)).map(drop).unwrap_err();
        assert_corrupted(&error, path.file_name().unwrap().to_str().unwrap());
    }
}
