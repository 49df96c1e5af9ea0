//! `VersionedKvStore`: branches and tags. Merges are in [`merges`](super::merges).

use pyo3::prelude::*;

use super::VersionedKvStore;
use crate::args::Given;

fn names(refs: Vec<(String, prolly_version::CommitId)>) -> Vec<String> {
    refs.into_iter().map(|(name, _)| name).collect()
}

#[pymethods]
impl VersionedKvStore {
    /// Switches to a branch, or to the commit of a tag or other revision.
    ///
    /// Staged changes are carried along where their keys hold the same in both revisions; if not, StagedChangesError
    /// names the keys and nothing changes. `discard=True` drops them.
    #[pyo3(signature = (branch_or_commit=Given::LeftOut, discard=false, *, name=Given::LeftOut))]
    fn checkout(
        &self,
        py: Python<'_>,
        branch_or_commit: Given<&str>,
        discard: bool,
        name: Given<&str>,
    ) -> PyResult<()> {
        let target = branch_or_commit.required("branch_or_commit", name, "name")?;
        self.0.call(py, |store, _| Ok(store.checkout(target, discard)?))
    }

    /// Creates a branch at a revision (the current commit by default) without switching to it.
    ///
    /// Raises RefError when the name exists or is not one that Git allows.
    #[pyo3(signature = (name, revision=None))]
    fn branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.0.call(py, |store, _| Ok(store.branch(name, revision).map(|_| ())?))
    }

    /// Creates a branch and switches to it, carrying staged changes along.
    ///
    /// Raises as `branch` and `checkout` do.
    #[pyo3(signature = (name, revision=None))]
    fn create_branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.0.call(py, |store, _| Ok(store.create_branch(name, revision).map(|_| ())?))
    }

    /// Deletes a branch. Raises RefError for the current one, RefNotFoundError when there is none.
    fn delete_branch(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.0.call(py, |store, _| Ok(store.delete_branch(name).map(|_| ())?))
    }

    /// The current branch's name; None when a commit was checked out instead.
    fn current_branch(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.0.call(py, |store, _| Ok(store.current_branch()))
    }

    /// The names of all branches, sorted.
    fn list_branches(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.0.call(py, |store, _| Ok(names(store.branches()?)))
    }

    /// Names a revision (the current commit by default) for good. Raises RefError as `branch` does.
    #[pyo3(signature = (name, revision=None))]
    fn create_tag(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.0.call(py, |store, _| Ok(store.tag(name, revision).map(|_| ())?))
    }

    /// Deletes a tag. Raises RefNotFoundError when there is none.
    fn delete_tag(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.0.call(py, |store, _| Ok(store.delete_tag(name).map(|_| ())?))
    }

    /// The names of all tags, sorted.
    fn list_tags(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.0.call(py, |store, _| Ok(names(store.tags()?)))
    }
}
