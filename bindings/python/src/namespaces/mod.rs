//! `NamespacedKvStore`: many maps under one history. What it shares with other classes is in
//! [`versions`](crate::versions); its entries are in [`entries`], what concerns revisions in [`compare`], large values in
//! [`values`]. A namespace by itself is a [`Namespace`], a revision a [`NamespacedSnapshot`].

mod compare;
mod entries;
mod proof;
mod snapshot;
mod values;
mod view;

use prolly_ns::{NamespacedStore, by_namespace};
use prolly_version::{CommitId, MergeOptions, MergeStrategy, Store};
pub(crate) use proof::{namespace_proof_root, namespace_proof_verify};
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};
pub(crate) use snapshot::NamespacedSnapshot;
pub(crate) use view::Namespace;

use crate::{
    args::{Given, Path},
    config::TreeConfig,
    errors::Outcome,
    handle::{Handle, HasHandle, View, options},
    types::{self, StorageBackend},
    versions::{branch_repr, gather},
};

/// Many ordered maps (namespaces) in one directory, under one history: a commit, branch or merge moves all of them.
///
/// Safe to share between threads. Handles of one path in one process share staged changes and the current branch, also
/// with a VersionedKvStore, which shows the namespace "default".
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct NamespacedKvStore(Handle<NamespacedStore>);

impl View for NamespacedStore {
    const HAS_NAMESPACES: bool = true;

    fn over(store: Store) -> Outcome<Self> {
        Ok(store.into())
    }

    fn versions(&self) -> &Store {
        self.versions()
    }

    fn merge<'a>(
        &self,
        source: &str,
        strategies: Vec<(String, MergeStrategy<'a>)>,
        mut options: MergeOptions<'a>,
    ) -> Outcome<CommitId> {
        if !strategies.is_empty() {
            options.strategy = by_namespace(strategies, options.strategy)?;
        }
        Ok(self.merge(source, options)?)
    }
}

impl HasHandle for NamespacedKvStore {
    type View = NamespacedStore;

    fn handle(&self) -> &Handle<NamespacedStore> {
        &self.0
    }
}

impl NamespacedKvStore {
    pub(crate) fn over(handle: Handle<NamespacedStore>) -> Self {
        Self(handle)
    }
}

/// A namespace by either of its names.
fn named<'a>(ns: Given<&'a str>, namespace: Given<&'a str>) -> PyResult<&'a str> {
    ns.required("ns", namespace, "namespace")
}

#[pymethods]
impl NamespacedKvStore {
    #[new]
    #[pyo3(signature = (path, storage_backend=None, config=None, *, commit_journal=false))]
    fn new(
        py: Python<'_>,
        path: Path,
        storage_backend: Option<StorageBackend>,
        config: Option<TreeConfig>,
        commit_journal: bool,
    ) -> PyResult<Self> {
        let mut options = options(storage_backend, config, true);
        options.commit_journal = commit_journal;
        Ok(Self(py.detach(|| Handle::open(&path.0, options))?))
    }

    /// Opens an existing store. Raises StorageError when there is none; nothing is created.
    #[staticmethod]
    #[pyo3(signature = (path, storage_backend=None))]
    fn open(py: Python<'_>, path: Path, storage_backend: Option<StorageBackend>) -> PyResult<Self> {
        Ok(Self(py.detach(|| Handle::open_existing(&path.0, storage_backend))?))
    }

    /// Commits the staged changes of every namespace (also when there are none) durably; the new commit's id.
    ///
    /// When another process moved the branch, disjoint changes are committed on top of it; else ConcurrentUpdateError
    /// is raised and the changes stay staged.
    #[pyo3(signature = (message=None))]
    fn commit(&self, py: Python<'_>, message: Option<&str>) -> PyResult<String> {
        let message = message.unwrap_or("Update");
        self.call(py, |store| Ok(store.versions().commit(message)?.to_string()))
    }

    /// Creates a branch at a revision (the current commit by default) and switches to it, carrying staged changes along.
    ///
    /// Raises RefError when the name exists or is not one that Git allows.
    #[pyo3(signature = (name, revision=None))]
    fn branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.call(py, |store| Ok(store.versions().create_branch(name, revision).map(|_| ())?))
    }

    /// The current branch's name; None when a commit was checked out instead.
    #[getter]
    fn current_branch(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.call(py, |store| Ok(store.versions().current_branch()))
    }

    /// The commits reachable from the current one, newest first; every value is a str. `iter_log` gives more.
    #[pyo3(signature = (limit=None))]
    fn log<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let limit = limit.unwrap_or(usize::MAX);
        let commits = self.call(py, |store| gather(store.versions().log(None)?.take(limit)))?;
        commits.iter().map(|commit| types::text_log_entry(py, commit)).collect()
    }

    /// Every store is in the newest layout, so that nothing is migrated: version 0.4.1's report of that.
    fn migrate_v1_to_v2<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.handle().view()?;
        let report = PyDict::new(py);
        report.set_item("keys_migrated", "0")?;
        report.set_item("namespaces_created", "")?;
        Ok(report)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        if self.handle().is_closed() {
            let path = PyString::new(py, &self.handle().path()?).repr()?;
            return Ok(format!("NamespacedKvStore({path}, closed)"));
        }
        let count = self.call(py, |store| Ok(store.namespace_count()?))?;
        Ok(format!("NamespacedKvStore(namespaces={count}, branch={})", branch_repr(py, self)?))
    }
}
