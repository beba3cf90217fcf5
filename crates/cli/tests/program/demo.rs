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
    let commands = ran.out.split_once("Try next").expect("the commands").1;
    let tried = commands.lines().filter_map(|line| line.trim().strip_prefix("gesta read "));
    let mut count = 0;
    for command in tried {
        let script = format!("\"$GESTA\" read {command}");
        let program = assert_cmd::cargo::cargo_bin("gesta");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .env("GESTA", program)
            .env("GESTA_DIR", place.path("facts"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(count >= 3, "{commands}");
}

#[test]
fn the_demo_wants_a_repository_and_an_empty_directory() {
    let place = Place::new();
    place.fails(3, "not a git repository", &["demo", "--repo", "nowhere", "--dir", "facts"]);
    Repository::new(&place, "engine").commit("One");
    place.ok(&["append", "s", "T"]);
    place.fails(2, "the demo needs an empty directory", &["demo", "--repo", "engine"]);
}
