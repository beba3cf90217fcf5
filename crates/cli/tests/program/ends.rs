//! How the program ends when something is in the way: the exit codes, and words that are true.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::{Command, Stdio},
};

use gesta::EventStore;
use serde_json::json;

use crate::{
    git::Repository,
    place::{Place, Ran},
};

/// The program with its output going nowhere.
fn into_full_device(mut command: Command) -> Ran {
    command.stdout(File::options().write(true).open("/dev/full").expect("the device that is always full"));
    command.stdin(Stdio::null()).output().expect("the program runs").into()
}

/// The program as somebody who owns nothing.
fn as_nobody(place: &Place, arguments: &[&str]) -> Ran {
    let ours = place.command(arguments);
    let program = place.path("gesta");
    // By another process: what this one has open for writing, a child that another test just starts has open too, and then it is not run.
    let copied = Command::new("cp").arg(ours.get_program()).arg(&program).status();
    assert!(copied.expect("cp runs").success(), "the program is copied");
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").env("GESTA_DIR", place.path("closed/store"));
    if fs::metadata(place.path("gesta")).expect("the copy").uid() == 0 {
        command.uid(65_534);
    }
    command.stdin(Stdio::null()).output().expect("the program runs").into()
}

fn set_mode(place: &Place, name: &str, mode: u32) {
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A directory that may not be searched was once told to have no store, and a repository in it to be none.
#[test]
fn what_may_not_be_read_is_denied_and_not_missing() {
    let place = Place::new();
    set_mode(&place, "", 0o755);
    fs::create_dir(place.path("closed")).unwrap();
    place.ok(&["--dir", "closed/store", "append", "s", "T"]);
    Repository::new(&place, "closed/engine").commit("One");
    set_mode(&place, "closed", 0o000);
    let (store, repository) = (place.path("closed/store"), place.path("closed/engine"));
    let mut ran = Vec::new();
    for command in ["read", "info", "verify", "export"] {
        ran.push((command, as_nobody(&place, &[command])));
    }
    ran.push(("append", as_nobody(&place, &["append", "s", "T"])));
    ran.push(("import git", as_nobody(&place, &["import", "git", repository.to_str().unwrap()])));
    ran.push(("import ndjson", as_nobody(&place, &["import", "ndjson", store.join("x").to_str().unwrap()])));
    set_mode(&place, "closed", 0o755);
    set_mode(&place, "closed/store", 0o755);
    set_mode(&place, "closed/store/store.toml", 0o000);
    ran.push(("a closed store.toml", as_nobody(&place, &["read"])));
    for (what, ran) in ran {
        assert_eq!(ran.code, 5, "{what}: {ran:?}");
        assert!(ran.err.contains("Permission denied"), "{what}: {ran:?}");
    }
}

/// Whoever was denied the file of settings was not told what to do about it.
#[test]
fn settings_that_may_not_be_read_are_named_with_what_to_do() {
    let place = Place::new();
    set_mode(&place, "", 0o755);
    fs::create_dir(place.path("closed")).unwrap();
    place.write("closed/gesta.toml", "listen = '127.0.0.1:1'\n");
    place.write("open.toml", "listen = '127.0.0.1:2'\n");
    let remedy = "--config names another one";
    let denied = |doing: &str, arguments: &[&str]| {
        let ran = as_nobody(&place, arguments);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains(doing) && ran.err.contains("gesta.toml: Permission denied"), "{ran:?}");
        assert!(ran.err.contains(remedy), "{ran:?}");
    };
    set_mode(&place, "closed/gesta.toml", 0o000);
    for command in ["config", "serve"] {
        denied("reading settings", &[command]);
    }
    set_mode(&place, "closed", 0o000);
    for command in ["config", "serve"] {
        denied("looking for settings", &[command]);
    }
    let other = as_nobody(&place, &["config", "-o", "plain", "--config", place.path("open.toml").to_str().unwrap()]);
    set_mode(&place, "closed", 0o755);
    assert!(other.code == 0 && other.out.contains("127.0.0.1:2"), "what the remedy says helps: {other:?}");
    place.fails(3, remedy, &["config", "--config", "nowhere.toml"]);
}

