//! Importing histories made here, with git as the oracle.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, path::Path};

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::place::Place;

/// A repository of a test.
pub(crate) struct Repository<'a> {
    place: &'a Place,
    name: &'static str,
}

impl<'a> Repository<'a> {
    pub(crate) fn new(place: &'a Place, name: &'static str) -> Self {
        std::fs::create_dir(place.path(name)).expect("a fresh directory");
        let repository = Self { place, name };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        self.git_with(arguments, "")
    }

    /// Runs git at a fixed time, by a fixed person, without anybody's configuration.
    pub(crate) fn git_with(&self, arguments: &[&str], input: impl Into<Vec<u8>>) -> Vec<u8> {
        let mut command = Command::new("git");
        command.current_dir(self.place.path(self.name)).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("GIT_DIR");
        for (who, name) in [("AUTHOR", "Ada"), ("COMMITTER", "Bob")] {
            command.env(format!("GIT_{who}_NAME"), name);
            command.env(format!("GIT_{who}_EMAIL"), format!("{}@example.org", name.to_lowercase()));
            command.env(format!("GIT_{who}_DATE"), "2021-03-04T05:06:07+0100");
        }
        let output = command.write_stdin(input).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, contents: &str) {
        let path = self.place.path(self.name).join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
        std::fs::write(path, contents).expect("a file");
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path(self.name).join(name)
    }

    /// The tree of a commit, as git lists it: path, mode and blob.
    fn tree(&self, revision: &str) -> BTreeMap<Vec<u8>, String> {
        let listing = self.git(&["ls-tree", "-r", "-z", revision]);
        listing
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let tab = entry.iter().position(|byte| *byte == b'\t').expect("a tab");
                let facts: Vec<&str> = std::str::from_utf8(&entry[..tab]).expect("ASCII").split(' ').collect();
                (entry[tab + 1..].to_vec(), format!("{} {}", facts[0], facts[2]))
            })
            .collect()
    }
}

/// The tree that the file events printed by `gesta read` add up to. Written apart from the program's own fold.
fn folded(events: &[Value]) -> BTreeMap<Vec<u8>, String> {
    let mut tree = BTreeMap::new();
    for event in events {
        let data = &event["data"];
        let path = match data["pathBase64"].as_str() {
            None => data["path"].as_str().expect("a path").as_bytes().to_vec(),
            Some(_) => b"latin-\xe9".to_vec(), // the only such path of these tests
        };
        match event["type"].as_str() {
            Some("FileAdded" | "FileChanged") => {
                let text = |name: &str| data[name].as_str().expect("text").to_owned();
                tree.insert(path, format!("{} {}", text("mode"), text("blob")));
            }
            Some("FileRemoved") => drop(tree.remove(&path)),
            _ => {}
        }
    }
    tree
}

/// A history with what histories have: merges, odd names, links, modes, removals, binary files, submodules, empty commits.
fn history<'a>(place: &'a Place) -> Repository<'a> {
    let repository = Repository::new(place, "engine");
    repository.write("README.md", "one\n");
    repository.write("src/lib.rs", "a\nb\nc\n");
    repository.write("picture", "x\0y");
    repository.commit("Begin\n\nWith a body.");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.write("src/side.rs", "side\n");
    repository.commit("Work aside");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("src/lib.rs", "a\nB\nc\nd\n");
    repository.write("100% new/a\tb\n\"c\".txt", "odd\n");
    repository.write(std::ffi::OsStr::from_bytes(b"latin-\xe9"), "not UTF-8\n");
    repository.commit("Use odd names");
    repository.git(&["merge", "--quiet", "--no-edit", "side"]);
    std::os::unix::fs::symlink("README.md", repository.path("link")).expect("a symbolic link");
    let submodule = format!("160000,{},vendor/sub", "1".repeat(40));
    repository.git(&["add", "--all"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &submodule]);
    repository.git(&["update-index", "--chmod=+x", "README.md"]);
    repository.git(&["commit", "--quiet", "--message", "Link, submodule, mode"]);
    repository.git(&["rm", "--quiet", "picture", "link"]);
    repository.write("link", "a file now\n");
    repository.git(&["add", "link"]);
    repository.git(&["commit", "--quiet", "--message", "Remove, and change a type"]);
    repository.git(&["commit", "--quiet", "--allow-empty", "--message", "Nothing"]);
    repository
}

