//! What differs between two revisions.

use std::ops::RangeBounds;

use prolly_core::{Diff, Found, NodeReader, Tree, ValueRef, blob};

use super::{ChangeKind, Snapshot, Store, status::differences};
use crate::{Error, Result, TreeKey, catalog::read_key};

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
    diffs: std::vec::IntoIter<(Diff, Tree)>,
    current: Option<(Diff, Tree)>,
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
        let (old, new) = (self.catalog().version(tree)?, to.catalog().version(tree)?);
        let reader = old.as_ref().or(new.as_ref()).map(|version| version.tree.clone());
        let reader = reader.ok_or_else(|| Error::UnknownTree { tree: tree.clone() })?;
        let diffs = differences(old.as_ref(), new.as_ref(), &bounds)?;
        let diffs: Vec<_> = diffs.into_iter().map(|diff| (diff, reader.clone())).collect();
        Ok(Changes { diffs: diffs.into_iter(), current: None })
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

impl Changes {
    fn advance(&mut self) -> Result<Option<Change>> {
        loop {
            if let Some((diff, tree)) = &mut self.current
                && let Some(change) = diff.next_difference()?
            {
                let read = |found: &Option<Found>| {
                    found.as_ref().map(|found| read_plain(&**tree.reader(), change.key, found)).transpose()
                };
                let (old, new) = (read(&change.left)?, read(&change.right)?);
                return Ok(Some(Change { key: change.key.to_vec(), old, new }));
            }
            self.current = self.diffs.next();
            if self.current.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.advance().transpose();
        if matches!(change, Some(Err(_))) {
            *self = Self { diffs: Vec::new().into_iter(), current: None };
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
