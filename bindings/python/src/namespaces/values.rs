//! `NamespacedKvStore`: large values.

use prolly_version::ValueReader;
use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

use super::{NamespacedKvStore, named};
use crate::{
    args::{Bytes, Given},
    errors::{self, ProllyTreeError},
    handle::HasHandle,
    stream::{self, Source},
};

/// A threshold as the tree layer has it.
fn threshold(bytes: i128) -> PyResult<u32> {
    u32::try_from(bytes).map_err(|_| {
        ProllyTreeError::new_err(format!("the threshold is {bytes} bytes, which is out of range"))
    })
}

#[pymethods]
impl NamespacedKvStore {
    /// Stages what a binary file holds from its position on as the value of a key, in bounded memory; its length in bytes.
    ///
    /// What reading it raises passes through, and nothing is staged then.
    #[pyo3(signature = (
        ns=Given::LeftOut, key=Given::LeftOut, stream=Given::LeftOut, *, namespace=Given::LeftOut
    ))]
    fn ns_insert_stream(
        &self,
        py: Python<'_>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        stream: Given<Bound<'_, PyAny>>,
        namespace: Given<&str>,
    ) -> PyResult<u64> {
        let (namespace, key) = (named(ns, namespace)?, key.needed("key")?);
        let source = Source::new(&stream.needed("stream")?)?;
        self.call(py, |store| Ok(store.insert_reader(namespace, &key, &source)?))
    }

    /// The value of a key as a ValueStream: a binary file to read, in bounded memory.
    ///
    /// Raises KeyNotFoundError when there is no such key or namespace.
    #[pyo3(signature = (ns=Given::LeftOut, key=Given::LeftOut, *, namespace=Given::LeftOut))]
    fn ns_open_value<'py>(
        &self,
        py: Python<'py>,
        ns: Given<&str>,
        key: Given<Bytes<'_>>,
        namespace: Given<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (namespace, key) = (named(ns, namespace)?, key.needed("key")?);
        let reader: Option<ValueReader> = self.call(py, |store| Ok(store.open_value(namespace, &key)?))?;
        stream::value_stream(py, reader.ok_or_else(|| errors::key_not_found(&key))?)
    }

    /// Stores values of more than so many bytes beside the tree, in content-addressed parts. None means only those of more
    /// than 65,536 bytes, which is also the most that can be said.
    ///
    /// It holds for every namespace, those that are made later included, and is staged: namespaces that had another
    /// threshold are written anew, at the cost of their size.
    #[pyo3(signature = (bytes=Given::LeftOut, *, threshold=Given::LeftOut))]
    fn set_externalize_threshold(
        &self,
        py: Python<'_>,
        bytes: Given<Option<i128>>,
        threshold: Given<Option<i128>>,
    ) -> PyResult<()> {
        let bytes = bytes.either("bytes", threshold, "threshold")?.flatten();
        let bytes = bytes.map(self::threshold).transpose()?;
        self.call(py, |store| Ok(store.set_externalize_threshold(bytes).map(|_| ())?))
    }

    /// The most bytes of a value that is stored in the tree itself; None when only size limits apply.
    fn externalize_threshold(&self, py: Python<'_>) -> PyResult<Option<u32>> {
        self.call(py, |store| Ok(store.externalize_threshold()?))
    }

    /// Removes blobs that no branch, tag or staged change needs (and all else that `gc` removes), and counts the parts of
    /// blobs: `total` before, `referenced` of them, `removed` of them. `errors` is always empty: what fails raises.
    fn gc_blobs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.call(py, |store| Ok(store.gc_blobs()?))?;
        let report = PyDict::new(py);
        report.set_item("total", counts.total)?;
        report.set_item("referenced", counts.referenced)?;
        report.set_item("removed", counts.removed)?;
        report.set_item("errors", PyList::empty(py))?;
        Ok(report)
    }
}