#[test]
fn the_folded_events_are_the_tree_of_git() {
    let place = Place::new();
    let repository = history(&place);
    let ran = place.ok(&["import", "git", "engine"]);
    let commits = String::from_utf8(repository.git(&["rev-list", "--first-parent", "--reverse", "HEAD"])).unwrap();
    let commits: Vec<&str> = commits.lines().collect();
    assert_eq!(ran.json()[0]["commits"], json!(commits.len()));
    assert_eq!(ran.json()[0]["commit"], json!(commits.last()));

    let events = place.ok(&["read", "--type", "File*"]).json();
    assert_eq!(folded(&events), repository.tree("HEAD"));
    // And as of every commit on the way.
    let recorded = place.ok(&["read", "repository-engine"]).json();
    assert_eq!(recorded.iter().map(|event| event["data"]["commit"].as_str().unwrap()).collect::<Vec<_>>(), commits);
    for (at, commit) in commits.iter().enumerate() {
        let next = recorded.get(at + 1).map(|next| next["position"].as_str().unwrap().parse::<u64>().unwrap());
        let before =
            |event: &&Value| next.is_none_or(|next| event["position"].as_str().unwrap().parse::<u64>().unwrap() < next);
        let then: Vec<Value> = events.iter().filter(before).cloned().collect();
        assert_eq!(folded(&then), repository.tree(commit), "commit {at}");
    }
}

#[test]
fn commits_and_files_say_what_happened() {
    let place = Place::new();
    history(&place);
    place.ok(&["import", "git", "engine"]);
    let first = &place.ok(&["read", "repository-engine", "-n", "1"]).json()[0];
    assert_eq!(first["type"], json!("CommitRecorded"));
    assert_eq!(first["recordedAt"], json!("2021-03-04T04:06:07.000000000Z"));
    assert_eq!(first["data"]["subject"], json!("Begin"));
    assert_eq!(first["data"]["message"], json!("Begin\n\nWith a body.\n"));
    assert_eq!(
        first["data"]["author"],
        json!({"name":"Ada","email":"ada@example.org","time":"2021-03-04T05:06:07+01:00"})
    );
    assert_eq!((&first["data"]["files"], &first["data"]["additions"]), (&json!(3), &json!(4)));
    assert_eq!(first["tags"], json!(["author:ada@example.org"]));

    let changed = &place.ok(&["read", "file-src/lib.rs", "--from", "1"]).json()[0];
    assert_eq!(changed["type"], json!("FileChanged"));
    assert_eq!((&changed["data"]["additions"], &changed["data"]["deletions"]), (&json!(2), &json!(1)));
    assert_eq!(changed["tags"], json!(["/files/src/lib.rs", "author:ada@example.org"]));
    let picture = place.ok(&["read", "file-picture"]).json();
    assert_eq!(picture[0]["data"]["binary"], json!(true));
    assert_eq!(picture[1]["type"], json!("FileRemoved"));
    assert_eq!(picture[1]["data"]["previousMode"], json!("100644"));
    let link = place.ok(&["read", "file-link"]).json();
    assert_eq!(link[1]["type"], json!("FileChanged"));
    assert_eq!((&link[1]["data"]["previousMode"], &link[1]["data"]["mode"]), (&json!("120000"), &json!("100644")));
    let names = place.ok(&["streams", "file-"]).field("stream");
    assert!(names.contains(&"file-100%25 new/a%09b%0A\"c\".txt".to_owned()), "{names:?}");
    assert!(names.contains(&"file-latin-%E9".to_owned()), "{names:?}");

    // The questions of the documentation.
    let merge = place.ok(&["read", "repository-engine"]).json()[2]["data"].clone();
    assert_eq!(merge["parents"].as_array().unwrap().len(), 2);
    let of_merge = place.ok(&["read", &format!("$bc-{}", merge["commit"].as_str().unwrap())]).json();
    assert_eq!(
        of_merge.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["CommitRecorded", "FileAdded"]
    );
    let under_src = place.ok(&["read", "--path", "/files/src/**", "--type", "FileAdded"]).json();
    assert_eq!(under_src.len(), 2);
    assert_eq!(place.ok(&["read", "--at", "2021-03-03"]).out, "");
}

