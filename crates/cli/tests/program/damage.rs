//! Stores with something wrong in them: what is said of it, and what can still be read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gesta::{EventData, EventStore, ExpectedRevision, Options};
use serde_json::json;

use crate::place::{Place, Ran};

/// A store of `events` events, four to a segment, with a word in each to find it by.
fn place(events: usize) -> Place {
    let place = Place::new();
    let store = EventStore::open_with(place.path("store"), Options { segment_events: 4, ..Options::default() })
        .expect("a store made here");
    for number in 0..events {
        let event = EventData::json("Counted".try_into().expect("a store made here"), format!("\"number {number}!\""));
        store
            .append("numbers".try_into().expect("a store made here"), ExpectedRevision::Any, [event])
            .wait()
            .expect("a store made here");
    }
    store.close().expect("a store made here");
    place
}

fn segments(place: &Place) -> Vec<PathBuf> {
    let files = fs::read_dir(place.path("store/log"))
        .expect("a store made here")
        .map(|entry| entry.expect("a store made here").path());
    let mut segments: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments
}

/// Changes a byte of the event that holds `number`. Returns the file.
fn damage(place: &Place, number: usize) -> String {
    let word = format!("number {number}!");
    let place_of = |bytes: &[u8]| bytes.windows(word.len()).position(|window| window == word.as_bytes());
    let (path, mut bytes, at) = segments(place)
        .into_iter()
        .find_map(|path| fs::read(&path).ok().and_then(|bytes| Some((path, place_of(&bytes)?, bytes))))
        .map(|(path, at, bytes)| (path, bytes, at))
        .expect("a segment has the event");
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("a store made here");
    format!("log/{}", path.file_name().expect("a store made here").to_str().expect("a store made here"))
}

/// Where the words of a run say the bad bytes are.
fn offset(words: &str) -> &str {
    let digits = words.split_once(" offset=").unwrap_or_else(|| panic!("no offset in {words}")).1;
    &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())]
}

fn numbers(ran: &Ran) -> Vec<String> {
    ran.field("data").iter().map(|data| data.trim_matches(|c: char| !c.is_ascii_digit()).to_owned()).collect()
}

/// A way to damage a store.
type Change<'a> = &'a dyn Fn(&Place);

/// With damage in the newest segment, the store does not open, and `verify` said no more than that.
#[test]
fn a_store_that_does_not_open_is_verified_all_the_same() {
    let place = place(11);
    let file = damage(&place, 9);
    let ran = place.gesta(&["verify"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    let report = &ran.json()[0];
    assert_eq!((&report["ok"], &report["opened"], &report["events"]), (&json!(false), &json!(false), &json!(9)));
    let problems = report["problems"].to_string();
    assert!(problems.contains("does not end as at its clean shutdown, head=9 head_at_shutdown=11"), "{problems}");
    assert!(problems.contains(&format!("checksum does not fit, file={file} offset=")), "{problems}");
    let table = place.gesta(&["verify", "-o", "table"]);
    assert!(table.code == 7 && table.out.starts_with("damaged  9 events"), "{table:?}");
    // Everybody names the same byte.
    let read = place.gesta(&["read"]);
    assert_eq!((read.code, offset(&read.err)), (7, offset(&problems)), "{read:?}");
    assert_eq!(offset(problems.rsplit_once("checksum").unwrap().1), offset(&problems));
    assert!(read.err.contains("gesta export --intact"), "{read:?}");
}

/// `verify` named the start of the commit, `read` the event in it.
#[test]
fn verify_and_read_name_the_same_byte() {
    let place = place(11);
    // More than an opening reads.
    let store = EventStore::open(place.path("store")).unwrap();
    for _ in 0..7 {
        let events = (0..9500).map(|_| EventData::json("Filled".try_into().unwrap(), "1"));
        store.append("filling".try_into().unwrap(), ExpectedRevision::Any, events).wait().unwrap();
    }
    store.close().unwrap();
    let file = damage(&place, 2);
    let read = place.gesta(&["read"]);
    let verified = place.gesta(&["verify"]);
    assert_eq!((read.code, verified.code), (7, 7));
    let problems = verified.json()[0]["problems"].to_string();
    assert!(problems.contains(&file) && read.err.contains(&file), "{problems} {read:?}");
    assert_eq!(offset(&read.err), offset(&problems));
    assert_eq!(verified.json()[0]["opened"], json!(true));
}

#[test]
fn what_is_intact_can_be_exported() {
    let place = place(11);
    let whole = place.ok(&["export"]).out;
    assert_eq!(place.ok(&["export", "--intact"]).out, whole);
    damage(&place, 2);
    damage(&place, 9);
    assert_eq!(place.gesta(&["export"]).code, 7);
    let ran = place.gesta(&["export", "--intact"]);
    assert_eq!((ran.code, numbers(&ran).join(" ")), (7, "0 1 4 5 6 7 8".to_owned()), "{ran:?}");
    assert_eq!(ran.err.matches("warning: bad bytes in the log: checksum does not fit, file=log/").count(), 2);
    let before = fs::read(place.path("store/LOCK")).unwrap();
    let to_file = place.gesta(&["export", "--intact", "rescued"]);
    assert_eq!(to_file.code, 7);
    assert_eq!(fs::read_to_string(place.path("rescued")).unwrap(), ran.out);
    assert_eq!(fs::read(place.path("store/LOCK")).unwrap(), before);
    place.ok(&["--dir", "copy", "import", "ndjson", "rescued"]);
    assert_eq!(numbers(&place.ok(&["--dir", "copy", "read"])), numbers(&ran));
    place.fails(2, "cannot be used with", &["export", "--intact", "--type", "Counted"]);
    place.fails(3, "there is no store", &["--dir", "nowhere", "export", "--intact"]);
}

/// Files that do not belong were told as wrong usage or as a passing failure, which a script would try again.
#[test]
fn a_store_with_a_wrong_file_in_it_is_damaged() {
    let replaced_by_dir = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    let changes: &[(&str, Change)] = &[
        ("log/foo.seg", &|place| place.write("store/log/foo.seg", "")),
        ("belongs to another store", &|place| {
            let other = self::place(5);
            fs::copy(&segments(&other)[0], &segments(place)[0]).unwrap();
        }),
        ("cannot open the log", &|place| {
            fs::remove_dir_all(place.path("store/log")).unwrap();
            place.write("store/log", "");
        }),
        ("file=LOCK", &|place| replaced_by_dir(&place.path("store/LOCK"))),
        ("store.toml", &|place| replaced_by_dir(&place.path("store/store.toml"))),
        ("store.toml", &|place| fs::remove_file(place.path("store/store.toml")).unwrap()),
        ("segment is missing, first_position=0", &|place| fs::remove_file(&segments(place)[0]).unwrap()),
        ("segment is missing, first_position=4", &|place| fs::remove_file(&segments(place)[1]).unwrap()),
    ];
    for (words, change) in changes {
        let place = place(11);
        change(&place);
        for arguments in [&["read"][..], &["append", "s", "T"], &["export"]] {
            place.fails(7, words, arguments);
        }
        let ran = place.gesta(&["verify"]);
        assert_eq!((ran.code, &ran.json()[0]["ok"]), (7, &json!(false)), "{words}: {ran:?}");
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
}
