//! A server that may open few files: its clients do not take those of its store.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use gesta_server::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{full_disk::append, server::gesta};

/// Runs what follows with 64 open files at most.
const FEW_FILES: &str = "ulimit -n 64; exec \"$0\" \"$@\"";
/// Events of 1 MiB: more than a segment holds.
const EVENTS: usize = 70;
const CLIENTS: usize = 100;

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
    let program = gesta(&[]).get_program().to_owned();
    let mut command = Command::new("sh");
    command.args(["-c", FEW_FILES]).arg(program);
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
