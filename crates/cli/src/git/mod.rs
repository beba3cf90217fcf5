//! The history of a git repository as facts.
//!
//! `process` runs the `git` program (plumbing output only), `log` reads what it says of every commit, `names` turns paths into
//! names the store takes, `facts` says which events a commit becomes, `room` where in a store they have room, `import` records them, and `tree` folds them back into a
//! tree that can be compared with git's own.
//!
//! The model is described in `docs/cli.md`, "import git".

mod error;
mod facts;
mod import;
mod log;
mod names;
mod process;
mod room;
mod tree;

pub(crate) use error::GitError;
pub(crate) use facts::FILE_TYPES;
pub(crate) use import::{ImportOptions, Imported, import};
pub(crate) use names::path_tag;
pub(crate) use process::Repository;
pub(crate) use tree::{Tree, tree_of_git};
