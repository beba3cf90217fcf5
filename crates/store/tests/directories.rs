//! Directories that are no stores, are stores no longer whole, or may not be written: each a clear error, and nothing changed.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::{fs, path::Path};

use gesta_store::{ErrorKind, EventData, EventStore, ExpectedRevision, Options};

fn refused(dir: &Path, kind: ErrorKind, words: &str) {
    let error = EventStore::open(dir).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

fn store_with_an_event(dir: &Path) {
    let store = EventStore::open(dir).unwrap();
    let event = EventData::json("Happened".try_into().unwrap(), "{}");
    store.append("a".try_into().unwrap(), ExpectedRevision::NoStream, [event]).wait().unwrap();
    store.close().unwrap();
}

#[test]
fn foreign_directories_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    refused(dir.path(), ErrorKind::Invalid, "holds=notes.txt");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("photos")).unwrap();
    refused(dir.path(), ErrorKind::Invalid, "holds=photos");

    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&file, ErrorKind::Invalid, "is a file");
}

#[test]
fn a_missing_store_is_not_made_by_reading() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { create: false, ..Options::default() };
    let error = EventStore::open_with(dir.path().join("nothing"), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!dir.path().join("nothing").exists());
}

#[test]
fn a_store_that_lost_its_log_or_its_identity_is_not_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    store_with_an_event(dir.path());
    fs::rename(dir.path().join("log"), dir.path().join("away")).unwrap();
    refused(dir.path(), ErrorKind::Corrupted, "log of the store is missing");
    fs::rename(dir.path().join("away"), dir.path().join("log")).unwrap();
    fs::remove_file(dir.path().join("store.toml")).unwrap();
    refused(dir.path(), ErrorKind::Corrupted, "no store.toml");
}

#[test]
fn a_log_shorter_than_its_index_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_events: 4, ..Options::default() };
    let store = EventStore::open_with(dir.path(), options).unwrap();
    for _ in 0..10 {
        let event = EventData::json("Happened".try_into().unwrap(), "{}");
        store.append("a".try_into().unwrap(), ExpectedRevision::Any, [event]).wait().unwrap();
    }
    store.settle().unwrap();
    store.close().unwrap();
    for entry in fs::read_dir(dir.path().join("log")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "00000000000000000000.seg" {
            fs::remove_file(path).unwrap();
        }
    }
    refused(dir.path(), ErrorKind::Corrupted, "log ends before its index");
}

#[test]
fn an_open_store_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    refused(dir.path(), ErrorKind::Unavailable, "open in another process");
    store.close().unwrap();
    EventStore::open(dir.path()).unwrap();
}

#[test]
fn a_newer_store_asks_for_a_newer_program() {
    let dir = tempfile::tempdir().unwrap();
    store_with_an_event(dir.path());
    let path = dir.path().join("store.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("format = 1", "format = 2")).unwrap();
    refused(dir.path(), ErrorKind::Invalid, "newer than this program");
    fs::write(&path, "format = ").unwrap();
    refused(dir.path(), ErrorKind::Corrupted, "does not parse");
}

/// Reading once said that there is no store where only its identity was gone.
#[test]
fn a_store_without_its_identity_is_told_from_no_store_when_reading_too() {
    let dir = tempfile::tempdir().unwrap();
    store_with_an_event(dir.path());
    fs::remove_file(dir.path().join("store.toml")).unwrap();
    let error = EventStore::open_with(dir.path(), Options { create: false, ..Options::default() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
}

/// A damaged `store.toml` was told as a setting that had to be corrected, or, with a format of 0, not at all; `gesta verify` then did not look at
/// the log.
#[test]
fn an_identity_no_store_ever_had_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    store_with_an_event(dir.path());
    let path = dir.path().join("store.toml");
    let text = fs::read_to_string(&path).unwrap();
    for (is, becomes, words) in [
        ("format = 1", "format = 0", "format that never was"),
        ("segment_bytes = 67108864", "segment_bytes = 6710", "segment_bytes=6710"),
        ("segment_events = 131072", "segment_events = 0", "segment_events=0"),
    ] {
        assert!(text.contains(is), "{text}");
        fs::write(&path, text.replace(is, becomes)).unwrap();
        refused(dir.path(), ErrorKind::Corrupted, words);
    }
    fs::write(&path, text).unwrap();
    EventStore::open(dir.path()).unwrap();
}
