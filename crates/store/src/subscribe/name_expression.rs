//! Names by regular expression, for those who cannot say what they want as a [`Query`](crate::Query): every event is looked at.
//!
//! **Invariant:** an expression costs a bounded number of steps on any name, or fails; and no more memory than a bound, whatever is written in it.

use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};

use crate::{
    error::{Error, Result},
    limits,
};

/// Which of an event's names an expression is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// That of its stream.
    Stream,
    /// That of its type.
    Type,
}

/// A regular expression on the names of streams or types, in the dialect of the crate `fancy-regex`: look-around included, not anchored.
#[derive(Clone, Debug)]
pub struct NameExpression {
    of: NameOf,
    text: Arc<str>,
    regex: Regex,
}

impl NameExpression {
    /// The expression `text` on these names.
    ///
    /// # Errors
    /// `Invalid` when it is too long, cannot be read, or becomes too large. Making one may take tenths of a second.
    pub fn new(of: NameOf, text: &str) -> Result<Self> {
        let (bytes, max) = (text.len(), limits::EXPRESSION_BYTES_MAX);
        if bytes > max {
            return Err(Error::invalid(format!("regular expression is too long, bytes={bytes} bytes_max={max}")));
        }
        let built = RegexBuilder::new(text)
            .backtrack_limit(limits::EXPRESSION_BACKTRACKS_MAX)
            .delegate_size_limit(limits::EXPRESSION_COMPILED_BYTES_MAX)
            .delegate_dfa_size_limit(limits::EXPRESSION_COMPILED_BYTES_MAX)
            .build();
        let regex = built.map_err(|error| Error::invalid(format!("regular expression cannot be read ({error})")))?;
        Ok(Self { of, text: text.into(), regex })
    }

    /// Which names it is tried on.
    #[must_use]
    pub fn of(&self) -> NameOf {
        self.of
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether an event of these names is one of those.
    ///
    /// # Errors
    /// `Invalid` when the expression takes too many steps back to decide.
    pub fn matches(&self, stream: &str, event_type: &str) -> Result<bool> {
        let name = match self.of {
            NameOf::Stream => stream,
            NameOf::Type => event_type,
        };
        self.regex.is_match(name).map_err(|error| {
            Error::invalid(format!("regular expression of the filter is too costly ({error}), name={name:?}"))
        })
    }
}

impl PartialEq for NameExpression {
    fn eq(&self, other: &Self) -> bool {
        (self.of, &self.text) == (other.of, &other.text)
    }
}

impl Eq for NameExpression {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_pick_names() {
        for (of, text, stream, event_type, expected) in [
            (NameOf::Stream, "der", "order-1", "T", true), // not anchored
            (NameOf::Type, "der", "order-1", "T", false),
            (NameOf::Stream, r"^(?!\$.+|PersistentConfig\d+$).*$", "$settings", "T", false), // look-ahead
            (NameOf::Stream, r"^(?!\$.+|PersistentConfig\d+$).*$", "order-1", "T", true),
        ] {
            let expression = NameExpression::new(of, text).unwrap();
            assert_eq!(expression.matches(stream, event_type).unwrap(), expected, "{text} {stream}");
        }
    }

    /// Ten letters became ten megabytes, for each who followed the log by them.
    #[test]
    fn a_short_text_does_not_become_a_large_expression() {
        for text in [r"(?:\w{50}){50}", "((((a{99}){99}){99}){99})"] {
            assert!(NameExpression::new(NameOf::Stream, text).is_err(), "{text}");
        }
        for honest in [
            r"^(?!\$.+|PersistentConfig\d+$).*$",
            r"^\w+-\w{1,12}-[\p{L}\d]{8}$",
            r"^(order|invoice|payment)-\d{4}-.*$",
        ] {
            assert!(NameExpression::new(NameOf::Stream, honest).is_ok(), "{honest}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_takes_too_long_is_refused() {
        assert!(NameExpression::new(NameOf::Type, "(").is_err());
        assert!(NameExpression::new(NameOf::Type, &"x".repeat(limits::EXPRESSION_BYTES_MAX + 1)).is_err());
        let costly = NameExpression::new(NameOf::Stream, r"(?=(a+)+$)(a|aa)+\1b").unwrap();
        assert!(costly.matches(&"a".repeat(200), "T").is_err());
    }
}
