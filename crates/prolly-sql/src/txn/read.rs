//! Reading through a transaction: its own edits before what it was begun on.

use std::sync::Arc;

use prolly_core::{NodeBuffer, ProllyTree, Tree, TreeConfig};
use prolly_version::{Error as VersionError, Moment, TreeKey, TreeKind, TreeVersion};

use super::{Expectation, Origin, Txn, edit, keys_below, unknown};
use crate::Result;

impl Txn {
    /// The metadata of a tree; `None` when there is no such tree.
    pub(crate) fn metadata(&self, tree: &TreeKey) -> Result<Option<Vec<u8>>> {
        let from = match self.changed.get(tree) {
            None => tree,
            Some(None) => return Ok(None),
            Some(Some(changed)) => match (&changed.metadata, &changed.from) {
                (Some(metadata), _) => return Ok(Some(metadata.clone())),
                (None, Some(from)) => from,
                (None, None) => unreachable!("a tree that began empty has metadata of its own"),
            },
        };
        if let Some(version) = self.opened.borrow().get(from) {
            return Ok(version.as_ref().map(|version| version.metadata.clone()));
        }
        if let Origin::Live { store, .. } = &self.origin {
            self.reads.set(self.reads.get() + 1);
            return match store.metadata(from) {
                Ok(metadata) => Ok(Some(metadata)),
                Err(VersionError::UnknownTree { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        Ok(self.open(from)?.map(|version| version.metadata))
    }

    /// Reads the value of a key of a tree that exists.
    pub(crate) fn get(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let from = match self.changed.get(tree) {
            None => tree,
            Some(None) => return Err(unknown(tree)),
            Some(Some(changed)) => match (changed.edits.get(key), &changed.from) {
                (Some(edit), _) => return Ok(edit.clone()),
                (None, Some(from)) => from,
                (None, None) => return Ok(None),
            },
        };
        if let Some(version) = self.opened.borrow().get(from) {
            let version = version.as_ref().ok_or_else(|| unknown(tree))?;
            return Ok(version.tree.get(key)?);
        }
        match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                Ok(store.get(from, key)?)
            }
            Origin::Snapshot { .. } | Origin::Revision { .. } => {
                let version = self.open(from)?.ok_or_else(|| unknown(tree))?;
                Ok(version.tree.get(key)?)
            }
        }
    }

    /// Reads the value of a key, which has to be the same when the transaction ends: for a check that later depends on it.
    pub(crate) fn get_expecting(&self, tree: &TreeKey, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.expect(Expectation::Entry(tree.clone(), key.to_vec()));
        self.get(tree, key)
    }

    /// Reads the keys that begin with some bytes, of which there have to be the same when the transaction ends.
    pub(crate) fn prefix_expecting(&self, tree: &TreeKey, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.expect(Expectation::Keys(tree.clone(), prefix.to_vec()));
        keys_below(&self.tree(tree)?, prefix)
    }

    /// Reads the metadata of a tree, which have to be the same when the transaction ends.
    pub(crate) fn metadata_expecting(&self, tree: &TreeKey) -> Result<Option<Vec<u8>>> {
        self.expect(Expectation::Metadata(tree.clone()));
        self.metadata(tree)
    }

    /// Reads the names of the trees of a kind that begin with some bytes, of which there have to be the same when the transaction
    /// ends.
    pub(crate) fn tree_keys_expecting(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        self.expect(Expectation::Trees(kind, prefix.to_vec()));
        self.tree_keys(kind, prefix)
    }

    fn expect(&self, expectation: Expectation) {
        self.expected.borrow_mut().push(expectation);
    }

    /// A tree that exists, with the edits of this transaction in it.
    pub(crate) fn tree(&self, tree: &TreeKey) -> Result<Tree> {
        let changed = match self.changed.get(tree) {
            None => return Ok(self.open(tree)?.ok_or_else(|| unknown(tree))?.tree),
            Some(None) => return Err(unknown(tree)),
            Some(Some(changed)) => changed,
        };
        let mut whole = changed.whole.borrow_mut();
        if let Some(whole) = whole.as_mut() {
            return Ok(whole.tree()?.clone());
        }
        let base = match &changed.from {
            Some(from) => self.open(from)?.ok_or_else(|| unknown(tree))?.tree,
            None => Tree::empty(Arc::new(NodeBuffer::new()), TreeConfig::default())?,
        };
        let nodes = Arc::new(NodeBuffer::over(Arc::clone(base.reader())));
        let mut made = ProllyTree::over(Arc::clone(&nodes) as _, base.with_reader(nodes));
        for (key, value) in &changed.edits {
            edit(&mut made, key, value.as_deref())?;
        }
        let tree = made.tree()?.clone();
        *whole = Some(made);
        Ok(tree)
    }

    /// The names of the trees of a kind that begin with some bytes, in their order.
    pub(crate) fn tree_keys(&self, kind: TreeKind, prefix: &[u8]) -> Result<Vec<TreeKey>> {
        let mut keys = match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                store.tree_keys(kind, prefix)?
            }
            Origin::Snapshot { moment: Moment { catalog, .. }, .. } | Origin::Revision { catalog, .. } => {
                catalog.keys(kind, prefix)?
            }
        };
        if !self.changed.is_empty() {
            keys.retain(|key| !matches!(self.changed.get(key), Some(None)));
            let is_asked = |key: &&TreeKey| key.kind() == kind && key.name().starts_with(prefix);
            let present = self.changed.iter().filter(|(_, changed)| changed.is_some());
            keys.extend(present.map(|(key, _)| key).filter(is_asked).cloned());
            keys.sort_unstable();
            keys.dedup();
        }
        Ok(keys)
    }

    /// A tree of the origin, kept for later reads.
    fn open(&self, tree: &TreeKey) -> Result<Option<TreeVersion>> {
        if let Some(version) = self.opened.borrow().get(tree) {
            return Ok(version.clone());
        }
        let version = match &self.origin {
            Origin::Live { store, .. } => {
                self.reads.set(self.reads.get() + 1);
                match store.version(tree) {
                    Err(VersionError::UnknownTree { .. }) => None,
                    found => Some(found?),
                }
            }
            Origin::Snapshot { moment: Moment { catalog, .. }, .. } | Origin::Revision { catalog, .. } => {
                catalog.version(tree)?
            }
        };
        self.opened.borrow_mut().insert(tree.clone(), version.clone());
        Ok(version)
    }
}
