//! Lazy iteration over the differences between two trees.
//!
//! **Invariant:** as for [`crate::scan`]: differences are read some at a time without the interpreter lock, in bounded
//! memory, and are those of the two states that the iterator was made from.

use std::sync::{Mutex, PoisonError};

use prolly_core::{Diff, Error, NodeReader, Tree, ValueRef, blob};
use pyo3::{prelude::*, sync::MutexExt, types::PyDict};

use crate::{args::limits, errors::Outcome, types};

/// The first read takes few differences, later ones more.
const ROWS_FIRST: usize = 16;
const ROWS_MAX: usize = 1024;
/// A read ends at this many bytes, whatever its differences.
const BYTES_MAX: usize = 256 * 1024;

/// One difference; at least one value is there.
pub(crate) struct Row {
    /// Where rows are of several namespaces.
    pub(crate) namespace: Option<String>,
    pub(crate) key: Vec<u8>,
    pub(crate) old: Option<Vec<u8>>,
    pub(crate) new: Option<Vec<u8>>,
}

/// Differences, one at a time.
type Source = Box<dyn Iterator<Item = Outcome<Row>> + Send>;

struct State {
    source: Source,
    rows: std::vec::IntoIter<Row>,
    rows_max: usize,
}

/// An iterator over what differs between two states of a tree.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct Changes(Mutex<State>);

impl Changes {
    /// Iterates over what changes from `left` to `right` among the keys in `[start, end)`.
    pub(crate) fn between(
        left: Tree,
        right: Tree,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
    ) -> prolly_core::Result<Self> {
        let mut diff = left.diff_range::<&[u8]>(&right, limits(start, end))?;
        let rows = std::iter::from_fn(move || next_row(&mut diff, &left, &right).transpose());
        Ok(Self::new(rows.map(|row| Ok(row?))))
    }

    /// Iterates over what differs between two revisions.
    pub(crate) fn of_revisions(changes: prolly_version::Changes) -> Self {
        Self::new(changes.map(|change| {
            let prolly_version::Change { key, old, new } = change?;
            Ok(Row { namespace: None, key, old, new })
        }))
    }

    pub(crate) fn new(rows: impl Iterator<Item = Outcome<Row>> + Send + 'static) -> Self {
        let source = Box::new(rows);
        Self(Mutex::new(State { source, rows: Vec::new().into_iter(), rows_max: ROWS_FIRST }))
    }

    /// All of the differences, for one who is not Python.
    #[cfg(feature = "namespaced")]
    pub(crate) fn gather(self) -> Outcome<Vec<Row>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).source.collect()
    }

    /// All of the differences.
    pub(crate) fn list(self, py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
        let mut state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut rows = Vec::new();
        loop {
            py.detach(|| state.fill())?;
            if state.rows.len() == 0 {
                return Ok(rows);
            }
            for row in state.rows.by_ref() {
                rows.push(types::kv_diff(py, &row)?);
            }
        }
    }
}

impl State {
    fn fill(&mut self) -> Outcome<()> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        while rows.len() < self.rows_max && bytes < BYTES_MAX {
            let Some(row) = self.source.next().transpose()? else { break };
            bytes +=
                row.key.len() + row.old.as_ref().map_or(0, Vec::len) + row.new.as_ref().map_or(0, Vec::len);
            rows.push(row);
        }
        self.rows_max = (2 * self.rows_max).min(ROWS_MAX);
        self.rows = rows.into_iter();
        Ok(())
    }
}

fn next_row(diff: &mut Diff, left: &Tree, right: &Tree) -> prolly_core::Result<Option<Row>> {
    let Some(found) = diff.next_difference()? else { return Ok(None) };
    let read = |entry: Option<prolly_core::Found>, reader: &dyn NodeReader| {
        let Some(entry) = entry else { return Ok(None) };
        match entry.value() {
            ValueRef::Inline(bytes) => Ok(Some(bytes.to_vec())),
            ValueRef::Blob { len, hash } => {
                blob::read(reader, &entry.link().unwrap_or_else(|| hash.into()), len).map(Some)
            }
            ValueRef::Tree { .. } => Err(Error::NotAValue { key: found.key.to_vec() }),
        }
    };
    let old = read(found.left, &**left.reader())?;
    let new = read(found.right, &**right.reader())?;
    Ok(Some(Row { namespace: None, key: found.key.to_vec(), old, new }))
}

#[pymethods]
impl Changes {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut guard = self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        if state.rows.len() == 0 {
            py.detach(|| state.fill())?;
        }
        state.rows.next().map(|row| types::kv_diff(py, &row)).transpose()
    }
}

/// All differences between two trees.
pub(crate) fn all(left: &Tree, right: &Tree) -> prolly_core::Result<Vec<Row>> {
    let mut diff = left.diff(right)?;
    std::iter::from_fn(|| next_row(&mut diff, left, right).transpose()).collect()
}

/// Differences in the form of `ProllyTree.diff`.
pub(crate) fn as_dict<'py>(py: Python<'py>, rows: &[Row]) -> PyResult<Bound<'py, PyDict>> {
    let (added, removed, modified) = (PyDict::new(py), PyDict::new(py), PyDict::new(py));
    for row in rows {
        let key = types::bytes(py, &row.key);
        match (&row.old, &row.new) {
            (None, None) => {}
            (None, Some(new)) => added.set_item(key, types::bytes(py, new))?,
            (Some(old), None) => removed.set_item(key, types::bytes(py, old))?,
            (Some(old), Some(new)) => {
                modified.set_item(key, (types::bytes(py, old), types::bytes(py, new)))?
            }
        }
    }
    let dict = PyDict::new(py);
    dict.set_item("added", added)?;
    dict.set_item("removed", removed)?;
    dict.set_item("modified", modified)?;
    Ok(dict)
}
