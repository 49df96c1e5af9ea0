//! The versions of one map of a store: the default one of `VersionedKvStore`, that of a namespace.
//!
//! **Invariant:** a revision that does not have the map yet shows an empty one.

use prolly_core::{Tree, TreeConfig};
use prolly_version::{ChangeKind, Store, TreeKey};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};

use super::commits::{entries, gather};
use crate::{
    args::{Bytes, limits},
    changes::Changes,
    errors::Outcome,
    handle::{HasHandle, View},
    log::Log,
    scan::{self, Kind},
    snapshot::Snapshot,
    store::VersionedKvStore,
};

/// A class that shows one map of a store.
pub(crate) trait StoreMap: HasHandle {
    fn map(&self) -> &TreeKey;

    /// Works with the map, without the interpreter lock.
    fn on_map<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&Store, &TreeKey) -> Outcome<T>,
    ) -> PyResult<T> {
        self.call(py, |view| work(view.versions(), self.map()))
    }

    fn snapshot(&self, py: Python<'_>, revision: &str) -> PyResult<Snapshot> {
        let (commit, tree) = self.on_map(py, |store, map| {
            let snapshot = store.at(revision)?;
            Ok((snapshot.commit().id, or_empty(store, snapshot.find_tree(map)?)?))
        })?;
        Ok(Snapshot::new(commit, tree, self.handle().closed_flag()))
    }

    fn changes_between(
        &self,
        py: Python<'_>,
        (from, to): (&str, &str),
        (start, end): (Option<&[u8]>, Option<&[u8]>),
    ) -> PyResult<Changes> {
        self.on_map(py, |store, map| {
            Ok(Changes::of_revisions(store.diff_range::<&[u8]>(map, from, to, limits(start, end))?))
        })
    }
}

/// The tree, or an empty one where there is none.
fn or_empty(store: &Store, tree: Option<Tree>) -> Outcome<Tree> {
    match tree {
        Some(tree) => Ok(tree),
        None => Ok(Tree::empty(store.graph().objects(), TreeConfig::default())?),
    }
}

/// What `status` calls a change.
pub(crate) fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Modified => "modified",
        ChangeKind::Deleted => "deleted",
    }
}

macro_rules! map_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// The staged changes, in key order.
            fn status<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyBytes>, &'static str)>> {
                let changes: Vec<_> = self.on_map(py, |store, map| {
                    Ok(store.status_of(map)?.collect::<prolly_version::Result<_>>()?)
                })?;
                let row = |change: &prolly_version::StagedChange| {
                    (PyBytes::new(py, &change.key), kind_name(change.kind))
                };
                Ok(changes.iter().map(row).collect())
            }

            /// Every commit that changed `key`, newest first.
            fn history<'py>(&self, py: Python<'py>, key: Bytes<'_>) -> PyResult<Vec<Bound<'py, PyDict>>> {
                let commits = self.on_map(py, |store, map| gather(store.history(map, &key, None)?))?;
                entries(py, &commits)
            }

            /// The same as `history`.
            fn get_commits_for_key<'py>(
                &self,
                py: Python<'py>,
                key: Bytes<'_>,
            ) -> PyResult<Vec<Bound<'py, PyDict>>> {
                self.history(py, key)
            }

            /// The lazy form of `history`.
            fn iter_history(&self, py: Python<'_>, key: Bytes<'_>) -> PyResult<Log> {
                self.on_map(py, |store, map| Ok(Log::new(Box::new(store.history(map, &key, None)?))))
            }

            /// Any revision, to read without moving the store.
            fn at(&self, py: Python<'_>, revision: &str) -> PyResult<Snapshot> {
                self.snapshot(py, revision)
            }

            /// The keys of a revision, in order.
            #[pyo3(signature = (r#ref))]
            fn keys_at<'py>(&self, py: Python<'py>, r#ref: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
                scan::list(py, self.snapshot(py, r#ref)?.tree(), Kind::Keys)
            }

            /// The `(key, value)` pairs of a revision, in key order.
            fn get_keys_at_ref<'py>(
                &self,
                py: Python<'py>,
                reference: &str,
            ) -> PyResult<Vec<Bound<'py, PyAny>>> {
                scan::list(py, self.snapshot(py, reference)?.tree(), Kind::Items)
            }

            /// What changes from one revision to the other: `(key, op, old, new)` rows in key order.
            fn diff<'py>(
                &self,
                py: Python<'py>,
                from_ref: &str,
                to_ref: &str,
            ) -> PyResult<Vec<Bound<'py, PyAny>>> {
                self.changes_between(py, (from_ref, to_ref), (None, None))?.list(py)
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
                self.changes_between(py, (from_ref, to_ref), (start.as_deref(), end.as_deref()))
            }
        }
    };
}

map_methods!(VersionedKvStore);

#[cfg(feature = "namespaced")]
mod of_namespaces {
    use super::*;
    use crate::namespaces::Namespace;

    map_methods!(Namespace);
}
