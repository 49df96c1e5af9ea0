//! The package's exceptions, and which of them each error becomes.

use pyo3::{import_exception, prelude::*, types::PyBytes};

import_exception!(prollytree._errors, ConcurrentUpdateError);
import_exception!(prollytree._errors, CorruptionError);
import_exception!(prollytree._errors, IncompatibleStoreError);
import_exception!(prollytree._errors, KeyNotFoundError);
import_exception!(prollytree._errors, MergeError);
import_exception!(prollytree._errors, ProllyTreeError);
import_exception!(prollytree._errors, ProofError);
import_exception!(prollytree._errors, RefError);
import_exception!(prollytree._errors, RefNotFoundError);
import_exception!(prollytree._errors, SqlError);
import_exception!(prollytree._errors, StagedChangesError);
import_exception!(prollytree._errors, StorageError);

/// Re-exports the exceptions from the module.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let errors = py.import("prollytree._errors")?;
    for name in [
        "ConcurrentUpdateError",
        "CorruptionError",
        "IncompatibleStoreError",
        "KeyNotFoundError",
        "MergeError",
        "ProllyTreeError",
        "ProofError",
        "RefError",
        "RefNotFoundError",
        "SqlError",
        "StagedChangesError",
        "StorageError",
    ] {
        module.add(name, errors.getattr(name)?)?;
    }
    Ok(())
}

/// An error on its way to Python, made where the interpreter lock may not be held.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The tree layer's.
    Tree(prolly_core::Error),
    /// A handle was used after it was closed; what it is called.
    Closed(&'static str),
}

impl From<prolly_core::Error> for Failure {
    fn from(error: prolly_core::Error) -> Self {
        Self::Tree(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Tree(error) => of_tree(error),
            Failure::Closed(what) => StorageError::new_err(format!("the {what} is closed")),
        }
    }
}

/// The exception for an error of the tree layer.
pub(crate) fn of_tree(error: prolly_core::Error) -> PyErr {
    use prolly_core::Error;
    let message = error.to_string();
    match error {
        Error::Missing { .. } | Error::Corrupt { .. } | Error::Malformed { .. } => {
            CorruptionError::new_err(message)
        }
        Error::NewerFormat { .. } => IncompatibleStoreError::new_err(message),
        Error::KeyNotFound { key } => key_not_found(&key),
        Error::InvalidProof { .. } => ProofError::new_err(message),
        Error::Store(_) => StorageError::new_err(message),
        _ => ProllyTreeError::new_err(message),
    }
}

/// The `KeyError` of this key.
pub(crate) fn key_not_found(key: &[u8]) -> PyErr {
    Python::attach(|py| KeyNotFoundError::new_err(PyBytes::new(py, key).unbind()))
}
