//! The demo, as the README promises it.

use crate::{git::Repository, place::Place};

#[test]
fn the_demo_ends_with_a_match_and_commands_that_work() {
    let place = Place::new();
    let repository = Repository::new(&place, "engine");
    for at in 0..4 {
        repository.write("src/lib.rs", &format!("{at}\n"));
        repository.write(format!("docs/{at}.md"), "text\n");
        repository.commit(&format!("Step {at}"));
    }
    let ran = place.ok(&["demo", "--repo", "engine", "--dir", "facts"]);
    for words in [
        "4 commits",
        "FileAdded",
        "file-src/lib.rs@3",
        "expected=no-stream actual=3",
        "first_conflict=",
        "MATCH",
        "Try next",
    ] {
        assert!(ran.out.contains(words), "{words} is not in\n{}", ran.out);
    }
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    try_next(&place, &ran.out);
}

/// Runs, as a shell would, the commands that a demo ended with; all but `follow`, which waits.
fn try_next(place: &Place, said: &str) {
    let commands = said.split_once("Try next").expect("the commands").1;
    let lines = || commands.lines().map(str::trim);
    let alias = lines().find(|line| line.starts_with("alias gesta=")).expect("nobody installed it here");
    assert!(alias.contains("gesta"), "{alias}");
    let mut count = 0;
    for command in lines().filter(|line| line.starts_with("gesta ") && !line.contains("follow")) {
        let setting = lines().find(|line| line.starts_with("export ")).expect("the store is named");
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("{alias}\n{setting}\n{command}")])
            .current_dir(place.path(""))
            .env("TZ", "UTC")
            .output()
            .expect("a shell runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(count >= 5, "{commands}");
}

/// The demo of a young repository, this one for a time, told to read a file as of a week ago, when there was none.
#[test]
fn the_commands_work_for_a_young_repository_too() {
    let place = Place::new();
    let repository = Repository::new(&place, "engine");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let history: String = (0..4)
        .map(|step| {
            let at = now - 100 + step;
            // What is committed ahead of its time is recorded in fractions of a second.
            let at = if step == 3 { now + 1000 } else { at };
            let file = if step < 2 { "early" } else { "late" };
            format!(
                "commit refs/heads/main\ncommitter Ada <ada@example.org> {at} +0000\ndata 1\n.\n\
                 M 100644 inline {file}\ndata 2\n{step}\n\nM 100644 inline late-{step}\ndata 2\n{step}\n\n"
            )
        })
        .collect();
    repository.git_with(&["fast-import", "--quiet"], history);
    let ran = place.ok(&["demo", "--repo", "engine", "--dir", "facts"]);
    assert!(ran.out.contains("MATCH"), "{}", ran.out);
    try_next(&place, &ran.out);
}

#[test]
fn the_demo_wants_a_repository_and_an_empty_directory() {
    let place = Place::new();
    place.fails(3, "not a git repository", &["demo", "--repo", "nowhere", "--dir", "facts"]);
    Repository::new(&place, "engine").commit("One");
    place.ok(&["append", "s", "T"]);
    place.fails(2, "the demo needs an empty directory", &["demo", "--repo", "engine"]);
}
