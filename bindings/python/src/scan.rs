//! Lazy iteration over keys, values or pairs.
//!
//! **Invariant:** an iterator shows the tree it was made from, whatever happens to the store afterwards. Entries are read
//! some at a time without the interpreter lock; memory is bounded by that many entries.

use std::sync::{Mutex, PoisonError};

use prolly_core::{Range, Tree, ValueRef, blob};
use pyo3::{IntoPyObjectExt, prelude::*, sync::MutexExt, types::PyBytes};

use crate::{
    args::{Bytes, limits},
    errors,
};

/// The first read takes few entries, later ones more, for those who only want the first.
const ENTRIES_FIRST: usize = 16;
const ENTRIES_MAX: usize = 1024;
/// A read ends at this many bytes, whatever its entries.
const BYTES_MAX: usize = 256 * 1024;

/// What an iterator gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Keys,
    Values,
    Items,
}

struct State {
    tree: Tree,
    range: Range,
    kind: Kind,
    reverse: bool,
    /// Keys and values read ahead, one behind the other.
    bytes: Vec<u8>,
    /// Length of each key and value in `bytes`, the one to give next at `next`.
    lengths: Vec<(usize, usize)>,
    next: usize,
    next_byte: usize,
    entries_max: usize,
}

/// An iterator over the entries of one state of a tree.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct Scan(Mutex<State>);

impl Scan {
    /// Iterates over the entries whose key begins with `prefix`.
    pub(crate) fn of_prefix(
        tree: &Tree,
        kind: Kind,
        prefix: &[u8],
        reverse: bool,
    ) -> prolly_core::Result<Self> {
        Ok(Self::new(tree, tree.prefix(prefix)?, kind, reverse))
    }

    /// Iterates over the pairs in `[start, end)`.
    pub(crate) fn of_range(
        tree: &Tree,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        reverse: bool,
    ) -> prolly_core::Result<Self> {
        Ok(Self::new(tree, tree.range::<&[u8]>(limits(start, end))?, Kind::Items, reverse))
    }

    fn new(tree: &Tree, range: Range, kind: Kind, reverse: bool) -> Self {
        Self(Mutex::new(State {
            tree: tree.clone(),
            range,
            kind,
            reverse,
            bytes: Vec::new(),
            lengths: Vec::new(),
            next: 0,
            next_byte: 0,
            entries_max: ENTRIES_FIRST,
        }))
    }
}

impl State {
    /// Reads ahead; afterwards there is nothing to give only at the end.
    fn fill(&mut self) -> prolly_core::Result<()> {
        self.bytes.clear();
        self.lengths.clear();
        (self.next, self.next_byte) = (0, 0);
        while self.lengths.len() < self.entries_max && self.bytes.len() < BYTES_MAX {
            let more = if self.reverse { self.read_back()? } else { self.read_front()? };
            if !more {
                break;
            }
        }
        self.entries_max = (2 * self.entries_max).min(ENTRIES_MAX);
        Ok(())
    }

    fn read_front(&mut self) -> prolly_core::Result<bool> {
        let Some((key, value)) = self.range.next_entry()? else { return Ok(false) };
        let key_len = if self.kind == Kind::Values { 0 } else { key.len() };
        self.bytes.extend_from_slice(&key[..key_len]);
        let before = self.bytes.len();
        match value {
            _ if self.kind == Kind::Keys => {}
            ValueRef::Inline(value) => self.bytes.extend_from_slice(value),
            ValueRef::Blob { len, hash } => {
                let link = self.range.link().unwrap_or_else(|| hash.into());
                self.bytes.extend_from_slice(&blob::read(&**self.tree.reader(), &link, len)?);
            }
            ValueRef::Tree { .. } => return Err(prolly_core::Error::NotAValue { key: key.to_vec() }),
        }
        self.lengths.push((key_len, self.bytes.len() - before));
        Ok(true)
    }

    fn read_back(&mut self) -> prolly_core::Result<bool> {
        if self.kind == Kind::Keys {
            let Some((key, _)) = self.range.next_entry_back()? else { return Ok(false) };
            self.bytes.extend_from_slice(key);
            self.lengths.push((key.len(), 0));
            return Ok(true);
        }
        let Some((key, value)) = self.range.next_pair_back()? else { return Ok(false) };
        let key = if self.kind == Kind::Values { &[] } else { key.as_slice() };
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(&value);
        self.lengths.push((key.len(), value.len()));
        Ok(true)
    }

    fn give<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((key_len, value_len)) = self.lengths.get(self.next).copied() else { return Ok(None) };
        let (key, rest) = self.bytes[self.next_byte..].split_at(key_len);
        let value = &rest[..value_len];
        self.next += 1;
        self.next_byte += key_len + value_len;
        match self.kind {
            Kind::Keys => PyBytes::new(py, key).into_bound_py_any(py),
            Kind::Values => PyBytes::new(py, value).into_bound_py_any(py),
            Kind::Items => (PyBytes::new(py, key), PyBytes::new(py, value)).into_bound_py_any(py),
        }
        .map(Some)
    }
}

/// Everything of a tree, in order.
pub(crate) fn list<'py>(py: Python<'py>, tree: &Tree, kind: Kind) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let scan = py.detach(|| Scan::of_prefix(tree, kind, &[], false)).map_err(errors::of_tree)?;
    let mut state = scan.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut entries = Vec::new();
    loop {
        py.detach(|| state.fill()).map_err(errors::of_tree)?;
        if state.lengths.is_empty() {
            return Ok(entries);
        }
        while let Some(entry) = state.give(py)? {
            entries.push(entry);
        }
    }
}

#[pymethods]
impl Scan {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut guard = self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        if state.next == state.lengths.len() {
            py.detach(|| state.fill()).map_err(errors::of_tree)?;
        }
        state.give(py)
    }
}

/// An iterator over the entries whose key begins with `prefix`.
pub(crate) fn scan(
    py: Python<'_>,
    tree: &Tree,
    kind: Kind,
    prefix: Option<Bytes<'_>>,
    reverse: bool,
) -> PyResult<Scan> {
    let prefix = prefix.as_deref().unwrap_or_default();
    py.detach(|| Scan::of_prefix(tree, kind, prefix, reverse)).map_err(errors::of_tree)
}
