//! `gesta import git` into a server: the same facts as into a directory, also when it goes on.

use std::{path::Path, process::Command};

use rustix::process::Signal;
use tempfile::TempDir;

use super::server::{Secured, Server, gesta, shown};

/// A repository of a test.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().expect("a directory"));
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Runs git at a fixed time, by a fixed person, without anybody's configuration.
    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.current_dir(self.0.path()).args(arguments).env_remove("GIT_DIR");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
            command.env(format!("GIT_{who}_DATE"), "2021-03-04T05:06:07+0100");
        }
        let (code, _, err) = shown(&command.output().expect("git runs"));
        assert_eq!(code, 0, "git {arguments:?}: {err}");
    }

    fn commit(&self, name: &str, contents: &str) {
        std::fs::write(self.0.path().join(name), contents).expect("writes");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", &format!("Change {name}")]);
    }

    /// The whole history again, as if it had never been otherwise.
    fn rewrite(&self) {
        self.git(&["commit", "--quiet", "--amend", "--message", "Another past"]);
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }
}

const ENGINE: &[&str] = &["--name", "engine"];

/// What an import comes to: its exit code, what it counted, and what it said.
fn import(place: &[String], repository: &Repository, further: &[&str]) -> (i32, Vec<String>, String) {
    let mut command = gesta(&["import", "git", repository.path(), "-o", "ndjson"]);
    let (code, out, err) = shown(&command.args(further).args(place).output().expect("runs"));
    let counted = |line: &str| {
        let told: serde_json::Value = serde_json::from_str(line).expect("an object");
        ["stream", "commit", "commits", "commitsBefore", "events"].map(|key| told[key].to_string()).join(" ")
    };
    (code, out.lines().map(counted).collect(), err)
}

fn exported(place: &[String]) -> String {
    let (code, out, err) = shown(&gesta(&["export", "-"]).args(place).output().expect("runs"));
    assert_eq!(code, 0, "{err}");
    // Of what administers itself there is more in one that asks who calls.
    out.lines()
        .filter(|line| line.contains("\"stream\":\"repository-") || line.contains("\"stream\":\"file-"))
        .collect()
}

fn in_directory(dir: &Path) -> Vec<String> {
    vec!["--dir".to_owned(), dir.to_str().expect("UTF-8").to_owned()]
}

/// One after the other: imports, what each came to, and what there is in the end.
fn imports(place: &[String]) -> (Vec<(i32, Vec<String>, String)>, String) {
    let repository = Repository::new();
    let mut came_to = Vec::new();
    repository.commit("README.md", "one\n");
    repository.commit("src.rs", "a\nb\n");
    came_to.push(import(place, &repository, ENGINE));
    // Nothing is new.
    came_to.push(import(place, &repository, ENGINE));
    repository.commit("README.md", "two\n");
    repository.commit("other.rs", "c\n");
    came_to.push(import(place, &repository, &[ENGINE, &["--rev", "HEAD~1"]].concat()));
    came_to.push(import(place, &repository, ENGINE));
    // Its files are elsewhere.
    came_to.push(import(place, &repository, &[ENGINE, &["--under", "lib"]].concat()));
    // Another one has no room.
    came_to.push(import(place, &repository, &["--name", "other"]));
    came_to.push(import(place, &repository, &["--name", "other", "--under", "vendor"]));
    came_to.push(import(place, &repository, &[ENGINE, &["--rev", "nothing"]].concat()));
    repository.rewrite();
    came_to.push(import(place, &repository, ENGINE));
    let without_path = |(code, counted, err): (i32, Vec<String>, String)| {
        (code, counted, err.replace(repository.path(), "REPOSITORY"))
    };
    (came_to.into_iter().map(without_path).collect(), exported(place))
}

#[test]
fn a_history_goes_into_a_server_as_it_goes_into_a_directory() {
    let place = tempfile::tempdir().expect("a directory");
    let here = imports(&in_directory(&place.path().join("here")));
    let codes: Vec<_> = here.0.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [0, 0, 0, 0, 2, 2, 0, 3, 4]);
    assert_eq!(here.1.matches("\"type\":\"CommitRecorded\"").count(), 8);

    let server = Server::start(&place.path().join("there"), 0, &[]);
    assert_eq!(imports(&["--url".to_owned(), server.url.clone()]), here);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));

    let secured = Secured::start(place.path());
    assert_eq!(imports(&secured.as_admin()).0, here.0);
    let (code, _, err) = import(&secured.arguments("admin:wrong"), &Repository::new(), ENGINE);
    assert_ne!(code, 0, "{err}");
}

/// The server goes away in between: what is recorded stays, and the next import goes on behind it.
#[test]
fn an_import_that_was_cut_off_goes_on() {
    let place = tempfile::tempdir().expect("a directory");
    let repository = Repository::new();
    for number in 0..30 {
        repository.commit("README.md", &format!("{number}\n"));
    }
    let whole = in_directory(&place.path().join("whole"));
    assert_eq!(import(&whole, &repository, ENGINE).0, 0);

    let dir = place.path().join("store");
    let server = Server::start(&dir, 0, &[]);
    let port = server.port();
    let there = ["--url".to_owned(), server.url.clone()];
    let mut command = gesta(&["import", "git", repository.path(), "--name", "engine"]);
    let running = command.args(&there).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn();
    let running = running.expect("starts");
    let recorded = || shown(&gesta(&["streams"]).args(&there).output().expect("runs")).1;
    while !recorded().contains("repository-engine") {}
    server.signal(Signal::KILL);
    assert_eq!(server.ended(), None);
    let (code, _, err) = shown(&running.wait_with_output().expect("it is ours"));
    // It may have been done before.
    assert!(code == 0 || code == 6, "{code} {err}");

    let _again = Server::start(&dir, port, &[]);
    let (code, counted, err) = import(&there, &repository, ENGINE);
    assert_eq!(code, 0, "{counted:?} {err}");
    assert_eq!(exported(&there), exported(&whole));
}
