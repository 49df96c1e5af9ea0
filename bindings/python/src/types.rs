//! The package's types that are plain Python, and how they are made from Rust.

use pyo3::{
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyType},
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
