//! Which store a command works on. Commands that only look never make one.

use std::{
    cell::OnceCell,
    env, fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gesta::{ErrorKind, EventRef, EventStore, Options, VerifyReport};
use gesta_server::client::{Client, without_user};

use crate::{
    exit::{Exit, Failure, Outcome},
    reach::Reached,
};

/// Where a store is looked for when neither `--dir` nor `GESTA_DIR` says.
pub(crate) const DIR_DEFAULT: &str = "./gesta-data";

/// How long a store that somebody else has open is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is tried.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// What a command works on.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    given: Option<PathBuf>,
    url: Option<String>,
    authority: Option<PathBuf>,
}

impl Target {
    /// The directory or the server that is given, else the one that the environment names; there, a server counts more.
    pub(crate) fn new(given: Option<PathBuf>, url: Option<String>, authority: Option<PathBuf>) -> Self {
        let named_url = || env::var("GESTA_URL").ok().filter(|url| !url.is_empty());
        let named = || env::var_os("GESTA_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let url = if given.is_some() { None } else { url.or_else(named_url) };
        let named_authority = || env::var_os("GESTA_CA").filter(|file| !file.is_empty()).map(PathBuf::from);
        Self { given: given.or_else(named), url, authority: authority.or_else(named_authority) }
    }

    /// The same directory, whatever server was named: for what cannot be done elsewhere.
    pub(crate) fn here(&self) -> Self {
        Self { url: None, ..self.clone() }
    }

    /// The address of the server to ask, if one is.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Connects to the server at `url`.
    pub(crate) fn connect(&self, url: &str) -> Outcome<Client> {
        Ok(Client::connect(url, self.authority()?.as_deref())?)
    }

    /// The certificate servers are known by, if one is named.
    pub(crate) fn authority(&self) -> Outcome<Option<Vec<u8>>> {
        let read = |file: &PathBuf| {
            fs::read(file).map_err(|error| Failure::io(format_args!("reading {}", file.display()), &error))
        };
        self.authority.as_ref().map(read).transpose()
    }

    /// The store that is there, in the directory or behind the server.
    pub(crate) fn reach(&self) -> Outcome<Reached> {
        match &self.url {
            Some(url) => Ok(Reached::Server(Box::new(self.connect(url)?))),
            None => self.open().map(Reached::Directory),
        }
    }

    /// As `reach`; makes a store in a directory that has none.
    pub(crate) fn reach_or_create(&self) -> Outcome<Reached> {
        match &self.url {
            Some(_) => self.reach(),
            None => self.open_or_create().map(Reached::Directory),
        }
    }

    /// The directory named by the caller.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        self.given.as_deref().unwrap_or(Path::new(DIR_DEFAULT))
    }

    /// Opens the store that is there.
    pub(crate) fn open(&self) -> Outcome<EventStore> {
        self.must_be_there()?;
        self.open_with(Options { create: false, ..Options::default() })
    }

    /// Looks at the log of a store that cannot be opened; `see` gets every event that is intact, until it has seen enough.
    pub(crate) fn inspect(&self, see: impl FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Outcome<VerifyReport> {
        self.must_be_there()?;
        let inspected = EventStore::inspect(self.dir(), see);
        inspected.map_err(|error| Failure::from(error).at(format!("inspecting {}", self.dir().display())))
    }

    fn must_be_there(&self) -> Outcome<()> {
        if self.is_there()? {
            return Ok(());
        }
        let what = format!("there is no store, dir={}", self.dir().display());
        Err(Failure::new(Exit::NotFound, what)
            .with_remedy("name one with --dir DIR or GESTA_DIR; `gesta append` and `gesta import` make one"))
    }

    /// Opens the store that is there, or makes one.
    pub(crate) fn open_or_create(&self) -> Outcome<EventStore> {
        self.is_there()?;
        self.open_with(Options::default())
    }

    /// The store that is there, in the directory or behind the server. If there is none in the directory, what is brought makes one.
    pub(crate) fn destination(&self) -> Outcome<Destination<'_>> {
        if self.url.is_some() {
            return Ok(Destination { target: self, store: self.reach()?.into() });
        }
        let store = if self.is_there()? { self.open() } else { return Ok(Destination::nowhere(self)) };
        match store {
            Ok(store) => Ok(Destination { target: self, store: Reached::Directory(store).into() }),
            // A directory, and no store in it yet.
            Err(failure) if failure.exit == Exit::NotFound => Ok(Destination::nowhere(self)),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the directory is there. What stands at its place and is none, or may not be looked at, is no absence.
    fn is_there(&self) -> Outcome<bool> {
        if let Some(url) = &self.url {
            let what = format!(
                "this cannot be asked of a server, only of the directory of a store, url={}",
                without_user(url)
            );
            return Err(Failure::usage(what)
                .with_remedy("run it where the store is, with --dir DIR, while no server has it open"));
        }
        let dir = self.dir();
        let remedy = "name the directory of a store with --dir DIR or GESTA_DIR";
        match fs::metadata(dir) {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) => {
                let what = format!("a store is a directory, and this is a file, dir={}", dir.display());
                Err(Failure::usage(what).with_remedy(remedy))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => {
                Err(Failure::io(format_args!("looking for the store, dir={}", dir.display()), &error)
                    .with_remedy(remedy))
            }
        }
    }

    /// Another program may have the store open for a moment, as two commands in a row of a script do: it is waited for.
    fn open_with(&self, options: Options) -> Outcome<EventStore> {
        let dir = self.dir();
        let begun = Instant::now();
        loop {
            match EventStore::open_with(dir, options.clone()) {
                Err(error) if error.kind() == ErrorKind::Unavailable && begun.elapsed() < PATIENCE => {
                    std::thread::sleep(RETRY_EVERY);
                }
                opened => {
                    return opened.map_err(|error| Failure::from(error).at(format!("opening {}", dir.display())));
                }
            }
        }
    }
}

/// Where facts are brought to: the store that is there, or one that is made when the first of them comes. Bringing nothing leaves
/// nothing behind.
#[derive(Debug)]
pub(crate) struct Destination<'t> {
    target: &'t Target,
    store: OnceCell<Reached>,
}

impl<'t> Destination<'t> {
    fn nowhere(target: &'t Target) -> Self {
        Self { target, store: OnceCell::new() }
    }

    /// The store, if there is one yet.
    pub(crate) fn found(&self) -> Option<&Reached> {
        self.store.get()
    }

    /// The store; makes one if there is none yet.
    pub(crate) fn store(&self) -> Outcome<&Reached> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let made = self.target.reach_or_create()?;
        Ok(self.store.get_or_init(|| made))
    }
}
