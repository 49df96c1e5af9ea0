//! Edits of anything with a tree that can be edited: `ProllyTree`, a store's map, a namespace.
//!
//! **Invariant:** a batch is gathered from Python before anything is done with it.

use pyo3::prelude::*;

use crate::{
    args::Bytes,
    batch::{Keys, Pairs},
    errors,
    reading::Reading,
    scan::{self, Kind},
    store::VersionedKvStore,
    stream::Source,
    tree::ProllyTree,
};

/// Something with a tree that can be edited.
pub(crate) trait Editing: Sync {
    fn edit_insert(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<()>;
    fn edit_insert_batch(&self, py: Python<'_>, pairs: Pairs) -> PyResult<()>;
    /// Says whether there was such a key.
    fn edit_delete(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool>;
    /// The number of those that existed.
    fn edit_delete_batch(&self, py: Python<'_>, keys: &Keys) -> PyResult<u64>;
}

/// Something whose edits are staged.
pub(crate) trait Staging: Editing {
    /// Says whether there is such a key.
    fn stage_update(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<bool>;
    /// Stages what a stream holds; the number of its bytes.
    fn stage_stream(&self, py: Python<'_>, key: &[u8], source: &Source) -> PyResult<u64>;
}

macro_rules! editing_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// Creates or overwrites one entry. In a store it is staged until the next commit.
            fn insert(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
                self.edit_insert(py, &key, &value)
            }

            /// Removes an entry; True if there was one. In a store that is staged until the next commit.
            fn delete(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
                self.edit_delete(py, &key)
            }

            /// Inserts pairs from any iterable or mapping; of equal keys the last wins. All or nothing.
            fn insert_batch(&self, py: Python<'_>, items: &Bound<'_, PyAny>) -> PyResult<()> {
                self.edit_insert_batch(py, Pairs::gather(items)?)
            }

            /// Removes several entries, all or nothing; the number of those that existed.
            fn delete_batch(&self, py: Python<'_>, keys: &Bound<'_, PyAny>) -> PyResult<u64> {
                let keys = Keys::gather(keys)?;
                self.edit_delete_batch(py, &keys)
            }

            fn __setitem__(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
                self.edit_insert(py, &key, &value)
            }

            fn __delitem__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<()> {
                if self.edit_delete(py, &key)? { Ok(()) } else { Err(errors::key_not_found(&key)) }
            }
        }
    };
}

macro_rules! staging_methods {
    ($class:ident) => {
        editing_methods!($class);

        #[pymethods]
        impl $class {
            /// Stages a new value for an existing key; False (and nothing staged) when there is no such key.
            fn update(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<bool> {
                self.stage_update(py, &key, &value)
            }

            /// Stages what a binary file holds from its position on, in bounded memory; the number of its bytes.
            ///
            /// What reading it raises passes through, and nothing is staged then.
            fn insert_stream(
                &self,
                py: Python<'_>,
                key: Bytes<'_>,
                stream: &Bound<'_, PyAny>,
            ) -> PyResult<u64> {
                self.stage_stream(py, &key, &Source::new(stream)?)
            }

            /// Every key, in order. `keys()` is the lazy form.
            fn list_keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                scan::list(py, &self.read_tree(py)?, Kind::Keys)
            }
        }
    };
}

editing_methods!(ProllyTree);
staging_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::Namespace;

    staging_methods!(Namespace);
}
