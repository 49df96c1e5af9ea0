//! `ProllyTree`.

use std::sync::{PoisonError, RwLock};

use prolly_core::{ProllyTree as CoreTree, Tree};
use pyo3::{
    exceptions::PyIndexError,
    prelude::*,
    types::{PyBytes, PyDict},
};

use crate::{
    args::{Bytes, Path},
    batch::{Keys, Pairs},
    changes::{self, Changes},
    config::TreeConfig,
    editing::Editing,
    errors::{self, Failure, Outcome, ProllyTreeError},
    place::Place,
    reading::Reading,
    types,
};

/// From this many pairs on, a batch goes into the tree in one sorted run instead of through the overlay of edits.
const SORTED_BATCH_MIN: usize = 1024;

const CLOSED: Failure = Failure::Closed("tree");

/// An ordered map from `bytes` to `bytes` with a Merkle root. Safe to share between threads.
#[pyclass(module = "prollytree", frozen)]
pub(crate) struct ProllyTree {
    /// `None` once closed.
    state: RwLock<Option<Place>>,
    storage_type: &'static str,
    config: TreeConfig,
}

impl ProllyTree {
    fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&CoreTree) -> Outcome<T>,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            work(state.as_ref().ok_or(CLOSED)?.tree())
        });
        Ok(done?)
    }

    fn write<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut CoreTree) -> Outcome<T>,
    ) -> PyResult<T> {
        self.write_place(py, |place| work(place.tree_mut()))
    }

    fn write_place<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut Place) -> Outcome<T>,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            work(state.as_mut().ok_or(CLOSED)?)
        });
        Ok(done?)
    }
}

impl Reading for ProllyTree {
    /// The tree with every edit in it.
    fn read_tree(&self, py: Python<'_>) -> PyResult<Tree> {
        self.write(py, |tree| Ok(tree.tree()?.clone()))
    }

    fn read_value(&self, py: Python<'_>, key: &[u8]) -> PyResult<Option<Vec<u8>>> {
        self.read(py, |tree| Ok(tree.get(key)?))
    }

    fn read_values(&self, py: Python<'_>, keys: &Keys) -> PyResult<Vec<Option<Vec<u8>>>> {
        self.read(py, |tree| Ok(keys.iter().map(|key| tree.get(key)).collect::<Result<_, _>>()?))
    }

    fn read_contains(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.read(py, |tree| Ok(tree.contains(key)?))
    }

    fn read_len(&self, py: Python<'_>) -> PyResult<u64> {
        self.write(py, |tree| Ok(tree.len()?))
    }
}

impl Editing for ProllyTree {
    fn edit_insert(&self, py: Python<'_>, key: &[u8], value: &[u8]) -> PyResult<()> {
        self.write(py, |tree| Ok(tree.insert(key, value)?))
    }

    fn edit_insert_batch(&self, py: Python<'_>, pairs: Pairs) -> PyResult<()> {
        self.write(py, |tree| {
            if pairs.len() >= SORTED_BATCH_MIN {
                return Ok(tree.apply(&mut pairs.into_edits())?);
            }
            pairs.iter().try_for_each(|(key, value)| Ok(tree.insert(key, value)?))
        })
    }

    fn edit_delete(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        self.write(py, |tree| Ok(tree.delete(key)?))
    }

    fn edit_delete_batch(&self, py: Python<'_>, keys: &Keys) -> PyResult<u64> {
        self.write(py, |tree| {
            let mut present = keys.sorted();
            let mut failure = None;
            present.retain(|key| match tree.contains(key) {
                Ok(present) => present,
                Err(error) => {
                    failure = Some(error);
                    false
                }
            });
            if let Some(error) = failure {
                return Err(error.into());
            }
            present.iter().try_for_each(|key| tree.remove(key))?;
            Ok(present.len() as u64)
        })
    }
}

#[pymethods]
impl ProllyTree {
    #[new]
    #[pyo3(signature = (storage_type="memory", path=None, config=None))]
    fn new(
        py: Python<'_>,
        storage_type: &str,
        path: Option<Path>,
        config: Option<TreeConfig>,
    ) -> PyResult<Self> {
        let refused = |message| Err(ProllyTreeError::new_err(message));
        let config = config.map(|config| config.0);
        let (storage_type, place) = match (storage_type, path) {
            ("memory", None) => ("memory", py.detach(|| Place::memory(config))?),
            ("file", Some(Path(path))) => ("file", py.detach(|| Place::directory(&path, config))?),
            ("memory", Some(Path(path))) => {
                return refused(format!("a tree in memory has no path, and {} was given", path.display()));
            }
            ("file", None) => {
                return refused("a tree in a directory needs the path of that directory".to_owned());
            }
            _ => return refused(format!("storage_type must be 'memory' or 'file', not '{storage_type}'")),
        };
        let config = TreeConfig(*place.tree().config());
        Ok(Self { state: RwLock::new(Some(place)), storage_type, config })
    }

    /// The configuration of the tree.
    #[getter]
    fn config(&self) -> TreeConfig {
        self.config
    }

