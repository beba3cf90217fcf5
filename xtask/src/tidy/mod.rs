//! What reviewers should not have to say: rules about the source tree that no compiler knows.
//!
//! A rule is a function from a [`Tree`] to findings. A tree is text, not files, so each rule is proven by a planted violation.

mod commands;
mod doors;
mod invariants;
mod layers;
mod limits;
mod links;
mod reach;
mod shape;
mod source;
mod tree;
mod words;

use std::fmt;

pub(crate) use source::Source;
pub(crate) use tree::{Document, Tree};

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Where.
    path: String,
    /// On which line, 1-based; 0: the file as a whole.
    line: usize,
    /// What is wrong, and what to do.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    layers::check,
    doors::check,
    shape::check,
    words::check,
    reach::check,
    limits::check,
    invariants::check,
    links::check,
    commands::check,
];

/// Everything that is wrong with a tree, in order of the files.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I8: a file of the store imports only from lower layers. The rule is proven in `layers`; here it meets the real tree.
    #[test]
    fn i8_every_file_imports_only_from_lower_layers() {
        let tree = Tree::read(&crate::steps::root()).expect("the source tree can be read");
        assert!(tree.sources.len() > 20, "sources={}", tree.sources.len());
        assert_eq!(layers::check(&tree), []);
    }

    #[test]
    fn a_finding_names_file_and_line() {
        assert_eq!(Finding::new("a.rs", 3, "too long").to_string(), "a.rs:3: too long");
        assert_eq!(Finding::new("a.rs", 0, "dead").to_string(), "a.rs: dead");
    }
}
