//! What differs between two revisions.

use std::ops::RangeBounds;

use prolly_core::{Found, NodeReader, Tree, ValueRef, blob};

use super::{ChangeKind, Snapshot, Store, compare::Differences};
use crate::{Catalog, Error, Result, TreeKey, TreeVersion, catalog::read_key};

/// A key that differs between two revisions of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Vec<u8>,
    /// What the first revision holds; `None` when it has no such key.
    pub old: Option<Vec<u8>>,
    /// What the second revision holds; `None` when it has no such key.
    pub new: Option<Vec<u8>>,
}

impl Change {
    /// What happened between the two.
    pub fn kind(&self) -> ChangeKind {
        ChangeKind::between(self.old.is_some(), self.new.is_some())
    }
}

/// The keys that differ between two revisions of a tree, in ascending order: an iterator of `Result<Change>` that
/// compares as it goes and skips what both share. After an error it ends.
pub struct Changes {
    diff: Option<Differences>,
    /// The two versions: a blob is read where its side is.
    old: Option<Tree>,
    new: Option<Tree>,
}

impl Store {
    /// Compares a tree in two revisions. A tree that one of them does not have counts as empty there.
    ///
    /// # Errors
    /// [`Error::UnknownTree`] when neither has it; those of [`Store::resolve`]; what reading reports.
    pub fn diff(&self, tree: &TreeKey, from: &str, to: &str) -> Result<Changes> {
        self.at(from)?.diff(&self.at(to)?, tree)
    }

    /// Compares the entries of a tree whose keys lie in `bounds`.
    ///
    /// # Errors
    /// As [`Store::diff`].
    pub fn diff_range<K: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        from: &str,
        to: &str,
        bounds: impl RangeBounds<K>,
    ) -> Result<Changes> {
        self.at(from)?.diff_range(&self.at(to)?, tree, bounds)
    }
}

impl Snapshot {
    /// Compares a tree of this revision with that of a later one. One that either does not have counts as empty there.
    ///
    /// # Errors
    /// [`Error::UnknownTree`] when neither has it; what reading reports.
    pub fn diff(&self, to: &Self, tree: &TreeKey) -> Result<Changes> {
        self.diff_range::<&[u8]>(to, tree, ..)
    }

    /// Compares the entries of a tree whose keys lie in `bounds`.
    ///
    /// # Errors
    /// As [`Snapshot::diff`].
    pub fn diff_range<K: AsRef<[u8]>>(
        &self,
        to: &Self,
        tree: &TreeKey,
        bounds: impl RangeBounds<K>,
    ) -> Result<Changes> {
        self.catalog().diff_range(to.catalog(), tree, bounds)
    }

    /// The trees that differ between this revision and a later one, in the order of kinds and names. Costs O(changes).
    ///
    /// # Errors
    /// What reading reports.
    pub fn changed_trees(&self, to: &Self) -> Result<Vec<(TreeKey, ChangeKind)>> {
        let mut diff = self.catalog().as_tree().diff(to.catalog().as_tree())?;
        let mut changed = Vec::new();
        while let Some(change) = diff.next_difference()? {
            let kind = ChangeKind::between(change.left.is_some(), change.right.is_some());
            changed.push((read_key(change.key)?, kind));
        }
        Ok(changed)
    }
}

impl Catalog {
    /// Compares a tree of this catalog with that of another. One that either does not have counts as empty there.
    ///
    /// # Errors
    /// [`Error::UnknownTree`] when neither has it; what reading reports.
    pub fn diff_range<K: AsRef<[u8]>>(
        &self,
        to: &Self,
        tree: &TreeKey,
        bounds: impl RangeBounds<K>,
    ) -> Result<Changes> {
        let (old, new) = (self.version(tree)?, to.version(tree)?);
        if old.is_none() && new.is_none() {
            return Err(Error::UnknownTree { tree: tree.clone() });
        }
        Changes::between_range(old, new, bounds)
    }
}

impl Changes {
    /// Compares two versions of a tree. A missing one counts as empty.
    ///
    /// # Errors
    /// What reading reports.
    pub fn between(old: Option<TreeVersion>, new: Option<TreeVersion>) -> Result<Self> {
        Self::between_range::<&[u8]>(old, new, ..)
    }

    fn between_range<K: AsRef<[u8]>>(
        old: Option<TreeVersion>,
        new: Option<TreeVersion>,
        bounds: impl RangeBounds<K>,
    ) -> Result<Self> {
        let diff = Differences::new(old.as_ref(), new.as_ref(), &bounds)?;
        let tree = |version: Option<TreeVersion>| version.map(|version| version.tree);
        Ok(Self { diff, old: tree(old), new: tree(new) })
    }

    fn advance(&mut self) -> Result<Option<Change>> {
        let Some(diff) = &mut self.diff else { return Ok(None) };
        let Some(change) = diff.next_difference()? else { return Ok(None) };
        let read = |tree: &Option<Tree>, found: &Option<Found>| match (tree, found) {
            (Some(tree), Some(found)) => read_plain(&**tree.reader(), change.key, found).map(Some),
            _ => Ok(None),
        };
        let (old, new) = (read(&self.old, &change.left)?, read(&self.new, &change.right)?);
        Ok(Some(Change { key: change.key.to_vec(), old, new }))
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.advance().transpose();
        if matches!(change, Some(Err(_))) {
            self.diff = None;
        }
        change
    }
}

/// Reads the bytes of a plain value, a blob's included.
pub(crate) fn read_plain(reader: &dyn NodeReader, key: &[u8], found: &Found) -> Result<Vec<u8>> {
    match (found.value(), found.link()) {
        (ValueRef::Inline(bytes), _) => Ok(bytes.to_vec()),
        (ValueRef::Blob { len, .. }, Some(link)) => Ok(blob::read(reader, &link, len)?),
        _ => Err(prolly_core::Error::NotAValue { key: key.to_vec() }.into()),
    }
}
