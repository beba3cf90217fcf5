//! The tree that the recorded file events add up to, and git's own to compare it with.
//!
//! A fold of a few lines, checked by an oracle we did not write: `git ls-tree -r` of the same commit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    error::GitError,
    facts::{FILE_ADDED, FILE_CHANGED, FILE_REMOVED},
    process::Repository,
};
use crate::base64;

/// Files by path, each with its mode and the name of its blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    files: BTreeMap<Vec<u8>, (String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileFields {
    path: String,
    path_base64: Option<String>,
    mode: Option<String>,
    blob: Option<String>,
}

impl Tree {
    /// Files in it.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Applies an event; one of another type changes nothing. An error says what is wrong with its data.
    pub(crate) fn apply(&mut self, event_type: &str, data: &[u8]) -> Result<(), String> {
        if ![FILE_ADDED, FILE_CHANGED, FILE_REMOVED].contains(&event_type) {
            return Ok(());
        }
        let fields: FileFields = serde_json::from_slice(data).map_err(|error| error.to_string())?;
        let path = match &fields.path_base64 {
            Some(exact) => base64::decode(exact).ok_or("pathBase64 is not base64")?,
            None => fields.path.into_bytes(),
        };
        if event_type == FILE_REMOVED {
            self.files.remove(&path);
            return Ok(());
        }
        let (Some(mode), Some(blob)) = (fields.mode, fields.blob) else {
            return Err(format!("mode or blob is missing, type={event_type}"));
        };
        self.files.insert(path, (mode, blob));
        Ok(())
    }

    /// What `other` has otherwise: at most `most` lines.
    pub(crate) fn differences(&self, other: &Self, most: usize) -> Vec<String> {
        let paths = self.files.keys().chain(other.files.keys().filter(|path| !self.files.contains_key(*path)));
        let shown = |file: Option<&(String, String)>| {
            file.map_or_else(|| "nothing".to_owned(), |(mode, blob)| format!("{mode} {blob}"))
        };
        paths
            .filter(|path| self.files.get(*path) != other.files.get(*path))
            .take(most)
            .map(|path| {
                let (one, two) = (shown(self.files.get(path)), shown(other.files.get(path)));
                format!("{}: {one}, git has {two}", String::from_utf8_lossy(path))
            })
            .collect()
    }

    /// Reads a listing `mode SP type SP blob TAB path NUL …`.
    fn parse(listing: &[u8]) -> Result<Self, GitError> {
        let mut tree = Self::default();
        for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let malformed =
                || GitError::Malformed { what: "ls-tree", found: String::from_utf8_lossy(entry).into_owned() };
            let tab = entry.iter().position(|byte| *byte == b'\t').ok_or_else(malformed)?;
            let facts = std::str::from_utf8(&entry[..tab]).map_err(|_| malformed())?;
            let [mode, _, blob] = facts.split(' ').collect::<Vec<_>>()[..] else { return Err(malformed()) };
            tree.files.insert(entry[tab + 1..].to_vec(), (mode.to_owned(), blob.to_owned()));
        }
        Ok(tree)
    }
}

/// The tree of `commit` as git has it.
pub(crate) fn tree_of_git(repository: &Repository, commit: &str) -> Result<Tree, GitError> {
    Tree::parse(&repository.tree_listing(commit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_add_up_to_the_tree_git_lists() {
        let mut tree = Tree::default();
        for (event_type, data) in [
            (FILE_ADDED, r#"{"path":"a","mode":"100644","blob":"1"}"#),
            (FILE_ADDED, r#"{"path":"b%FF","pathBase64":"Yv8=","mode":"100644","blob":"2"}"#),
            (FILE_ADDED, r#"{"path":"c","mode":"100644","blob":"3"}"#),
            (FILE_CHANGED, r#"{"path":"a","mode":"100755","blob":"4","previousMode":"100644"}"#),
            (FILE_REMOVED, r#"{"path":"c"}"#),
            ("CommitRecorded", "not even JSON"),
        ] {
            tree.apply(event_type, data.as_bytes()).unwrap();
        }
        let git = Tree::parse(b"100755 blob 4\ta\x00100644 blob 2\tb\xff\0").unwrap();
        assert_eq!(tree, git);
        assert_eq!(tree.differences(&git, 9), [""; 0]);
        tree.apply(FILE_REMOVED, br#"{"path":"a"}"#).unwrap();
        assert_eq!(tree.differences(&git, 9), ["a: nothing, git has 100755 4"]);
    }

    #[test]
    fn data_that_does_not_fit_is_told() {
        assert!(Tree::default().apply(FILE_ADDED, b"{}").is_err());
        assert!(Tree::default().apply(FILE_ADDED, br#"{"path":"a"}"#).is_err());
        assert!(Tree::parse(b"100644 blob\ta\0").is_err());
    }
}
