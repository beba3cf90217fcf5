//! The commands README shows exist: `cargo xtask …` here, `gesta …` as one file per subcommand of the program.

use std::fmt;

use super::{Finding, Tree};
use crate::COMMANDS;

const README: &str = "README.md";
/// Where the program has its subcommands.
const PROGRAM: &str = "crates/cli/src/command";

/// Commands in README's code that nobody answers to.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(readme) = tree.documents.iter().find(|document| document.path == README) else { return Vec::new() };
    let unknown = shown(&readme.text).filter(|(_, command)| !exists(tree, command));
    unknown
        .map(|(line, command)| Finding::new(README, line, format!("there is no such command, command={command}")))
        .collect()
}

/// The commands in fenced code, with their lines.
fn shown(text: &str) -> impl Iterator<Item = (usize, Command<'_>)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        fenced.then(|| Command::parse(line)).flatten().map(|command| (index + 1, command))
    })
}

/// A command of ours.
enum Command<'t> {
    /// `cargo xtask …`.
    Project(&'t str),
    /// `gesta …`, with the word after it, if it is one.
    Program(&'t str, Option<&'t str>),
}

impl<'t> Command<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
        if let Some(rest) = line.strip_prefix("cargo xtask ") {
            return rest.split_whitespace().next().map(Self::Project);
        }
        let rest = line.strip_prefix("gesta ").or_else(|| line.strip_prefix("cargo run --release -- "))?;
        let mut words = rest.split_whitespace();
        let first = words.next().filter(is_word)?;
        Some(Self::Program(first, words.next().filter(is_word)))
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(name) => write!(f, "cargo xtask {name}"),
            Self::Program(name, None) => write!(f, "gesta {name}"),
            Self::Program(name, Some(next)) => write!(f, "gesta {name} {next}"),
        }
    }
}

fn exists(tree: &Tree, command: &Command<'_>) -> bool {
    let file = |name: &str| {
        let name = name.replace('-', "_");
        tree.paths.contains(&format!("{PROGRAM}/{name}.rs")) || tree.paths.contains(&format!("{PROGRAM}/{name}/mod.rs"))
    };
    // `import.rs` beside `import_git.rs`: the second word is a command too, not an argument.
    let has_kinds = |name: &str| tree.paths.iter().any(|path| path.starts_with(&format!("{PROGRAM}/{name}_")));
    match command {
        Command::Project(name) => COMMANDS.contains(name),
        Command::Program(name, Some(kind)) if has_kinds(name) => file(&format!("{name}_{kind}")),
        Command::Program(name, _) => file(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_nobody_answers_to_is_found() {
        let readme = "cargo xtask gone\n```sh\ncargo xtask test\n$ cargo xtask gone\ngesta --version\ngesta read --all\n\
                      gesta import git .\ngesta import csv x\ncargo run --release -- serve\nls\n```\n";
        let read = format!("{PROGRAM}/read.rs");
        let import = format!("{PROGRAM}/import_git.rs");
        let tree = Tree::of(&[(README, readme), (&read, ""), (&format!("{PROGRAM}/import.rs"), ""), (&import, "")]);
        let lines: Vec<usize> = check(&tree).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [4, 8, 9]);
    }
}
