//! A revision, read without moving the store.

use std::ops::RangeBounds;

use prolly_core::{Range, Tree};

use crate::{Catalog, Commit, Error, Result, TreeKey};

/// The contents of a commit. It does not change, and holds nothing but what it has read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    commit: Commit,
    catalog: Catalog,
}

impl Snapshot {
    pub(crate) fn new(commit: Commit, catalog: Catalog) -> Self {
        Self { commit, catalog }
    }

    /// The commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// All its trees.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// One of its trees; `None` when it has none of this name.
    ///
    /// # Errors
    /// What reading reports.
    pub fn find_tree(&self, tree: &TreeKey) -> Result<Option<Tree>> {
        self.catalog.tree(tree)
    }

    /// One of its trees.
    ///
    /// # Errors
    /// [`Error::UnknownTree`] when it has none of this name; what reading reports.
    pub fn tree(&self, tree: &TreeKey) -> Result<Tree> {
        self.catalog.tree(tree)?.ok_or_else(|| Error::UnknownTree { tree: tree.clone() })
    }

    /// Reads the value of a key.
    ///
    /// # Errors
    /// As [`Snapshot::tree`].
    pub fn get(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.tree(tree)?.get(key)?)
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// As [`Snapshot::tree`].
    pub fn contains(&self, tree: &TreeKey, key: &[u8]) -> Result<bool> {
        Ok(self.tree(tree)?.contains(key)?)
    }

    /// The entries of a range of keys.
    ///
    /// # Errors
    /// As [`Snapshot::tree`].
    pub fn range<K: AsRef<[u8]>>(&self, tree: &TreeKey, bounds: impl RangeBounds<K>) -> Result<Range> {
        Ok(self.tree(tree)?.range(bounds)?)
    }
}
