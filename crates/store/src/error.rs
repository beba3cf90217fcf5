//! What can go wrong, sorted by what the caller must do about it.
//!
//! A refused append is not an error but a verdict: see [`Rejection`](crate::Rejection).

use std::{any::Any, fmt, io};

/// The result of an operation of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request can never succeed as it stands: correct it.
    Invalid,
    /// The thing named does not exist.
    NotFound,
    /// The request may succeed later: retry.
    Unavailable,
    /// This store handle accepts no more requests of this kind: close it and open the directory again.
    Closed,
    /// The files contradict themselves: run `gesta verify`, restore what is named.
    Corrupted,
    /// A broken invariant of Gesta: report it.
    Internal,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not found",
            Self::Unavailable => "unavailable",
            Self::Closed => "closed",
            Self::Corrupted => "corrupted",
            Self::Internal => "internal",
        })
    }
}

/// An operation that failed: its kind, what was being done with which facts, and the cause.
///
/// Cheap to clone: one failed sync answers a whole group of appends.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    doing: std::sync::Arc<str>,
    source: Option<std::sync::Arc<io::Error>>,
}

impl Error {
    /// An error of `kind`; `doing` reads "what happened, facts as key=value, remedy" in lower case.
    pub fn new(kind: ErrorKind, doing: impl Into<String>) -> Self {
        Self { kind, doing: doing.into().into(), source: None }
    }

    /// A request that must be corrected.
    pub fn invalid(doing: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, doing)
    }

    /// Bytes on disk that contradict themselves. `file` names the segment or run, `offset` the byte where it was seen.
    pub fn corrupted(what: impl fmt::Display, file: impl fmt::Display, offset: u64) -> Self {
        Self::new(ErrorKind::Corrupted, format!("{what}, file={file} offset={offset}"))
    }

    /// A failure of the file system while `doing` something. Out of space and similar states are `Unavailable`.
    pub fn io(doing: impl Into<String>, source: io::Error) -> Self {
        #[allow(clippy::wildcard_enum_match_arm)] // std's enum, which grows
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Invalid,
            // A directory where a file of the store should be, or the other way round.
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => ErrorKind::Corrupted,
            _ => ErrorKind::Unavailable,
        };
        Self { kind, doing: doing.into().into(), source: Some(std::sync::Arc::new(source)) }
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error under another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What was being done, with the facts, without the cause.
    #[must_use]
    pub fn doing(&self) -> &str {
        &self.doing
    }

    /// The file system's own error, if it was the cause.
    #[must_use]
    pub fn io_source(&self) -> Option<&io::Error> {
        self.source.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What a panic said, as far as it said something in words: what [`catch_unwind`](std::panic::catch_unwind) and the end of a thread give is any value.
#[must_use]
pub fn panic_words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_in_its_words() {
        let said = |panic: fn()| panic_words(&*std::panic::catch_unwind(panic).unwrap_err()).to_owned();
        assert_eq!(said(|| panic!("no stock")), "no stock");
        assert_eq!(said(|| panic!("no stock, left={}", 0)), "no stock, left=0");
        assert_eq!(said(|| std::panic::panic_any(7)), "without words");
    }
}
