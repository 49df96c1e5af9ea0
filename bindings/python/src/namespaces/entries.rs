//! `NamespacedKvStore`: namespaces, and their entries by name.

use pyo3::{prelude::*, types::PyBytes};

use super::{Namespace, NamespacedKvStore, named};
use crate::{
    args::{Bytes, Given},
    batch::{Keys, Pairs},
    handle::HasHandle,
    reading::to_bytes,
    scan::{self, Kind},
};

const DEFAULT: &str = prolly_ns::DEFAULT;

impl NamespacedKvStore {
    fn value<'py>(
        &self,
        py: Python<'py>,
        namespace: &str,
        key: &[u8],
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value = self.call(py, |store| Ok(store.get(namespace, key)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
    }

    fn all_keys<'py>(&self, py: Python<'py>, namespace: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let tree = self.call(py, |store| Ok(store.tree(namespace)?))?;
        scan::list(py, &tree, Kind::Keys)
    }
}

#[pymethods]
impl NamespacedKvStore {
    /// Stages an entry of a namespace, which comes to be with its first one.
    #[pyo3(signature = (
        ns=Given::LeftOut, key=Given::LeftOut, value=Given::LeftOut, *, namespace=Given::LeftOut
    ))]
    fn ns_insert(
        &self,
        py: Python<'_>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        value: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<()> {
        let (namespace, key, value) = (named(ns, namespace)?, key.needed("key")?, value.needed("value")?);
        self.call(py, |store| Ok(store.insert(namespace, &key, &value)?))
    }

    /// The value of a key with everything staged; None when there is no such key or namespace.
    #[pyo3(signature = (ns=Given::LeftOut, key=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_get<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.value(py, named(ns, namespace)?, &key.needed("key")?)
    }

    /// The values of several keys, in the order asked, None where there is none.
    #[pyo3(signature = (ns=Given::LeftOut, keys=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_get_many<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        keys: Given<Bound<'py, PyAny>>,
        namespace: Given<&str>,
    ) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let (namespace, keys) = (named(ns, namespace)?, Keys::gather(&keys.needed("keys")?)?);
        let keys: Vec<_> = keys.iter().collect();
        Ok(to_bytes(py, self.call(py, |store| Ok(store.get_many(namespace, &keys)?))?))
    }

    /// Stages a new value for an existing key; False (and nothing staged) when there is no such key or namespace.
    #[pyo3(signature = (
        ns=Given::LeftOut, key=Given::LeftOut, value=Given::LeftOut, *, namespace=Given::LeftOut
    ))]
    fn ns_update(
        &self,
        py: Python<'_>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        value: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<bool> {
        let (namespace, key, value) = (named(ns, namespace)?, key.needed("key")?, value.needed("value")?);
        self.call(py, |store| Ok(store.update(namespace, &key, &value)?))
    }

    /// Stages a removal; False when there is no such key or namespace.
    #[pyo3(signature = (ns=Given::LeftOut, key=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_delete(
        &self,
        py: Python<'_>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<bool> {
        let (namespace, key) = (named(ns, namespace)?, key.needed("key")?);
        self.call(py, |store| Ok(store.delete(namespace, &key)?))
    }

    /// Stages pairs from any iterable or mapping; of equal keys the last wins. All or nothing.
    #[pyo3(signature = (ns=Given::LeftOut, items=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_insert_batch(
        &self,
        py: Python<'_>,
        ns: Given<&str>,
        items: Given<Bound<'_, PyAny>>,
        namespace: Given<&str>,
    ) -> PyResult<()> {
        let (namespace, pairs) = (named(ns, namespace)?, Pairs::gather(&items.needed("items")?)?);
        self.call(py, |store| Ok(store.insert_many(namespace, pairs.iter())?))
    }

    /// Every key of a namespace, in order; none of one that does not exist.
    #[pyo3(signature = (ns=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_list_keys<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        namespace: Given<&str>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.all_keys(py, named(ns, namespace)?)
    }

    /// Stages an entry of the namespace "default".
    fn insert(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.call(py, |store| Ok(store.insert(DEFAULT, &key, &value)?))
    }

    /// The value of a key of the namespace "default"; None when there is none.
    fn get<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.value(py, DEFAULT, &key)
    }

    /// Stages a removal from the namespace "default"; False when there is no such key.
    fn delete(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        self.call(py, |store| Ok(store.delete(DEFAULT, &key)?))
    }

    /// Every key of the namespace "default", in order.
    fn list_keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.all_keys(py, DEFAULT)
    }

    /// A namespace as a mapping. It need not exist: it is empty then, and comes to be with its first entry.
    ///
    /// Raises NamespaceError for what cannot be the name of one: 1 to 1,024 bytes of UTF-8.
    fn namespace(slf: &Bound<'_, Self>, name: &str) -> PyResult<Namespace> {
        slf.get().has_namespace(slf.py(), name)?;
        Ok(Namespace::new(slf, name))
    }

    /// The names of all namespaces, sorted; "default" is always among them.
    fn list_namespaces(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.call(py, |store| {
            Ok(store.namespaces()?.map(|found| Ok(found?.name)).collect::<prolly_ns::Result<_>>()?)
        })
    }

    /// Whether there is a namespace of this name.
    fn has_namespace(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.call(py, |store| Ok(store.has_namespace(name)?))
    }

    /// Stages a new, empty namespace. Raises NamespaceError when there is one of this name.
    fn create_namespace(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.call(py, |store| Ok(store.create_namespace(name)?))
    }

    /// Stages the removal of a namespace with all it holds, in O(log n); False when there is none.
    ///
    /// Raises NamespaceError for "default".
    #[pyo3(signature = (prefix=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn delete_namespace(
        &self,
        py: Python<'_>,
        prefix: Given<&str>,
        namespace: Given<&str>,
    ) -> PyResult<bool> {
        let name = prefix.required("prefix", namespace, "namespace")?;
        self.call(py, |store| Ok(store.drop_namespace(name)?))
    }

    /// Stages another name for a namespace, in O(log n).
    ///
    /// Raises NamespaceError when there is none, when the new name is taken, and for "default".
    fn rename_namespace(&self, py: Python<'_>, name: &str, new_name: &str) -> PyResult<()> {
        self.call(py, |store| Ok(store.rename_namespace(name, new_name)?))
    }

    /// Stages a new namespace that holds what another does, in O(log n): as it is in a revision, or as it is now.
    ///
    /// Raises NamespaceError when there is no `source`, or a `target` already.
    #[pyo3(signature = (source, target, revision=None))]
    fn copy_namespace(
        &self,
        py: Python<'_>,
        source: &str,
        target: &str,
        revision: Option<&str>,
    ) -> PyResult<()> {
        self.call(py, |store| Ok(store.copy_namespace(source, revision, target)?))
    }
}
