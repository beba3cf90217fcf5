//! The seam to a database: what a projector needs of one. Every implementation passes the suite in `tests/suite`.

use std::fmt;

use crate::value::Value;

/// A connection to a database with transactions.
///
/// Placeholders are `$1`, `$2`, …. A connection that is dropped leaves no transaction behind.
pub trait Connection: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// What the database says.
    fn begin(&mut self) -> Result<(), SqlError>;

    /// Carries out one statement; how many rows it changed.
    ///
    /// # Errors
    /// What the database says.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError>;

    /// The rows that one statement gives.
    ///
    /// # Errors
    /// What the database says.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError>;

    /// Makes what was done since [`begin`](Connection::begin) last. After an error it may have, or not.
    ///
    /// # Errors
    /// What the database says.
    fn commit(&mut self) -> Result<(), SqlError>;

    /// Undoes what was done since [`begin`](Connection::begin).
    ///
    /// # Errors
    /// What the database says.
    fn rollback(&mut self) -> Result<(), SqlError>;
}

/// Makes connections: the first, and another after each that failed.
pub trait Connect: Send {
    /// A new connection.
    ///
    /// # Errors
    /// What the database says.
    fn connect(&mut self) -> Result<Box<dyn Connection>, SqlError>;
}

impl<F: FnMut() -> Result<Box<dyn Connection>, SqlError> + Send> Connect for F {
    fn connect(&mut self) -> Result<Box<dyn Connection>, SqlError> {
        self()
    }
}

/// What a database did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// What it means for what is to be done next.
    pub kind: SqlErrorKind,
    /// What the database said.
    pub message: String,
}

/// What an error of a database means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// The same may succeed later: the database is away, busy or full, or another transaction was in the way.
    Unavailable,
    /// The same will fail again: it is the statement, or its values.
    Refused,
}

impl SqlError {
    /// An error of which trying again later may be the end.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: SqlErrorKind::Unavailable, message: message.into() }
    }

    /// An error that trying again only repeats.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { kind: SqlErrorKind::Refused, message: message.into() }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}
