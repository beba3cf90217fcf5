//! SQLite.

use std::{path::PathBuf, time::Duration};

pub use rusqlite;
use rusqlite::{
    ErrorCode, Statement,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    connection::{Connect, Connection, SqlError},
    value::Value,
};

/// How long a connection waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A database of SQLite in a file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    /// The database in this file, which is made if there is none. It is kept with a write-ahead log, so that it can be read while it is written.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A connection, for reading what a projector wrote as well.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(&self) -> Result<SqliteConnection, SqlError> {
        let open = || {
            let connection = rusqlite::Connection::open(&self.path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // A crash may take the last transactions, and their checkpoints with them: they are done again.
            connection.pragma_update(None, "synchronous", "normal")?;
            Ok(connection)
        };
        open().map(SqliteConnection).map_err(error)
    }
}

impl Connect for Sqlite {
    fn connect(&mut self) -> Result<Box<dyn Connection>, SqlError> {
        Ok(Box::new(self.open()?))
    }
}

/// A connection to SQLite.
#[derive(Debug)]
pub struct SqliteConnection(pub rusqlite::Connection);

impl Connection for SqliteConnection {
    fn begin(&mut self) -> Result<(), SqlError> {
        // Not deferred: a transaction that reads first and writes then could be refused in the middle.
        self.0.execute_batch("begin immediate").map_err(error)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let mut statement = self.0.prepare_cached(sql).map_err(error)?;
        bind(&mut statement, values)?;
        statement.raw_execute().map(|changed| changed as u64).map_err(error)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut statement = self.0.prepare_cached(sql).map_err(error)?;
        bind(&mut statement, values)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(error)? {
            let column = |index| row.get_ref(index).map(value_of).map_err(error);
            found.push((0..columns).map(column).collect::<Result<_, _>>()?);
        }
        Ok(found)
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        self.0.execute_batch("commit").map_err(error)
    }

    fn rollback(&mut self) -> Result<(), SqlError> {
        // SQLite may have undone it already.
        if self.0.is_autocommit() { Ok(()) } else { self.0.execute_batch("rollback").map_err(error) }
    }
}

fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), SqlError> {
    for (index, value) in (1..).zip(values) {
        // To SQLite `$2` is a name like another, numbered by where it first stands.
        let name = format!("${index}");
        let Some(at) = statement.parameter_index(&name).map_err(error)? else {
            return Err(SqlError::refused(format!("statement has no such placeholder, placeholder={name}")));
        };
        let value = ToSqlOutput::Borrowed(match value {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Integer((*value).into()),
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        });
        statement.raw_bind_parameter(at, value).map_err(error)?;
    }
    Ok(())
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
    }
}

#[allow(clippy::needless_pass_by_value)] // of `map_err`
fn error(error: rusqlite::Error) -> SqlError {
    let message = format!("sqlite: {error}");
    let passes = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::OperationInterrupted
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::SchemaChanged
        )
    );
    if passes { SqlError::unavailable(message) } else { SqlError::refused(message) }
}
