//! `VersionedKvStore`: commits, and reading them.

use prolly_core::Tree;
use prolly_version::{ChangeKind, MergeStrategy, ResetMode, Store, TreeKey};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};

use super::VersionedKvStore;
use crate::{
    args::{Bytes, limits},
    changes::Changes,
    errors::Outcome,
    log::Log,
    scan::{self, Kind},
    snapshot::Snapshot,
    types,
};

/// The tree of a revision.
fn tree_at(store: &Store, tree: &TreeKey, revision: &str) -> Outcome<Tree> {
    Ok(store.at(revision)?.tree(tree)?)
}

impl VersionedKvStore {
    fn changes_between(
        &self,
        py: Python<'_>,
        from: &str,
        to: &str,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
    ) -> PyResult<Changes> {
        self.0.call(py, |store, tree| {
            let changes = store.diff_range::<&[u8]>(tree, from, to, limits(start, end))?;
            Ok(Changes::of_revisions(changes))
        })
    }
}

#[pymethods]
impl VersionedKvStore {
    /// The staged changes, in key order.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, &'static str)>> {
        let changes: Vec<_> = self
            .0
            .call(py, |store, tree| Ok(store.status_of(tree)?.collect::<prolly_version::Result<_>>()?))?;
        let name = |kind| match kind {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
        };
        Ok(changes.iter().map(|change| (PyBytes::new(py, &change.key), name(change.kind))).collect())
    }

    /// Commits the staged changes (also when there are none) durably; the new commit's id.
    ///
    /// When another process moved the branch, disjoint changes are committed on top of it; else ConcurrentUpdateError
    /// is raised and the changes stay staged.
    fn commit(&self, py: Python<'_>, message: &str) -> PyResult<String> {
        self.0.call(py, |store, _| Ok(store.commit(message)?.to_string()))
    }

    /// Drops the staged changes; their number.
    fn discard(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.call(py, |store, _| Ok(store.discard()?))
    }

    /// Drops the staged changes and, given a revision, moves the current branch to it.
    #[pyo3(signature = (revision=None))]
    fn reset(&self, py: Python<'_>, revision: Option<&str>) -> PyResult<()> {
        self.0.call(py, |store, _| match revision {
            Some(revision) => Ok(store.reset(revision, ResetMode::Hard).map(|_| ())?),
            None => Ok(store.discard().map(|_| ())?),
        })
    }

    /// Commits the opposite of what a commit changed; the new commit's id.
    ///
    /// Raises MergeError when a later commit changed the same keys. For a merge commit, `mainline` says which parent
    /// (from 1) to go back to.
    #[pyo3(signature = (revision, mainline=None))]
    fn revert(&self, py: Python<'_>, revision: &str, mainline: Option<usize>) -> PyResult<String> {
        self.0.call(py, |store, _| {
            Ok(store.revert(revision, mainline, None, MergeStrategy::Refuse)?.to_string())
        })
    }

    /// The id of the commit that the working state builds on.
    fn current_commit(&self, py: Python<'_>) -> PyResult<String> {
        self.resolve(py, "HEAD")
    }

    /// The commit id that a revision means.
    fn resolve(&self, py: Python<'_>, revision: &str) -> PyResult<String> {
        self.0.call(py, |store, _| Ok(store.resolve(revision)?.to_string()))
    }

    /// The commits reachable from the current one, newest first.
    #[pyo3(signature = (limit=None))]
    fn log<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let limit = limit.unwrap_or(usize::MAX);
        let commits = self.0.call(py, |store, _| {
            Ok(store.log(None)?.take(limit).collect::<prolly_version::Result<Vec<_>>>()?)
        })?;
        commits.iter().map(|commit| types::log_entry(py, commit)).collect()
    }

    /// The lazy form of `log`, from any revision.
    #[pyo3(signature = (revision=None))]
    fn iter_log(&self, py: Python<'_>, revision: Option<&str>) -> PyResult<Log> {
        self.0.call(py, |store, _| Ok(Log::new(Box::new(store.log(revision)?))))
    }

    /// The same as `log`.
    fn get_commit_history<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.log(py, None)
    }

    /// Every commit that changed `key`, newest first.
    fn history<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let commits = self.0.call(py, |store, tree| {
            Ok(store.history(tree, &key, None)?.collect::<prolly_version::Result<Vec<_>>>()?)
        })?;
        commits.iter().map(|commit| types::log_entry(py, commit)).collect()
    }

    /// The same as `history`.
    fn get_commits_for_key<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.history(py, key)
    }

    /// The lazy form of `history`.
    fn iter_history(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<Log> {
        self.0.call(py, |store, tree| Ok(Log::new(Box::new(store.history(tree, &key, None)?))))
    }

    /// Any revision, to read without moving the store.
    fn at(&self, py: Python<'_>, revision: &str) -> PyResult<Snapshot> {
        let (commit, tree) = self.0.call(py, |store, tree| {
            let snapshot = store.at(revision)?;
            Ok((snapshot.commit().id, snapshot.tree(tree)?))
        })?;
        Ok(Snapshot::new(commit, tree, self.0.closed_flag()))
    }

    /// The keys of a revision, in order.
    #[pyo3(signature = (r#ref))]
    fn keys_at<'py>(&self, py: Python<'py>, r#ref: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let tree = self.0.call(py, |store, tree| tree_at(store, tree, r#ref))?;
        scan::list(py, &tree, Kind::Keys)
    }

    /// The `(key, value)` pairs of a revision, in key order.
    fn get_keys_at_ref<'py>(&self, py: Python<'py>, reference: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let tree = self.0.call(py, |store, tree| tree_at(store, tree, reference))?;
        scan::list(py, &tree, Kind::Items)
    }

    /// What changes from one revision to the other: `(key, op, old, new)` rows in key order.
    fn diff<'py>(&self, py: Python<'py>, from_ref: &str, to_ref: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.changes_between(py, from_ref, to_ref, None, None)?.list(py)
    }

    /// The lazy form of `diff`, of the keys in `[start, end)`.
    #[pyo3(signature = (from_ref, to_ref, start=None, end=None))]
    fn changes(
        &self,
        py: Python<'_>,
        from_ref: &str,
        to_ref: &str,
        start: Option<Bytes<'_>>,
        end: Option<Bytes<'_>>,
    ) -> PyResult<Changes> {
        self.changes_between(py, from_ref, to_ref, start.as_deref(), end.as_deref())
    }

    /// Removes what no branch, tag or staged change needs, and packs the rest.
    fn gc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.0.call(py, |store, _| Ok(store.collect_garbage()?))?;
        types::gc_report(
            py,
            [report.objects_before, report.objects_removed, report.bytes_before, report.bytes_after],
        )
    }
}
