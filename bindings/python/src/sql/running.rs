//! What runs statements: a store, a connection, a snapshot. Their methods are the same but for what writes.
//!
//! **Invariant:** everything is gathered from Python before a connection is locked, and nothing that is Python's runs while
//! one is.

use std::sync::{Mutex, PoisonError};

use prolly_sql::{
    Connection, Payload, Value,
    fragment::{self, RowStatement},
};
use pyo3::{prelude::*, types::PyList};

use super::answer::{Answer, Format};
use crate::errors::{Failure, Outcome};

/// A connection, until it is closed.
pub(super) struct Cell(Mutex<Option<Connection>>);

impl Cell {
    pub(super) fn new(connection: Connection) -> Self {
        Self(Mutex::new(Some(connection)))
    }

    /// Works with the connection, one caller at a time.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Outcome<T>) -> Outcome<T> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(connection.as_mut().ok_or(Failure::Closed("connection"))?)
    }

    /// Drops the connection, which rolls back what it has not committed.
    pub(super) fn close(&self) {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(connection);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// A class that runs statements.
pub(super) trait Runs: Sync {
    /// Works with the connection, without the interpreter lock.
    fn on_connection<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut Connection) -> Outcome<T>,
    ) -> PyResult<T>;

    /// Runs a text, and gives what its first statement gave.
    fn run<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        params: &[Value],
        format: Format,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.on_connection(py, |connection| Answer::of(first(connection.execute(sql, params)?)?, format))?
            .to_python(py)
    }

    /// Runs texts one after another, and gives what each of them gave.
    fn run_each<'py>(&self, py: Python<'py>, texts: &[String]) -> PyResult<Bound<'py, PyList>> {
        let answers = self.on_connection(py, |connection| {
            let run = |sql: &String| Answer::of(first(connection.execute(sql, &[])?)?, Format::Dicts);
            texts.iter().map(run).collect::<Outcome<Vec<_>>>()
        })?;
        PyList::new(py, answers.iter().map(|answer| answer.to_python(py)).collect::<PyResult<Vec<_>>>()?)
    }

    /// Runs a statement with each row of parameters, in one transaction, and gives how many rows were affected in all.
    fn run_for_each<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        rows: &[Vec<Value>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.on_connection(py, |connection| {
            in_transaction(connection, |connection| {
                let kind = match fragment::row_statement(sql)? {
                    RowStatement::Insert => "insert",
                    RowStatement::Update => "update",
                    RowStatement::Delete => "delete",
                };
                let mut count = 0;
                for row in rows {
                    count += affected(&first(connection.execute(sql, row)?)?);
                }
                Ok(Answer::Affected { kind, count })
            })
        })?;
        answer.to_python(py)
    }

    /// Inserts rows, all of them or none, and gives their number.
    fn run_insert<'py>(
        &self,
        py: Python<'py>,
        table: &str,
        columns: &[String],
        rows: &[Vec<Value>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.on_connection(py, |connection| {
            if rows.is_empty() && connection.columns(table)?.is_none() {
                return Err(Failure::NoTable(table.to_owned()));
            }
            let count = if rows.is_empty() { 0 } else { connection.insert(table, columns, rows)? };
            Ok(Answer::Affected { kind: "insert", count })
        })?;
        answer.to_python(py)
    }
}

fn first(payloads: Vec<Payload>) -> Outcome<Payload> {
    payloads.into_iter().next().ok_or(Failure::NoStatement)
}

/// The rows that a statement has affected: none, when it is not one that affects rows.
fn affected(payload: &Payload) -> usize {
    match payload {
        Payload::Insert(count) | Payload::Update(count) | Payload::Delete(count) => *count,
        _ => 0,
    }
}

/// Does all of something or nothing: in a transaction of its own, or as a part of the one that is open.
pub(super) fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Outcome<T>,
) -> Outcome<T> {
    if connection.in_transaction() {
        return work(connection);
    }
    connection.execute("BEGIN", &[])?;
    let done = work(connection).and_then(|done| {
        connection.execute("COMMIT", &[])?;
        Ok(done)
    });
    if done.is_err() && connection.in_transaction() {
        connection.rollback()?;
    }
    done
}
