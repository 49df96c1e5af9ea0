//! `VersionedKvStore`: opening, closing, staged edits, reading, proofs. What concerns commits is in [`versions`], what
//! concerns branches in [`branches`] and [`merges`].

mod branches;
mod handle;
mod merges;
mod versions;

use prolly_core::Tree;
use prolly_version::{BackendKind, Options, Store};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyCFunction, PyString},
};

use self::handle::Handle;
use crate::{
    args::{Bytes, Claim, Path},
    batch::{Keys, Pairs},
    config::TreeConfig,
    errors::{self, StorageError},
    proof,
    scan::{self, Kind, Scan, scan},
    types::{self, StorageBackend},
};

/// A versioned key-value store: one directory, with commits, branches, diffs, merges and proofs.
///
/// Safe to share between threads. Handles of one path in one process share staged changes and the current branch.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct VersionedKvStore(Handle);

impl VersionedKvStore {
    fn open_with(py: Python<'_>, path: Path, options: Options) -> PyResult<Self> {
        Ok(Self(py.detach(|| Handle::open(&path.0, options))?))
    }

    /// The tree with everything staged in it.
    fn tree(&self, py: Python<'_>) -> PyResult<Tree> {
        self.0.call(py, |store, key| Ok(store.tree(key)?))
    }

    fn value<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value = self.0.call(py, |store, tree| Ok(store.get(tree, key)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }
}

fn options(backend: Option<StorageBackend>, config: Option<TreeConfig>, create: bool) -> Options {
    let mut options = Options::default();
    options.backend = backend.map(|backend| backend.0);
    options.config = config.map(|config| config.0);
    options.create = create;
    options
}

#[pymethods]
impl VersionedKvStore {
    #[new]
    #[pyo3(signature = (path, storage_backend=None, config=None))]
    fn new(
        py: Python<'_>,
        path: Path,
        storage_backend: Option<StorageBackend>,
        config: Option<TreeConfig>,
    ) -> PyResult<Self> {
        Self::open_with(py, path, options(storage_backend, config, true))
    }

    /// Opens an existing store. Raises StorageError when there is none; nothing is created.
    #[staticmethod]
    #[pyo3(signature = (path, storage_backend=None))]
    fn open(py: Python<'_>, path: Path, storage_backend: Option<StorageBackend>) -> PyResult<Self> {
        if matches!(storage_backend, Some(StorageBackend(BackendKind::Memory))) {
            return Err(StorageError::new_err("a store in memory can only be made, there is none to open"));
        }
        Self::open_with(py, path, options(storage_backend, None, false))
    }

    /// The directory of the store.
    #[getter]
    fn path(&self) -> PyResult<String> {
        self.0.path()
    }

    /// The configuration of the store's tree.
    #[getter]
    fn config(&self, py: Python<'_>) -> PyResult<TreeConfig> {
        Ok(TreeConfig(*self.tree(py)?.config()))
    }

    /// Whether the store was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Where the data is kept.
    fn storage_backend<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        types::storage_backend(py, self.0.backend())
    }

    /// Stages an entry: creates or overwrites it.
    fn insert(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.0.call(py, |store, tree| Ok(store.insert(tree, &key, &value)?))
    }

    /// Stages a new value for an existing key; False (and nothing staged) when there is no such key.
    fn update(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<bool> {
        self.0.call(py, |store, tree| Ok(store.update(tree, &key, &value)?))
    }

    /// Stages a removal; False when there is no such key.
    fn delete(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        self.0.call(py, |store, tree| Ok(store.delete(tree, &key)?))
    }

    /// The value of `key` with everything staged, or `default`.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.value(py, &key)?.map(Bound::into_any).or(default))
    }

