//! `Snapshot`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use prolly_core::Tree;
use prolly_version::CommitId;
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    args::{Bytes, Claim},
    batch::Keys,
    errors::{self, Failure},
    proof,
    scan::{Kind, Scan, scan},
};

/// One revision of a VersionedKvStore, to read without moving the store. Immutable.
///
/// It stays readable whatever happens to the store's branches, until the store is closed.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct Snapshot {
    commit: CommitId,
    tree: Tree,
    /// Whether the store that it is of was closed.
    closed: Arc<AtomicBool>,
}

impl Snapshot {
    pub(crate) fn new(commit: CommitId, tree: Tree, closed: Arc<AtomicBool>) -> Self {
        Self { commit, tree, closed }
    }

    fn tree(&self) -> PyResult<&Tree> {
        if self.closed.load(Ordering::Acquire) {
            Err(Failure::Closed("store").into())
        } else {
            Ok(&self.tree)
        }
    }

    fn value<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let tree = self.tree()?;
        let value = py.detach(|| tree.get(key)).map_err(errors::of_tree)?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }
}

#[pymethods]
impl Snapshot {
    /// The commit's id in full.
    #[getter]
    fn commit_id(&self) -> String {
        self.commit.to_string()
    }

    /// The value of `key`, or `default`.
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
        let (keys, tree) = (Keys::gather(keys)?, self.tree()?);
        let values = py.detach(|| keys.iter().map(|key| tree.get(key)).collect::<Result<Vec<_>, _>>());
        let values = values.map_err(errors::of_tree)?;
        Ok(values.into_iter().map(|value| value.map(|value| PyBytes::new(py, &value))).collect())
    }

    /// The keys (that start with `prefix`), in order; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn keys(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, self.tree()?, Kind::Keys, prefix, reverse)
    }

    /// The values, in the order of their keys; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn values(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, self.tree()?, Kind::Values, prefix, reverse)
    }

    /// The `(key, value)` pairs, in key order; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn items(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, self.tree()?, Kind::Items, prefix, reverse)
    }

    /// The pairs with `start <= key < end`, None being open; lazy.
    #[pyo3(signature = (start=None, end=None, *, reverse=false))]
    fn range(
        &self,
        py: Python<'_>,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
        reverse: bool,
    ) -> PyResult<Scan> {
        let tree = self.tree()?;
        py.detach(|| Scan::of_range(tree, start.as_deref(), end.as_deref(), reverse)).map_err(errors::of_tree)
    }

    /// The 32-byte fingerprint of the revision's contents.
    fn root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.tree()?.root_hash().as_bytes()))
    }

    /// The same as `root_hash`.
    fn get_root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.root_hash(py)
    }

    /// Proves that `key` has its value in this revision, or that it is absent from it.
    fn generate_proof<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyAny>> {
        proof::for_keys(py, self.tree()?, &Keys::one(&key))
    }

    /// Proves the values, or the absence, of several keys together.
    fn generate_multi_proof<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keys = Keys::gather(keys)?;
        proof::for_keys(py, self.tree()?, &keys)
    }

    /// Proves what `range(start, end)` gives, and that nothing is left out.
    #[pyo3(signature = (start=None, end=None))]
    fn generate_range_proof<'py>(
        &self,
        py: Python<'py>,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        proof::for_range(py, self.tree()?, start, end)
    }

    /// Checks a proof against this revision's root hash, as ProllyTree.verify does.
    #[pyo3(signature = (proof, key, value=Claim::Present))]
    fn verify(&self, py: Python<'_>, proof: Bytes<'_>, key: Bytes<'_>, value: Claim<'_>) -> PyResult<bool> {
        proof::holds(py, &proof, &self.tree()?.root_hash(), &key, &value)
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

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.tree()?.len() as usize)
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Scan> {
        self.keys(py, None, false)
    }

    fn __contains__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        let tree = self.tree()?;
        py.detach(|| tree.contains(&key)).map_err(errors::of_tree)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
        self.value(py, &key)?.ok_or_else(|| errors::key_not_found(&key))
    }

    fn __repr__(&self) -> String {
        format!("Snapshot(commit_id='{}', len={})", self.commit, self.tree.len())
    }
}