/// A backup on a medium that is only read could not be verified: the store does not open there.
#[test]
fn the_log_of_a_store_that_may_only_be_read_is_verified() {
    let place = Place::new();
    set_mode(&place, "", 0o755);
    fs::create_dir(place.path("closed")).unwrap();
    place.ok(&["--dir", "closed/store", "append", "s", "T"]);
    set_mode(&place, "closed/store/LOCK", 0o444);
    assert_eq!(as_nobody(&place, &["read"]).code, 5);
    let ran = as_nobody(&place, &["verify"]);
    assert!(ran.code == 0 && ran.err.contains("only the log is checked"), "{ran:?}");
    let report = &ran.json()[0];
    assert_eq!((&report["ok"], &report["opened"], &report["events"]), (&json!(true), &json!(false), &json!(1)));
}

#[test]
fn a_file_where_a_store_should_be_is_called_one() {
    let place = Place::new();
    place.write("letter", "dear ada");
    for arguments in [&["read"][..], &["append", "s", "T"], &["import", "ndjson", "/dev/null"], &["verify"]] {
        place.fails(2, "this is a file, dir=letter", &[&["--dir", "letter"], arguments].concat());
        place.fails(2, "Not a directory", &[&["--dir", "letter/store"], arguments].concat());
    }
}

/// The output failed, and nothing said that the event stood: whoever retried, recorded it twice.
#[test]
fn a_lost_answer_does_not_hide_what_was_recorded() {
    let place = Place::new();
    let ran = into_full_device(place.command(&["append", "s", "T"]));
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("the event was recorded, position=0"), "{ran:?}");
    place.write("facts", "{\"stream\":\"s\",\"type\":\"T\"}\n");
    let ran = into_full_device(place.command(&["import", "ndjson", "facts"]));
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("1 event recorded"), "{ran:?}");
    assert_eq!(place.ok(&["read"]).json().len(), 2);
}

/// Help that could not be written counted as written.
#[test]
fn help_that_goes_nowhere_is_an_error() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["append", "--help"], &["--version"], &["completions", "bash"]] {
        let ran = into_full_device(place.command(arguments));
        assert_eq!(ran.code, 6, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("writing the output"), "{ran:?}");
    }
}

