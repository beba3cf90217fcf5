//! Lengths, and the first words of a file.

use syn::{ImplItemFn, ItemFn, TraitItemFn, visit::Visit};

use super::{Finding, Source, Tree, source::lines_of};

/// Most lines of code in a file.
const FILE_LINES_MAX: usize = 600;
/// Most lines of code in a function.
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that are too long, and files that do not say what they are for.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources.iter().flat_map(check_file).chain(tree.unreadable.iter().cloned()).collect()
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.code_lines(1..=usize::MAX);
    if lines > FILE_LINES_MAX {
        findings.push(Finding::new(
            &source.path,
            0,
            format!("file is too long, lines={lines} lines_max={FILE_LINES_MAX}"),
        ));
    }
    if !opens_with_words(&source.text) {
        findings.push(Finding::new(&source.path, 1, "must open with //! and say what question the file answers"));
    }
    let mut functions = Functions(Vec::new());
    functions.visit_file(&source.syntax);
    findings.extend(functions.0.into_iter().filter_map(|(name, lines)| {
        let first = *lines.start();
        let count = source.code_lines(lines);
        (count > FUNCTION_LINES_MAX).then(|| {
            let what = format!("function is too long, name={name} lines={count} lines_max={FUNCTION_LINES_MAX}");
            Finding::new(&source.path, first, what)
        })
    }));
    findings
}

/// `#![no_main]` may stand before: libFuzzer's targets begin so.
fn opens_with_words(text: &str) -> bool {
    text.lines()
        .find(|line| !line.starts_with("#!"))
        .is_some_and(|line| line.strip_prefix("//!").is_some_and(|words| words.trim().len() > 3))
}

struct Functions(Vec<(String, std::ops::RangeInclusive<usize>)>);

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.0.push((
            item.sig.ident.to_string(),
            lines_of(&item.sig.fn_token).start().to_owned()..=*lines_of(item).end(),
        ));
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.0.push((
            item.sig.ident.to_string(),
            lines_of(&item.sig.fn_token).start().to_owned()..=*lines_of(item).end(),
        ));
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.0.push((
            item.sig.ident.to_string(),
            lines_of(&item.sig.fn_token).start().to_owned()..=*lines_of(item).end(),
        ));
        syn::visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "let _ = 0;\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_function_is_found() {
        let text = |lines| format!("//! Words.\n/// Words.\n{}", function(lines));
        assert_eq!(findings("a.rs", &text(70)), [""; 0]);
        assert_eq!(findings("a.rs", &text(71)), ["a.rs:3: function is too long, name=long lines=71 lines_max=70"]);
        assert_eq!(findings("a.rs", &format!("//! Words.\nimpl X {{ {} }}", function(71))).len(), 1);
        assert_eq!(findings("a.rs", &format!("//! Words.\ntrait X {{ {} }}", function(71))).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_but_words_and_tests_are_free() {
        let constants = |count| "const A: u8 = 0;\n".repeat(count);
        assert_eq!(findings("a.rs", &format!("//! Words.\n{}", constants(600))), [""; 0]);
        let found = findings("a.rs", &format!("//! Words.\n{}", constants(601)));
        assert_eq!(found, ["a.rs: file is too long, lines=601 lines_max=600"]);
        let words = format!("//! Words.\n{}\n{}", "// why\n".repeat(500), constants(600));
        assert_eq!(findings("a.rs", &words), [""; 0]);
        let tests = format!("//! Words.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", constants(600), function(200));
        assert_eq!(findings("a.rs", &tests), [""; 0]);
        assert_eq!(findings("a/tests.rs", &format!("//! Words.\n{}", constants(900))), [""; 0]);
    }

    #[test]
    fn a_file_without_words_is_found() {
        let found = ["a.rs:1: must open with //! and say what question the file answers"];
        assert_eq!(findings("a.rs", "fn f() {}"), found);
        assert_eq!(findings("a.rs", "//!\nfn f() {}"), found);
        assert_eq!(findings("a.rs", "#![no_main]\n//! A target.\n"), [""; 0]);
    }

    #[test]
    fn a_file_that_does_not_parse_is_found() {
        assert_eq!(findings("a.rs", "//! Words.\nfn f( {").len(), 1);
    }
}
