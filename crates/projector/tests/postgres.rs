//! The suite on PostgreSQL: a server of its own, on a socket in a temporary directory, for as long as this process lives.

mod server;
mod shared;
mod suite;

use std::sync::Arc;

use gesta_projector::{Connection, postgres::Postgres};
use shared::Database;

/// A schema of its own.
fn database(case: &str) -> Option<Database> {
    let server = server::server()?;
    let mut config = postgres::Config::new();
    config.host_path(&server.socket_directory).user("postgres").dbname("postgres");
    let mut admin = Postgres::plain(config.clone()).open().expect("connects");
    admin.execute(&format!("create schema {case}"), &[]).expect("a schema");
    config.options(&format!("-c search_path={case} -c synchronous_commit=off -c client_min_messages=warning"));
    Some(Arc::new(move || {
        let connection = Postgres::plain(config.clone()).open()?;
        Ok(Box::new(connection) as Box<dyn Connection>)
    }))
}

all_cases!(database);
