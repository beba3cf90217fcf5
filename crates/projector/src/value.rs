//! Values of columns, as far as both databases have them.

use gesta_store::{Position, Revision};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A truth value. SQLite gives it back as a number.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text. Also what PostgreSQL's `uuid`, `json` and `jsonb` are written and read as.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The whole number it is, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Real(_) | Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    /// The text it is, if it is some.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Real(_) | Self::Bytes(_) => None,
        }
    }
}

macro_rules! values {
    ($($from:ty => |$value:ident| $to:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        }
    )*};
}
values! {
    bool => |value| Self::Bool(value),
    i64 => |value| Self::Int(value),
    i32 => |value| Self::Int(value.into()),
    u32 => |value| Self::Int(value.into()),
    u16 => |value| Self::Int(value.into()),
    u8 => |value| Self::Int(value.into()),
    f64 => |value| Self::Real(value),
    &str => |value| Self::Text(value.to_owned()),
    String => |value| Self::Text(value),
    &String => |value| Self::Text(value.clone()),
    Vec<u8> => |value| Self::Bytes(value),
    &[u8] => |value| Self::Bytes(value.to_vec()),
    uuid::Uuid => |value| Self::Text(value.to_string()),
    // A log of 2^63 events is out of reach of any disk.
    Position => |value| Self::Int(i64::try_from(value.0).unwrap_or(i64::MAX)),
    Revision => |value| Self::Int(i64::try_from(value.0).unwrap_or(i64::MAX)),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
