//! Branches and tags, of every class with versions. Merges are in [`merges`](super::merges).

use pyo3::prelude::*;

use crate::{
    args::Given,
    handle::{HasHandle, View},
    store::VersionedKvStore,
};

fn names(refs: Vec<(String, prolly_version::CommitId)>) -> Vec<String> {
    refs.into_iter().map(|(name, _)| name).collect()
}

macro_rules! branch_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
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
                self.call(py, |store| Ok(store.versions().checkout(target, discard)?))
            }

            /// Creates a branch and switches to it, carrying staged changes along.
            ///
            /// Raises as `branch` and `checkout` do.
            #[pyo3(signature = (name, revision=None))]
            fn create_branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
                self.call(py, |store| Ok(store.versions().create_branch(name, revision).map(|_| ())?))
            }

            /// Deletes a branch. Raises RefError for the current one, RefNotFoundError when there is none.
            fn delete_branch(&self, py: Python<'_>, name: &str) -> PyResult<()> {
                self.call(py, |store| Ok(store.versions().delete_branch(name).map(|_| ())?))
            }

            /// The names of all branches, sorted.
            fn list_branches(&self, py: Python<'_>) -> PyResult<Vec<String>> {
                self.call(py, |store| Ok(names(store.versions().branches()?)))
            }

            /// Names a revision (the current commit by default) for good. Raises RefError as `branch` does.
            #[pyo3(signature = (name, revision=None))]
            fn create_tag(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
                self.call(py, |store| Ok(store.versions().tag(name, revision).map(|_| ())?))
            }

            /// Deletes a tag. Raises RefNotFoundError when there is none.
            fn delete_tag(&self, py: Python<'_>, name: &str) -> PyResult<()> {
                self.call(py, |store| Ok(store.versions().delete_tag(name).map(|_| ())?))
            }

            /// The names of all tags, sorted.
            fn list_tags(&self, py: Python<'_>) -> PyResult<Vec<String>> {
                self.call(py, |store| Ok(names(store.versions().tags()?)))
            }
        }
    };
}

branch_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::NamespacedKvStore;

    branch_methods!(NamespacedKvStore);
}

#[cfg(feature = "sql")]
mod of_tables {
    use super::*;
    use crate::sql::ProllySQLStore;

    branch_methods!(ProllySQLStore);
}
