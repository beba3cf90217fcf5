//! A real process, killed with SIGKILL while it appends from several threads, again and again on the same directory: whatever it
//! said was acked must be there, whole, in dense order.
//!
//! The child is this test binary itself, started for the test `child` with the directory in its environment. `GESTA_KILLS` says
//! how often (default 12; the nightly command asks for more than a hundred).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gesta_store::{Append, EventData, EventStore, EventType, ExpectedRevision, ReadOptions, StreamName};

const DIR: &str = "GESTA_KILL_DIR";
const ROUND: &str = "GESTA_KILL_ROUND";
const THREADS: usize = 4;

/// One acked commit, as the child says it: a line `commit-id first-position events`.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else {
        return; // not started by the test below
    };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let store = EventStore::open(dir).unwrap();
    let out = Arc::new(Mutex::new(std::io::stdout()));
    let said = |line: String| {
        let mut out = out.lock().unwrap();
        // The parent may be gone already; so are we then.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    said("ready".to_owned());
    std::thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (store, said) = (&store, &said);
            scope.spawn(move || {
                for number in 0_u64.. {
                    let commit = (round << 40) | (thread << 32) | number;
                    let count = 1 + commit % 5;
                    let events = (0..count).map(|index| {
                        let data = format!("{{\"commit\":{commit},\"index\":{index},\"of\":{count}}}");
                        EventData::json(EventType::new("Written").unwrap(), data.into_bytes())
                    });
                    let events: Vec<_> = events.collect();
                    let (first, second) = events.split_at(events.len() / 2);
                    let stream = |name: String| StreamName::new(name).unwrap();
                    let append = Append::new()
                        .stream(stream(format!("left-{}", commit % 7)), ExpectedRevision::Any, first.to_vec())
                        .stream(stream(format!("right-{}", commit % 11)), ExpectedRevision::Any, second.to_vec());
                    let appended = store.commit(append).wait().unwrap();
                    said(format!("{commit} {} {count}", appended.first_position.unwrap()));
                }
            });
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_it_acked() {
    let kills: u64 = std::env::var("GESTA_KILLS").map_or(12, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut acked = BTreeMap::new();
    for round in 0..kills {
        let mut child = start(dir.path(), round);
        let said = kill_after(&mut child, 5 + (round * 37) % 90);
        for line in said {
            let mut fields = line.split(' ').map(|field| field.parse::<u64>());
            if let (Some(Ok(commit)), Some(Ok(position)), Some(Ok(count))) =
                (fields.next(), fields.next(), fields.next())
            {
                acked.insert(commit, (position, count));
            }
        }
        check(dir.path(), &acked);
    }
    assert!(acked.len() as u64 >= kills, "the children hardly appended: {} commits in {kills} rounds", acked.len());
}

fn start(dir: &std::path::Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
        .env(DIR, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child some milliseconds after it began to append; returns the whole lines it said.
fn kill_after(child: &mut Child, millis: u64) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines.by_ref() {
        if line.unwrap().ends_with("ready") {
            break;
        }
    }
    let began = Instant::now();
    for line in lines.by_ref() {
        said.push(line.unwrap());
        if began.elapsed() >= Duration::from_millis(millis) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was in the pipe when it died was said, too; a last line may be cut short.
    let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
    rest.pop();
    said.extend(rest);
    said
}

/// Every acked commit is there as it was answered, and every commit that is there is whole.
fn check(dir: &std::path::Path, acked: &BTreeMap<u64, (u64, u64)>) {
    let store = EventStore::open(dir).unwrap();
    let mut found: BTreeMap<u64, Vec<(u64, u64, u64)>> = BTreeMap::new();
    for (position, event) in store.read_all(ReadOptions::default()).unwrap().enumerate() {
        let event = event.unwrap();
        assert_eq!(event.position.0, position as u64, "positions are dense");
        let data: serde_json::Value = serde_json::from_slice(&event.data).unwrap();
        let field = |name: &str| data[name].as_u64().unwrap();
        found.entry(field("commit")).or_default().push((event.position.0, field("index"), field("of")));
    }
    for (commit, events) in &found {
        let first = events[0].0;
        let expected: Vec<_> = (0..events[0].2).map(|index| (first + index, index, events[0].2)).collect();
        assert_eq!(events, &expected, "commit {commit} is torn");
    }
    for (commit, (position, count)) in acked {
        let events = found.get(commit).unwrap_or_else(|| panic!("acked commit {commit} at {position} is lost"));
        assert_eq!((events[0].0, events.len() as u64), (*position, *count), "commit {commit} was answered otherwise");
    }
    let report = store.verify(|_| {}).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
}
