//! `VersionedKvStore`: the default map of a store. What it shares with other classes is in [`reading`](crate::reading),
//! [`editing`](crate::editing) and [`versions`](crate::versions).

use prolly_core::Tree;
use prolly_version::{CommitId, MergeOptions, MergeStrategy, Store, TreeKey};
use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    args::Path,
    batch::{Keys, Pairs},
    config::TreeConfig,
    editing::{Editing, Staging},
    errors::Outcome,
    handle::{Handle, HasHandle, View, options},
    reading::Reading,
    stream::Source,
    types::{self, StorageBackend},
    versions::{StoreMap, branch_repr, entries, gather},
};

/// A versioned key-value store: one directory, with commits, branches, diffs, merges and proofs.
///
/// Safe to share between threads. Handles of one path in one process share staged changes and the current branch.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct VersionedKvStore {
    handle: Handle<Store>,
    map: TreeKey,
}

impl View for Store {
    const HAS_NAMESPACES: bool = false;

    fn over(store: Store) -> Outcome<Self> {
        Ok(store)
    }

    fn versions(&self) -> &Store {
        self
    }

    fn merge<'a>(
        &self,
        source: &str,
        _by_namespace: Vec<(String, MergeStrategy<'a>)>,
        options: MergeOptions<'a>,
    ) -> Outcome<CommitId> {
        Ok(self.merge(source, options)?)
    }
}

impl HasHandle for VersionedKvStore {
    type View = Store;

    fn handle(&self) -> &Handle<Store> {
        &self.handle
    }
}

impl Reading for VersionedKvStore {
    /// The tree with everything staged in it.
    fn read_tree(&self, py: Python<'_>) -> PyResult<Tree> {
        self.call(py, |store| Ok(store.tree(&self.map)?))
    }

    fn read_value(&self, py: Python<'_>, key: &[u8]) -> PyResult<Option<Vec<u8>>> {
        self.call(py, |store| Ok(store.get(&self.map, key)?))
    }

    fn read_values(&self, py: Python<'_>, keys: &Keys) -> PyResult<Vec<Option<Vec<u8>>>> {
        self.call(py, |store| Ok(store.get_many(&self.map, keys.iter())?))
    }

    fn read_contains(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.contains(&self.map, key)?))
    }

    fn read_len(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, |store| Ok(store.len(&self.map)?))
    }
}

impl Editing for VersionedKvStore {
    fn edit_insert(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<()> {
        self.call(py, |store| Ok(store.insert(&self.map, key, value)?))
    }

    fn edit_insert_batch(&self, py: Python<'_>, pairs: Pairs) -> PyResult<()> {
        self.call(py, |store| Ok(store.insert_many(&self.map, pairs.iter())?))
    }

    fn edit_delete(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.delete(&self.map, key)?))
    }

    fn edit_delete_batch(&self, py: Python<'_>, keys: &Keys) -> PyResult<u64> {
        self.call(py, |store| Ok(store.delete_many(&self.map, keys.iter())?))
    }
}

impl Staging for VersionedKvStore {
    fn stage_update(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.update(&self.map, key, value)?))
    }

    fn stage_stream(&self, py: Python<'_>, key: &[u8], mut source: &Source) -> PyResult<u64> {
        self.call(py, |store| Ok(store.insert_reader(&self.map, key, &mut source)?))
    }
}

impl VersionedKvStore {
    pub(crate) fn over(handle: Handle<Store>) -> Self {
        Self { handle, map: TreeKey::default_map() }
    }
}

impl StoreMap for VersionedKvStore {
    fn map(&self) -> &TreeKey {
        &self.map
    }
}

#[pymethods]
impl VersionedKvStore {
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
        Ok(Self::over(py.detach(|| Handle::open(&path.0, options))?))
    }

    /// Opens an existing store. Raises StorageError when there is none; nothing is created.
    #[staticmethod]
    #[pyo3(signature = (path, storage_backend=None))]
    fn open(py: Python<'_>, path: Path, storage_backend: Option<StorageBackend>) -> PyResult<Self> {
        Ok(Self::over(py.detach(|| Handle::open_existing(&path.0, storage_backend))?))
    }

    /// The configuration of the store's tree.
    #[getter]
    fn config(&self, py: Python<'_>) -> PyResult<TreeConfig> {
        Ok(TreeConfig(self.call(py, |store| Ok(store.config(&self.map)?))?))
    }

    /// Commits the staged changes (also when there are none) durably; the new commit's id.
    ///
    /// When another process moved the branch, disjoint changes are committed on top of it; else ConcurrentUpdateError
    /// is raised and the changes stay staged.
    fn commit(&self, py: Python<'_>, message: &str) -> PyResult<String> {
        self.call(py, |store| Ok(store.commit(message)?.to_string()))
    }

    /// Creates a branch at a revision (the current commit by default) without switching to it.
    ///
    /// Raises RefError when the name exists or is not one that Git allows.
    #[pyo3(signature = (name, revision=None))]
    fn branch(&self, py: Python<'_>, name: &str, revision: Option<&str>) -> PyResult<()> {
        self.call(py, |store| Ok(store.branch(name, revision).map(|_| ())?))
    }

    /// The current branch's name; None when a commit was checked out instead.
    fn current_branch(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.call(py, |store| Ok(store.current_branch()))
    }

    /// The commits reachable from the current one, newest first.
    #[pyo3(signature = (limit=None))]
    fn log<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let limit = limit.unwrap_or(usize::MAX);
        entries(py, &self.call(py, |store| gather(store.log(None)?.take(limit)))?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = PyString::new(py, &self.handle.path()?).repr()?;
        if self.handle.is_closed() {
            return Ok(format!("VersionedKvStore({path}, closed)"));
        }
        let backend = types::storage_backend(py, self.handle.backend())?.repr()?;
        Ok(format!("VersionedKvStore({path}, backend={backend}, branch={})", branch_repr(py, self)?))
    }
}
