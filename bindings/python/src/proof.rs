//! Proofs: made from a tree, described and checked from their bytes.

use prolly_core::{Error, Hash, Proof, ProvenValue, Tree, Verified};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    args::{Bytes, Claim, limits},
    batch::{Keys, Pairs},
    errors::{self, ProllyTreeError, ProofError},
    types,
};

/// Proves what `keys` hold in `tree`.
pub(crate) fn for_keys<'py>(py: Python<'py>, tree: &Tree, keys: &Keys) -> PyResult<Bound<'py, PyAny>> {
    let proof = py.detach(|| Proof::for_keys(tree, keys.iter()).map(|proof| proof.to_bytes()));
    types::proof(py, &proof.map_err(errors::of_tree)?)
}

/// Proves what `tree` holds in `[start, end)`.
pub(crate) fn for_range<'py>(
    py: Python<'py>,
    tree: &Tree,
    start: Option<Bytes<'_>>,
    end: Option<Bytes<'_>>,
) -> PyResult<Bound<'py, PyAny>> {
    let limits = limits(start.as_deref(), end.as_deref());
    let proof = py.detach(|| Proof::for_range::<&[u8]>(tree, limits).map(|proof| proof.to_bytes()));
    types::proof(py, &proof.map_err(errors::of_tree)?)
}

/// Whether a proof shows what is claimed of `key` in the tree of `root`.
pub(crate) fn holds(
    py: Python<'_>,
    proof: &[u8],
    root: &Hash,
    key: &[u8],
    claim: &Claim<'_>,
) -> PyResult<bool> {
    check(py, proof, root, |verified| Ok(claim.is_of(verified.get(key)?)))
}

impl Claim<'_> {
    /// Whether it is true of what a key is proven to hold.
    pub(crate) fn is_of(&self, proven: Option<&ProvenValue>) -> bool {
        match self {
            Self::Present => proven.is_some(),
            Self::Absent => proven.is_none(),
            Self::Value(value) => proven.is_some_and(|proven| proven.is(value)),
        }
    }
}

/// Claims about several keys, from a mapping.
pub(crate) fn claims(expected: &Bound<'_, PyAny>) -> PyResult<Vec<(Vec<u8>, Claim<'static>)>> {
    let mut claims = Vec::new();
    for item in expected.call_method0("items")?.try_iter()? {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        let claim = match value.extract::<Claim<'_>>()? {
            Claim::Present => Claim::Present,
            Claim::Absent => Claim::Absent,
            Claim::Value(value) => Claim::Value(Bytes::Copied(value.to_vec())),
        };
        claims.push((key.extract::<Bytes<'_>>()?.to_vec(), claim));
    }
    Ok(claims)
}

/// Decodes a proof and asks a question of what it proves; one that proves nothing answers with `false`.
fn check(
    py: Python<'_>,
    proof: &[u8],
    root: &Hash,
    question: impl Send + FnOnce(&Verified) -> prolly_core::Result<bool>,
) -> PyResult<bool> {
    py.detach(|| {
        let proof = decode(proof)?;
        match proof.verify(root).and_then(|verified| question(&verified)) {
            Err(Error::InvalidProof { .. }) => Ok(false),
            answer => answer.map_err(errors::of_tree),
        }
    })
}

fn decode(bytes: &[u8]) -> PyResult<Proof> {
    Proof::from_bytes(bytes).map_err(|error| ProofError::new_err(error.to_string()))
}

pub(crate) fn root_of(bytes: &[u8]) -> PyResult<Hash> {
    Hash::from_slice(bytes).ok_or_else(|| {
        ProllyTreeError::new_err(format!("a root hash has 32 bytes, this one has {}", bytes.len()))
    })
}

/// The root hash that a proof leads up to.
#[pyfunction]
#[pyo3(name = "_proof_root_hash")]
pub(crate) fn proof_root_hash<'py>(py: Python<'py>, proof: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
    let root = decode(&proof)?.claimed_root().map_err(errors::of_tree)?;
    Ok(PyBytes::new(py, root.as_bytes()))
}

/// The number of nodes that a proof shows a part of.
#[pyfunction]
#[pyo3(name = "_proof_num_nodes")]
pub(crate) fn proof_num_nodes(proof: Bytes<'_>) -> PyResult<usize> {
    Ok(decode(&proof)?.node_count())
}

/// Checks a proof of one key.
#[pyfunction]
#[pyo3(name = "_proof_verify")]
pub(crate) fn proof_verify(
    py: Python<'_>,
    proof: Bytes<'_>,
    root_hash: Bytes<'_>,
    key: Bytes<'_>,
    value: Claim<'_>,
) -> PyResult<bool> {
    holds(py, &proof, &root_of(&root_hash)?, &key, &value)
}

/// Checks a proof of several keys.
#[pyfunction]
#[pyo3(name = "_proof_verify_many")]
pub(crate) fn proof_verify_many(
    py: Python<'_>,
    proof: Bytes<'_>,
    root_hash: Bytes<'_>,
    expected: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let claims = claims(expected)?;
    check(py, &proof, &root_of(&root_hash)?, |verified| {
        claims.iter().try_fold(true, |all, (key, claim)| Ok(all && claim.is_of(verified.get(key)?)))
    })
}

/// Checks a proof of a range.
#[pyfunction]
#[pyo3(name = "_proof_verify_range")]
pub(crate) fn proof_verify_range(
    py: Python<'_>,
    proof: Bytes<'_>,
    root_hash: Bytes<'_>,
    start: Option<Bytes<'_>>,
    end: Option<Bytes<'_>>,
    items: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let items = Pairs::gather(items)?;
    let limits = limits(start.as_deref(), end.as_deref());
    check(py, &proof, &root_of(&root_hash)?, |verified| {
        let proven = verified.range::<&[u8]>(limits)?;
        Ok(proven.len() == items.len()
            && proven
                .iter()
                .zip(items.iter())
                .all(|((key, proven), (own, value))| *key == own && proven.is(value)))
    })
}
