//! Each invariant of `ARCHITECTURE.md` has a proof that carries its number: a test whose name begins with `i3_`, or a file whose first line
//! begins with `I3: `.

use syn::{Expr, ExprLit, ItemFn, Lit, Meta, visit::Visit};

use super::{Finding, Tree, source::Source};

/// The invariants, and where the proof is searched for. A number leaves this list only with its invariant.
const PROVEN: &[(&str, &[&str])] = &[
    ("i1", &["sim/src/invariants/"]),
    ("i2", &["sim/src/invariants/"]),
    ("i3", &["sim/src/invariants/"]),
    ("i4", &["sim/src/invariants/"]),
    ("i5", &["sim/src/invariants/"]),
    ("i6", &["sim/src/invariants/"]),
    ("i7", &["fuzz/src/targets/"]),
    ("i8", &["xtask/src/tidy/"]),
    ("i9", &["xtask/src/tidy/"]),
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
            let named = tests.0.iter().any(|name| name.starts_with(&format!("{invariant}_")));
            named || opening(source).is_some_and(|line| line.starts_with(&format!(" {}: ", invariant.to_uppercase())))
        })
    });
    unproven
        .map(|(invariant, places)| {
            let what =
                format!("no test or file is named after the invariant, invariant={invariant} name={invariant}_…");
            Finding::new(places.first().unwrap_or(&""), 0, what)
        })
        .collect()
}

/// The first line of a file's documentation.
fn opening(source: &Source) -> Option<String> {
    source.syntax.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    })
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
            &["i1", "i2", "i3", "i4", "i5"].map(|invariant| (invariant, &["a/tests/"][..]));
        let tree = Tree::of(&[
            ("a/tests/durable.rs", "#[test]\nfn i1_durable_before_visible() {}\nfn i4_not_a_test() {}"),
            ("a/tests/model.rs", "proptest! { #[test] fn i2_dense_order(x in 0..9) { } }"),
            ("a/tests/following.rs", "//! I5: slow consumers.\nfn check() {}"),
            ("elsewhere/tests/x.rs", "#[test]\nfn i3_in_the_wrong_place() {}"),
        ]);
        let found: Vec<String> = missing(&tree, proven).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("invariant=i3") && found[1].contains("invariant=i4"));
    }
}
