//! A file that may be named, or not.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A file that may be named, or not: then it is written as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilePath(Option<PathBuf>);

impl FilePath {
    /// The file, if one is named.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl FromStr for FilePath {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self((!text.is_empty()).then(|| PathBuf::from(text))))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |path| path.display().fmt(f))
    }
}
