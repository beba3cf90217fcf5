//! Which store a command works on. Commands that only look never make one.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gesta::{ErrorKind, EventStore, Options};

use crate::exit::{Exit, Failure, Outcome};

/// Where a store is looked for when neither `--dir` nor `GESTA_DIR` says.
pub(crate) const DIR_DEFAULT: &str = "./gesta-data";

/// How long a store that somebody else has open is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is tried.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// The directory a command works on.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    given: Option<PathBuf>,
}

impl Target {
    pub(crate) fn new(given: Option<PathBuf>) -> Self {
        Self { given }
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
        let dir = self.dir();
        if !dir.exists() {
            return Err(Failure::new(Exit::NotFound, format!("there is no store, dir={}", dir.display()))
                .with_remedy("name one with --dir DIR or GESTA_DIR; `gesta append` and `gesta import` make one"));
        }
        self.open_with(Options { create: false, ..Options::default() })
    }

    /// Opens the store that is there, or makes one.
    pub(crate) fn open_or_create(&self) -> Outcome<EventStore> {
        self.open_with(Options::default())
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
