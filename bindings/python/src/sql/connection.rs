//! `SQLConnection`: another session on the tables of a store.

use std::sync::Arc;

use prolly_sql::Connection;
use pyo3::prelude::*;

use super::{
    ProllySQLStore,
    running::{Cell, Runs},
};
use crate::{
    errors::{self, Outcome},
    handle::HasHandle,
};

/// A session on the tables of a ProllySQLStore, with transactions of its own.
///
/// Dropping or closing it rolls back what it has not committed; it ends with the store.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct SQLConnection {
    store: Py<ProllySQLStore>,
    session: Arc<Cell>,
}

impl SQLConnection {
    pub(super) fn new(store: &Bound<'_, ProllySQLStore>, session: Arc<Cell>) -> Self {
        Self { store: store.clone().unbind(), session }
    }
}

impl Runs for SQLConnection {
    fn on_connection<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut Connection) -> Outcome<T>,
    ) -> PyResult<T> {
        self.store.get().call(py, |_| self.session.with(work))
    }
}

impl Drop for SQLConnection {
    fn drop(&mut self) {
        let session = Arc::clone(&self.session);
        errors::while_finalizing(move || {
            session.close();
            Ok(())
        });
    }
}

#[pymethods]
impl SQLConnection {
    /// Whether the connection was closed, or the store.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.store.get().handle().is_closed() || py.detach(|| self.session.is_closed())
    }

    /// Closes the connection, and rolls back what it has not committed. Closing again does nothing.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.session.close());
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().on_connection(slf.py(), |_| Ok(()))?;
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _tb: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        if self.closed(py) {
            return Ok("SQLConnection(closed)".to_owned());
        }
        let in_transaction = self.on_connection(py, |connection| Ok(connection.in_transaction()))?;
        Ok(format!("SQLConnection(in_transaction={})", if in_transaction { "True" } else { "False" }))
    }
}