/// While an import waited for a pipe, it did not hear Ctrl-C.
#[test]
fn an_import_that_waits_hears_an_interrupt() {
    let place = Place::new();
    let mut command = place.command(&["import", "ndjson", "-", "--batch", "1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut import = command.spawn().expect("the program runs");
    let mut input = import.stdin.take().expect("a pipe");
    // Two whole lines and part of a third; more would come.
    let lines = "{\"stream\":\"s\",\"type\":\"A\"}\n{\"stream\":\"s\",\"type\":\"B\"}\n{\"stream\":\"s\",";
    input.write_all(lines.as_bytes()).unwrap();
    // It has read them when it has made the store for the first.
    while !place.path("store/store.toml").exists() {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&import);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal is sent");
    let ran = Ran::from(import.wait_with_output().expect("it ends while its input is open"));
    drop(input);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.err.contains("interrupted, go on with --from-line 3; 2 events recorded before it"), "{ran:?}");
    assert_eq!(place.ok(&["read"]).field("type"), ["A", "B"]);
}

/// Names of the command line and of files came to the terminal as they were.
#[test]
fn what_a_message_repeats_cannot_speak_to_the_terminal() {
    let place = Place::new();
    for arguments in [
        &["x\u{1b}[31m"][..],
        &["read", "--x\u{1b}[31m"],
        &["read", "-o", "x\u{1b}[31m"],
        &["read", "--dir", "x\u{1b}[31m"],
        &["append", "s", "T", "--tag", "x\u{1b}[31m"],
        &["append", "s", "T", "@x\u{1b}[31m"],
        &["import", "ndjson", "x\u{1b}[31m"],
        &["import", "git", "x\u{1b}[31m"],
    ] {
        // Colours on: else every escape is taken out of the output, and the test would see nothing.
        let mut command = place.command(arguments);
        let ran = Ran::from(command.env("CLICOLOR_FORCE", "1").stdin(Stdio::null()).output().unwrap());
        assert!(ran.err.contains("x\\u{1b}[31m"), "{arguments:?}: {ran:?}");
        assert!(!ran.err.contains("x\u{1b}[31m"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn long_arguments_do_not_bury_the_message() {
    let place = Place::new();
    let long = "x".repeat(5000);
    let option = format!("--{long}");
    for arguments in
        [&["append", &long, "T"][..], &["read", &option], &[&long], &["append", "s", "T", "--expect", &long]]
    {
        let ran = place.gesta(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.len() < 500 && ran.err.contains("xxx"), "{ran:?}");
    }
}

/// The directory from the environment once made every usage line ask for `--dir`.
#[test]
fn usage_asks_for_nothing_that_has_a_default() {
    let ran = Place::new().gesta(&["append"]);
    assert!(ran.err.contains("Usage: gesta append <STREAM> <EVENT_TYPE> [DATA]"), "{ran:?}");
}

#[test]
fn an_open_store_is_waited_for_and_then_given_up_with_6() {
    let place = Place::new();
    let _open = EventStore::open(place.path("store")).unwrap();
    place.fails(6, "store is open in another process", &["read"]);
}

/// A directory with a program `git` that is not the real one.
fn with_git(place: &Place, script: &str, arguments: &[&str]) -> Ran {
    fs::create_dir(place.path("bin")).expect("a fresh directory");
    if !script.is_empty() {
        place.write("bin/git", script);
        set_mode(place, "bin/git", 0o755);
    }
    place
        .command(arguments)
        .env("PATH", place.path("bin"))
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
        .into()
}

#[test]
fn without_a_git_program_there_is_no_import_and_no_demo() {
    for arguments in [&["import", "git", "."][..], &["demo", "--repo", "."]] {
        let place = Place::new();
        let ran = with_git(&place, "", arguments);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("there is no git program in PATH\n  install git"), "{ran:?}");
        assert!(!place.path("store").exists());
    }
}

#[test]
fn what_git_should_not_say_exits_with_1_and_makes_no_store() {
    let place = Place::new();
    // Answers every question, the last one with a history that is none.
    let git = "#!/bin/sh\ncase \"$*\" in\n*is-shallow*) echo false; echo /engine/.git ;;\n*rev-list*) echo abc ;;\n*rev-parse*) echo abc ;;\n*) echo nonsense ;;\nesac\n";
    let ran = with_git(&place, git, &["import", "git", "."]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("git's output was not understood"), "{ran:?}");
    assert!(!place.path("store").exists());
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let place = Place::new();
    Repository::new(&place, "engine").commit("One");
    place.fails(2, "a repository is found by its name", &["import", "git", "engine", "--name", ""]);
    for under in ["../x", "x/../y", "./x", "x//y", "", "/"] {
        place.fails(2, "write a directory as in a path of git", &["import", "git", "engine", "--under", under]);
    }
    place.fails(2, "the first line is line 1", &["import", "ndjson", "-", "--from-line", "0"]);
    place.fails(2, "this is a directory, file=engine", &["import", "ndjson", "engine"]);
    place.fails(2, "Is a directory", &["append", "s", "T", "@engine"]);
    place.fails(2, "a type may have * only at its end", &["append", "s", "T", "--condition-type", "O*d"]);
    assert!(!place.path("store").exists());
    place.ok(&["append", "s", "Old"]);
    for command in ["read", "export", "explain", "follow"] {
        place.fails(2, "a type may have * only at its end", &[command, "--type", "O*d"]);
    }
}

/// An import of nothing left an empty store behind.
#[test]
fn an_import_of_nothing_makes_no_store() {
    let place = Place::new();
    assert_eq!(place.ok(&["import", "ndjson", "/dev/null"]).json()[0]["events"], json!(0));
    assert_eq!(place.gesta_with(&["import", "ndjson", "-"], "not an event\n").code, 8);
    Repository::new(&place, "engine").commit("One");
    assert_eq!(place.gesta(&["import", "git", "engine", "--name", "a\tb"]).code, 2);
    assert!(!place.path("store").exists());
    place.ok(&["import", "git", "engine"]);
    assert!(place.path("store").exists());
}
