//! What an application says of a read model: its tables, and what an event does to them.

use std::fmt;

use gesta_model::{Event, Kind, Place};
use gesta_store::{Query, QueryItem, Source, TypeFilter};

use crate::{
    build::Build,
    connection::{Connection, SqlError, SqlErrorKind},
    value::Value,
};

/// A read model in tables.
///
/// It has no state of its own, and no effect but on its tables: what it did is undone and done again whenever a transaction fails, and all
/// of it when it is built anew. A change of its code or of its tables is a new [`VERSION`](Projector::VERSION).
pub trait Projector: Send + Sync + 'static {
    /// The facts it is made of.
    type Event: Event;
    /// Its name: lower-case letters, digits and underlines.
    const NAME: &'static str;
    /// Its version, from 1. A higher one is built beside the one that is live, and takes its place when it has caught up.
    const VERSION: u32;
    /// Its tables, by their plain names: those of the views that readers use.
    const TABLES: &'static [&'static str];

    /// Where its events are: all of the kinds of [`Event`](Projector::Event), unless said. Links are not followed.
    ///
    /// The next version of each kind is among them: it cannot be read yet, and so is parked, visibly, for a program that can
    /// ([`Control::retry_parked`](crate::Control::retry_parked)). Else the tables of an older program would go on without it, for ever.
    fn source(&self) -> Source {
        let types = Self::Event::KINDS.iter().flat_map(Kind::types).map(TypeFilter::Exact).collect();
        Source::Query(Query::of(QueryItem { types, ..QueryItem::default() }))
    }

    /// Makes the tables, empty.
    ///
    /// # Errors
    /// What the database says.
    fn create(&self, tables: &mut Tables<'_>) -> Result<(), SqlError>;

    /// Does to the tables what the event says.
    ///
    /// # Errors
    /// The failure; what was done for this event is undone.
    fn project(&self, event: &Self::Event, place: &Place<'_>, tables: &mut Tables<'_>) -> Result<(), Failure>;

    /// What the event is about. Events of one key are projected in their order, even if one of them has to wait. Its stream, unless said; an event
    /// that cannot be decoded is kept by its stream in any case.
    fn key(&self, event: &Self::Event, place: &Place<'_>) -> String {
        let _ = event;
        place.stream.to_owned()
    }
}

/// The tables of one build, within a transaction.
pub struct Tables<'t> {
    connection: &'t mut dyn Connection,
    build: &'t Build,
    names: &'static [&'static str],
    /// The first error. A transaction of PostgreSQL is lost with it, even to a projector that goes on.
    error: Option<SqlError>,
}

impl<'t> Tables<'t> {
    pub(crate) fn new(connection: &'t mut dyn Connection, build: &'t Build, names: &'static [&'static str]) -> Self {
        Self { connection, build, names, error: None }
    }

    /// The name of one of the tables in this build.
    #[must_use]
    pub fn name(&self, table: &str) -> String {
        self.build.table(table)
    }

    /// Carries out one statement, in which `{table}` stands for the [`name`](Tables::name) of a table, and `$1`, `$2`, … for values; how many
    /// rows it changed.
    ///
    /// # Errors
    /// What the database says; the event then fails, whatever is made of the error.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.run(sql, |connection, sql| connection.execute(sql, values))
    }

    /// The rows that one statement gives.
    ///
    /// # Errors
    /// As [`execute`](Tables::execute).
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
        self.run(sql, |connection, sql| connection.query(sql, values))
    }

    fn run<T>(
        &mut self,
        sql: &str,
        how: impl FnOnce(&mut dyn Connection, &str) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let ends = ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"];
        let outcome = if ends.iter().any(|end| end.eq_ignore_ascii_case(word)) {
            Err(SqlError::refused(format!("the transaction is not the projector's to end, statement={sql}")))
        } else {
            how(self.connection, &self.build.expand(sql, self.names))
        };
        outcome.inspect_err(|error| {
            self.error.get_or_insert_with(|| error.clone());
        })
    }

    /// The first error there was.
    pub(crate) fn into_error(self) -> Option<SqlError> {
        self.error
    }
}

impl fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("build", self.build).finish_non_exhaustive()
    }
}

/// Why an event was not projected. Any error makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) reason: String,
    /// Whether it is the database that is away, and not the event that is wrong.
    pub(crate) unavailable: bool,
}

impl Failure {
    /// A failure of the event.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), unavailable: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

// Not an error itself: else this would overlap with how std makes every type from itself.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let sql = (&error as &dyn std::any::Any).downcast_ref::<SqlError>();
        let unavailable = sql.is_some_and(|error| error.kind == SqlErrorKind::Unavailable);
        Self { reason: error.to_string(), unavailable }
    }
}
