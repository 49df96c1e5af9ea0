//! What can be read of anything with a tree: `ProllyTree`, a store's map, a namespace, a revision.
//!
//! **Invariant:** a lazy result shows the tree of the moment of the call, and every read happens without the interpreter
//! lock.

use prolly_core::Tree;
use prolly_version::ValueReader;
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    args::{Bytes, Claim},
    batch::Keys,
    errors::{self, Failure},
    proof,
    scan::{Kind, Scan, scan},
    snapshot::Snapshot,
    store::VersionedKvStore,
    stream,
    tree::ProllyTree,
};

/// Something with a tree. What has a cheaper way to one entry than making that tree takes it.
pub(crate) trait Reading: Sync {
    /// The tree as it is now.
    fn read_tree(&self, py: Python<'_>) -> PyResult<Tree>;

    fn read_value(&self, py: Python<'_>, key: &[u8]) -> PyResult<Option<Vec<u8>>> {
        let tree = self.read_tree(py)?;
        py.detach(|| tree.get(key)).map_err(errors::of_tree)
    }

    fn read_values(&self, py: Python<'_>, keys: &Keys) -> PyResult<Vec<Option<Vec<u8>>>> {
        let tree = self.read_tree(py)?;
        py.detach(|| keys.iter().map(|key| tree.get(key)).collect::<Result<_, _>>()).map_err(errors::of_tree)
    }

    fn read_contains(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        let tree = self.read_tree(py)?;
        py.detach(|| tree.contains(key)).map_err(errors::of_tree)
    }

    fn read_len(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.read_tree(py)?.len())
    }
}

/// Values as Python has them.
pub(crate) fn to_bytes(py: Python<'_>, values: Vec<Option<Vec<u8>>>) -> Vec<Option<Bound<'_, PyBytes>>> {
    values.into_iter().map(|value| value.map(|value| PyBytes::new(py, &value))).collect()
}

macro_rules! reading_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// The value of `key`, or `default`.
            #[pyo3(signature = (key, default=None))]
            fn get<'py>(
                &self,
                py: Python<'py>,
                key: Bytes<'_>,
                default: Option<Bound<'py, PyAny>>,
            ) -> PyResult<Option<Bound<'py, PyAny>>> {
                let value = self.read_value(py, &key)?;
                Ok(value.map(|value| PyBytes::new(py, &value).into_any()).or(default))
            }

            /// The values of several keys, in the order asked, None where there is none.
            fn get_many<'py>(
                &self,
                py: Python<'py>,
                keys: &Bound<'py, PyAny>,
            ) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
                let keys = Keys::gather(keys)?;
                Ok(to_bytes(py, self.read_values(py, &keys)?))
            }

            /// The value of `key` as a ValueStream: a binary file to read, in bounded memory.
            ///
            /// Raises KeyNotFoundError when there is no such key.
            fn open_value<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyAny>> {
                let tree = self.read_tree(py)?;
                let reader = py.detach(|| ValueReader::open(&tree, &key)).map_err(Failure::from)?;
                stream::value_stream(py, reader.ok_or_else(|| errors::key_not_found(&key))?)
            }

            /// The keys (that start with `prefix`), in order; lazy, and of the moment of the call.
            #[pyo3(signature = (prefix=None, *, reverse=false))]
            fn keys(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
                scan(py, &self.read_tree(py)?, Kind::Keys, prefix, reverse)
            }

            /// The values, in the order of their keys; lazy, and of the moment of the call.
            #[pyo3(signature = (prefix=None, *, reverse=false))]
            fn values(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
                scan(py, &self.read_tree(py)?, Kind::Values, prefix, reverse)
            }

            /// The `(key, value)` pairs, in key order; lazy, and of the moment of the call.
            #[pyo3(signature = (prefix=None, *, reverse=false))]
            fn items(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
                scan(py, &self.read_tree(py)?, Kind::Items, prefix, reverse)
            }

            /// The pairs with `start <= key < end`, None being open; lazy. Backwards from the end with `reverse`.
            #[pyo3(signature = (start=None, end=None, *, reverse=false))]
            fn range(
                &self,
                py: Python<'_>,
                start: Option<Bytes<'_>>,
                end: Option<Bytes<'_>>,
                reverse: bool,
            ) -> PyResult<Scan> {
                let tree = self.read_tree(py)?;
                py.detach(|| Scan::of_range(&tree, start.as_deref(), end.as_deref(), reverse))
                    .map_err(errors::of_tree)
            }

            /// The 32-byte fingerprint of the contents and the config; the same on every storage.
            fn root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                Ok(PyBytes::new(py, self.read_tree(py)?.root_hash().as_bytes()))
            }

            /// The same as `root_hash`.
            fn get_root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                self.root_hash(py)
            }

            /// Proves that `key` has its value, or that it is absent.
            fn generate_proof<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyAny>> {
                proof::for_keys(py, &self.read_tree(py)?, &Keys::one(&key))
            }

            /// Proves the values, or the absence, of several keys together.
            fn generate_multi_proof<'py>(
                &self,
                py: Python<'py>,
                keys: &Bound<'_, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let keys = Keys::gather(keys)?;
                proof::for_keys(py, &self.read_tree(py)?, &keys)
            }

            /// Proves what `range(start, end)` gives, and that nothing is left out.
            #[pyo3(signature = (start=None, end=None))]
            fn generate_range_proof<'py>(
                &self,
                py: Python<'py>,
                start: Option<Bytes<'_>>,
                end: Option<Bytes<'_>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                proof::for_range(py, &self.read_tree(py)?, start, end)
            }

            /// Checks a proof against the root hash of what is here now.
            ///
            /// With a `value`: is it what `key` holds? With None: is `key` absent? Left out: is `key` present?
            /// Raises ProofError when `proof` is no proof at all.
            #[pyo3(signature = (proof, key, value=Claim::Present))]
            fn verify(
                &self,
                py: Python<'_>,
                proof: Bytes<'_>,
                key: Bytes<'_>,
                value: Claim<'_>,
            ) -> PyResult<bool> {
                proof::holds(py, &proof, &self.read_tree(py)?.root_hash(), &key, &value)
            }

            /// The same as `verify`.
            #[pyo3(signature = (proof_bytes, key, expected_value=Claim::Present))]
            fn verify_proof(
                &self,
                py: Python<'_>,
                proof_bytes: Bytes<'_>,
                key: Bytes<'_>,
                expected_value: Claim<'_>,
            ) -> PyResult<bool> {
                self.verify(py, proof_bytes, key, expected_value)
            }

            fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
                Ok(self.read_len(py)? as usize)
            }

            fn __iter__(&self, py: Python<'_>) -> PyResult<Scan> {
                self.keys(py, None, false)
            }

            fn __contains__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
                self.read_contains(py, &key)
            }

            fn __getitem__<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
                let value = self.read_value(py, &key)?.ok_or_else(|| errors::key_not_found(&key))?;
                Ok(PyBytes::new(py, &value))
            }
        }
    };
}

reading_methods!(ProllyTree);
reading_methods!(Snapshot);
reading_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::Namespace;

    reading_methods!(Namespace);
}
