//! `gesta follow --group --url`: taking messages from a server, however it ends.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
};

use gesta::{EventStore, entropy::Entropy};
use gesta_server::security::{passwords, users::User};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::server::{Secured, Server, gesta, shown};

/// A server with a group on everything, and so many events before it.
struct Place {
    dir: TempDir,
    server: Server,
}

impl Place {
    fn with(events: usize, bytes: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(&dir.path().join("store"), 0, &[]);
        let place = Self { dir, server };
        place.append(0..events, bytes);
        place.ok(&["group", "create", "g", "--strategy", "round-robin"]);
        place
    }

    /// Records events with their numbers.
    fn append(&self, numbers: std::ops::Range<usize>, bytes: usize) {
        let filling = "x".repeat(bytes);
        let line = |number| format!("{{\"type\":\"T\",\"data\":{{\"n\":{number},\"filling\":\"{filling}\"}}}}\n");
        let file = self.dir.path().join("events.ndjson");
        std::fs::write(&file, numbers.map(line).collect::<String>()).expect("writes");
        let mut command = gesta(&["append", "--ndjson", "s", "--url", &self.server.url]);
        let input = std::fs::File::open(&file).expect("it is there");
        let (code, _, err) = shown(&command.stdin(input).output().expect("runs"));
        assert_eq!(code, 0, "{err}");
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        shown(&gesta(arguments).args(["--url", &self.server.url, "-o", "ndjson"]).output().expect("runs"))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    }

    /// Takes as many messages, however long they take to come.
    fn take(&self, count: usize) -> Vec<u64> {
        numbers(&self.ok(&["follow", "--group", "g", "--limit", &count.to_string()]))
    }

    /// Takes what is there.
    fn rest(&self) -> Vec<u64> {
        numbers(&self.ok(&["follow", "--group", "g", "--until-idle", "0s"]))
    }

    fn follower(&self) -> Follower {
        Follower::start(gesta(&["follow", "--group", "g", "-o", "ndjson", "--url", &self.server.url]))
    }

    fn group(&self) -> Value {
        serde_json::from_str(&self.ok(&["group", "info", "g"])).expect("an object")
    }
}

fn numbers(out: &str) -> Vec<u64> {
    let number = |line: &str| serde_json::from_str::<Value>(line).expect("an object")["data"]["n"].as_u64();
    out.lines().map(|line| number(line).expect("a number")).collect()
}

/// A run that goes on until it is ended, and whose output is read line by line.
struct Follower {
    process: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Follower {
    fn start(mut command: std::process::Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, out }
    }

    fn next(&mut self) -> u64 {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("it writes");
        numbers(&line)[0]
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("the process is ours");
    }

    /// Its exit code (none, if it was killed), what it had still to say, and its last words.
    fn ended(mut self) -> (Option<i32>, Vec<u64>, String) {
        let mut out = String::new();
        self.out.read_to_string(&mut out).expect("UTF-8");
        let output = self.process.wait_with_output().expect("it is ours");
        (output.status.code(), numbers(&out), String::from_utf8(output.stderr).expect("UTF-8"))
    }
}

