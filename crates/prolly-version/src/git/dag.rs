//! Writes the new objects of a commit as Git objects, children before parents.
//!
//! **Invariant:** every link of an object that is written leads to an object written before it, or to one whose place in
//! this store is attested. Nothing is linked on the word of a hint alone.

use std::sync::Arc;

use gix_hash::ObjectId;
use gix_object::Kind;
use prolly_core::{
    Error as TreeError, Hash, HashedMap, Link, Node, NodeBuffer, Record, Tree, TreeConfig, ValueRef,
};

use super::{
    object::{DagTree, Stored},
    pack::PackWriter,
    reader::{Objects, locator},
};
use crate::{PendingObjects, Result};

/// Writes objects into a pack, each of them once.
pub(super) struct Export<'a, 'p> {
    pending: &'a dyn PendingObjects,
    objects: &'a Objects,
    pack: &'a mut PackWriter<'p>,
    written: HashedMap<Stored>,
    empty_root: Arc<Node>,
}

impl<'a, 'p> Export<'a, 'p> {
    pub(super) fn new(
        pending: &'a dyn PendingObjects,
        objects: &'a Objects,
        pack: &'a mut PackWriter<'p>,
    ) -> Result<Self> {
        let empty = Tree::empty(Arc::new(NodeBuffer::new()), TreeConfig::default())?;
        let empty_root = Arc::clone(empty.root());
        Ok(Self { pending, objects, pack, written: HashedMap::default(), empty_root })
    }

    /// Writes the root of a catalog with everything below it that is new.
    pub(super) fn root(&mut self, root: &Arc<Node>) -> Result<Stored> {
        if let Some(node) = self.pending.node(&root.link())? {
            return self.write_node(&node);
        }
        match self.objects.stored(&root.link(), true) {
            // The node is at hand, so it need not be stored already: the empty root never is.
            Err(TreeError::Missing { .. }) => self.write_node(root),
            stored => Ok(stored?),
        }
    }

    /// What was written, once it is published.
    pub(super) fn into_written(self) -> HashedMap<Stored> {
        self.written
    }

    fn node(&mut self, link: &Link) -> Result<Stored> {
        if let Some(stored) = self.written.get(&link.hash) {
            return Ok(*stored);
        }
        match self.pending.node(link)? {
            Some(node) => self.write_node(&node),
            // A tree without entries needs no store, so its root may never have been written.
            None if link.hash == *self.empty_root.hash() => {
                let root = Arc::clone(&self.empty_root);
                self.write_node(&root)
            }
            None => Ok(self.objects.stored(link, true)?),
        }
    }

    fn record(&mut self, link: &Link) -> Result<Stored> {
        if let Some(stored) = self.written.get(&link.hash) {
            return Ok(*stored);
        }
        match self.pending.record(link)? {
            Some(encoded) => self.write_record(&link.hash, &encoded),
            None => Ok(self.objects.stored(link, false)?),
        }
    }

    fn write_node(&mut self, node: &Arc<Node>) -> Result<Stored> {
        let mut links = Vec::with_capacity(node.link_count());
        for index in 0..node.count() {
            if !node.is_leaf() {
                links.push(self.node(&node.child(index))?);
            } else if let Some(link) = node.value_link(index) {
                links.push(match node.value(index) {
                    ValueRef::Tree { .. } => self.node(&link)?,
                    _ => self.record(&link)?,
                });
            }
        }
        let locators = links.iter().map(|link| locator(&link.id)).collect();
        let stored = self.write(node.hash(), node.bytes(), links)?;
        // Should this commit fail, these are hints to nowhere, and hints are checked.
        node.set_locators(locator(&stored.id), locators);
        self.objects.cache.insert(Arc::clone(node));
        Ok(stored)
    }

    fn write_record(&mut self, hash: &Hash, encoded: &[u8]) -> Result<Stored> {
        let record = Record::decode(encoded).map_err(|error| match error {
            TreeError::Malformed { reason } => TreeError::Corrupt { hash: *hash, reason },
            other => other,
        })?;
        let links = record.links().map(|link| self.record(&link.into())).collect::<Result<_>>()?;
        self.write(hash, encoded, links)
    }

    fn write(&mut self, hash: &Hash, bytes: &[u8], links: Vec<Stored>) -> Result<Stored> {
        let own = self.pack.add(Kind::Blob, bytes)?;
        let stored = if links.is_empty() {
            Stored { id: own, is_tree: false }
        } else {
            let id: ObjectId = self.pack.add(Kind::Tree, &DagTree { own, links }.encode())?;
            Stored { id, is_tree: true }
        };
        self.written.insert(*hash, stored);
        Ok(stored)
    }
}
