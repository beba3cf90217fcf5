//! Hierarchical addresses and patterns over them.
//!
//! A [`Path`] is a JSON Pointer (RFC 6901) with non-empty segments, so that it is literally an address in a document.
//! A [`PathPattern`] may have `*` (one segment), `{name}` (one segment, captured), `{name:int}`, `{a|b}` and, last, `**`
//! (zero or more segments). A literal segment that looks like one of these is written with a leading `~`: `~*`, `~{x}`.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{error::Error, limits};

/// A JSON Pointer: `/accounts/7`. At least one segment, none empty, at most 32, at most 1 KiB.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

impl Path {
    /// Checks a path.
    ///
    /// # Errors
    /// `Invalid` when it does not begin with `/`, has an empty segment or a bad `~` escape, is too deep or too long.
    pub fn new(path: &str) -> Result<Self, Error> {
        check_shape("a path", path)?;
        for segment in segments(path) {
            let mut rest = segment.split('~');
            rest.next();
            if rest.any(|after| !after.starts_with(['0', '1'])) {
                return Err(Error::invalid(format!(
                    "a path may use ~ only as ~0 and ~1, path={path:?} segment={segment:?}"
                )));
            }
        }
        Ok(Self(path.into()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, still escaped.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        segments(&self.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for Path {
    type Err = Error;
    fn from_str(path: &str) -> Result<Self, Error> {
        Self::new(path)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

fn check_shape(what: &str, path: &str) -> Result<(), Error> {
    if !path.starts_with('/') {
        return Err(Error::invalid(format!("{what} must begin with /, path={path:?}")));
    }
    if path.len() > limits::PATH_BYTES_MAX {
        let (length, max) = (path.len(), limits::PATH_BYTES_MAX);
        return Err(Error::invalid(format!("{what} is too long, bytes={length} bytes_max={max}")));
    }
    if segments(path).any(str::is_empty) {
        return Err(Error::invalid(format!("{what} must not have empty segments, path={path:?}")));
    }
    let depth = segments(path).count();
    if depth > limits::PATH_DEPTH_MAX {
        let max = limits::PATH_DEPTH_MAX;
        return Err(Error::invalid(format!("{what} is too deep, segments={depth} segments_max={max} path={path:?}")));
    }
    if path.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{what} must not contain control characters, path={path:?}")));
    }
    Ok(())
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment {
    Literal(Arc<str>),
    /// `*` and `{name}`: matching does not tell them apart.
    One,
    /// `{name:int}`: decimal digits with an optional sign.
    Integer,
    /// `{a|b}`.
    AnyOf(Arc<[Arc<str>]>),
}

impl Segment {
    fn parse(text: &str, pattern: &str) -> Result<Self, Error> {
        if let Some(literal) = text.strip_prefix('~').filter(|rest| !rest.starts_with(['0', '1'])) {
            return Ok(Self::Literal(literal.into()));
        }
        if text == "*" {
            return Ok(Self::One);
        }
        let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            let special = text.contains(['*', '{', '}']);
            return if special {
                Err(Error::invalid(format!(
                    "a path pattern may use *, {{ and }} only as whole segments (write ~ in front of a literal one), \
                     pattern={pattern:?} segment={text:?}"
                )))
            } else {
                Ok(Self::Literal(text.into()))
            };
        };
        if inner.contains('|') {
            return Ok(Self::AnyOf(inner.split('|').map(Arc::from).collect()));
        }
        match inner.split_once(':') {
            None if !inner.is_empty() => Ok(Self::One),
            Some((_, "int")) => Ok(Self::Integer),
            _ => {
                Err(Error::invalid(format!("unknown capture in a path pattern, pattern={pattern:?} segment={text:?}")))
            }
        }
    }

    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *segment,
            Self::One => true,
            Self::Integer => {
                let digits = segment.strip_prefix('-').unwrap_or(segment);
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::AnyOf(choices) => choices.iter().any(|choice| **choice == *segment),
        }
    }
}

/// A pattern over paths; see the module's words for its grammar.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: Arc<str>,
    segments: Arc<[Segment]>,
    open_ended: bool,
    literal_prefix: Arc<str>,
}

impl PathPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// `Invalid` when it is not a pattern by the grammar above.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        check_shape("a path pattern", pattern)?;
        let mut parts: Vec<&str> = segments(pattern).collect();
        let open_ended = parts.last() == Some(&"**");
        if open_ended {
            parts.pop();
        }
        if parts.contains(&"**") {
            return Err(Error::invalid(format!("a path pattern may have ** only at its end, pattern={pattern:?}")));
        }
        let segments: Arc<[Segment]> =
            parts.iter().map(|part| Segment::parse(part, pattern)).collect::<Result<_, _>>()?;
        let mut literal_prefix = String::new();
        for segment in segments.iter() {
            let Segment::Literal(literal) = segment else {
                literal_prefix.push('/');
                break;
            };
            literal_prefix.push('/');
            literal_prefix.push_str(literal);
        }
        Ok(Self { text: pattern.into(), segments, open_ended, literal_prefix: literal_prefix.into() })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text every matching path begins with: where to look in an ordered dictionary.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        &self.literal_prefix
    }

    /// The only path that matches, if the pattern is a plain path.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        let literal = self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)));
        (literal && !self.open_ended).then_some(&*self.literal_prefix)
    }

    /// Whether `path` matches. Text that does not begin with `/` does not. Linear in the length of `path`.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        if !path.starts_with('/') {
            return false;
        }
        let mut parts = segments(path);
        for segment in self.segments.iter() {
            match parts.next() {
                Some(part) if segment.matches(part) => {}
                Some(_) | None => return false,
            }
        }
        self.open_ended || parts.next().is_none()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl FromStr for PathPattern {
    type Err = Error;
    fn from_str(pattern: &str) -> Result<Self, Error> {
        Self::new(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_the_grammar_says() {
        let cases: &[(&str, &str, bool)] = &[
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/c", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a", false),
            ("/a/*", "/a/b/c", false),
            ("/a/**", "/a", true),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/ab", false),
            ("/**", "/anything/at/all", true),
            ("/{x}/c", "/b/c", true),
            ("/{n:int}", "/-12", true),
            ("/{n:int}", "/12a", false),
            ("/{n:int}", "/-", false),
            ("/{a|b}/c", "/b/c", true),
            ("/{a|b}/c", "/d/c", false),
            ("/~*/c", "/*/c", true),
            ("/~*/c", "/x/c", false),
            ("/a", "a", false),
        ];
        for (pattern, path, expected) in cases {
            let parsed = PathPattern::new(pattern).expect("valid pattern");
            assert_eq!(parsed.matches(path), *expected, "{pattern} on {path}");
            assert!(
                !expected || path.starts_with(parsed.literal_prefix()),
                "{pattern}: prefix {}",
                parsed.literal_prefix()
            );
        }
    }

    #[test]
    fn malformed_patterns_and_paths_are_refused() {
        for bad in [
            "",
            "a",
            "/",
            "/a//b",
            "/**/a",
            "/a*",
            "/{",
            "/{}",
            "/{x:float}",
            &"/x".repeat(33),
            &format!("/{}", "x".repeat(1024)),
        ] {
            assert!(PathPattern::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "a", "/a/", "/~2", "/~", "/a\n"] {
            assert!(Path::new(bad).is_err(), "{bad}");
        }
        assert!(Path::new("/a~1b/~0c").is_ok());
    }
}
