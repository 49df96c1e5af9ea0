//! `Namespace`: one namespace of a store, as a mapping.

use prolly_core::Tree;
use prolly_ns::NamespacedStore;
use prolly_version::TreeKey;
use pyo3::{prelude::*, types::PyString};

use super::NamespacedKvStore;
use crate::{
    batch::{Keys, Pairs},
    editing::{Editing, Staging},
    handle::{Handle, HasHandle},
    reading::Reading,
    stream::Source,
    versions::StoreMap,
};

/// One namespace of a NamespacedKvStore, as a mapping: it shows and stages what the store does.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct Namespace {
    store: Py<NamespacedKvStore>,
    #[pyo3(get)]
    /// The name.
    name: String,
    map: TreeKey,
}

impl Namespace {
    pub(crate) fn new(store: &Bound<'_, NamespacedKvStore>, name: &str) -> Self {
        Self { store: store.clone().unbind(), name: name.to_owned(), map: TreeKey::map(name) }
    }
}

impl HasHandle for Namespace {
    type View = NamespacedStore;

    fn handle(&self) -> &Handle<NamespacedStore> {
        self.store.get().handle()
    }
}

impl StoreMap for Namespace {
    fn map(&self) -> &TreeKey {
        &self.map
    }
}

impl Reading for Namespace {
    fn read_tree(&self, py: Python<'_>) -> PyResult<Tree> {
        self.call(py, |store| Ok(store.tree(&self.name)?))
    }

    fn read_value(&self, py: Python<'_>, key: &[u8]) -> PyResult<Option<Vec<u8>>> {
        self.call(py, |store| Ok(store.get(&self.name, key)?))
    }

    fn read_values(&self, py: Python<'_>, keys: &Keys) -> PyResult<Vec<Option<Vec<u8>>>> {
        self.call(py, |store| Ok(store.get_many(&self.name, &keys.iter().collect::<Vec<_>>())?))
    }

    fn read_contains(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.contains(&self.name, key)?))
    }

    fn read_len(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, |store| Ok(store.len(&self.name)?))
    }
}

impl Editing for Namespace {
    fn edit_insert(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<()> {
        self.call(py, |store| Ok(store.insert(&self.name, key, value)?))
    }

    fn edit_insert_batch(&self, py: Python<'_>, pairs: Pairs) -> PyResult<()> {
        self.call(py, |store| Ok(store.insert_many(&self.name, pairs.iter())?))
    }

    fn edit_delete(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.delete(&self.name, key)?))
    }

    fn edit_delete_batch(&self, py: Python<'_>, keys: &Keys) -> PyResult<u64> {
        self.call(py, |store| Ok(store.delete_many(&self.name, keys.iter())?))
    }
}

impl Staging for Namespace {
    fn stage_update(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<bool> {
        self.call(py, |store| Ok(store.update(&self.name, key, value)?))
    }

    fn stage_stream(&self, py: Python<'_>, key: &[u8], source: &Source) -> PyResult<u64> {
        self.call(py, |store| Ok(store.insert_reader(&self.name, key, source)?))
    }
}

#[pymethods]
impl Namespace {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = PyString::new(py, &self.name).repr()?;
        if self.handle().is_closed() {
            return Ok(format!("Namespace({name}, closed)"));
        }
        Ok(format!("Namespace({name}, len={})", self.read_len(py)?))
    }
}
