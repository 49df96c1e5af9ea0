//! Handles and commits, of every class with versions.

use prolly_version::{Commit, MergeStrategy, ResetMode};
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    errors::Outcome,
    handle::{HasHandle, View},
    log::Log,
    store::VersionedKvStore,
    types,
};

/// All commits of a walk.
pub(crate) fn gather(commits: impl Iterator<Item = prolly_version::Result<Commit>>) -> Outcome<Vec<Commit>> {
    Ok(commits.collect::<prolly_version::Result<_>>()?)
}

/// Commits as `log` gives them.
pub(crate) fn entries<'py>(py: Python<'py>, commits: &[Commit]) -> PyResult<Vec<Bound<'py, PyDict>>> {
    commits.iter().map(|commit| types::log_entry(py, commit)).collect()
}

/// The current branch as Python writes it.
pub(crate) fn branch_repr(py: Python<'_>, store: &impl HasHandle) -> PyResult<String> {
    match store.call(py, |store| Ok(store.versions().current_branch()))? {
        Some(name) => Ok(PyString::new(py, &name).repr()?.to_string()),
        None => Ok("None".to_owned()),
    }
}

macro_rules! commit_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// The directory of the store.
            #[getter]
            fn path(&self) -> PyResult<String> {
                self.handle().path()
            }

            /// Whether the store was closed.
            #[getter]
            fn closed(&self) -> bool {
                self.handle().is_closed()
            }

            /// Where the data is kept.
            fn storage_backend<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                types::storage_backend(py, self.handle().backend())
            }

            /// Drops the staged changes; the number of their keys.
            fn discard(&self, py: Python<'_>) -> PyResult<u64> {
                self.call(py, |store| Ok(store.versions().discard()?))
            }

            /// Drops the staged changes and, given a revision, moves the current branch to it.
            #[pyo3(signature = (revision=None))]
            fn reset(&self, py: Python<'_>, revision: Option<&str>) -> PyResult<()> {
                self.call(py, |store| match revision {
                    Some(revision) => Ok(store.versions().reset(revision, ResetMode::Hard).map(|_| ())?),
                    None => Ok(store.versions().discard().map(|_| ())?),
                })
            }

            /// Commits the opposite of what a commit changed; the new commit's id.
            ///
            /// Raises MergeError when a later commit changed the same keys. For a merge commit, `mainline` says which
            /// parent (from 1) to go back to. Without a message it has Git's.
            #[pyo3(signature = (revision, mainline=None, *, message=None))]
            fn revert(
                &self,
                py: Python<'_>,
                revision: &str,
                mainline: Option<usize>,
                message: Option<&str>,
            ) -> PyResult<String> {
                self.call(py, |store| {
                    let strategy = MergeStrategy::Refuse;
                    Ok(store.versions().revert(revision, mainline, message, strategy)?.to_string())
                })
            }

            /// The id of the commit that the working state builds on.
            fn current_commit(&self, py: Python<'_>) -> PyResult<String> {
                self.resolve(py, "HEAD")
            }

            /// The commit id that a revision means.
            fn resolve(&self, py: Python<'_>, revision: &str) -> PyResult<String> {
                self.call(py, |store| Ok(store.versions().resolve(revision)?.to_string()))
            }

            /// The commits reachable from a revision (the current commit by default), newest first; lazy.
            #[pyo3(signature = (revision=None))]
            fn iter_log(&self, py: Python<'_>, revision: Option<&str>) -> PyResult<Log> {
                self.call(py, |store| Ok(Log::new(Box::new(store.versions().log(revision)?))))
            }

            /// Every commit reachable from the current one, newest first.
            fn get_commit_history<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
                let commits = self.call(py, |store| gather(store.versions().log(None)?))?;
                entries(py, &commits)
            }

            /// Removes what no branch, tag or staged change needs, and packs the rest.
            fn gc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let report = self.call(py, |store| Ok(store.versions().collect_garbage()?))?;
                types::gc_report(
                    py,
                    [report.objects_before, report.objects_removed, report.bytes_before, report.bytes_after],
                )
            }

            /// Closes this handle; staged changes are kept.
            ///
            /// Closing again does nothing. Any other use afterwards raises StorageError.
            fn close(&self, py: Python<'_>) -> PyResult<()> {
                Ok(py.detach(|| self.handle().close())?)
            }

            fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
                slf.get().handle().view()?;
                Ok(slf)
            }

            fn __exit__(
                &self,
                py: Python<'_>,
                _exc_type: &Bound<'_, PyAny>,
                _exc: &Bound<'_, PyAny>,
                _tb: &Bound<'_, PyAny>,
            ) -> PyResult<()> {
                self.close(py)
            }
        }
    };
}

commit_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::NamespacedKvStore;

    commit_methods!(NamespacedKvStore);
}

#[cfg(feature = "sql")]
mod of_tables {
    use super::*;
    use crate::sql::ProllySQLStore;

    commit_methods!(ProllySQLStore);
}
