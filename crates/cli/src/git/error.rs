//! What can go wrong with a repository, and what the caller can do about it.

use std::{fmt, io, path::PathBuf};

use crate::exit::{Exit, Failure};

/// Why a repository could not be read.
#[derive(Debug)]
pub(crate) enum GitError {
    /// There is no `git` program.
    NotInstalled,
    /// The directory is in no repository, or git refuses to look at it.
    NotARepository { path: PathBuf, said: String },
    /// The directory may not be looked at.
    Denied { path: PathBuf, error: io::Error },
    /// The repository has no commit yet.
    NoCommits { path: PathBuf },
    /// The revision names no commit.
    UnknownRevision { revision: String },
    /// The commit last imported is not in the first-parent history that is to be imported.
    Rewritten { recorded: String, revision: String },
    /// A git command failed.
    Failed { command: &'static str, said: String },
    /// A git command said something this program does not understand.
    Malformed { what: &'static str, found: String },
    /// Reading what git says failed.
    Io(io::Error),
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str("there is no git program in PATH"),
            Self::NotARepository { path, said } => {
                write!(f, "not a git repository, path={} git={said:?}", path.display())
            }
            Self::Denied { path, error } => write!(f, "looking for a repository, path={}: {error}", path.display()),
            Self::NoCommits { path } => write!(f, "the repository has no commits yet, path={}", path.display()),
            Self::UnknownRevision { revision } => write!(f, "no such commit in the repository, rev={revision}"),
            Self::Rewritten { recorded, revision } => write!(
                f,
                "the commit imported last is not in the first-parent history, recorded={recorded} rev={revision}"
            ),
            Self::Failed { command, said } => write!(f, "git {command} failed, git={said:?}"),
            Self::Malformed { what, found } => {
                write!(f, "git's output was not understood, what={what} found={found:?}")
            }
            Self::Io(error) => write!(f, "reading what git says: {error}"),
        }
    }
}

impl From<io::Error> for GitError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let (exit, remedy) = match &error {
            GitError::NotInstalled => (Exit::NotFound, "install git; nothing else is needed"),
            GitError::NotARepository { .. } => (Exit::NotFound, "name a clone, or any directory in one"),
            GitError::Denied { .. } => (Exit::Denied, "the repository must be readable for this user"),
            GitError::NoCommits { .. } => (Exit::NotFound, "commit something first"),
            GitError::UnknownRevision { .. } => (Exit::NotFound, "name a branch, a tag or a commit with --rev"),
            GitError::Rewritten { .. } => (
                Exit::Conflict,
                "the branch was rewritten, or another one was imported: import into another store, or under another --name and --under",
            ),
            GitError::Failed { .. } | GitError::Io(_) => (Exit::Other, "try `git fsck` in the repository"),
            GitError::Malformed { .. } => (Exit::Other, "please report this with the output of `git --version`"),
        };
        Self::new(exit, error.to_string()).with_remedy(remedy)
    }
}
