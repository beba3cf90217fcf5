//! Which name leads to which file, now and after a crash.
//!
//! Names change at once for readers, but durably only with their directory. A change that was not synced may be lost, by itself
//! or with everything after it. A rename is one change: a crash leaves its old or its new state, never neither and never both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rand::RngExt;
use rand_chacha::ChaCha12Rng;

use super::content::{Content, Survival};

/// A file apart from its name.
pub(super) type Inode = Arc<Mutex<Content>>;

/// The names of a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    current: BTreeMap<PathBuf, Inode>,
    durable: BTreeMap<PathBuf, Inode>,
    /// In the order they were made.
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    /// The file is to be found at `path` and nowhere else.
    Place { path: PathBuf, inode: Inode },
    /// The file is to be found nowhere; its last name was `path`.
    Remove { path: PathBuf, inode: Inode },
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<&Inode> {
        self.current.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Inode)> {
        self.current.iter()
    }

    /// Creates a name, or moves a file to it from the one it has.
    pub(super) fn place(&mut self, path: &Path, inode: Inode) {
        self.change(Change::Place { path: path.into(), inode });
    }

    /// Removes a name; `false` when there is none.
    pub(super) fn remove(&mut self, path: &Path) -> bool {
        let Some(inode) = self.current.get(path).cloned() else {
            return false;
        };
        self.change(Change::Remove { path: path.into(), inode });
        true
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }

    /// Makes all changes in a directory durable.
    pub(super) fn sync(&mut self, dir: &Path) {
        for change in self.unsynced.extract_if(.., |change| change.path().parent() == Some(dir)) {
            change.apply(&mut self.durable);
        }
    }

    /// Names and files as a crash leaves them.
    pub(super) fn after_crash(&self, survival: Survival, random: &mut ChaCha12Rng) -> Self {
        let mut left = self.durable.clone();
        let journal_end = self.journal_end(survival, random);
        for (index, change) in self.unsynced.iter().enumerate() {
            if journal_end.map_or_else(|| random.random_bool(0.5), |end| index < end) {
                change.apply(&mut left);
            }
        }
        let mut after = |inode: &Inode| {
            let content = super::held(inode).after_crash(survival, random);
            Arc::new(Mutex::new(content))
        };
        let durable: BTreeMap<PathBuf, Inode> = left.iter().map(|(path, inode)| (path.clone(), after(inode))).collect();
        Self { current: durable.clone(), durable, unsynced: Vec::new() }
    }

    /// How many changes survive, if those that do are the first ones, as on a journaling file system.
    fn journal_end(&self, survival: Survival, random: &mut ChaCha12Rng) -> Option<usize> {
        match survival {
            Survival::Nothing => Some(0),
            Survival::Everything => Some(self.unsynced.len()),
            Survival::Anything if random.random_bool(0.5) => Some(random.random_range(0..=self.unsynced.len())),
            Survival::Anything => None,
        }
    }

    /// The same names and files once more, with everything that is still unsynced.
    pub(super) fn copied(&self) -> Self {
        let mut copies: Vec<(Inode, Inode)> = Vec::new();
        let mut copy = |inode: &Inode| {
            if let Some((_, copy)) = copies.iter().find(|(original, _)| Arc::ptr_eq(original, inode)) {
                return Arc::clone(copy);
            }
            let copy = Arc::new(Mutex::new(super::held(inode).clone()));
            copies.push((Arc::clone(inode), Arc::clone(&copy)));
            copy
        };
        Self {
            current: self.current.iter().map(|(path, inode)| (path.clone(), copy(inode))).collect(),
            durable: self.durable.iter().map(|(path, inode)| (path.clone(), copy(inode))).collect(),
            unsynced: self.unsynced.iter().map(|change| change.with_inode(&mut copy)).collect(),
        }
    }
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Place { path, .. } | Self::Remove { path, .. } => path,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Inode>) {
        let (Self::Place { inode, .. } | Self::Remove { inode, .. }) = self;
        // Wherever an earlier, perhaps lost, rename left it.
        names.retain(|_, named| !Arc::ptr_eq(named, inode));
        if let Self::Place { path, inode } = self {
            names.insert(path.clone(), Arc::clone(inode));
        }
    }

    fn with_inode(&self, copy: &mut impl FnMut(&Inode) -> Inode) -> Self {
        match self {
            Self::Place { path, inode } => Self::Place { path: path.clone(), inode: copy(inode) },
            Self::Remove { path, inode } => Self::Remove { path: path.clone(), inode: copy(inode) },
        }
    }
}
