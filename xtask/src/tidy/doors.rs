//! The ban-list of `clippy.toml` may be lifted only at the doors; and the commit rules hold no table of random order.

use syn::{Attribute, ItemUse, spanned::Spanned, visit::Visit};

use super::{Finding, Source, Tree, layers::flatten};

/// Who may write `allow(clippy::disallowed_…)` in the store: the doors to files, time, randomness and threads.
const DOORS: &[&str] = &["lib.rs", "disk/", "clock.rs", "entropy.rs", "order/", "maintenance.rs", "maintenance/"];

const STORE: &str = "crates/store/src/";

/// Every lifted ban away from a door, and every std hash table in `commit/`.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let store = tree.sources.iter().filter_map(|source| Some((source, source.path.strip_prefix(STORE)?)));
    store.flat_map(|(source, path)| check_file(source, path)).collect()
}

fn check_file(source: &Source, path: &str) -> Vec<Finding> {
    let mut seen = Seen::default();
    seen.visit_file(&source.syntax);
    let at_door = DOORS.iter().any(|door| path == *door || (door.ends_with('/') && path.starts_with(door)));
    let lifted = seen.lifted.into_iter().filter(|_| !at_door).map(|line| {
        (line, "lifts the ban-list, which only the doors may (disk/, clock.rs, entropy.rs, order/, maintenance.rs)")
    });
    let random = seen.random_order.into_iter().filter(|_| path.starts_with("commit/")).map(|line| {
        (line, "hash tables of std have a random order, which the commit rules must not see (I3): use a BTreeMap")
    });
    let findings = lifted.chain(random).filter(|(line, _)| !source.is_test_line(*line));
    findings.map(|(line, what)| Finding::new(&source.path, line, what)).collect()
}

#[derive(Default)]
struct Seen {
    lifted: Vec<usize>,
    random_order: Vec<usize>,
}

impl<'ast> Visit<'ast> for Seen {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && (list.path.is_ident("allow") || list.path.is_ident("expect"))
            && list.tokens.to_string().contains("disallowed_")
        {
            self.lifted.push(attribute.span().start().line);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for path in flatten(&item.tree) {
            self.note(item.span().start().line, &path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(path.span().start().line, &parts);
        syn::visit::visit_path(self, path);
    }
}

impl Seen {
    /// Notes a path to one of std's hash tables. Those of hashbrown have no order of their own: their hasher is chosen.
    fn note(&mut self, line: usize, path: &[String]) {
        let table = |part: &String| part == "HashMap" || part == "HashSet" || part == "RandomState";
        if path.first().is_some_and(|part| part == "std") && path.iter().any(table) {
            self.random_order.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(&format!("{STORE}{path}"), text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_ban_lifted_away_from_a_door_is_found() {
        let text = "fn f() {}\n#[allow(clippy::disallowed_methods)]\nfn g() {}";
        assert_eq!(lines("read/mod.rs", text), [2]);
        assert_eq!(lines("log/mod.rs", &text.replace("#[allow", "#[expect")), [2]);
        for door in ["disk/file.rs", "clock.rs", "order/local.rs"] {
            assert_eq!(lines(door, text), [0; 0], "{door}");
        }
        assert_eq!(lines("read/tests.rs", text), [0; 0]);
    }

    #[test]
    fn a_table_of_random_order_in_the_commit_rules_is_found() {
        let text = "use std::{fmt, collections::{BTreeMap, HashMap}};\nfn f(heads: &std::collections::HashSet<u8>) {}";
        assert_eq!(lines("commit/heads.rs", text), [1, 2]);
        assert_eq!(lines("commit/heads.rs", "use hashbrown::HashMap;\nfn f(heads: &HashMap<u8, u8>) {}"), [0; 0]);
        assert_eq!(lines("index/open.rs", text), [0; 0]);
    }
}