#[test]
fn an_import_goes_on_where_the_last_one_ended() {
    let place = Place::new();
    let repository = history(&place);
    place.ok(&["import", "git", "engine", "--rev", "HEAD~3"]);
    let second = place.ok(&["import", "git", "engine"]);
    assert_eq!((&second.json()[0]["commits"], &second.json()[0]["commitsBefore"]), (&json!(3), &json!(3)));
    let third = place.ok(&["import", "git", "engine"]);
    assert_eq!((&third.json()[0]["commits"], &third.json()[0]["events"]), (&json!(0), &json!(0)));
    repository.write("more", "more\n");
    // Not everything: the submodule is not checked out, so it would count as removed.
    repository.git(&["add", "more"]);
    repository.git(&["commit", "--quiet", "--message", "More"]);
    assert_eq!(place.ok(&["import", "git", "engine"]).json()[0]["events"], json!(2));
    assert_eq!(folded(&place.ok(&["read", "--type", "File*"]).json()), repository.tree("HEAD"));
    // The ids depend on the history alone.
    place.ok(&["--dir", "again", "import", "git", "engine"]);
    assert_eq!(place.ok(&["--dir", "again", "read"]).field("id"), place.ok(&["read"]).field("id"));
}

#[test]
fn a_commit_of_very_many_files_is_recorded_in_parts() {
    let place = Place::new();
    let repository = Repository::new(&place, "engine");
    let blob = String::from_utf8(repository.git_with(&["hash-object", "-w", "--stdin"], "same\n")).unwrap();
    let index: String = (0..20_100).map(|at| format!("100644 {} 0\td{}/f{at}\n", blob.trim(), at % 100)).collect();
    repository.git_with(&["update-index", "--index-info"], index);
    repository.git(&["commit", "--quiet", "--message", "Import everything"]);
    place.ok(&["import", "git", "engine"]);
    let parts = place.ok(&["read", "repository-engine"]);
    assert_eq!(parts.field("type"), ["CommitRecorded", "CommitContinued", "CommitContinued"]);
    assert_eq!(parts.json()[2]["data"]["part"], json!(3));
    assert_eq!(folded(&place.ok(&["read", "--type", "File*"]).json()), repository.tree("HEAD"));

    // A store in which only the first part arrived: the import goes on with the second.
    let whole = place.ok(&["export"]).out;
    let first_part: String = whole.lines().take(10_000).map(|line| format!("{line}\n")).collect();
    assert_eq!(place.gesta_with(&["--dir", "cut", "import", "ndjson", "-", "--batch", "10000"], first_part).code, 0);
    let rest = place.ok(&["--dir", "cut", "import", "git", "engine"]);
    assert_eq!((&rest.json()[0]["commits"], &rest.json()[0]["events"]), (&json!(1), &json!(10_103)));
    assert_eq!(place.ok(&["--dir", "cut", "export"]).out, whole);
}

#[test]
fn a_rewritten_history_is_not_mixed_with_the_old_one() {
    let place = Place::new();
    let repository = Repository::new(&place, "engine");
    repository.commit("One");
    place.ok(&["import", "git", "engine"]);
    repository.git(&["commit", "--quiet", "--amend", "--allow-empty", "--message", "Another"]);
    place.fails(4, "not in the first-parent history", &["import", "git", "engine"]);
}

#[test]
fn a_second_repository_is_kept_apart() {
    let place = Place::new();
    for name in ["one", "two"] {
        let repository = Repository::new(&place, name);
        repository.write("README.md", name);
        repository.commit("Begin");
    }
    place.ok(&["import", "git", "one"]);
    place.fails(2, "has another repository already", &["import", "git", "two"]);
    place.ok(&["import", "git", "two", "--under", "two/"]);
    assert_eq!(place.ok(&["streams", "file-"]).field("stream"), ["file-README.md", "file-two/README.md"]);
    assert_eq!(place.ok(&["read", "--path", "/files/two/**"]).json().len(), 1);
}

