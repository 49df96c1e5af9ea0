//! Proofs of keys of namespaces: described and checked from their bytes.

use prolly_core::Error as TreeError;
use prolly_ns::{Error, NamespaceProof};
use prolly_version::{Error as VersionError, VerifiedTree};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyType},
};

use crate::{
    args::Bytes,
    errors::{Failure, ProofError},
    proof::{claims, root_of},
};

/// A `NamespaceProof` of these bytes.
pub(super) fn namespace_proof<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    TYPE.import(py, "prollytree._namespaces", "NamespaceProof")?.call1((PyBytes::new(py, bytes),))
}

fn decode(bytes: &[u8]) -> PyResult<NamespaceProof> {
    NamespaceProof::from_bytes(bytes).map_err(|error| ProofError::new_err(error.to_string()))
}

/// The root hash that a proof leads up to.
#[pyfunction]
#[pyo3(name = "_namespace_proof_root")]
pub(crate) fn namespace_proof_root<'py>(py: Python<'py>, proof: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
    let root = decode(&proof)?.claimed_root().map_err(Failure::from)?;
    Ok(PyBytes::new(py, root.as_bytes()))
}

/// Checks a proof of keys of a namespace.
#[pyfunction]
#[pyo3(name = "_namespace_proof_verify")]
pub(crate) fn namespace_proof_verify(
    py: Python<'_>,
    proof: Bytes<'_>,
    root_hash: Bytes<'_>,
    namespace: &str,
    expected: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let (root, claims) = (root_of(&root_hash)?, claims(expected)?);
    py.detach(|| {
        let proof = decode(&proof)?;
        let hold = |verified: VerifiedTree| {
            claims.iter().try_fold(true, |all, (key, claim)| Ok(all && claim.is_of(verified.get(key)?)))
        };
        match proof.verify(&root, namespace).and_then(|verified| hold(verified).map_err(Error::Version)) {
            Err(Error::Version(VersionError::Tree(TreeError::InvalidProof { .. }))) => Ok(false),
            shown => Ok(shown.map_err(Failure::from)?),
        }
    })
}
