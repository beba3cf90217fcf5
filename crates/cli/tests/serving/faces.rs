//! Commands answer alike, whether they are asked of a directory or of a server.

use std::{io::Write, path::Path, process::Stdio};

use rustix::process::Signal;

use super::server::{Server, gesta, shown};

/// Commands in their order, each with what it reads. `{id}` stands for an id that is always the same.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["append", "order-1", "Placed", r#"{"cents":1}"#, "--expect", "none", "--id", ID_1, "--tag", "vip"], ""),
    (&["append", "order-1", "Paid", "{}", "--expect", "0", "--id", ID_2, "--path", "/accounts/7"], ""),
    // Again: recognised.
    (&["append", "order-1", "Paid", "{}", "--expect", "0", "--id", ID_2, "--path", "/accounts/7"], ""),
    (&["append", "order-1", "Paid", "{}", "--expect", "7", "--id", ID_3], ""),
    (&["append", "order-2", "Placed", "{}", "--id", ID_3, "--condition-tag", "vip"], ""),
    (&["append", "order-2", "Placed", "{}", "--id", ID_3, "--condition-tag", "vip", "--after", "9"], ""),
    (
        &[
            "append",
            "order-2",
            "Placed",
            "{}",
            "--id",
            ID_3,
            "--correlation",
            "c-1",
            "--condition-tag",
            "vip",
            "--after",
            "0",
        ],
        "",
    ),
    (&["append", "photo-1", "Taken", "x", "--id", ID_4, "--content-type", "image/jpeg"], ""),
    (&["append", "--ndjson", "order-3"], r#"{"type":"A","id":"00000000-0000-0000-0000-000000000005","data":{}}"#),
    (&["append", "", "T"], ""),
    (&["read"], ""),
    (&["read", "order-1"], ""),
    (&["read", "order-1", "--from", "1"], ""),
    (&["read", "-r", "-n", "2"], ""),
    (&["read", "--type", "P*", "--tag", "vip"], ""),
    (&["read", "--path", "/accounts/**"], ""),
    (&["read", "--stream", "*-2"], ""),
    (&["read", "--category", "order", "--at", "@1"], ""),
    (&["read", "$ce-order"], ""),
    (&["read", "$bc-c-1", "--resolve-links"], ""),
    (&["read", "nothing"], ""),
    (&["read", "order-2", "--at", "@0"], ""),
    (&["read", "--at", "@99"], ""),
    (&["follow", "--from", "start", "--limit", "3"], ""),
    (&["follow", "order-1", "-n", "1", "--limit", "1"], ""),
    (&["follow", "nothing", "-n", "1", "--until-idle", "0s"], ""),
    (&["follow", "--from", "start", "--until-idle", "0s"], ""),
    (&["streams"], ""),
    (&["streams", "order-", "-n", "1"], ""),
    (&["streams", "--after", "order-1"], ""),
    (&["export"], ""),
    (&["export", "--type", "Paid"], ""),
    (
        &["import", "ndjson", "-"],
        "{\"stream\":\"a-1\",\"type\":\"T\",\"id\":\"00000000-0000-0000-0000-000000000006\"}\n{\"bad\":1}\n",
    ),
    (&["import", "ndjson", "-"], ENDING),
    (&["import", "ndjson", "-"], AFTER_THE_END),
    (&["import", "ndjson", "-", "--continue"], AFTER_THE_END),
    (&["read", "b-1"], ""),
    (&["import", "ndjson", "-", "--dry-run"], "{\"stream\":\"a-1\",\"type\":\"T\"}\n"),
    (&["read", "a-1"], ""),
    (&["explain", "--type", "P*", "--tag", "vip"], ""),
    (&["explain", "order-1"], ""),
    (&["state"], ""),
    (&["state", "--by", "stream", "--at", "@3"], ""),
    (&["history", "order-1"], ""),
    (&["laws", "check"], ""),
    (&["group", "list"], ""),
    // They begin where they have nothing to do: how long something has waited is never the same twice.
    (&["group", "create", "mailer", "--type", "P*", "--key", "tag:vip", "--hold", "--from", "now"], ""),
    (&["group", "create", "mailer"], ""),
    (&["group", "create", "billing", "--on", "$ce-order", "--strategy", "pinned", "--from", "now"], ""),
    (&["group", "create", "late", "--from", "@99"], ""),
    (&["group", "create", "tight", "--history-buffer", "1"], ""),
    (&["group", "list"], ""),
    (&["group", "info", "mailer"], ""),
    (&["group", "info", "$ce-order::billing"], ""),
    (&["group", "info", "nothing"], ""),
    (&["group", "update", "billing", "--on", "$ce-order", "--max-retry-count", "3", "--message-timeout", "0s"], ""),
    (&["group", "info", "billing", "--on", "$ce-order"], ""),
    (&["group", "parked", "mailer"], ""),
    (&["group", "replay", "mailer"], ""),
    (&["group", "replay", "mailer", "--one", "3"], ""),
    (&["group", "discard", "mailer", "--all"], ""),
    (&["handlers"], ""),
    // From here on there is a rate at which they went, which is never the same twice.
    (&["follow", "--group", "mailer", "--until-idle", "0s"], ""),
    (&["append", "order-4", "Placed", "{}", "--id", ID_7, "--tag", "vip"], ""),
    (&["append", "order-5", "Placed", "{}", "--id", ID_8], ""),
    (&["append", "order-4", "Paid", "{}", "--id", ID_9, "--tag", "vip"], ""),
    (&["follow", "--group", "mailer", "--limit", "1"], ""),
    (&["follow", "--group", "mailer", "--until-idle", "0s"], ""),
    (&["follow", "--group", "mailer", "--until-idle", "0s"], ""),
    (&["follow", "$ce-order", "--group", "billing", "--limit", "2"], ""),
    (&["follow", "$ce-order", "--group", "billing", "--until-idle", "10ms"], ""),
    (&["group", "info", "billing", "--on", "$ce-order"], ""),
    (&["follow", "--group", "nothing", "--limit", "1"], ""),
    (&["follow", "order-1", "--group", "mailer"], ""),
    (&["follow", "--group", "mailer", "--type", "P*"], ""),
    (&["follow", "--group", "mailer", "--limit", "0"], ""),
    (&["group", "reset", "mailer", "--from", "now"], ""),
    (&["group", "delete", "billing", "--on", "$ce-order"], ""),
    (&["group", "delete", "billing", "--on", "$ce-order"], ""),
    (&["group", "list"], ""),
];

