//! A server whose disk is full: it says so to everybody who may ask, and goes on from where it was when there is room again.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use gesta::{EventData, EventType, ExpectedRevision, StreamName};
use gesta_server::{
    client::Client,
    native::{AppendRequest, Change, ClientError, Write as StreamWrite},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::server::{Server, gesta, shown};

/// Runs what follows with files of at most some MiB: one that would grow beyond fails, as on a full disk.
const SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\"";
/// Bytes of an event: a few of them are more than a file may have.
const EVENT_BYTES: usize = 1 << 20;

pub(crate) fn append(client: &Client, number: usize) -> Result<(), ClientError> {
    let data = format!("\"{}\"", "x".repeat(EVENT_BYTES));
    let event = EventData::json(EventType::new("Noted").expect("valid"), data);
    let write = StreamWrite {
        stream: StreamName::new(format!("order-{number}")).expect("valid"),
        expected: ExpectedRevision::NoStream,
        change: Change::Append(vec![event]),
    };
    let request = AppendRequest { writes: vec![write], ..AppendRequest::default() };
    client.append(request).map(|outcome| drop(outcome.expect("nothing is refused")))
}

fn ready(url: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("connects");
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: gesta\r\nConnection: close\r\n\r\n").expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    answer
}

/// Health and metrics told of it, and the log did not: whoever looked for the reason there found a server that was well.
#[test]
fn a_full_disk_is_told_of_and_nothing_answered_is_lost() {
    let place = tempfile::tempdir().expect("a directory");
    let program = gesta(&[]).get_program().to_owned();
    let mut command = Command::new("sh");
    command.args(["-c", SMALL_FILES]).arg(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "-o", "ndjson", "--log-format", "json", "--dir"]);
    let mut process = command.arg(place.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("it says where it listens");
    let listening: Value = serde_json::from_str(&line).expect("an object");
    let url = format!("http://{}", listening["address"].as_str().expect("an address"));
    let client = Client::connect(&url, None).expect("connects");
    let answered = (0..32).take_while(|&number| append(&client, number).is_ok()).count();
    assert!((1..32).contains(&answered), "{answered}");
    assert!(matches!(append(&client, 99), Err(ClientError::Store(error)) if error.to_string().contains("log/")));

    let told = ready(&url);
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("appends are refused"), "{told}");
    assert!(
        client.read(&gesta::Source::All, &gesta::ReadOptions::default()).expect("reads go on").next_batch().is_ok()
    );
    let mut log = BufReader::new(process.stderr.take().expect("piped")).lines();
    let said = log.find_map(|line| {
        let line: Value = serde_json::from_str(&line.expect("UTF-8")).expect("an object a line");
        (line["level"] == "ERROR").then_some(line)
    });
    let said = said.expect("it is in the log");
    assert!(said["message"].as_str().is_some_and(|message| message.contains("appends are refused")), "{said}");
    drop(client);
    kill_process(Pid::from_child(&process), Signal::TERM).expect("ours");
    log.for_each(drop);
    assert_eq!(process.wait().expect("ours").code(), Some(6));

    // There is room again.
    let server = Server::start(place.path(), 0, &[]);
    let streams = shown(&gesta(&["streams", "--url", &server.url, "-o", "plain"]).output().expect("runs")).1;
    assert_eq!(streams.lines().count(), answered, "{streams}");
    append(&Client::connect(&server.url, None).expect("connects"), answered).expect("recorded");
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), Some(0));
    assert!(fs::exists(place.path().join("log/clean")).expect("a look"));
}
