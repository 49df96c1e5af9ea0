//! The package's types that are plain Python, and how they are made from Rust.

use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyType},
};

/// Re-exports the types from the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let types = module.py().import("prollytree._types")?;
    for name in ["ConflictResolution", "DiffOperation", "KvDiff", "MergeConflict", "Proof", "StorageBackend"] {
        module.add(name, types.getattr(name)?)?;
    }
    Ok(())
}

/// A `Proof` of these bytes.
pub(crate) fn proof<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "prollytree._types", "Proof")?.call1((PyBytes::new(py, bytes),))
}
