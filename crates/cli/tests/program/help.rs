//! Help, completions, usage errors, and the exit codes that need no store.

use crate::place::Place;

const COMMANDS: [&str; 18] = [
    "demo",
    "import",
    "export",
    "append",
    "read",
    "follow",
    "group",
    "handlers",
    "state",
    "history",
    "laws",
    "streams",
    "info",
    "explain",
    "verify",
    "serve",
    "bench",
    "completions",
];

#[test]
fn every_command_has_help_with_examples() {
    let place = Place::new();
    let all = place.ok(&["--help"]);
    for command in COMMANDS {
        assert!(all.out.contains(command), "{command}");
        let arguments: &[&str] = &[command, "--help"];
        let help = place.ok(arguments).out;
        let examples =
            command == "import" || help.contains("Examples:\n") && help.contains(&format!("gesta {command}"));
        assert!(examples, "{command}: {help}");
    }
    for source in ["git", "ndjson"] {
        assert!(place.ok(&["import", source, "--help"]).out.contains("Examples:\n"), "{source}");
    }
    let words = all.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("4 refused append, 5 denied, 6 unavailable, 7 integrity"), "{words}");
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Place::new();
    place.fails(2, "Usage", &[]);
    place.fails(2, "unrecognized subcommand", &["sing"]);
    place.fails(2, "invalid value", &["append", "s", "T", "{}", "--expect", "maybe"]);
    place.fails(2, "a stream name is too long", &["read", &"x".repeat(2000)]);
    place.fails(2, "not a time", &["read", "--at", "teatime"]);
    place.fails(2, "only in one stream", &["read", "--from", "3"]);
    place.fails(2, "cannot be combined", &["read", "a", "--stream", "b*"]);
    place.fails(2, "a path must begin with /", &["append", "s", "T", "--path", "a"]);
    place.fails(2, "the data is not JSON", &["append", "s", "T", "{cents:1}"]);
    place.fails(2, "the metadata is not a JSON object", &["append", "s", "T", "--metadata", "[]"]);
}

#[test]
fn commands_that_look_never_make_a_store() {
    let place = Place::new();
    for arguments in [
        &["read"][..],
        &["streams"],
        &["info"],
        &["verify"],
        &["export"],
        &["explain"],
        &["follow", "--until-idle", "1ms"],
    ] {
        place.fails(3, "there is no store", arguments);
    }
    assert!(!place.path("store").exists());
    std::fs::create_dir(place.path("store")).unwrap();
    assert_eq!(place.gesta(&["read"]).code, 3, "an empty directory is no store");
    assert_eq!(std::fs::read_dir(place.path("store")).unwrap().count(), 0);
}

#[test]
fn a_directory_that_may_not_be_written_is_denied() {
    // No user may make a directory there, not even root.
    Place::new().fails(5, "opening /sys/gesta-store", &["--dir", "/sys/gesta-store", "append", "s", "T"]);
}

#[test]
fn a_directory_with_something_else_in_it_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.path("store")).unwrap();
    place.write("store/letter.txt", "dear ada");
    assert_eq!(place.gesta(&["append", "s", "T"]).code, 2);
    assert_eq!(std::fs::read(place.path("store/letter.txt")).unwrap(), b"dear ada");
    assert_eq!(std::fs::read_dir(place.path("store")).unwrap().count(), 1);
}

#[test]
fn completions_are_made_for_the_usual_shells() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.ok(&["completions", shell]).out.contains("gesta"), "{shell}");
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let place = Place::new();
    place.ok(&["append", "s", "T"]);
    let escape = '\u{1b}';
    assert!(!place.ok(&["read", "-o", "table"]).out.contains(escape));
    assert!(place.ok(&["read", "-o", "table", "--color", "always"]).out.contains(escape));
    assert!(!place.ok(&["read", "-o", "ndjson", "--color", "always"]).out.contains(escape));
}

/// `explain` and `verify` wrote words for people where fields for scripts were asked for, and colours into pipes.
#[test]
fn plain_output_is_fields_without_colours() {
    let place = Place::new();
    place.ok(&["append", "s", "T"]);
    for arguments in [&["read"][..], &["streams"], &["info"], &["explain", "--type", "T"], &["verify"]] {
        let ran = place.ok(&[arguments, &["-o", "plain", "--color", "always"]].concat());
        assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
        assert!(!ran.out.is_empty() && ran.out.lines().all(|line| line.contains('\t')), "{ran:?}");
    }
}
