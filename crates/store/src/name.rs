//! Names of streams, categories, event types, content types and tags, checked once where they enter.
//!
//! Every name is valid UTF-8, not empty, free of control characters, and within its limit; past this border no code checks again.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr, sync::Arc};

use crate::{error::Error, limits, path::Path};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Checks that `name` can be ", $what, ".")]
            ///
            /// # Errors
            /// `Invalid` when it is empty, too long, or has control characters.
            pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
                let name = name.as_ref();
                check($what, name, $max)?;
                Ok(Self(name.into()))
            }

            /// Takes a name that was checked before it was stored.
            #[allow(dead_code)] // not every kind of name is read back from disk as an owned value
            pub(crate) fn trusted(name: &str) -> Self {
                debug_assert!(check($what, name, $max).is_ok(), "stored name breaks its rules: {name:?}");
                Self(name.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(name: &str) -> Result<Self, Error> {
                Self::new(name)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;
            fn try_from(name: &str) -> Result<Self, Error> {
                Self::new(name)
            }
        }
    };
}

name!(
    /// The name of a stream, such as `order-17`. Names that begin with `$` belong to the system; `$$s` is the metadata stream of `s`.
    StreamName,
    "a stream name",
    limits::STREAM_NAME_BYTES_MAX
);
name!(
    /// What a stream is one of: the part of its name before the first `-`.
    Category,
    "a category",
    limits::STREAM_NAME_BYTES_MAX
);
name!(
    /// What kind of fact an event is, such as `OrderPlaced`. Types that begin with `$` belong to the system.
    EventType,
    "an event type",
    limits::EVENT_TYPE_BYTES_MAX
);
name!(
    /// A short string on an event, beside its stream, by which it can be found. A tag that begins with `/` is a [`Path`].
    Tag,
    "a tag",
    limits::TAG_BYTES_MAX
);

fn check(what: &str, name: &str, max: usize) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::invalid(format!("{what} must not be empty")));
    }
    if name.len() > max {
        let start: String = name.chars().take(32).collect();
        return Err(Error::invalid(format!(
            "{what} is too long, begins={start:?} bytes={} bytes_max={max}",
            name.len()
        )));
    }
    if let Some(bad) = name.chars().find(|c| c.is_control()) {
        return Err(Error::invalid(format!("{what} must not contain control characters, name={name:?} found={bad:?}")));
    }
    Ok(())
}

impl StreamName {
    /// The category: what stands before the first `-`; `None` without one, or when it would be empty.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        category_of(self)
    }

    /// The name of this stream's metadata stream.
    ///
    /// # Errors
    /// `Invalid` when `$$` no longer fits in front.
    pub fn metadata_stream(&self) -> Result<Self, Error> {
        Self::new(format!("$${}", self.as_str()))
    }

    /// The stream whose metadata this stream holds, if it is a metadata stream.
    #[must_use]
    pub fn metadata_of(&self) -> Option<Self> {
        self.strip_prefix("$$").filter(|name| !name.is_empty()).map(Self::trusted)
    }

    /// Whether the stream belongs to the system.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.starts_with('$')
    }
}

/// The category of a stream named `stream`; `None` without a `-`, or when nothing stands before it.
#[must_use]
pub fn category_of(stream: &str) -> Option<&str> {
    stream.split_once('-').map(|(category, _)| category).filter(|category| !category.is_empty())
}

/// Whether the stream is computed from the index and never written: `$streams`, `$ce-…`, `$et-…`, `$bc-…`.
#[must_use]
pub fn is_virtual(stream: &str) -> bool {
    let prefixes = [system::CATEGORY_PREFIX, system::TYPE_PREFIX, system::CORRELATION_PREFIX];
    stream == system::STREAMS || prefixes.iter().any(|prefix| stream.len() > prefix.len() && stream.starts_with(prefix))
}

impl Tag {
    /// The tag as a path, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        Path::new(self.as_str()).ok()
    }
}

/// The media type of an event's data. `application/json` and `application/octet-stream` cost no bytes on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/json`.
    #[default]
    Json,
    /// `application/octet-stream`.
    Binary,
    /// Any other media type.
    Other(Arc<str>),
}

impl ContentType {
    /// Checks a media type.
    ///
    /// # Errors
    /// `Invalid` when it is empty, too long, or has control characters.
    pub fn new(media_type: &str) -> Result<Self, Error> {
        match media_type {
            "application/json" => Ok(Self::Json),
            "application/octet-stream" => Ok(Self::Binary),
            other => {
                check("a content type", other, limits::CONTENT_TYPE_BYTES_MAX)?;
                Ok(Self::Other(other.into()))
            }
        }
    }

    /// Checks that [`ContentType::new`] could have made it: what is hashed and what is read back must be the same.
    ///
    /// # Errors
    /// `Invalid`, as `new`; or when it has a variant of its own.
    pub fn check(&self) -> Result<(), Error> {
        if Self::new(self.as_str())? != *self {
            return Err(Error::invalid(format!("a content type must be made by its name, content_type={self}")));
        }
        Ok(())
    }

    /// The media type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json => "application/json",
            Self::Binary => "application/octet-stream",
            Self::Other(other) => other,
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Names the system gives a meaning to, as KurrentDB spells them.
pub mod system {
    /// Type of the event that ends a stream for ever.
    pub const STREAM_DELETED: &str = "$streamDeleted";
    /// Type of a stream's metadata document, written to its metadata stream.
    pub const METADATA: &str = "$metadata";
    /// Type of a link; its data is `revision@stream`.
    pub const LINK: &str = "$>";
    /// Virtual stream of the first events of all streams.
    pub const STREAMS: &str = "$streams";
    /// Prefix of the virtual streams by category.
    pub const CATEGORY_PREFIX: &str = "$ce-";
    /// Prefix of the virtual streams by event type.
    pub const TYPE_PREFIX: &str = "$et-";
    /// Prefix of the virtual streams by correlation id.
    pub const CORRELATION_PREFIX: &str = "$bc-";
    /// Metadata key of the correlation id.
    pub const CORRELATION_ID: &str = "$correlationId";
    /// Metadata key of the causation id.
    pub const CAUSATION_ID: &str = "$causationId";
}
