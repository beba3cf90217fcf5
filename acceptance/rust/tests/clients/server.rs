//! A server under test: the real program, on a directory of its own and a free port.

use std::process::Stdio;

use kurrentdb::{AppendToStreamOptions, Client, EventData, ResolvedEvent};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// `gesta serve`, started and ready, and a client of it. The server ends when this is dropped.
pub struct Server {
    pub client: Client,
    process: Child,
    _directory: TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = std::env::var("GESTA").expect("GESTA is the path of the program");
        let secured = std::env::var("GESTA_SECURED").ok();
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "-o", "ndjson", "--dir"])
            .arg(directory.path())
            .args(secured.iter().flat_map(|secured| arguments(secured)))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the server says that it is ready");
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = match &secured {
            Some(secured) => secured_url(ready["address"].as_str().unwrap(), secured),
            None => ready["url"].as_str().unwrap().to_owned(),
        };
        let client = Client::new(url.parse().unwrap()).unwrap();
        Self { client, process, _directory: directory }
    }

    /// Appends events `first..` to a stream, whatever it is.
    pub async fn append(&self, stream: &str, numbers: std::ops::Range<u64>) {
        let appended = self.client.append_to_stream(stream, &AppendToStreamOptions::default(), events(numbers)).await;
        appended.unwrap();
    }

    /// Ends as an operator would; answers whether it ended well.
    pub async fn stop(mut self) -> bool {
        let asked = Command::new("kill").arg(self.process.id().unwrap().to_string()).status().await.unwrap();
        asked.success() && self.process.wait().await.unwrap().success()
    }
}

/// The arguments of a server with TLS and users, by the certificates and the password in a directory.
fn arguments(secured: &str) -> [String; 3] {
    let files = [("tls-cert", "node.crt"), ("tls-key", "node.key"), ("admin-password-file", "password")];
    files.map(|(setting, file)| format!("--{setting}={secured}/{file}"))
}

/// How the administrator connects to such a server.
fn secured_url(address: &str, secured: &str) -> String {
    let password = std::fs::read_to_string(format!("{secured}/password")).unwrap();
    let password = password.trim();
    format!("kurrentdb://admin:{password}@{address}?tls=true&tlsCAFile={secured}/ca.crt")
}

/// Events told apart by their data.
pub fn events(numbers: std::ops::Range<u64>) -> Vec<EventData> {
    numbers.map(|number| EventData::json("Noted", &json!({ "n": number })).unwrap()).collect()
}

/// By what events made by [`events`] are told apart.
pub fn number(event: &ResolvedEvent) -> u64 {
    event.event.as_ref().unwrap().as_json::<serde_json::Value>().unwrap()["n"].as_u64().unwrap()
}
