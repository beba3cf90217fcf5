//! The source tree as text: what the rules look at.

use std::{collections::BTreeSet, fs, io, path::Path};

use walkdir::WalkDir;

use super::{Finding, Source};

/// The files of the project that rules look at.
#[derive(Default)]
pub(crate) struct Tree {
    /// Rust files that parse.
    pub(crate) sources: Vec<Source>,
    /// Markdown files.
    pub(crate) documents: Vec<Document>,
    /// The path of every file and directory, relative to the root, with `/`.
    pub(crate) paths: BTreeSet<String>,
    /// Rust files that do not parse.
    pub(crate) unreadable: Vec<Finding>,
}

/// A Markdown file.
pub(crate) struct Document {
    /// Where it is.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// Directories that hold nothing of ours.
const FOREIGN: [&str; 5] = ["target", ".git", "gesta-data", "mutants.out", "node_modules"];

/// Written by a program for a compiler: nobody reads it, so no rule of ours is about it. That it is current is a step of its own.
const GENERATED: &str = crate::protos::GENERATED;

impl Tree {
    /// The tree below `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let ours = |name: &str| !FOREIGN.contains(&name);
        for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| {
            entry.depth() == 0 || (entry.file_name().to_str().is_some_and(ours) && entry.path() != root.join(GENERATED))
        }) {
            let entry = entry?;
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let Some(path) = path.to_str().filter(|path| !path.is_empty()) else { continue };
            let text = path.ends_with(".rs") || path.ends_with(".md");
            tree.add(
                path,
                &if text && entry.file_type().is_file() { fs::read_to_string(entry.path())? } else { String::new() },
            );
        }
        Ok(tree)
    }

    /// A tree of the files given.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            for (slash, _) in path.match_indices('/') {
                tree.paths.insert(path[..slash].to_owned());
            }
            tree.add(path, text);
        }
        tree
    }

    fn add(&mut self, path: &str, text: &str) {
        self.paths.insert(path.to_owned());
        if path.ends_with(".rs") {
            match Source::parse(path, text) {
                Ok(source) => self.sources.push(source),
                Err(error) => self.unreadable.push(Finding::new(path, error.span().start().line, error.to_string())),
            }
        } else if path.ends_with(".md") {
            self.documents.push(Document { path: path.to_owned(), text: text.to_owned() });
        }
    }
}
