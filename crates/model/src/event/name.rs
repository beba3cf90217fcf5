//! A template, filled in: the name of a stream or a tag in the making.

use std::fmt::{Display, Write};

/// A name that is being made from a template. What derives write; checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    text: String,
    is_path: bool,
    has_empty_hole: bool,
}

impl Name {
    /// An empty name, to be filled by `template`.
    #[must_use]
    pub fn of(template: &str) -> Self {
        Self {
            text: String::with_capacity(template.len() + 16),
            is_path: template.starts_with('/'),
            has_empty_hole: false,
        }
    }

    /// Appends the template's own text.
    pub fn literal(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends a field. In a path, `~` and `/` are escaped as JSON pointers are, so that a value never makes a path deeper.
    pub fn hole(&mut self, value: &dyn Display) {
        let before = self.text.len();
        if self.is_path {
            write!(Escaping(&mut self.text), "{value}").expect("writing to a string does not fail");
        } else {
            write!(self.text, "{value}").expect("writing to a string does not fail");
        }
        self.has_empty_hole |= self.text.len() == before;
    }

    /// The name.
    ///
    /// # Errors
    /// A field in it was empty, so that the name would be another's, or nobody's.
    pub fn finish(self) -> Result<String, String> {
        if self.has_empty_hole {
            return Err(format!("a field in its name is empty, name={:?}", self.text));
        }
        Ok(self.text)
    }
}

/// Writes text as a segment of a JSON pointer.
struct Escaping<'t>(&'t mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for part in text.split_inclusive(['~', '/']) {
            match (part.strip_suffix('~'), part.strip_suffix('/')) {
                (Some(part), _) => self.0.extend([part, "~0"]),
                (_, Some(part)) => self.0.extend([part, "~1"]),
                (None, None) => self.0.push_str(part),
            }
        }
        Ok(())
    }
}
