//! One word per thing: names that say nothing are not given to files, and words the project does not use do not creep in.

use super::{Finding, Tree};

/// Names of files and directories that say nothing about what is in them. A handler is a thing here: what follows the log under a name.
const EMPTY_NAMES: [&str; 7] = ["manager", "helper", "util", "core", "common", "managers", "helpers"];

/// The word for a process manager that is not ours; spelled apart, for this file is searched too.
const FOREIGN_WORD: &str = concat!("sa", "ga");

/// Files named by an empty word, and uses of the foreign one.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let names = tree.paths.iter().filter_map(|path| {
        let word = words(path).find(|word| EMPTY_NAMES.contains(&word.as_str()))?;
        Some(Finding::new(path, 0, format!("is named by a word that says nothing, word={word}")))
    });
    let sources = tree.sources.iter().map(|source| (&source.path, &source.text));
    let documents = tree.documents.iter().map(|document| (&document.path, &document.text));
    let uses = sources.chain(documents).flat_map(|(path, text)| {
        let lines = text.lines().enumerate().filter(|(_, line)| words(line).any(|word| word == FOREIGN_WORD));
        lines.map(|(index, _)| Finding::new(path, index + 1, format!("says {FOREIGN_WORD}, write process")))
    });
    names.chain(uses).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn empty_names_of_files_and_folders_are_found() {
        assert_eq!(
            findings("src/stream_manager.rs", ""),
            ["src/stream_manager.rs: is named by a word that says nothing, word=manager"]
        );
        assert_eq!(findings("src/util/mod.rs", "").len(), 2, "the folder and the file in it");
        assert_eq!(findings("src/score.rs", ""), [""; 0], "whole words only");
    }

    #[test]
    fn the_foreign_word_is_found_in_code_and_documents() {
        assert_eq!(findings("a.rs", &format!("\nstruct A; // a {FOREIGN_WORD}\n")).len(), 1);
        assert_eq!(
            findings("a.md", &format!("A {}.", FOREIGN_WORD.to_uppercase())),
            [format!("a.md:1: says {FOREIGN_WORD}, write process")]
        );
    }
}
