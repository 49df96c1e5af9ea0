//! The package's types that are plain Python, and how they are made from Rust.

use prolly_version::{BackendKind, Commit, MergeConflict, Resolution, Signature, TreeKey, TreeKind};
use pyo3::{
    call::PyCallArgs,
    exceptions::PyTypeError,
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyDict, PyString, PyType},
};

use crate::changes::Row;

/// The types that every wheel has, and where they are.
const TYPES: [(&str, &str); 7] = [
    ("ConflictResolution", "prollytree._types"),
    ("DiffOperation", "prollytree._types"),
    ("KvDiff", "prollytree._types"),
    ("MergeConflict", "prollytree._types"),
    ("Proof", "prollytree._types"),
    ("StorageBackend", "prollytree._types"),
    ("ValueStream", "prollytree._stream"),
];

/// Re-exports the types from the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, home) in TYPES {
        module.add(name, module.py().import(home)?.getattr(name)?)?;
    }
    #[cfg(feature = "namespaced")]
    for name in ["NamespaceDiff", "NamespaceProof"] {
        module.add(name, module.py().import("prollytree._namespaces")?.getattr(name)?)?;
    }
    #[cfg(feature = "sql")]
    for name in ["Affected", "Months", "Point"] {
        module.add(name, module.py().import("prollytree._sql")?.getattr(name)?)?;
    }
    Ok(())
}

/// A `Proof` of these bytes.
pub(crate) fn proof<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "prollytree._types", "Proof")?.call1((PyBytes::new(py, bytes),))
}

/// Python's `bytes`.
pub(crate) fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, bytes)
}

/// A `KvDiff` row, or a `NamespaceDiff` row where a namespace is said.
pub(crate) fn kv_diff<'py>(py: Python<'py>, row: &Row) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let op = match (&row.old, &row.new) {
        (None, _) => intern!(py, "added"),
        (Some(_), None) => intern!(py, "removed"),
        (Some(_), Some(_)) => intern!(py, "modified"),
    };
    let value = |value: &Option<Vec<u8>>| value.as_deref().map(|value| bytes(py, value));
    let (old, new) = (value(&row.old), value(&row.new));
    match &row.namespace {
        None => TYPE.import(py, "prollytree._types", "KvDiff")?.call1((bytes(py, &row.key), op, old, new)),
        Some(namespace) => namespace_diff(py, (namespace, bytes(py, &row.key), op, old, new)),
    }
}

/// A `NamespaceDiff` row.
fn namespace_diff<'py>(py: Python<'py>, fields: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "prollytree._namespaces", "NamespaceDiff")?.call1(fields)
}

/// The namespace that a tree is; for one of another kind, what it is called.
fn namespace_of(tree: &TreeKey) -> String {
    match std::str::from_utf8(tree.name()) {
        Ok(name) if tree.kind() == TreeKind::MAP => name.to_owned(),
        _ => tree.to_string(),
    }
}

/// A `MergeConflict`.
pub(crate) fn merge_conflict<'py>(py: Python<'py>, conflict: &MergeConflict) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let value = |value: &Option<Vec<u8>>| value.as_deref().map(|value| bytes(py, value));
    let (source, destination) = (value(&conflict.source), value(&conflict.destination));
    let namespace = namespace_of(&conflict.tree);
    let reason = conflict.reason.as_deref();
    let fields = (value(&conflict.key), value(&conflict.base), source, destination, namespace, reason);
    TYPE.import(py, "prollytree._types", "MergeConflict")?.call1(fields)
}

/// A commit as `log` gives it.
pub(crate) fn log_entry<'py>(py: Python<'py>, commit: &Commit) -> PyResult<Bound<'py, PyDict>> {
    let person = |by: &Signature| format!("{} <{}>", by.name, by.email);
    let parents: Vec<String> = commit.parents.iter().map(ToString::to_string).collect();
    let entry = PyDict::new(py);
    entry.set_item(intern!(py, "id"), commit.id.to_string())?;
    entry.set_item(intern!(py, "author"), person(&commit.author))?;
    entry.set_item(intern!(py, "committer"), person(&commit.committer))?;
    entry.set_item(intern!(py, "message"), &commit.message)?;
    entry.set_item(intern!(py, "timestamp"), commit.committer.seconds)?;
    entry.set_item(intern!(py, "parents"), parents)?;
    Ok(entry)
}

/// A commit as the `log` of version 0.4.1's namespaced store gave it: all text.
#[cfg(feature = "namespaced")]
pub(crate) fn text_log_entry<'py>(py: Python<'py>, commit: &Commit) -> PyResult<Bound<'py, PyDict>> {
    let entry = log_entry(py, commit)?;
    entry.set_item(intern!(py, "timestamp"), commit.committer.seconds.to_string())?;
    entry.del_item(intern!(py, "parents"))?;
    Ok(entry)
}

