//! I9: every bound in `limits.rs` says what it bounds and why it is what it is.

use syn::Item;

use super::{Finding, Tree, source::lines_of};

const LIMITS: &str = "crates/store/src/limits.rs";

/// Constants without a reason; and the absence of the file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.sources.iter().find(|source| source.path == LIMITS) else {
        return vec![Finding::new(LIMITS, 0, "is missing: the one list of bounds (I9)")];
    };
    let constants = source.syntax.items.iter().filter_map(|item| match item {
        Item::Const(constant) => Some(constant),
        _ => None,
    });
    let bare = constants.filter(|constant| !constant.attrs.iter().any(|attribute| attribute.path().is_ident("doc")));
    bare.map(|constant| {
        let what = format!("a limit must say why it is what it is, name={}", constant.ident);
        Finding::new(LIMITS, *lines_of(constant).start(), what)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_a_reason_is_found() {
        let found = check(&Tree::of(&[(LIMITS, "/// Because.\npub const A: u8 = 1;\npub const B: u8 = 2;")]));
        assert_eq!(found, [Finding::new(LIMITS, 3, "a limit must say why it is what it is, name=B")]);
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