fn range(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

#[test]
fn what_was_printed_is_acked_and_the_rest_goes_back_at_once() {
    let place = Place::with(250, 10);
    assert_eq!(place.take(2), [0, 1]);
    assert_eq!(place.take(120), range(2..122));
    assert_eq!(place.rest(), range(122..250));
    assert_eq!(place.rest(), range(0..0));
    place.append(250..253, 10);
    assert_eq!(place.take(1), [250]);
    let group = place.group();
    assert_eq!(
        (group["inFlight"].as_u64(), group["consumers"].as_array().map(Vec::len)),
        (Some(0), Some(0)),
        "{group}"
    );
    assert_eq!(place.rest(), [251, 252]);
}

/// A server sends what is there in several batches: after the first of them `--until-idle 0s` took it for silent.
#[test]
fn what_is_there_is_printed_to_its_end_before_it_counts_as_silence() {
    let place = Place::with(1500, 10);
    assert_eq!(numbers(&place.ok(&["follow", "s", "--from", "start", "--until-idle", "0s"])), range(0..1500));
    assert_eq!(place.rest(), range(0..1500));
}

#[test]
fn messages_are_printed_as_they_come_until_somebody_ends_it() {
    let place = Place::with(1, 10);
    let mut follower = place.follower();
    assert_eq!(follower.next(), 0);
    place.append(1..3, 10);
    assert_eq!([follower.next(), follower.next()], [1, 2]);
    assert_eq!(place.group()["consumers"][0]["name"], "gesta follow");
    follower.signal(Signal::INT);
    let (code, rest, err) = follower.ended();
    assert_eq!((code, rest.as_slice()), (Some(130), &[][..]), "{err}");
    assert!(err.contains("interrupted, what was printed is acked"), "{err}");
    place.append(3..4, 10);
    assert_eq!(place.take(1), [3]);
}

/// Whoever reads the output is slow: messages were taken that are not printed yet.
#[test]
fn what_was_taken_and_not_printed_comes_again_however_the_consumer_ended() {
    for signal in [Signal::INT, Signal::KILL] {
        // More than a pipe holds.
        let place = Place::with(100, 10_000);
        let mut follower = place.follower();
        assert_eq!(follower.next(), 0);
        assert_eq!(place.group()["inFlight"], 100);
        follower.signal(signal);
        if signal == Signal::KILL {
            follower.process.wait().expect("it is ours");
            // With those that were printed, for nobody knows who read them.
            assert_eq!(place.take(100), range(0..100));
        } else {
            // A batch that was begun is printed to its end, and acked.
            let (code, rest, _) = follower.ended();
            assert_eq!((code, rest), (Some(130), range(1..100)));
            assert_eq!(place.rest(), range(0..0));
        }
    }
}

/// The pipe is closed by whoever read from it.
#[test]
fn a_reader_that_goes_away_leaves_the_rest_to_others() {
    let place = Place::with(100, 10_000);
    let mut follower = place.follower();
    assert_eq!(follower.next(), 0);
    drop(follower.out);
    let output = follower.process.wait_with_output().expect("it is ours");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    assert_eq!(place.take(100), range(0..100));
}

#[test]
fn a_server_that_goes_away_is_told() {
    for signal in [Signal::TERM, Signal::KILL] {
        let place = Place::with(1, 10);
        let mut follower = place.follower();
        assert_eq!(follower.next(), 0);
        place.server.signal(signal);
        let (code, rest, err) = follower.ended();
        assert_eq!((code, rest.as_slice()), (Some(6), &[][..]), "{err}");
        assert!(err.contains("the connection to the server failed") || err.contains("the server went away"), "{err}");
    }
}

#[test]
fn a_group_that_is_reset_begins_anew_and_one_that_is_deleted_is_not_there() {
    let place = Place::with(3, 10);
    let mut follower = place.follower();
    assert_eq!([follower.next(), follower.next(), follower.next()], [0, 1, 2]);
    place.ok(&["group", "reset", "g", "--from", "@1"]);
    assert_eq!([follower.next(), follower.next()], [1, 2]);
    place.ok(&["group", "update", "g", "--read-batch", "7"]);
    place.append(3..4, 10);
    assert_eq!(follower.next(), 3);
    place.ok(&["group", "delete", "g"]);
    let (code, _, err) = follower.ended();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("no such consumer group"), "{err}");
}

#[test]
fn two_share_what_comes() {
    let place = Place::with(0, 10);
    let mut followers = [place.follower(), place.follower()];
    while place.group()["consumers"].as_array().map(Vec::len) != Some(2) {}
    place.append(0..2, 10);
    let mut taken = followers.each_mut().map(Follower::next);
    taken.sort_unstable();
    assert_eq!(taken, [0, 1]);
    for follower in followers {
        follower.signal(Signal::TERM);
        assert_eq!(follower.ended().0, Some(130));
    }
    assert_eq!(place.rest(), range(0..0));
}

/// A user who is in no group of the system.
fn add_user(dir: &Path, login: &str, password: &str) {
    let store = EventStore::open(dir).expect("opens");
    let user = User {
        login_name: login.to_owned(),
        full_name: String::new(),
        groups: Vec::new(),
        disabled: false,
        hash: passwords::kept(password, &Entropy::from_os()).expect("a password"),
    };
    store.commit(user.creation().expect("valid")).wait().expect("recorded");
    store.close().expect("closes");
}

