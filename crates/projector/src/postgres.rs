//! PostgreSQL.

use std::{collections::HashMap, error::Error};

use bytes::BytesMut;
pub use postgres;
use postgres::{
    Client, Config, NoTls, Statement,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use crate::{
    connection::{Connect, Connection, SqlError},
    value::Value,
};

/// Most statements a connection keeps prepared; then it begins anew.
const PREPARED_MAX: usize = 256;

/// Makes connections to a database of PostgreSQL.
pub struct Postgres {
    connect: Box<dyn FnMut() -> Result<Client, postgres::Error> + Send>,
}

impl Postgres {
    /// The database of these settings, without TLS: by a socket, or in a network that is trusted.
    #[must_use]
    pub fn plain(config: Config) -> Self {
        Self::by(move || config.connect(NoTls))
    }

    /// The database to which `connect` connects, with whatever TLS.
    pub fn by(connect: impl FnMut() -> Result<Client, postgres::Error> + Send + 'static) -> Self {
        Self { connect: Box::new(connect) }
    }

    /// A connection, for reading what a projector wrote as well.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn open(&mut self) -> Result<PostgresConnection, SqlError> {
        let client = (self.connect)().map_err(|error| sql_error(&error))?;
        Ok(PostgresConnection { client, prepared: HashMap::new() })
    }
}

impl Connect for Postgres {
    fn connect(&mut self) -> Result<Box<dyn Connection>, SqlError> {
        Ok(Box::new(self.open()?))
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

/// A connection to PostgreSQL.
pub struct PostgresConnection {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl PostgresConnection {
    /// The client, for what goes beyond [`Connection`].
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, SqlError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(|error| sql_error(&error))?;
        if self.prepared.len() == PREPARED_MAX {
            self.prepared.clear();
        }
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn run(&mut self, sql: &str) -> Result<(), SqlError> {
        self.client.batch_execute(sql).map_err(|error| sql_error(&error))
    }
}

impl Connection for PostgresConnection {
    fn begin(&mut self) -> Result<(), SqlError> {
        self.run("begin")
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let statement = self.prepare(sql)?;
        self.client.execute(&statement, &parameters(values)).map_err(|error| sql_error(&error))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        let statement = self.prepare(sql)?;
        let rows = self.client.query(&statement, &parameters(values)).map_err(|error| sql_error(&error))?;
        let row = |row: &postgres::Row| (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>();
        rows.iter().map(row).collect::<Result<_, _>>().map_err(|error| sql_error(&error))
    }

    fn commit(&mut self) -> Result<(), SqlError> {
        self.run("commit")
    }

    fn rollback(&mut self) -> Result<(), SqlError> {
        self.run("rollback")
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// A value is written as whatever the statement expects there, if it can be.
impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql_checked(ty, out),
            Self::Int(value) if *ty == Type::INT2 => i16::try_from(*value)?.to_sql(ty, out),
            Self::Int(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Self::Int(value) => value.to_sql_checked(ty, out),
            #[allow(clippy::cast_possible_truncation)] // of a column that holds no more
            Self::Real(value) if *ty == Type::FLOAT4 => (*value as f32).to_sql(ty, out),
            Self::Real(value) => value.to_sql_checked(ty, out),
            Self::Text(value) if *ty == Type::UUID => {
                out.extend_from_slice(Uuid::parse_str(value)?.as_bytes());
                Ok(IsNull::No)
            }
            Self::Text(value) if *ty == Type::JSON || *ty == Type::JSONB => {
                // The binary form of `jsonb` begins with its version.
                out.extend_from_slice(if *ty == Type::JSONB { &[1] } else { &[] });
                out.extend_from_slice(value.as_bytes());
                Ok(IsNull::No)
            }
            Self::Text(value) => value.to_sql_checked(ty, out),
            Self::Bytes(value) => value.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true // each value for itself, above
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::BOOL => Self::Bool(FromSql::from_sql(ty, raw)?),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Self::Int(FromSql::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::Real(f32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Self::Real(FromSql::from_sql(ty, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            Type::UUID => Self::Text(Uuid::from_slice(raw)?.to_string()),
            Type::JSON => Self::Text(std::str::from_utf8(raw)?.to_owned()),
            Type::JSONB => Self::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?.to_owned()),
            _ if <String as FromSql<'_>>::accepts(ty) => Self::Text(FromSql::from_sql(ty, raw)?),
            _ => return Err(format!("column cannot be read, cast it to text, type={ty}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true // with an error that says more
    }
}

fn sql_error(error: &postgres::Error) -> SqlError {
    let Some(said) = error.as_db_error() else {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        let message = format!("postgresql: {error}{cause}");
        // Without words of the server it is the way to it, or a value that does not fit its column.
        return if error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>()) {
            SqlError::unavailable(message)
        } else {
            SqlError::refused(message)
        };
    };
    let message = format!("postgresql: {}, code={}", said.message(), said.code().code());
    // Connection, resources, operator, system, transaction rolled back; and a lock that was not to be had.
    let passes = ["08", "53", "57", "58", "40"].iter().any(|class| said.code().code().starts_with(class));
    if passes || said.code().code() == "55P03" { SqlError::unavailable(message) } else { SqlError::refused(message) }
}
