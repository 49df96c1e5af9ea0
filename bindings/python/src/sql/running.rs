//! What runs statements: a store, a connection, a snapshot. Their methods are the same but for what writes.
//!
//! **Invariant:** everything is gathered from Python before a connection is locked, and nothing that is Python's runs while
//! one is.

use std::sync::{Mutex, PoisonError};

use prolly_sql::{Connection, Payload, Value, fragment::RowStatement};
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

    /// Runs a statement with each row of parameters, as one statement, and gives how many rows were affected in all.
    fn run_for_each<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        rows: &[Vec<Value>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.on_connection(py, |connection| {
            let (kind, count) = connection.execute_many(sql, rows)?;
            let kind = match kind {
                RowStatement::Insert => "insert",
                RowStatement::Update => "update",
                RowStatement::Delete => "delete",
            };
            Ok(Answer::Affected { kind, count })
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
