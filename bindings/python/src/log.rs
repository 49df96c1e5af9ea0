//! Lazy iteration over commits.

use std::sync::{Mutex, PoisonError};

use prolly_version::Commit;
use pyo3::{prelude::*, sync::MutexExt, types::PyDict};

use crate::{errors, types};

/// Commits, one at a time.
pub(crate) type Commits = Box<dyn Iterator<Item = prolly_version::Result<Commit>> + Send>;

/// An iterator over commits; each is read when it is asked for, without the interpreter lock.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct Log(Mutex<Commits>);

impl Log {
    pub(crate) fn new(commits: Commits) -> Self {
        Self(Mutex::new(commits))
    }
}

#[pymethods]
impl Log {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut guard = self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let commits = &mut *guard;
        match py.detach(|| commits.next()) {
            Some(commit) => types::log_entry(py, &commit.map_err(errors::of_version)?).map(Some),
            None => Ok(None),
        }
    }
}
