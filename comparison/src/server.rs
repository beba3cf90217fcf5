//! A store's server as a process of its own: started on a free port of loopback, in a directory of its own, with the settings it comes with.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Appending on a call that each client keeps open.
    Gesta,
    /// With a call for each append.
    GestaUnary,
    UmaDb,
    Tephra,
}

impl Store {
    pub(crate) const ALL: [Self; 4] = [Self::Gesta, Self::GestaUnary, Self::UmaDb, Self::Tephra];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gesta => "Gesta",
            Self::GestaUnary => "Gesta, unary",
            Self::UmaDb => "UmaDB",
            Self::Tephra => "Tephra",
        }
    }

    /// Where its program is: named by a variable, else found by its name. All three sync before they answer unless told otherwise, and are not told.
    fn command(self, dir: &Path, address: SocketAddr) -> Command {
        let (variable, name) = match self {
            Self::Gesta | Self::GestaUnary => ("GESTA", "gesta"),
            Self::UmaDb => ("UMADB", "umadb"),
            Self::Tephra => ("TEPHRA", "tephra-server"),
        };
        let program = std::env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
        let (mut command, address) = (Command::new(program), address.to_string());
        match self {
            Self::Gesta | Self::GestaUnary => command.args(["serve", "--listen", &address, "--dir"]).arg(dir),
            Self::UmaDb => command.args(["--listen", &address, "--db-path"]).arg(dir),
            Self::Tephra => command.args(["--log", "warn", "--bind", &address, "--data-dir"]).arg(dir),
        };
        command
    }
}

/// A server; killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `None` if there is no such program.
    pub(crate) fn start(store: Store, dir: &Path) -> Option<Self> {
        let dir = dir.join(store.name());
        fs::create_dir(&dir).expect("a directory for the store");
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let mut command = store.command(&dir, address);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = match process {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            started => started.unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}")),
        };
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        Some(Self { process, address })
    }

    /// Processor time so far: utime and stime, in hundredths of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the process is there");
        let (_, after_name) = stat.rsplit_once(") ").expect("the name is in brackets");
        let ticks = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a count"));
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
