//! The program as a process of its own, and what the system counts of it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Ticks a second in `/proc`: fixed for programs, whatever the kernel's own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// `gesta serve`, on a free port; killed when it is dropped.
pub(crate) struct Program {
    process: Running,
    pub(crate) address: SocketAddr,
    /// From its start until it said that it is ready to serve.
    pub(crate) ready_after: Duration,
}

impl Program {
    /// Serves a directory, and waits until `/health/ready` says so.
    pub(crate) fn start(dir: &Path) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(executable());
        command.args(["serve", "--listen", "127.0.0.1:0", "-o", "ndjson", "--dir"]).arg(dir);
        let (process, line) = Running::start(command.stderr(Stdio::null()));
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told["address"].as_str().unwrap().parse().unwrap();
        while !is_ready(address) {}
        Self { process, address, ready_after: begun.elapsed() }
    }

    /// Processor time so far, of all threads, in the kernel too.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).unwrap();
        // The second field is the program's name in brackets; utime and stime are the 14th and 15th.
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Resident memory, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")).unwrap();
        kib.parse::<f64>().unwrap() / 1024.0
    }
}

/// A process; killed when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it, and waits for the first line it says.
    pub(crate) fn start(command: &mut Command) -> (Self, String) {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(process), line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the variable `GESTA` names, else what was built beside this example.
fn executable() -> PathBuf {
    if let Some(program) = std::env::var_os("GESTA") {
        return program.into();
    }
    let beside = std::env::current_exe().unwrap();
    let program = beside.parent().unwrap().parent().unwrap().join("gesta");
    assert!(program.exists(), "there is no {}: run `cargo build --release -p gesta-cli` first", program.display());
    program
}

fn is_ready(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: gesta\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 2")
}