    /// Whether the tree was closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.state.read().unwrap_or_else(PoisonError::into_inner).is_none())
    }

    /// Overwrites an entry. Raises KeyNotFoundError (a KeyError) when there is none.
    fn update(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.write(py, |tree| Ok(tree.update(&key, &value)?))
    }

    /// The value of `key`, or None.
    fn find<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.read_value(py, &key)?.map(|value| PyBytes::new(py, &value)))
    }

    /// The number of entries.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.read_len(py)
    }

    /// Levels of nodes; 1 for the empty tree and for one leaf.
    fn depth(&self, py: Python<'_>) -> PyResult<usize> {
        self.write(py, |tree| Ok(tree.tree()?.height()))
    }

    /// Counts of nodes and entries. Reads every node.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tree = self.read_tree(py)?;
        let stats = py.detach(|| tree.stats()).map_err(errors::of_tree)?;
        let counts = PyDict::new(py);
        counts.set_item("num_nodes", stats.nodes())?;
        counts.set_item("num_leaves", stats.leaves)?;
        counts.set_item("num_internal_nodes", stats.internal_nodes)?;
        counts.set_item("avg_node_size", stats.entries / stats.leaves.max(1))?;
        counts.set_item("total_key_value_pairs", stats.entries)?;
        Ok(counts)
    }

    /// The number of keys smaller than `key`. O(log n).
    fn rank(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<u64> {
        self.write(py, |tree| Ok(tree.tree()?.rank(&key)?))
    }

    /// The pair at a position, counted from the end when negative. O(log n). Raises IndexError.
    fn nth<'py>(&self, py: Python<'py>, index: i64) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let pair = self.write(py, |tree| {
            let tree = tree.tree()?;
            let rank = match u64::try_from(index) {
                Ok(rank) => Some(rank),
                Err(_) => tree.len().checked_sub(index.unsigned_abs()),
            };
            rank.map_or(Ok(None), |rank| Ok(tree.range_of_ranks(rank, rank.saturating_add(1)).next_pair()?))
        })?;
        let (key, value) = pair.ok_or_else(|| PyIndexError::new_err(format!("there is no entry {index}")))?;
        Ok((PyBytes::new(py, &key), PyBytes::new(py, &value)))
    }

    /// What changes from this tree to `other`; modified keys give `(old, new)`.
    fn diff<'py>(&self, py: Python<'py>, other: &Self) -> PyResult<Bound<'py, PyDict>> {
        let (left, right) = (self.read_tree(py)?, other.read_tree(py)?);
        let rows = py.detach(|| changes::all(&left, &right)).map_err(errors::of_tree)?;
        changes::as_dict(py, &rows)
    }

    /// The same as lazy `(key, op, old, new)` rows in key order, of the keys in `[start, end)`.
    #[pyo3(signature = (other, start=None, end=None))]
    fn changes(
        &self,
        py: Python<'_>,
        other: &Self,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
    ) -> PyResult<Changes> {
        let (left, right) = (self.read_tree(py)?, other.read_tree(py)?);
        Changes::between(left, right, start.as_deref(), end.as_deref()).map_err(errors::of_tree)
    }

    /// The nodes as text, one `[L<level>:[[...]]]` group each, keys as lists of numbers. For debugging.
    fn traverse(&self, py: Python<'_>) -> PyResult<String> {
        let tree = self.read_tree(py)?;
        let mut text = String::new();
        py.detach(|| {
            tree.visit_nodes(&mut |node| {
                let keys: Vec<_> = (0..node.count()).map(|index| node.key(index)).collect();
                text.push_str(&format!("[L{}:{keys:?}]", node.level()));
            })
        })
        .map_err(errors::of_tree)?;
        Ok(text)
    }

    /// Writes pending edits into the tree, and saves the root durably if it is in a directory.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.write_place(py, Place::save)
    }

    /// Flushes, and saves the root and the config. For a tree in memory it does nothing.
    fn save_config(&self, py: Python<'_>) -> PyResult<()> {
        self.flush(py)
    }

    /// Removes what a directory still has of earlier states. For a tree in memory it does nothing.
    fn gc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let swept = self.write_place(py, Place::collect_garbage)?;
        types::gc_report(
            py,
            [swept.objects_before, swept.objects_removed, swept.bytes_before, swept.bytes_after],
        )
    }

    /// Flushes and closes; closing again does nothing. Afterwards every use raises StorageError.
    ///
    /// When saving fails the tree stays open, with everything in it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let done: Outcome<()> = py.detach(|| {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = state.as_mut() {
                place.save()?;
                *state = None;
            }
            Ok(())
        });
        Ok(done?)
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().read(slf.py(), |_| Ok(()))?;
        Ok(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _tb: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        if self.closed(py) {
            return Ok(format!("ProllyTree(storage_type='{}', closed)", self.storage_type));
        }
        Ok(format!("ProllyTree(storage_type='{}', len={})", self.storage_type, self.size(py)?))
    }
}

impl Drop for ProllyTree {
    /// Saves what was not saved, as far as it can be; a failure goes to `sys.unraisablehook`.
    fn drop(&mut self) {
        let Some(mut place) = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        errors::while_finalizing(move || place.save());
    }
}
