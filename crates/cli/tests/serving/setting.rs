//! Settings from every side, and what a server makes of them.

use std::{fs, io::Read, net::TcpListener, process::Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::server::{Server, gesta, shown};

/// What `gesta config` says of each setting that was set: its name, its value, and where it comes from.
fn set(command: &mut std::process::Command) -> Vec<[String; 3]> {
    let (code, out, err) = shown(&command.args(["-o", "ndjson"]).output().expect("the program runs"));
    assert_eq!(code, 0, "{err}");
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    let set = lines.filter(|line| line["source"] != "default");
    set.map(|line| ["setting", "value", "where"].map(|key| line[key].as_str().expect("text").to_owned())).collect()
}

#[test]
fn a_flag_counts_more_than_a_variable_and_that_more_than_the_file() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("gesta.toml");
    fs::write(&file, "listen = '127.0.0.1:1'\n\n[limits]\nconnections = 1\ndrain-time = '1s'\n").expect("written");
    let dir = place.path().join("store");
    let mut command = gesta(&["config", "--listen", "127.0.0.1:3", "--dir"]);
    command.arg(&dir).env("GESTA_LISTEN", "127.0.0.1:2").env("GESTA_LIMITS_CONNECTIONS", "2");
    let in_file = |line| format!("{}:{line}", file.display());
    let expected = [
        ["listen", "127.0.0.1:3", "--listen"].map(str::to_owned),
        ["limits.connections", "2", "GESTA_LIMITS_CONNECTIONS"].map(str::to_owned),
        ["limits.drain-time".to_owned(), "1s".to_owned(), in_file(5)],
    ];
    assert_eq!(set(&mut command), expected);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let place = tempfile::tempdir().expect("a directory");
    let says = |command: &mut std::process::Command| {
        let (code, _, err) = shown(&command.arg("--dir").arg(place.path()).output().expect("the program runs"));
        assert_eq!(code, 2, "{err}");
        err
    };
    let flag = says(&mut gesta(&["config", "--limits-connections", "many"]));
    assert!(flag.contains("\"many\" is not a number, source=--limits-connections key=limits.connections"), "{flag}");
    let name = says(&mut gesta(&["serve", "--listen", "localhost:2113"]));
    assert!(name.contains("write an address and a port: 127.0.0.1:2113"), "{name}");
    let variable = says(gesta(&["serve"]).env("GESTA_LOG_FORMAT", "xml"));
    assert!(variable.contains("source=GESTA_LOG_FORMAT key=log.format"), "{variable}");
    fs::write(place.path().join("gesta.toml"), "\nlimit = 1\n").expect("written");
    let file = says(&mut gesta(&["serve"]));
    assert!(file.contains("there is no such setting, source=") && file.contains("gesta.toml:2 key=limit"), "{file}");
}

/// A second server, started by mistake on the port of the first, left the directory of a store behind.
#[test]
fn no_store_is_made_for_a_server_that_cannot_listen() {
    let place = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let dir = place.path().join("store");
    for (listen, code) in [(address.as_str(), 6), ("192.0.2.1:2113", 2)] {
        let mut command = gesta(&["serve", "--listen", listen, "--dir"]);
        let (ended, out, err) = shown(&command.arg(&dir).output().expect("the program runs"));
        assert_eq!((ended, out.as_str()), (code, ""), "{err}");
        assert!(err.contains(listen), "{err}");
        assert!(!dir.exists(), "{listen}");
    }
}

#[test]
fn a_store_may_be_made_beside_its_settings() {
    let place = tempfile::tempdir().expect("a directory");
    fs::write(place.path().join("gesta.toml"), "log.filter = 'off'\n").expect("written");
    let server = Server::start(place.path(), 0, &[]);
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
}

#[test]
fn the_log_has_a_line_for_the_start_and_one_for_the_end_and_none_for_an_event() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().to_str().expect("UTF-8");
    let mut command = gesta(&["serve", "--dir", dir, "--listen", "127.0.0.1:0", "-o", "ndjson", "--log-format=json"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut first = String::new();
    let mut stdout = std::io::BufReader::new(process.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut stdout, &mut first).expect("a line");
    let ready: Value = serde_json::from_str(&first).expect("an object");
    let url = format!("http://{}", ready["address"].as_str().expect("an address"));
    for _ in 0..3 {
        let appended = gesta(&["append", "a-1", "T", "--url", &url]).output().expect("runs");
        assert!(appended.status.success());
    }
    assert_eq!(
        shown(&gesta(&["health", "--url", &url, "-o", "plain"]).output().expect("runs")).1,
        format!("ready {url}\n")
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&process), Signal::TERM).expect("ours");
    let mut log = String::new();
    process.stderr.take().expect("piped").read_to_string(&mut log).expect("UTF-8");
    assert_eq!(process.wait().expect("ours").code(), Some(0));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().expect("a message")).collect();
    assert_eq!(messages, ["listening", "asked to stop", "stopped"]);
    assert!(lines.iter().all(|line| line["level"] == "INFO" && line["timestamp"].is_string()));
}

#[test]
fn a_second_signal_ends_the_waiting() {
    let place = tempfile::tempdir().expect("a directory");
    let server = Server::start(place.path(), 0, &["--limits-drain-time", "1h"]);
    // A call that does not end by itself.
    let mut held = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).expect("connects");
    let begun = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
        &hand_made_headers("/event_store.client.streams.Streams/Append"),
    ]
    .concat();
    std::io::Write::write_all(&mut held, &begun).expect("sends");
    let mut heard = [0; 9];
    held.read_exact(&mut heard).expect("it is heard");
    // The ping behind the call is answered when the call has begun.
    std::io::Write::write_all(&mut held, &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).expect("sends");
    let mut seen = Vec::new();
    while !seen.windows(8).any(|bytes| bytes == [1, 2, 3, 4, 5, 6, 7, 8]) {
        let mut byte = [0];
        held.read_exact(&mut byte).expect("a pong");
        seen.push(byte[0]);
    }
    server.signal(Signal::TERM);
    // It listens no more when it has heard the first one.
    while std::net::TcpStream::connect(server.url.trim_start_matches("http://")).is_ok() {}
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
}

/// The headers of a call, none of them compressed.
fn hand_made_headers(path: &str) -> Vec<u8> {
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "gesta"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("below 127"));
            block.extend(text.as_bytes());
        }
    }
    let length = u32::try_from(block.len()).expect("short").to_be_bytes();
    [&length[1..], &[1, 4, 0, 0, 0, 1], &block].concat()
}