#[test]
fn a_consumer_needs_the_right_to_read_what_its_group_is_on_and_no_more() {
    let place = tempfile::tempdir().expect("a directory");
    add_user(&place.path().join("store"), "ada", "of-ada");
    let secured = Secured::start(place.path());
    let run = |who: &[String], arguments: &[&str]| {
        let (code, out, err) = shown(&gesta(arguments).args(["-o", "ndjson"]).args(who).output().expect("runs"));
        assert!(code == 0 || out.is_empty(), "{out}");
        (code, out, err)
    };
    let (admin, ada) = (secured.as_admin(), secured.arguments("ada:of-ada"));
    for arguments in [
        &["append", "open", "T", r#"{"n":1}"#][..],
        &["append", "closed", "T", r#"{"n":2}"#],
        &["append", "$$closed", "$metadata", r#"{"$acl":{"$r":"$admins"}}"#],
        &["group", "create", "g", "--on", "open"],
        &["group", "create", "g", "--on", "closed"],
        &["group", "create", "g", "--type", "T"],
    ] {
        assert_eq!(run(&admin, arguments).0, 0, "{arguments:?}");
    }
    let follow = |stream: &'static [&'static str]| [stream, &["--group", "g", "--limit", "1"]].concat();
    let (code, out, err) = run(&ada, &[&["follow"][..], &follow(&["open"])].concat());
    assert_eq!((code, numbers(&out)), (0, vec![1]), "{err}");
    for refused in [follow(&["closed"]), follow(&[])] {
        let (code, _, err) = run(&ada, &[&["follow"][..], &refused].concat());
        assert_eq!(code, 5, "{err}");
        assert!(err.contains("the server denies it"), "{err}");
    }
    let (code, out, err) = run(&admin, &[&["follow"][..], &follow(&["closed"])].concat());
    assert_eq!((code, numbers(&out)), (0, vec![2]), "{err}");
    assert_eq!(run(&secured.arguments("ada:wrong"), &[&["follow"][..], &follow(&["open"])].concat()).0, 5);
    // Everything else of this protocol is for administrators.
    assert_eq!(run(&ada, &["group", "list"]).0, 5);
    secured.server.signal(Signal::TERM);
    assert_eq!(secured.server.ended(), Some(0));
}

#[test]
fn users_are_looked_after_on_a_server_as_in_a_directory() {
    let place = tempfile::tempdir().expect("a directory");
    add_user(&place.path().join("store"), "ada", "of-ada");
    let secured = Secured::start(place.path());
    let admin = secured.as_admin();
    let run = |who: &[String], arguments: &[&str]| {
        shown(&gesta(arguments).args(["-o", "ndjson"]).args(who).output().expect("runs"))
    };
    let listed = run(&admin, &["users", "list"]);
    assert_eq!(listed.0, 0, "{listed:?}");
    let file = place.path().join("secret");
    std::fs::write(&file, "another-secret\n").expect("writes");
    let file = file.to_str().expect("UTF-8");
    let reset = run(&admin, &["users", "reset-password", "ada", "--password-file", file]);
    assert_eq!(reset, (0, "{\"login\":\"ada\"}\n".to_owned(), String::new()));
    let made = run(&admin, &["users", "reset-password", "eve", "--password-file", file]);
    assert_eq!(made.0, 0, "{made:?}");
    assert_eq!(run(&secured.arguments("eve:another-secret"), &["streams"]).0, 0, "an administrator was made");
    let own = secured.arguments("ada:another-secret");
    assert_eq!(run(&own, &["users", "list"]).0, 5);
    assert_eq!(run(&own, &["users", "reset-password", "eve"]).0, 5);
    let there = run(&admin, &["users", "list"]);
    secured.server.signal(Signal::TERM);
    assert_eq!(secured.server.ended(), Some(0));
    let store = place.path().join("store").to_str().expect("UTF-8").to_owned();
    assert_eq!(run(&["--dir".to_owned(), store], &["users", "list"]), there);
    assert!(there.1.starts_with(&listed.1) || there.1.lines().count() == 3, "{there:?}");
}
