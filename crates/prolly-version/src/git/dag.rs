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
    commit,
    object::{DagTree, Stored},
    odb::id_of,
    pack::PackWriter,
    reader::{Objects, locator},
};
use crate::{BatchCommit, Commit, CommitId, PendingObjects, Result};

/// Writes objects into a pack, each of them once.
pub(super) struct Export<'a, 'p> {
    pending: &'a dyn PendingObjects,
    objects: &'a Objects,
    pack: &'a mut PackWriter<'p>,
    written: HashedMap<Stored>,
    /// The trees of commits that were written, by the roots of their catalogs.
    commit_trees: HashedMap<ObjectId>,
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
        Ok(Self {
            pending,
            objects,
            pack,
            written: HashedMap::default(),
            commit_trees: HashedMap::default(),
            empty_root,
        })
    }

    /// Writes a commit with everything it needs; `earlier` are the ids of the commits before it in its batch.
    ///
    /// # Errors
    /// [`DamagedCommit`](crate::Error::DamagedCommit) or [`ForeignCommit`](crate::Error::ForeignCommit) when it is not its
    /// original.
    pub(super) fn commit(&mut self, commit: &BatchCommit, earlier: &[CommitId]) -> Result<Commit> {
        let draft = commit.draft(earlier)?;
        let root = self.root(&draft.root)?;
        let tree = match self.commit_trees.get(draft.root.hash()) {
            Some(tree) => *tree,
            None => {
                let mark = self.pack.add(Kind::Blob, &commit::encode_mark(draft.root.hash()))?;
                let tree = self.pack.add(Kind::Tree, &commit::encode_tree(mark, root))?;
                self.commit_trees.insert(*draft.root.hash(), tree);
                tree
            }
        };
        let content = match &commit.original {
            Some(original) => {
                commit::check_original(&original.id, &original.encoded, &tree, &draft.parents)?;
                original.encoded.clone()
            }
            None => commit::encode(&draft, tree),
        };
        let object = id_of(Kind::Commit, &content)?;
        let id = commit::commit_id(object);
        commit.check_id(&id)?;
        if !earlier.contains(&id) {
            self.pack.add_known(object, Kind::Commit, &content)?;
        }
        Ok(Commit {
            id,
            root: Link { hash: *draft.root.hash(), locator: locator(&root.id) },
            parents: draft.parents,
            author: draft.author,
            committer: draft.committer,
            message: draft.message,
        })
    }

    /// Writes the root of a catalog with everything below it that is new.
    fn root(&mut self, root: &Arc<Node>) -> Result<Stored> {
        if let Some(stored) = self.written.get(root.hash()) {
            return Ok(*stored);
        }
        if let Some(node) = self.pending.node(&root.link())? {
            return self.write_node(&node);
        }
        match self.objects.stored(&self.placed(&root.link()), true) {
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
            None => Ok(self.objects.stored(&self.placed(link), true)?),
        }
    }

    fn record(&mut self, link: &Link) -> Result<Stored> {
        if let Some(stored) = self.written.get(&link.hash) {
            return Ok(*stored);
        }
        match self.pending.record(link)? {
            Some(encoded) => self.write_record(&link.hash, &encoded),
            None => Ok(self.objects.stored(&self.placed(link), false)?),
        }
    }

    /// The link to an object that is not pending, with whatever hint there is.
    fn placed(&self, link: &Link) -> Link {
        match link.locator.get() {
            Some(_) => *link,
            None => Link { hash: link.hash, locator: self.pending.placed(&link.hash) },
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
        self.pending.place(hash, locator(&stored.id));
        Ok(stored)
    }
}
