//! `gesta serve`, started on a free port and ready.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program, with nothing set but what is said.
pub(crate) fn gesta(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("gesta"));
    command.env("TZ", "UTC").args(arguments);
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "GESTA_DIR", "GESTA_URL"] {
        command.env_remove(variable);
    }
    command
}

/// A server; killed if it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
}

impl Server {
    /// Serves `dir`, on a port of its own choice or on `port`.
    pub(crate) fn start(dir: &Path, port: u16, arguments: &[&str]) -> Self {
        let listen = format!("127.0.0.1:{port}");
        let mut command = gesta(&["serve", "--listen", &listen, "-o", "ndjson", "--dir"]);
        command.arg(dir).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the program starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let ready: Value = serde_json::from_str(&line).expect("one object");
        let address = ready["address"].as_str().expect("an address");
        Self { process, url: format!("http://{address}") }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("the process is ours");
    }

    /// Waits for its end: its exit code, `None` if it was killed.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.process.wait().expect("it is ours").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server with TLS that asks who calls, and how it is asked.
pub(crate) struct Secured {
    pub(crate) server: Server,
    authority: PathBuf,
}

/// The password of its administrator.
pub(crate) const PASSWORD: &str = "of-the-test";

impl Secured {
    /// Serves the store in `place`, whatever was put into it before.
    pub(crate) fn start(place: &Path) -> Self {
        let made = gesta(&["certs", "dev", "-q", "--out"]).arg(place.join("certs")).output().expect("runs");
        assert!(made.status.success(), "{made:?}");
        let file = |name: &str| place.join("certs").join(name).to_str().expect("UTF-8").to_owned();
        fs::write(file("password"), PASSWORD).expect("writes");
        let [certificate, key, password] = ["node.crt", "node.key", "password"].map(file);
        let arguments = ["--tls-cert", &certificate, "--tls-key", &key, "--admin-password-file", &password];
        let server = Server::start(&place.join("store"), 0, &arguments);
        Self { server, authority: place.join("certs/ca.crt") }
    }

    /// How somebody asks it.
    pub(crate) fn arguments(&self, user: &str) -> Vec<String> {
        let url = self.server.url.replace("http://", &format!("https://{user}@"));
        let authority = self.authority.to_str().expect("UTF-8").to_owned();
        vec!["--url".to_owned(), url, "--ca".to_owned(), authority]
    }

    /// How its administrator does.
    pub(crate) fn as_admin(&self) -> Vec<String> {
        self.arguments(&format!("admin:{PASSWORD}"))
    }
}

/// What a run came to: its exit code, and what it wrote to both outputs.
pub(crate) fn shown(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("it was not killed"), text(&output.stdout), text(&output.stderr))
}
