//! Each invariant of `ARCHITECTURE.md` has a test whose name, or whose file's name, begins with its number: `i3_…`.

use syn::{ItemFn, visit::Visit};

use super::{Finding, Tree};

/// The plain test of each invariant.
const STORE: &[&str] = &["crates/store/tests/invariants/"];

/// The invariants, and where their tests are. A number leaves this list only with its invariant.
const PROVEN: &[(&str, &[&str])] = &[
    ("i1", STORE),
    ("i2", STORE),
    ("i3", STORE),
    ("i4", STORE),
    ("i5", STORE),
    ("i6", STORE),
    ("i7", STORE),
    ("i7", &["crates/model/tests/"]),
    ("i8", &["xtask/src/tidy/"]),
    ("i9", STORE),
];

/// Invariants without a test.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    missing(tree, PROVEN)
}

fn missing(tree: &Tree, proven: &[(&str, &[&str])]) -> Vec<Finding> {
    let unproven = proven.iter().filter(|(invariant, places)| {
        let sources = tree.sources.iter().filter(|source| places.iter().any(|place| source.path.starts_with(place)));
        !sources.into_iter().any(|source| {
            let mut tests = Tests(Vec::new());
            tests.visit_file(&source.syntax);
            let file = source.path.rsplit('/').next().unwrap_or_default().to_owned();
            tests.0.iter().chain([&file]).any(|name| name.starts_with(&format!("{invariant}_")))
        })
    });
    unproven
        .map(|(invariant, places)| {
            let what = format!("no test is named after the invariant, invariant={invariant} name={invariant}_…");
            Finding::new(places.first().unwrap_or(&""), 0, what)
        })
        .collect()
}

/// The names of test functions.
struct Tests(Vec<String>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("test")) {
            self.0.push(item.sig.ident.to_string());
        }
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // `proptest! { #[test] fn i2_… }` is tokens only: any name after `fn` counts.
        let tokens: Vec<String> = item.tokens.clone().into_iter().map(|token| token.to_string()).collect();
        self.0.extend(tokens.windows(2).filter(|pair| pair[0] == "fn").map(|pair| pair[1].clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invariant_without_a_test_is_found() {
        let proven: &[(&str, &[&str])] =
            &[("i1", &["a/tests/"]), ("i2", &["a/tests/"]), ("i3", &["a/tests/"]), ("i4", &["a/tests/"])];
        let tree = Tree::of(&[
            ("a/tests/durable.rs", "#[test]\nfn i1_durable_before_visible() {}\nfn i4_not_a_test() {}"),
            ("a/tests/model.rs", "proptest! { #[test] fn i2_dense_order(x in 0..9) { } }"),
            ("elsewhere/tests/x.rs", "#[test]\nfn i3_in_the_wrong_place() {}"),
        ]);
        let found: Vec<String> = missing(&tree, proven).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("invariant=i3") && found[1].contains("invariant=i4"));
    }
}
