//! Which store a command works on. Commands that only look never make one.

use std::path::{Path, PathBuf};

use gesta::{EventStore, Options};

use crate::exit::{Exit, Failure, Outcome};

/// Where a store is looked for when neither `--dir` nor `GESTA_DIR` says.
pub(crate) const DIR_DEFAULT: &str = "./gesta-data";

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

    fn open_with(&self, options: Options) -> Outcome<EventStore> {
        let dir = self.dir();
        EventStore::open_with(dir, options)
            .map_err(|error| Failure::from(error).at(format!("opening {}", dir.display())))
    }
}