const ENDING: &str = concat!(
    r#"{"stream":"b-1","type":"T","id":"00000000-0000-0000-0000-000000000010"}"#,
    "\n",
    r#"{"stream":"end-1","type":"T","id":"00000000-0000-0000-0000-000000000011"}"#,
    "\n",
    r#"{"stream":"end-1","type":"$streamDeleted"}"#,
    "\n",
);
/// Lines for a stream that has ended, among others.
const AFTER_THE_END: &str = concat!(
    r#"{"stream":"b-1","type":"T","id":"00000000-0000-0000-0000-000000000012"}"#,
    "\n",
    r#"{"stream":"end-1","type":"T","id":"00000000-0000-0000-0000-000000000013"}"#,
    "\n",
    r#"{"stream":"$$end-1","type":"T","id":"00000000-0000-0000-0000-000000000014"}"#,
    "\n",
    r#"{"stream":"b-1","type":"T","id":"00000000-0000-0000-0000-000000000015"}"#,
    "\n",
);
const ID_1: &str = "00000000-0000-0000-0000-000000000001";
const ID_2: &str = "00000000-0000-0000-0000-000000000002";
const ID_3: &str = "00000000-0000-0000-0000-000000000003";
const ID_4: &str = "00000000-0000-0000-0000-000000000004";
const ID_7: &str = "00000000-0000-0000-0000-000000000007";
const ID_8: &str = "00000000-0000-0000-0000-000000000008";
const ID_9: &str = "00000000-0000-0000-0000-000000000009";