/// Once a second repository was in the store, the first could not be imported again: what was new in it, or that it had been
/// rewritten, was never seen.
#[test]
fn repositories_side_by_side_are_imported_again() {
    let place = Place::new();
    let [one, two] = ["one", "two"].map(|name| {
        let repository = Repository::new(&place, name);
        repository.commit("Nothing yet");
        repository.write("100%.txt", name);
        repository.commit("Begin");
        repository
    });
    let import_one = ["import", "git", "one"];
    let import_two = ["import", "git", "two", "--under", "other"];
    for import in [&import_one[..], &import_two] {
        assert_eq!(place.ok(import).json()[0]["commits"], json!(2));
    }
    for import in [&import_one[..], &import_two] {
        assert_eq!(place.ok(import).json()[0]["commits"], json!(0), "{import:?} again");
    }
    // Files of one history never go into the streams of another.
    place.fails(2, "are elsewhere, stream=file-other/100%25.txt asked=file-100%25.txt", &["import", "git", "two"]);
    place.fails(2, "stream=file-100%25.txt asked=file-x/100%25.txt", &["import", "git", "one", "--under", "x"]);
    two.write("more", "more");
    two.commit("More");
    assert_eq!(place.ok(&import_two).json()[0]["commits"], json!(1));
    assert_eq!(place.ok(&["read", "file-other/more"]).json().len(), 1);
    one.git(&["commit", "--quiet", "--amend", "--message", "Another"]);
    place.fails(4, "not in the first-parent history", &import_one);
}

#[test]
fn what_is_no_history_is_told() {
    let place = Place::new();
    place.fails(3, "not a git repository", &["import", "git", "nowhere"]);
    std::fs::create_dir(place.path("plain")).unwrap();
    // Not above the temporary directory either, which could be in a repository.
    std::fs::write(place.path("plain/.git"), "gitdir: /nonexistent\n").unwrap();
    place.fails(3, "not a git repository", &["import", "git", "plain"]);
    Repository::new(&place, "empty");
    place.fails(3, "has no commits yet", &["import", "git", "empty"]);
    let repository = Repository::new(&place, "engine");
    repository.commit("One");
    place.fails(3, "no such commit in the repository, rev=v9", &["import", "git", "engine", "--rev", "v9"]);
    assert!(!place.path("store").exists(), "no store is made for nothing");
}

#[test]
fn a_shallow_clone_says_so() {
    let place = Place::new();
    let repository = history(&place);
    let url = format!("file://{}", place.path("engine").display());
    repository.git(&["clone", "--quiet", "--depth", "2", &url, "../shallow"]);
    let ran = place.ok(&["import", "git", "shallow"]);
    assert_eq!((&ran.json()[0]["shallow"], &ran.json()[0]["commits"]), (&json!(true), &json!(2)));
    assert!(ran.err.contains("the clone is shallow"), "{}", ran.err);
    assert_eq!(folded(&place.ok(&["read", "--type", "File*"]).json()), repository.tree("HEAD"));
}

/// With `log.diffMerges` set to `off`, as some do, merges were recorded as commits that change nothing; with `combined`, not at all.
#[test]
fn nobodys_configuration_changes_what_is_recorded() {
    let place = Place::new();
    let repository = Repository::new(&place, "repo");
    repository.write("a", "1\n");
    repository.commit("one");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.write("a", "2\n");
    repository.write("b", "1\n");
    repository.commit("side");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("c", "1\n");
    repository.commit("two");
    repository.git(&["merge", "--quiet", "--no-ff", "side", "--message", "merge"]);
    for (number, value) in ["off", "combined", "dense-combined", "remerge"].iter().enumerate() {
        repository.git(&["config", "log.diffMerges", value]);
        let store = format!("store-{number}");
        place.ok(&["--dir", &store, "import", "git", "repo"]);
        let events = place.ok(&["--dir", &store, "read", "--type", "File*"]).json();
        assert_eq!(folded(&events), repository.tree("HEAD"), "{value}");
    }
}
