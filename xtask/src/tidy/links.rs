//! Links in Markdown that stay inside the project lead somewhere, and the documents everybody looks for are there.

use super::{Document, Finding, Tree, reach::normal};

/// Documents that must exist.
const EXPECTED: [&str; 5] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/operations.md"];

/// Links to files and headings that do not exist, and missing documents.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let missing = EXPECTED.iter().filter(|path| !tree.paths.contains(**path));
    let missing = missing.map(|path| Finding::new(path, 0, "is missing"));
    missing.chain(tree.documents.iter().flat_map(|document| broken_links(tree, document))).collect()
}

fn broken_links(tree: &Tree, document: &Document) -> Vec<Finding> {
    let broken = prose(&document.text).flat_map(|(line, text)| links(text).map(move |link| (line, link)));
    broken
        .filter(|(_, link)| !leads_somewhere(tree, document, link))
        .map(|(line, link)| Finding::new(&document.path, line, format!("link leads nowhere, link={link}")))
        .collect()
}

fn leads_somewhere(tree: &Tree, from: &Document, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let target = if file.is_empty() { from.path.clone() } else { normal(&format!("{folder}/{file}")) };
    let Some(heading) = heading.filter(|_| target.ends_with(".md")) else {
        return target.is_empty() || tree.paths.contains(&target);
    };
    let document = tree.documents.iter().find(|document| document.path == target);
    document.is_some_and(|document| prose(&document.text).any(|(_, line)| anchor(line).as_deref() == Some(heading)))
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()).filter(|link| !link.is_empty())
}

/// What a heading is called in links: lower case, spaces to hyphens, punctuation dropped.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.trim();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_links_are_found() {
        let guide = "# A guide: the *first*\n[ok](../README.md) [ok](#a-guide-the-first) [ok](https://x.y/z) `[code](not parsed`\n\
                     [bad](gone.md) [bad](#nowhere)\n```\n[fenced](gone.md)\n```\n[bad](../README.md#b) [ok](../README.md#one)";
        let tree = Tree::of(&[("docs/guide.md", guide), ("README.md", "# One\n[folder](docs) [ok](docs/guide.md)")]);
        let found: Vec<String> =
            check(&tree).iter().filter(|finding| finding.what != "is missing").map(ToString::to_string).collect();
        let expected = [(3, "gone.md"), (3, "#nowhere"), (7, "../README.md#b")];
        // The unclosed link in code is not a link: it has a space where its target would end.
        let expected = expected.map(|(line, link)| format!("docs/guide.md:{line}: link leads nowhere, link={link}"));
        assert!(expected.iter().all(|finding| found.contains(finding)), "{found:?}");
    }

    #[test]
    fn a_missing_document_is_found() {
        let found = check(&Tree::of(&[("README.md", "")]));
        assert_eq!(found.iter().filter(|finding| finding.what == "is missing").count(), EXPECTED.len() - 1);
    }
}
