//! A Rust file: its text, its syntax, and which of its lines are tests.

use std::ops::RangeInclusive;

use syn::{Attribute, ItemMod, spanned::Spanned, visit::Visit};

/// A parsed Rust file.
pub(crate) struct Source {
    /// Where it is, relative to the root, with `/`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// The same, parsed.
    pub(crate) syntax: syn::File,
    /// The lines of `#[cfg(test)]` modules.
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// Parses a file.
    pub(crate) fn parse(path: &str, text: &str) -> syn::Result<Self> {
        let syntax = syn::parse_file(text)?;
        let mut tests = TestLines::default();
        tests.visit_file(&syntax);
        Ok(Self { path: path.to_owned(), text: text.to_owned(), syntax, test_lines: tests.0 })
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || self.path.contains("/benches/")
    }

    /// Whether a line, 1-based, is in a test.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test() || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Lines of code, tests not counted: neither blank nor nothing but a comment.
    pub(crate) fn code_lines(&self, lines: RangeInclusive<usize>) -> usize {
        let code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(number, line)| lines.contains(number) && code(line) && !self.is_test_line(*number)).count()
    }
}

#[derive(Default)]
struct TestLines(Vec<RangeInclusive<usize>>);

impl<'ast> Visit<'ast> for TestLines {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_cfg_test(&item.attrs) {
            self.0.push(lines_of(item));
        } else {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

/// Whether something is only there in tests: `#[cfg(test)]`.
pub(crate) fn is_cfg_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// The lines something covers, attributes and documentation included.
pub(crate) fn lines_of(item: &impl Spanned) -> RangeInclusive<usize> {
    item.span().start().line..=item.span().end().line
}