/// What a run says, without the times at which events were recorded and how long it took.
fn run(place: &[&str], arguments: &[&str], output: &str, input: &str) -> (i32, String, String) {
    let mut command = gesta(arguments);
    command.args(place).args(["-o", output]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the program starts");
    // It may end without reading.
    let _ = process.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let (code, out, err) = shown(&process.wait_with_output().expect("it is ours"));
    (code, timeless(&out), timeless(&err))
}

/// The text without what is a time or how long something took: `2026-01-31`, `18:00:00`, `1.2 ms`.
fn timeless(text: &str) -> String {
    let words: Vec<_> = text.split_inclusive([' ', '"', '\t', '\n', ',']).collect();
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let is_time = |word: &str| {
        digits(word) >= 4 && word.contains(':') && !word.contains('{') || word.starts_with("20") && word.contains('-')
    };
    let is_span = |at: usize| {
        let unit = words.get(at + 1).map(|word| word.trim().trim_end_matches(';'));
        words[at].trim().parse::<f64>().is_ok() && matches!(unit, Some("ns" | "µs" | "ms" | "s"))
    };
    let is_unit = |at: usize| at > 0 && is_span(at - 1);
    let shown = |(at, word): (usize, &&str)| {
        if is_time(word) || is_span(at) || is_unit(at) { "TIME".to_owned() } else { (*word).to_owned() }
    };
    words.iter().enumerate().map(shown).collect()
}

fn in_directory(dir: &Path, output: &str) -> Vec<(i32, String, String)> {
    let dir = dir.to_str().expect("UTF-8");
    COMMANDS.iter().map(|(arguments, input)| run(&["--dir", dir], arguments, output, input)).collect()
}

#[test]
fn a_directory_and_a_server_answer_alike() {
    for output in ["ndjson", "table", "plain"] {
        let place = tempfile::tempdir().expect("a directory");
        let here = in_directory(&place.path().join("here"), output);
        let server = Server::start(&place.path().join("there"), 0, &[]);
        for ((arguments, input), here) in COMMANDS.iter().zip(here) {
            let there = run(&["--url", &server.url], arguments, output, input);
            assert_eq!(there, here, "{arguments:?} -o {output}");
        }
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), Some(0));
    }
}

#[test]
fn info_is_the_same_but_for_how_it_was_opened_and_so_is_what_verify_finds() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("store");
    let server = Server::start(&dir, 0, &[]);
    let (code, ..) = run(&["--url", &server.url], &["append", "a-1", "T"], "ndjson", "");
    assert_eq!(code, 0);
    let (_, there, _) = run(&["--url", &server.url], &["info"], "plain", "");
    let verified = run(&["--url", &server.url], &["verify"], "plain", "");
    assert_eq!(verified.0, 0, "{verified:?}");
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    assert_eq!(run(&["--dir", dir.to_str().expect("UTF-8")], &["verify"], "plain", ""), verified);
    let (_, here, _) = run(&["--dir", dir.to_str().expect("UTF-8")], &["info"], "plain", "");
    let facts = |text: &str| -> Vec<String> {
        let changing = ["opened", "index", "log"];
        text.lines().filter(|line| !changing.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
    };
    assert_eq!(facts(&there), facts(&here));
}

#[test]
fn what_cannot_be_asked_of_a_server_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), 0, &[]);
    let of_the_directory = "this cannot be asked of a server, only of the directory of a store";
    let cases = [
        (&["export", "--intact", "-"][..], of_the_directory),
        (&["state", "--model", "m"], "this program knows no such model"),
        (&["demo"], "`gesta demo` asks no server, it records a repository in a store of its own"),
        (&["serve"], "`gesta serve` asks no server, it is the server of a directory"),
        (&["config"], "`gesta config` asks no server, it shows how a server of this machine would be set"),
        (&["certs", "dev", "--out", "certs"], "`gesta certs` asks no server, it makes certificates in a directory"),
        (&["bench"], "`gesta bench` asks no server, it measures a store of its own beside the raw disk"),
        (&["completions", "bash"], "`gesta completions` asks no server, it prints a script for a shell"),
    ];
    for (arguments, words) in cases {
        let (code, out, err) = run(&["--url", &server.url], arguments, "plain", "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    for arguments in [&["read"][..], &["health"], &["append", "a", "T"]] {
        let (code, _, err) = run(&["--url", &url], arguments, "plain", "");
        assert_eq!(code, 6, "{arguments:?}: {err}");
        assert!(err.contains("the server cannot be reached"), "{err}");
    }
    assert_eq!(run(&["--url", "localhost"], &["read"], "plain", "").0, 1);
}
