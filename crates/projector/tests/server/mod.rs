//! A PostgreSQL server for the tests of one process.
//!
//! It is started by a shell that waits for the end of its input, which is a pipe held by this process: so it ends with the process, however that ends.
#![allow(clippy::disallowed_methods, clippy::print_stderr)] // files of the server's; and what is skipped must be seen

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::OnceLock,
};

pub(crate) struct Server {
    pub(crate) socket_directory: PathBuf,
    /// Closed when this process ends.
    _held: ChildStdin,
}

/// The server; `None`, loudly, if none is installed.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| programs().map(|programs| start(&programs)));
    if server.is_none() {
        eprintln!("SKIPPED: no PostgreSQL server below /usr/lib/postgresql, nor in the path; nothing was tested");
    }
    server.as_ref()
}

/// Where `initdb` and `postgres` are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = installed.chain(std::env::split_paths(&path)).collect();
    places.retain(|place| place.join("initdb").is_file() && place.join("postgres").is_file());
    places.into_iter().next()
}

/// As root a server does not start: then it is whoever the package made for it.
fn user() -> Option<u32> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"]) == Some(0) { id(&["-u", "postgres"]) } else { None }
}

fn start(programs: &Path) -> Server {
    let user = user();
    let as_user = |mut command: Command| {
        if let Some(user) = user {
            command.uid(user);
        }
        command
    };
    let directory = tempfile::Builder::new().prefix("gesta-pg").tempdir().expect("a directory").keep();
    std::os::unix::fs::chown(&directory, user, None).expect("is its user's");
    let data = directory.join("data");
    let made = as_user(Command::new(programs.join("initdb")))
        .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(&data)
        .current_dir(&directory)
        .output()
        .expect("runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let script = "\"$1/postgres\" -D \"$2/data\" -k \"$2\" -c listen_addresses= -c fsync=off > \"$2/log\" 2>&1 & \
                  cat > /dev/null; kill -INT $!; wait $!; rm -rf \"$2\"";
    #[allow(clippy::zombie_processes)] // it outlives this process, for a moment
    let mut shell = as_user(Command::new("sh"))
        .args(["-c", script, "sh"])
        .args([programs, &directory])
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let held = shell.stdin.take().expect("is piped");
    let ready = Command::new(programs.join("pg_isready"));
    wait_until_ready(ready, &directory);
    Server { socket_directory: directory, _held: held }
}

fn wait_until_ready(mut ready: Command, directory: &Path) {
    ready.args(["-q", "-t", "60", "-h"]).arg(directory);
    for _ in 0..10_000 {
        if ready.status().expect("runs").success() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("server does not start: {}", fs::read_to_string(directory.join("log")).unwrap_or_default());
}
