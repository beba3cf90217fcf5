//! Running the `git` program, and nothing that a user's configuration could change the meaning of.

use std::{
    ffi::OsStr,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use super::{error::GitError, log};

/// A repository on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    path: PathBuf,
    /// Whether its history is cut off, as in a shallow clone.
    pub(crate) shallow: bool,
    /// What people would call it: the name of its directory.
    pub(crate) name: String,
}

impl Repository {
    /// The repository that `path` is in.
    pub(crate) fn at(path: &Path) -> Result<Self, GitError> {
        // Git says only in words why it does not find anything.
        match path.join(".").metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(GitError::Denied { path: path.to_owned(), error });
            }
            Ok(_) | Err(_) => {}
        }
        let said = git(path).args(["rev-parse", "--is-shallow-repository", "--absolute-git-dir"]).output();
        let said = said.map_err(missing)?;
        if !said.status.success() {
            return Err(GitError::NotARepository { path: path.to_owned(), said: first_line(&said.stderr) });
        }
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let (shallow, git_dir) =
            text.split_once('\n').ok_or_else(|| GitError::Malformed { what: "rev-parse", found: text.clone() })?;
        let name = name_of(Path::new(git_dir.trim_end_matches('\n')));
        Ok(Self { path: path.to_owned(), shallow: shallow == "true", name })
    }

    /// The commit that `revision` names.
    pub(crate) fn commit(&self, revision: &str) -> Result<String, GitError> {
        let said = git(&self.path)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}"))
            .output()?;
        if said.status.success() {
            return Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned());
        }
        Err(match revision {
            "HEAD" => GitError::NoCommits { path: self.path.clone() },
            _ => GitError::UnknownRevision { revision: revision.to_owned() },
        })
    }

    /// The commits from the first to `commit`, always along the first parent: what a branch was, day by day.
    pub(crate) fn first_parents(&self, commit: &str) -> Result<Vec<String>, GitError> {
        let listed = self.output("rev-list", &["--first-parent", "--reverse", commit])?;
        Ok(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect())
    }

    /// The tree of a commit, as `git ls-tree -r -z` lists it.
    pub(super) fn tree_listing(&self, commit: &str) -> Result<Vec<u8>, GitError> {
        self.output("ls-tree", &["-r", "-z", "--full-tree", commit])
    }

    /// The commits after `excluded` up to `commit`, oldest first, each with what it did to every file.
    pub(super) fn log(&self, commit: &str, excluded: Option<&str>) -> Result<RunningLog, GitError> {
        let mut command = git(&self.path);
        command.args(["-c", "log.showRoot=true", "-c", "log.showSignature=false"]);
        // What `-m` means is configured: with `off`, merges would be commits that change nothing.
        command.args(["-c", "log.diffMerges=separate", "log", "-z"]);
        command.args(["--first-parent", "-m", "--reverse", "--raw", "--numstat", "--no-renames", "--no-abbrev"]);
        command.args(["--no-color", "--no-notes", "--no-decorate", "--no-mailmap", "--no-ext-diff", "--no-textconv"]);
        command.args(["--no-relative", "--submodule=short", "--ignore-submodules=none", "--diff-algorithm=myers"]);
        command.args(["--encoding=UTF-8", "--date=raw", log::FORMAT, commit]);
        if let Some(excluded) = excluded {
            command.arg(format!("^{excluded}"));
        }
        let mut child = command.arg("--").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("standard output is piped");
        let mut errors = child.stderr.take().expect("standard error is piped");
        // Drained beside the output, or git would stop once the pipe is full.
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = errors.read_to_end(&mut said); // what was read until then is told
            said
        });
        Ok(RunningLog { child, said: Some(said), log: log::Log::new(BufReader::with_capacity(1 << 20, output)) })
    }

    fn output(&self, command: &'static str, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let said = git(&self.path).arg(command).args(arguments).output()?;
        if said.status.success() {
            return Ok(said.stdout);
        }
        Err(GitError::Failed { command, said: first_line(&said.stderr) })
    }
}

/// A `git log` under way.
#[derive(Debug)]
pub(super) struct RunningLog {
    child: Child,
    said: Option<JoinHandle<Vec<u8>>>,
    log: log::Log<BufReader<ChildStdout>>,
}

impl RunningLog {
    /// The next commit; `None` at the end, if git ended well.
    pub(super) fn next_commit(&mut self) -> Result<Option<log::GitCommit>, GitError> {
        let next = self.log.next_commit();
        if let Ok(Some(commit)) = next {
            return Ok(Some(commit));
        }
        if let Some(said) = self.said.take() {
            if next.is_err() {
                let _ = self.child.kill(); // it may still be writing
            }
            let status = self.child.wait()?;
            let said = said.join().unwrap_or_default();
            // When git died, its last words explain more than the torn output does.
            if !status.success() && !said.is_empty() {
                return Err(GitError::Failed { command: "log", said: first_line(&said) });
            }
        }
        next
    }
}

impl Drop for RunningLog {
    fn drop(&mut self) {
        if self.said.is_some() {
            let _ = self.child.kill(); // nobody reads it any more
            let _ = self.child.wait();
        }
    }
}

fn git(path: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(path).args(["--no-pager", "--no-replace-objects"]);
    command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Set by hooks and by `git` itself for a repository of their own; here the path names it.
const FOREIGN_VARIABLES: [&str; 11] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_INDEX_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_PREFIX",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
];

fn missing(error: std::io::Error) -> GitError {
    if error.kind() == std::io::ErrorKind::NotFound { GitError::NotInstalled } else { GitError::Io(error) }
}

fn first_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said).lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing").to_owned()
}

/// `x` for `…/x/.git` and for a bare `…/x.git`; for a linked worktree, the name of what it is linked to.
fn name_of(git_dir: &Path) -> String {
    let mut dir = git_dir;
    if let Some(at) = dir.ancestors().find(|part| part.file_name() == Some(OsStr::new(".git"))) {
        dir = at.parent().unwrap_or(at);
    }
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.strip_suffix(".git").unwrap_or(&name).chars().filter(|c| !c.is_control()).collect();
    if name.is_empty() { "git".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_after_its_directory() {
        assert_eq!(name_of(Path::new("/home/ada/engine/.git")), "engine");
        assert_eq!(name_of(Path::new("/srv/engine.git")), "engine");
        assert_eq!(name_of(Path::new("/home/ada/engine/.git/worktrees/fix")), "engine");
        assert_eq!(name_of(Path::new("/.git")), "git");
    }
}