    /// The values of several keys, in the order asked, None where there is none.
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let keys = Keys::gather(keys)?;
        let values = self.0.call(py, |store, tree| Ok(store.get_many(tree, keys.iter())?))?;
        Ok(values.into_iter().map(|value| value.map(|value| PyBytes::new(py, &value))).collect())
    }

    /// Stages pairs from any iterable or mapping; of equal keys the last wins. All or nothing.
    fn insert_batch(&self, py: Python<'_>, items: &Bound<'_, PyAny>) -> PyResult<()> {
        let pairs = Pairs::gather(items)?;
        self.0.call(py, |store, tree| Ok(store.insert_many(tree, pairs.iter())?))
    }

    /// Stages the removal of several keys, all or nothing; the number of those that existed.
    fn delete_batch(&self, py: Python<'_>, keys: &Bound<'_, PyAny>) -> PyResult<u64> {
        let keys = Keys::gather(keys)?;
        self.0.call(py, |store, tree| Ok(store.delete_many(tree, keys.iter())?))
    }

    /// Every key, in order. `keys()` is the lazy form.
    fn list_keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        scan::list(py, &self.tree(py)?, Kind::Keys)
    }

    /// The keys (that start with `prefix`), in order; lazy, and of the moment of the call.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn keys(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Keys, prefix, reverse)
    }

    /// The values, in the order of their keys; lazy, and of the moment of the call.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn values(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Values, prefix, reverse)
    }

    /// The `(key, value)` pairs, in key order; lazy, and of the moment of the call.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn items(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Items, prefix, reverse)
    }

    /// The pairs with `start <= key < end`, None being open; lazy, and of the moment of the call.
    #[pyo3(signature = (start=None, end=None, *, reverse=false))]
    fn range(
        &self,
        py: Python<'_>,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
        reverse: bool,
    ) -> PyResult<Scan> {
        let tree = self.tree(py)?;
        py.detach(|| Scan::of_range(&tree, start.as_deref(), end.as_deref(), reverse))
            .map_err(errors::of_tree)
    }

    /// The 32-byte fingerprint of the working state's contents; the same on every backend.
    fn root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.tree(py)?.root_hash().as_bytes()))
    }

    /// The same as `root_hash`.
    fn get_root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.root_hash(py)
    }

    /// Proves that `key` has its value in the working state, or that it is absent from it.
    fn generate_proof<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyAny>> {
        proof::for_keys(py, &self.tree(py)?, &Keys::one(&key))
    }

    /// Proves the values, or the absence, of several keys together.
    fn generate_multi_proof<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keys = Keys::gather(keys)?;
        proof::for_keys(py, &self.tree(py)?, &keys)
    }

    /// Proves what `range(start, end)` gives, and that nothing is left out.
    #[pyo3(signature = (start=None, end=None))]
    fn generate_range_proof<'py>(
        &self,
        py: Python<'py>,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        proof::for_range(py, &self.tree(py)?, start, end)
    }

    /// Checks a proof against the working state's root hash, as ProllyTree.verify does.
    #[pyo3(signature = (proof, key, value=Claim::Present))]
    fn verify(&self, py: Python<'_>, proof: Bytes<'_>, key: Bytes<'_>, value: Claim<'_>) -> PyResult<bool> {
        proof::holds(py, &proof, &self.tree(py)?.root_hash(), &key, &value)
    }

    /// The same as `verify`.
    #[pyo3(signature = (proof_bytes, key, expected_value=Claim::Present))]
    fn verify_proof(
        &self,
        py: Python<'_>,
        proof_bytes: Bytes<'_>,
        key: Bytes<'_>,
        expected_value: Claim<'_>,
    ) -> PyResult<bool> {
        self.verify(py, proof_bytes, key, expected_value)
    }

    /// Closes this handle; staged changes are kept.
    ///
    /// Closing again does nothing. Any other use afterwards raises StorageError.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.0.close())?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().0.store()?;
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

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.call(py, |store, tree| Ok(store.len(tree)? as usize))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Scan> {
        self.keys(py, None, false)
    }

    fn __contains__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        self.0.call(py, |store, tree| Ok(store.contains(tree, &key)?))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
        self.value(py, &key)?.ok_or_else(|| errors::key_not_found(&key))
    }

    fn __setitem__(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.insert(py, key, value)
    }

    fn __delitem__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<()> {
        if self.delete(py, Bytes::Borrowed(&key))? { Ok(()) } else { Err(errors::key_not_found(&key)) }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let path = PyString::new(py, &self.path()?).repr()?;
        if self.closed() {
            return Ok(format!("VersionedKvStore({path}, closed)"));
        }
        let backend = self.storage_backend(py)?.repr()?;
        let branch = self.0.call(py, |store, _| Ok(store.current_branch()))?;
        let branch = branch.map_or_else(
            || Ok("None".to_owned()),
            |name| PyString::new(py, &name).repr().map(|name| name.to_string()),
        )?;
        Ok(format!("VersionedKvStore({path}, backend={backend}, branch={branch})"))
    }
}

/// Writes out what is staged in every store that is open when Python ends: not every object is dropped then.
pub(crate) fn flush_at_exit(py: Python<'_>) -> PyResult<()> {
    let flush = PyCFunction::new_closure(py, None, None, |arguments, _| {
        arguments.py().detach(Store::flush_all).map_err(errors::of_version)
    })?;
    py.import("atexit")?.call_method1("register", (flush,))?;
    Ok(())
}
