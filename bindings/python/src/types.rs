//! The package's types that are plain Python, and how they are made from Rust.

use prolly_version::{BackendKind, Commit, MergeConflict, Signature};
use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyDict, PyString, PyType},
};

use crate::changes::Row;

/// Re-exports the types from the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let types = module.py().import("prollytree._types")?;
    for name in ["ConflictResolution", "DiffOperation", "KvDiff", "MergeConflict", "Proof", "StorageBackend"]
    {
        module.add(name, types.getattr(name)?)?;
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

/// A `KvDiff` row.
pub(crate) fn kv_diff<'py>(py: Python<'py>, row: &Row) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let op = match (&row.old, &row.new) {
        (None, _) => intern!(py, "added"),
        (Some(_), None) => intern!(py, "removed"),
        (Some(_), Some(_)) => intern!(py, "modified"),
    };
    let value = |value: &Option<Vec<u8>>| value.as_deref().map(|value| bytes(py, value));
    let fields = (bytes(py, &row.key), op, value(&row.old), value(&row.new));
    TYPE.import(py, "prollytree._types", "KvDiff")?.call1(fields)
}

/// A `MergeConflict`.
pub(crate) fn merge_conflict<'py>(py: Python<'py>, conflict: &MergeConflict) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let value = |value: &Option<Vec<u8>>| value.as_deref().map(|value| bytes(py, value));
    let key = bytes(py, conflict.key.as_deref().unwrap_or_default());
    let fields = (key, value(&conflict.base), value(&conflict.source), value(&conflict.destination));
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

/// What a merge does with conflicts.
pub(crate) enum Resolver {
    By(Rule),
    /// Asks a function.
    Ask(Py<PyAny>),
}

#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// With conflicts it is refused.
    Refuse,
    /// Keeps the current branch's value.
    Destination,
    /// Takes the value of the branch that is merged in.
    Source,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Resolver {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let py = object.py();
        if object.is_none() {
            return Ok(Self::By(Rule::Refuse));
        }
        if let Some(name) = member(object, TYPE.import(py, "prollytree._types", "ConflictResolution")?)? {
            let is_source = name.to_cow()? == "TakeSource";
            return Ok(Self::By(if is_source { Rule::Source } else { Rule::Destination }));
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
