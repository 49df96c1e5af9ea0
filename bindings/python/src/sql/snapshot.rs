//! `SQLSnapshot`: the tables of a revision.

use std::sync::Arc;

use prolly_sql::Connection;
use prolly_version::CommitId;
use pyo3::prelude::*;

use super::{
    ProllySQLStore,
    running::{Cell, Runs},
};
use crate::{errors::Outcome, handle::HasHandle};

/// The tables of one revision of a ProllySQLStore, to query without moving the store. Immutable.
///
/// It stays readable whatever happens to the store's branches, until the store is closed.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct SQLSnapshot {
    store: Py<ProllySQLStore>,
    commit: CommitId,
    session: Arc<Cell>,
}

impl SQLSnapshot {
    pub(super) fn new(store: &Bound<'_, ProllySQLStore>, commit: CommitId, session: Arc<Cell>) -> Self {
        Self { store: store.clone().unbind(), commit, session }
    }
}

impl Runs for SQLSnapshot {
    fn on_connection<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut Connection) -> Outcome<T>,
    ) -> PyResult<T> {
        self.store.get().call(py, |_| self.session.with(work))
    }
}

#[pymethods]
impl SQLSnapshot {
    /// The commit's id in full.
    #[getter]
    fn commit_id(&self) -> String {
        self.commit.to_string()
    }

    fn __repr__(&self) -> String {
        format!("SQLSnapshot(commit_id='{}')", self.commit)
    }
}
