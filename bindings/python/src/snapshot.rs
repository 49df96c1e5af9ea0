//! `Snapshot`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use prolly_core::Tree;
use prolly_version::CommitId;
use pyo3::prelude::*;

use crate::{errors::Failure, reading::Reading};

/// One revision of a VersionedKvStore, or of one namespace, to read without moving the store. Immutable.
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

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Reading for Snapshot {
    fn read_tree(&self, _py: Python<'_>) -> PyResult<Tree> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed("store").into());
        }
        Ok(self.tree.clone())
    }
}

#[pymethods]
impl Snapshot {
    /// The commit's id in full.
    #[getter]
    fn commit_id(&self) -> String {
        self.commit.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Snapshot(commit_id='{}', len={})", self.commit, self.tree.len())
    }
}