/// What a garbage collection did: objects before and removed, bytes before and after.
pub(crate) fn gc_report(py: Python<'_>, counts: [u64; 4]) -> PyResult<Bound<'_, PyDict>> {
    let report = PyDict::new(py);
    let names = ["objects_before", "objects_removed", "bytes_before", "bytes_after"];
    for (name, count) in names.into_iter().zip(counts) {
        report.set_item(name, count)?;
    }
    Ok(report)
}

/// The name of a member of one of the package's enumerations.
fn member<'py>(
    object: Borrowed<'_, 'py, PyAny>,
    kind: &Bound<'py, PyType>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    if !object.is_instance(kind)? {
        return Ok(None);
    }
    Ok(Some(object.getattr(intern!(object.py(), "name"))?.cast_into()?))
}

fn backend_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "prollytree._types", "StorageBackend")
}

/// The members of `StorageBackend`, by name.
const BACKENDS: [(&str, BackendKind); 4] = [
    ("InMemory", BackendKind::Memory),
    ("File", BackendKind::File),
    ("Git", BackendKind::Git),
    ("RocksDB", BackendKind::Redb),
];

/// A `StorageBackend`.
pub(crate) struct StorageBackend(pub(crate) BackendKind);

impl<'a, 'py> FromPyObject<'a, 'py> for StorageBackend {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Some(name) = member(object, backend_type(object.py())?)? {
            let name = name.to_cow()?;
            if let Some((_, kind)) = BACKENDS.iter().find(|(known, _)| *known == name) {
                return Ok(Self(*kind));
            }
        }
        Err(PyTypeError::new_err(format!("a StorageBackend is required, not {}", object.repr()?)))
    }
}

/// The `StorageBackend` of this kind.
pub(crate) fn storage_backend(py: Python<'_>, kind: BackendKind) -> PyResult<Bound<'_, PyAny>> {
    let found = BACKENDS.iter().find(|(_, known)| *known == kind);
    backend_type(py)?.getattr(found.expect("the table has every kind").0)
}

/// A side of a merge.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The current branch's.
    Destination,
    /// That of the branch that is merged in.
    Source,
}

impl Side {
    /// The side that a member of `ConflictResolution` takes; `None` for anything else.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let kind = TYPE.import(object.py(), "prollytree._types", "ConflictResolution")?;
        let Some(name) = member(object.as_borrowed(), kind)? else { return Ok(None) };
        Ok(Some(if name.to_cow()? == "TakeSource" { Self::Source } else { Self::Destination }))
    }

    pub(crate) fn resolution(self) -> Resolution {
        match self {
            Self::Destination => Resolution::Destination,
            Self::Source => Resolution::Source,
        }
    }
}

/// What a merge does with conflicts.
pub(crate) enum Resolver {
    /// With conflicts it is refused.
    Refuse,
    /// Takes a side.
    Take(Side),
    /// Asks a function.
    Ask(Py<PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Resolver {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self::Refuse);
        }
        if let Some(side) = Side::of(&object)? {
            return Ok(Self::Take(side));
        }
        if object.is_callable() {
            return Ok(Self::Ask(object.to_owned().unbind()));
        }
        Err(PyTypeError::new_err(format!(
            "a resolver is a ConflictResolution, a function or None, not {}",
            object.repr()?
        )))
    }
}

/// What a merge does with the conflicts of each namespace.
pub(crate) struct Resolvers {
    pub(crate) by_namespace: Vec<(String, Resolver)>,
    /// For all other namespaces.
    pub(crate) others: Resolver,
}

impl Default for Resolvers {
    fn default() -> Self {
        Self { by_namespace: Vec::new(), others: Resolver::Take(Side::Destination) }
    }
}

impl Resolvers {
    pub(crate) fn of(&self, tree: &TreeKey) -> &Resolver {
        let is_it = |name: &str| *tree == TreeKey::map(name);
        let own = self.by_namespace.iter().find(|(name, _)| is_it(name));
        own.map_or(&self.others, |(_, resolver)| resolver)
    }

    /// Whether functions are among them.
    pub(crate) fn ask_any(&self) -> bool {
        let mut all = self.by_namespace.iter().map(|(_, resolver)| resolver).chain([&self.others]);
        all.any(|resolver| matches!(resolver, Resolver::Ask(_)))
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Resolvers {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(dict) = object.cast::<PyDict>() else {
            return Ok(Self { by_namespace: Vec::new(), others: object.extract()? });
        };
        let mut this = Self { by_namespace: Vec::new(), others: Resolver::Refuse };
        for (name, resolver) in dict.iter() {
            if name.is_none() {
                this.others = resolver.extract()?;
            } else {
                this.by_namespace.push((name.extract()?, resolver.extract()?));
            }
        }
        Ok(this)
    }
}
