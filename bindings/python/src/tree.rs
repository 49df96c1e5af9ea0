//! `ProllyTree`.

use std::sync::{PoisonError, RwLock};

use prolly_core::{ProllyTree as CoreTree, Tree};
use pyo3::{
    exceptions::PyIndexError,
    prelude::*,
    types::{PyBytes, PyDict},
};

use crate::{
    args::{Bytes, Claim, Path},
    batch::{Keys, Pairs},
    changes::{self, Changes},
    config::TreeConfig,
    errors::{self, Failure, Outcome, ProllyTreeError},
    place::Place,
    proof,
    scan::{Kind, Scan, scan},
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

    /// The tree with every edit in it.
    fn tree(&self, py: Python<'_>) -> PyResult<Tree> {
        self.write(py, |tree| Ok(tree.tree()?.clone()))
    }

    fn value<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let value = self.read(py, |tree| Ok(tree.get(key)?))?;
        Ok(value.map(|value| PyBytes::new(py, &value)))
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

    /// Creates or overwrites one entry.
    fn insert(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.write(py, |tree| Ok(tree.insert(&key, &value)?))
    }

    /// Overwrites an entry. Raises KeyNotFoundError (a KeyError) when there is none.
    fn update(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.write(py, |tree| Ok(tree.update(&key, &value)?))
    }

    /// Removes an entry; True if there was one.
    fn delete(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        self.write(py, |tree| Ok(tree.delete(&key)?))
    }

    /// The value of `key`, or None.
    fn find<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.value(py, &key)
    }

    /// The value of `key`, or `default`.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Bytes<'_>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.value(py, &key)?.map(Bound::into_any).or(default))
    }

    /// The values of several keys, in the order asked, None where there is none.
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let keys = Keys::gather(keys)?;
        let values =
            self.read(py, |tree| Ok(keys.iter().map(|key| tree.get(key)).collect::<Result<Vec<_>, _>>()?))?;
        Ok(values.into_iter().map(|value| value.map(|value| PyBytes::new(py, &value))).collect())
    }

    /// Inserts pairs from any iterable or mapping; of equal keys the last wins. All or nothing.
    fn insert_batch(&self, py: Python<'_>, items: &Bound<'_, PyAny>) -> PyResult<()> {
        let pairs = Pairs::gather(items)?;
        self.write(py, |tree| {
            if pairs.len() >= SORTED_BATCH_MIN {
                return Ok(tree.apply(&mut pairs.into_edits())?);
            }
            pairs.iter().try_for_each(|(key, value)| Ok(tree.insert(key, value)?))
        })
    }

    /// Removes several entries, all or nothing; the number of those that existed.
    fn delete_batch(&self, py: Python<'_>, keys: &Bound<'_, PyAny>) -> PyResult<usize> {
        let keys = Keys::gather(keys)?;
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
            Ok(present.len())
        })
    }

    /// The number of entries.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        self.write(py, |tree| Ok(tree.len()?))
    }

    /// Levels of nodes; 1 for the empty tree and for one leaf.
    fn depth(&self, py: Python<'_>) -> PyResult<usize> {
        self.write(py, |tree| Ok(tree.tree()?.height()))
    }

    /// The 32-byte fingerprint of the contents and the config.
    fn root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let hash = self.write(py, |tree| Ok(tree.root_hash()?))?;
        Ok(PyBytes::new(py, hash.as_bytes()))
    }

    /// The same as `root_hash`.
    fn get_root_hash<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.root_hash(py)
    }

    /// Counts of nodes and entries. Reads every node.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tree = self.tree(py)?;
        let stats = py.detach(|| tree.stats()).map_err(errors::of_tree)?;
        let counts = PyDict::new(py);
        counts.set_item("num_nodes", stats.nodes())?;
        counts.set_item("num_leaves", stats.leaves)?;
        counts.set_item("num_internal_nodes", stats.internal_nodes)?;
        counts.set_item("avg_node_size", stats.entries / stats.leaves.max(1))?;
        counts.set_item("total_key_value_pairs", stats.entries)?;
        Ok(counts)
    }

    /// The keys (that start with `prefix`), in order; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn keys(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Keys, prefix, reverse)
    }

    /// The values, in the order of their keys; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn values(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Values, prefix, reverse)
    }

    /// The `(key, value)` pairs (whose key starts with `prefix`), in key order; lazy.
    #[pyo3(signature = (prefix=None, *, reverse=false))]
    fn items(&self, py: Python<'_>, prefix: Option<Bytes<'_>>, reverse: bool) -> PyResult<Scan> {
        scan(py, &self.tree(py)?, Kind::Items, prefix, reverse)
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
        let tree = self.tree(py)?;
        py.detach(|| Scan::of_range(&tree, start.as_deref(), end.as_deref(), reverse))
            .map_err(errors::of_tree)
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

    /// Proves that `key` has its value, or that it is absent.
    fn generate_proof<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyAny>> {
        proof::for_keys(py, &self.tree(py)?, &Keys::one(&key))
    }

    /// Proves the values, or the absence, of several keys together.
    fn generate_multi_proof<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keys = Keys::gather(keys)?;
        proof::for_keys(py, &self.tree(py)?, &keys)
    }

    /// Proves what `range(start, end)` gives, and that nothing is left out.
    #[pyo3(signature = (start=None, end=None))]
    fn generate_range_proof<'py>(
        &self,
        py: Python<'py>,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        proof::for_range(py, &self.tree(py)?, start, end)
    }

    /// Checks a proof against this tree's root hash.
    ///
    /// With a `value`: is it what `key` holds? With None: is `key` absent? Left out: is `key` present?
    /// Raises ProofError when `proof` is no proof at all.
    #[pyo3(signature = (proof, key, value=Claim::Present))]
    fn verify(&self, py: Python<'_>, proof: Bytes<'_>, key: Bytes<'_>, value: Claim<'_>) -> PyResult<bool> {
        let root = self.write(py, |tree| Ok(tree.root_hash()?))?;
        proof::holds(py, &proof, &root, &key, &value)
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

    /// What changes from this tree to `other`; modified keys give `(old, new)`.
    fn diff<'py>(&self, py: Python<'py>, other: &Self) -> PyResult<Bound<'py, PyDict>> {
        let (left, right) = (self.tree(py)?, other.tree(py)?);
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
        let (left, right) = (self.tree(py)?, other.tree(py)?);
        Changes::between(left, right, start.as_deref(), end.as_deref()).map_err(errors::of_tree)
    }

    /// The nodes as text, one `[L<level>:[[...]]]` group each, keys as lists of numbers. For debugging.
    fn traverse(&self, py: Python<'_>) -> PyResult<String> {
        let tree = self.tree(py)?;
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

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.write(py, |tree| Ok(tree.len()? as usize))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Scan> {
        self.keys(py, None, false)
    }

    fn __contains__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<bool> {
        self.read(py, |tree| Ok(tree.contains(&key)?))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Bound<'py, PyBytes>> {
        self.value(py, &key)?.ok_or_else(|| errors::key_not_found(&key))
    }

    fn __setitem__(&self, py: Python<'_>, key: Bytes<'_>, value: Bytes<'_>) -> PyResult<()> {
        self.insert(py, key, value)
    }

    fn __delitem__(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<()> {
        if self.write(py, |tree| Ok(tree.delete(&key)?))? { Ok(()) } else { Err(errors::key_not_found(&key)) }
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
