//! A server that may open few files: its clients do not take those of its store.

use std::{
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use gesta_server::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    full_disk::append,
    server::{gesta, shown},
};

/// Events of 1 MiB: more than a segment holds.
const EVENTS: usize = 70;
const CLIENTS: usize = 100;

/// The program, which may have so many open files at most.
fn program_with(files: usize) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]).arg(gesta(&[]).get_program());
    command
}

/// A process that does not outlive its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// So many clients connected that the process could open nothing more. The store then could not open its next segment, which is final: nothing was
/// recorded any more, also when the clients had gone.
#[test]
fn clients_do_not_take_the_files_of_the_store() {
    let place = tempfile::tempdir().expect("a directory");
    let mut command = program_with(64);
    command.args(["serve", "--listen", "127.0.0.1:0", "-o", "ndjson", "--dir"]);
    let process = command.arg(place.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut process = Ended(process);
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().expect("piped")).read_line(&mut line).expect("it says where it listens");
    let listening: Value = serde_json::from_str(&line).expect("an object");
    let address = listening["address"].as_str().expect("an address");
    let client = Client::connect(&format!("http://{address}"), None).expect("connects");
    append(&client, 0).expect("recorded");

    let crowd: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(address).expect("the system takes it")).collect();
    for number in 1..EVENTS {
        append(&client, number).unwrap_or_else(|error| panic!("event {number}: {error}"));
    }
    drop(crowd);
    kill_process(Pid::from_child(&process.0), Signal::TERM).expect("the process is ours");
    let mut log = String::new();
    process.0.stderr.take().expect("piped").read_to_string(&mut log).expect("UTF-8");
    assert!(process.0.wait().expect("it is ours").success(), "{log}");
    assert!(log.contains("too few open files"), "{log}");
    assert!(!log.contains("accepting a connection failed"), "{log}");
}

/// With eight files or so, serving and asking a server ended in a panic of the runtime: it takes a pair of sockets for granted.
#[test]
fn with_too_few_files_the_program_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let url = format!("http://{nobody}");
    let run = |files: usize, arguments: &[&str]| {
        let mut command = program_with(files);
        shown(&command.args(arguments).env("GESTA_DIR", place.path()).stdin(Stdio::null()).output().expect("runs"))
    };
    let is_told = |files: usize, (code, out, err): (i32, String, String)| {
        assert_eq!((code, out.as_str()), (6, ""), "{files}: {err}");
        let lines: Vec<_> = err.lines().collect();
        let [what, remedy] = lines[..] else { panic!("{files}: {err}") };
        assert!(what.starts_with("error: ") && what.contains("Too many open files"), "{files}: {err}");
        assert!(remedy.contains("raise its limit (`ulimit -n`"), "{files}: {err}");
    };
    // What a process has from the start is not the same everywhere: those with which it comes to a runtime are among these.
    for files in 6..=11 {
        is_told(files, run(files, &["serve", "--listen", "127.0.0.1:0"]));
    }
    for files in 5..=8 {
        is_told(files, run(files, &["info", "--url", &url]));
        is_told(files, run(files, &["health", "--url", &url]));
    }
    let (code, _, err) = run(32, &["info", "--url", &url]);
    assert!(code == 6 && err.contains("cannot be reached"), "{err}");
}
