//! What the tests share.

use prolly_sql::{Connection, Database, Error, Payload, Value};
use prolly_version::{Options, Store};

pub(crate) fn memory() -> Database {
    Database::new(Store::memory(Options::default()).unwrap()).unwrap()
}

/// Runs statements that have to succeed.
pub(crate) fn run(connection: &mut Connection, sql: &str) {
    connection.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The rows that a query gives, as text.
pub(crate) fn rows(connection: &mut Connection, sql: &str) -> Vec<String> {
    rows_with(connection, sql, &[])
}

/// The rows that a query with parameters gives, as text.
pub(crate) fn rows_with(connection: &mut Connection, sql: &str, params: &[Value]) -> Vec<String> {
    let payloads = connection.execute(sql, params).unwrap_or_else(|error| panic!("{sql}: {error}"));
    match payloads.into_iter().next_back() {
        Some(Payload::Select { rows, .. }) => {
            let row = |row: Vec<Value>| row.iter().map(String::from).collect::<Vec<_>>().join(" ");
            rows.into_iter().map(row).collect()
        }
        other => panic!("{sql} gives {other:?}"),
    }
}

/// What a statement that has to fail reports.
pub(crate) fn failure(connection: &mut Connection, sql: &str) -> Error {
    match connection.execute(sql, &[]) {
        Ok(payload) => panic!("{sql} gives {payload:?}"),
        Err(error) => error,
    }
}
