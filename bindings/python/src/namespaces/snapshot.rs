//! `NamespacedSnapshot`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use prolly_core::{Tree, TreeConfig};
use prolly_version::CommitId;
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    args::Bytes,
    errors::{Failure, Outcome},
    scan::{self, Kind},
    snapshot::Snapshot,
};

/// One revision of a NamespacedKvStore, to read without moving the store. Immutable.
///
/// It stays readable whatever happens to the store's branches, until the store is closed.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct NamespacedSnapshot {
    commit: CommitId,
    snapshot: prolly_ns::NamespacedSnapshot,
    /// Whether the store that it is of was closed.
    closed: Arc<AtomicBool>,
}

impl NamespacedSnapshot {
    pub(crate) fn new(
        (commit, snapshot): (CommitId, prolly_ns::NamespacedSnapshot),
        closed: Arc<AtomicBool>,
    ) -> Self {
        Self { commit, snapshot, closed }
    }

    fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&prolly_ns::NamespacedSnapshot) -> Outcome<T>,
    ) -> PyResult<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed("store").into());
        }
        let done = py.detach(|| work(&self.snapshot));
        Ok(done?)
    }

    /// The tree of a namespace; an empty one when there is none.
    fn tree(&self, py: Python<'_>, name: &str) -> PyResult<Tree> {
        self.read(py, |snapshot| match snapshot.tree(name)? {
            Some(tree) => Ok(tree),
            None => {
                let reader = Arc::clone(snapshot.catalog().as_tree().reader());
                Ok(Tree::empty(reader, TreeConfig::default())?)
            }
        })
    }
}

#[pymethods]
impl NamespacedSnapshot {
    /// The commit's id in full.
    #[getter]
    fn commit_id(&self) -> String {
        self.commit.to_string()
    }

    /// The 32-byte fingerprint of everything in the revision, for proofs.
    fn root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let hash = self.read(py, |snapshot| Ok(snapshot.catalog().root_hash()))?;
        Ok(PyBytes::new(py, hash.as_bytes()))
    }

    /// The names of all namespaces, sorted; "default" is always among them.
    fn list_namespaces(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |snapshot| {
            Ok(snapshot.namespaces()?.map(|found| Ok(found?.name)).collect::<prolly_ns::Result<_>>()?)
        })
    }

    /// The 32-byte fingerprint of a namespace; None when there is none.
    fn get_namespace_root_hash<'py>(
        &self,
        py: Python<'py>,
        namespace: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let hash = self.read(py, |snapshot| Ok(snapshot.root_hash(namespace)?))?;
        Ok(hash.map(|hash| PyBytes::new(py, hash.as_bytes())))
    }

    /// A namespace of the revision, as a mapping; an empty one when there is none.
    fn namespace(&self, py: Python<'_>, name: &str) -> PyResult<Snapshot> {
        Ok(Snapshot::new(self.commit, self.tree(py, name)?, Arc::clone(&self.closed)))
    }

    /// The value of a key; None when there is no such key or namespace.
    fn ns_get<'py>(
        &self,
        py: Python<'py>,
        ns: &str,
        key: Bytes<'_>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value = self.read(py, |snapshot| Ok(snapshot.get(ns, &key)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }

    /// Every key of a namespace, in order; none of one that does not exist.
    fn ns_list_keys<'py>(&self, py: Python<'py>, ns: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        scan::list(py, &self.tree(py, ns)?, Kind::Keys)
    }

    fn __repr__(&self) -> String {
        format!("NamespacedSnapshot(commit_id='{}')", self.commit)
    }
}
