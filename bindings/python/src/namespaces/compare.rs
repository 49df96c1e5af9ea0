//! `NamespacedKvStore`: revisions, and what differs between them.

use prolly_core::Hash;
use prolly_version::{ChangeKind, StagedChange, TreeKey};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict, PyList},
};

use super::{NamespacedKvStore, NamespacedSnapshot, named, proof};
use crate::{
    args::{Bytes, Given},
    batch::Keys,
    changes::{Changes, Row},
    errors::Outcome,
    handle::HasHandle,
    types,
    versions::{entries, gather, kind_name},
};

/// The name of a tree that is a namespace.
fn name_of(tree: &TreeKey) -> Option<String> {
    prolly_ns::namespace_of(tree).map(str::to_owned)
}

fn feed(changes: prolly_ns::ChangeFeed) -> Changes {
    Changes::new(changes.map(|change| {
        let prolly_ns::NamespaceChange { namespace, key, old, new } = change?;
        Ok(Row { namespace: Some(namespace), key, old, new })
    }))
}

#[pymethods]
impl NamespacedKvStore {
    /// The staged changes: `(namespace, key, "added" | "modified" | "deleted")`, in the order of namespaces and keys.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyBytes>, &'static str)>> {
        let changes: Vec<StagedChange> =
            self.call(py, |store| Ok(store.versions().status()?.collect::<prolly_version::Result<_>>()?))?;
        let row = |change: &StagedChange| {
            let name = name_of(&change.tree)?;
            Some((name, PyBytes::new(py, &change.key), kind_name(change.kind)))
        };
        Ok(changes.iter().filter_map(row).collect())
    }

    /// The namespaces that are staged as new, changed or dropped: `(namespace, "added" | "modified" | "deleted")`.
    fn staged_namespaces(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str)>> {
        let trees: Vec<(TreeKey, ChangeKind)> =
            self.call(py, |store| Ok(store.versions().staged_trees()?))?;
        Ok(trees.iter().filter_map(|(tree, kind)| Some((name_of(tree)?, kind_name(*kind)))).collect())
    }

    /// Any revision, to read without moving the store.
    fn at(&self, py: Python<'_>, revision: &str) -> PyResult<NamespacedSnapshot> {
        let snapshot = self.call(py, |store| {
            let commit = store.versions().resolve(revision)?;
            Ok((commit, store.at(&commit.to_string())?))
        })?;
        Ok(NamespacedSnapshot::new(snapshot, self.handle().closed_flag()))
    }

    /// The 32-byte fingerprint of everything in a revision (the current commit by default), for proofs.
    #[pyo3(signature = (revision=None))]
    fn root_hash<'py>(&self, py: Python<'py>, revision: Option<&str>) -> PyResult<Bound<'py, PyBytes>> {
        let hash: Hash =
            self.call(py, |store| Ok(store.at(revision.unwrap_or("HEAD"))?.catalog().root_hash()))?;
        Ok(PyBytes::new(py, hash.as_bytes()))
    }

    /// The 32-byte fingerprint of a namespace in the current commit; None when that has no such namespace.
    #[pyo3(signature = (prefix=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn get_namespace_root_hash<'py>(
        &self,
        py: Python<'py>,
        prefix: Given<&str>,
        namespace: Given<&str>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let name = prefix.required("prefix", namespace, "namespace")?;
        let hash = self.call(py, |store| Ok(store.root_hash(name)?))?;
        Ok(hash.map(|hash| PyBytes::new(py, hash.as_bytes())))
    }

    /// Whether a namespace differs between two revisions, in O(log n). Reads no entries.
    fn namespace_changed(
        &self,
        py: Python<'_>,
        namespace: &str,
        commit_a: &str,
        commit_b: &str,
    ) -> PyResult<bool> {
        self.call(py, |store| Ok(store.namespace_changed(namespace, commit_a, commit_b)?))
    }

    /// What changes from one revision to the other, by namespace: a list of `(key, op, old, new)` rows in key order for
    /// each that differs.
    fn diff<'py>(&self, py: Python<'py>, from_ref: &str, to_ref: &str) -> PyResult<Bound<'py, PyDict>> {
        let rows: Vec<Row> =
            self.call(py, |store| feed(store.changes(Some(from_ref), Some(to_ref), None)?).gather())?;
        let by_namespace = PyDict::new(py);
        for mut row in rows {
            let Some(namespace) = row.namespace.take() else { continue };
            let list = match by_namespace.get_item(&namespace)? {
                Some(list) => list.cast_into::<PyList>()?,
                None => {
                    let list = PyList::empty(py);
                    by_namespace.set_item(&namespace, &list)?;
                    list
                }
            };
            list.append(types::kv_diff(py, &row)?)?;
        }
        Ok(by_namespace)
    }

    /// What changed since a revision, as lazy `(namespace, key, op, old, new)` rows in that order, in constant memory.
    ///
    /// since: None means from an empty store. until: None means what is there now, staged changes included. namespace: only
    /// this one; NamespaceError when neither revision has it.
    #[pyo3(signature = (since, until=None, namespace=None))]
    fn changes(
        &self,
        py: Python<'_>,
        since: Option<&str>,
        until: Option<&str>,
        namespace: Option<&str>,
    ) -> PyResult<Changes> {
        self.call(py, |store| Ok(feed(store.changes(since, until, namespace)?)))
    }

    /// Every commit that changed a key of a namespace, newest first.
    #[pyo3(signature = (ns=Given::LeftOut, key=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_history<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let (namespace, key) = (named(ns, namespace)?, key.needed("key")?);
        entries(py, &self.call(py, |store| gather(store.history(namespace, &key, None)?))?)
    }

    /// Proves that a key of a namespace has its value in a revision (the current commit by default), or that there is none.
    ///
    /// The NamespaceProof is checked with `root_hash(revision)` alone: no store is needed.
    #[pyo3(signature = (ns=Given::LeftOut, key=Given::LeftOut, revision=None, *, namespace=Given::LeftOut))]
    fn ns_generate_proof<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        revision: Option<&str>,
        namespace: Given<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (namespace, key) = (named(ns, namespace)?, key.needed("key")?);
        let keys = Keys::one(&key);
        let proof = self.call(py, |store| prove(store, namespace, &keys, revision))?;
        proof::namespace_proof(py, &proof)
    }

    /// Proves the values, or the absence, of several keys of a namespace together.
    #[pyo3(signature = (ns=Given::LeftOut, keys=Given::LeftOut, revision=None, *, namespace=Given::LeftOut))]
    fn ns_generate_multi_proof<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        keys: Given<Bound<'py, PyAny>>,
        revision: Option<&str>,
        namespace: Given<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (namespace, keys) = (named(ns, namespace)?, Keys::gather(&keys.needed("keys")?)?);
        let proof = self.call(py, |store| prove(store, namespace, &keys, revision))?;
        proof::namespace_proof(py, &proof)
    }
}

fn prove(
    store: &prolly_ns::NamespacedStore,
    namespace: &str,
    keys: &Keys,
    revision: Option<&str>,
) -> Outcome<Vec<u8>> {
    Ok(store.prove(namespace, keys.iter(), revision)?.to_bytes())
}
