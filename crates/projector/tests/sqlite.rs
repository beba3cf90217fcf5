//! The suite on SQLite.

mod shared;
mod suite;

use std::sync::Arc;

use gesta_projector::{Connection, sqlite::Sqlite};
use shared::Database;

/// A database in a file of its own, which goes when the last connection cannot be made any more.
fn database(_: &str) -> Option<Database> {
    let directory = tempfile::tempdir().expect("a directory");
    Some(Arc::new(move || {
        let connection = Sqlite::at(directory.path().join("test.db")).open()?;
        // What is tested is what a crash of the process leaves, not of the machine.
        connection.0.pragma_update(None, "synchronous", "off").expect("is set");
        Ok(Box::new(connection) as Box<dyn Connection>)
    }))
}

all_cases!(database);
