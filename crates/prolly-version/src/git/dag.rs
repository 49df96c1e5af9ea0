//! Writes the new objects of a commit as Git objects, children before parents.
//!
//! **Invariant:** every link of an object that is written leads to an object written before it, or to one whose place in
//! this store is attested. Nothing is linked on the word of a hint alone.

use std::sync::Arc;

use gix_hash::ObjectId;
use gix_object::Kind;
use prolly_core::{
    Error as TreeError, Hash, HashedMap, Link, Node, NodeBuffer, ObjectLink, Tree, TreeConfig, blob_links,
};

use super::{
    commit,
    object::{DagTree, Stored},
    odb::id_of,
    pack::PackWriter,
    reader::{Objects, locator},
};
use crate::{BatchCommit, Commit, CommitId, Error, PendingObjects, Result};

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
        let first = match self.find(ObjectLink::Node(root.link())) {
            Ok(Found::Written(stored)) => return Ok(stored),
            Ok(Found::Pending(open)) => open,
            // The node is at hand, so it need not be stored already: the empty root never is.
            Err(Error::Tree(TreeError::Missing { hash })) if hash == *root.hash() => {
                Open::node(Arc::clone(root))
            }
            Err(error) => return Err(error),
        };
        // Not by recursion: a hostile source may nest objects as deeply as it likes.
        let mut open = vec![first];
        loop {
            let last = open.last_mut().expect("it ends with the first");
            if let Some(link) = last.links.get(last.stored.len()).copied() {
                match self.find(link)? {
                    Found::Written(stored) => last.stored.push(stored),
                    Found::Pending(below) => open.push(below),
                }
                continue;
            }
            let Some(done) = open.pop() else { continue };
            let stored = self.write_object(done)?;
            match open.last_mut() {
                Some(above) => above.stored.push(stored),
                None => return Ok(stored),
            }
        }
    }

    /// What was written, once it is published.
    pub(super) fn into_written(self) -> HashedMap<Stored> {
        self.written
    }

    /// Finds where an object is, or what it is made of if it has to be written first.
    fn find(&self, object: ObjectLink) -> Result<Found> {
        let link = *object.link();
        if let Some(stored) = self.written.get(&link.hash) {
            return Ok(Found::Written(*stored));
        }
        let is_node = match object {
            ObjectLink::Node(_) => {
                if let Some(node) = self.pending.node(&link)? {
                    return Ok(Found::Pending(Open::node(node)));
                }
                // A tree without entries needs no store, so its root may never have been written.
                if link.hash == *self.empty_root.hash() {
                    return Ok(Found::Pending(Open::node(Arc::clone(&self.empty_root))));
                }
                true
            }
            ObjectLink::Record(_) => {
                if let Some(encoded) = self.pending.record(&link)? {
                    return Ok(Found::Pending(Open::record(link.hash, encoded)?));
                }
                false
            }
        };
        Ok(Found::Written(self.objects.stored(&self.placed(&link), is_node)?))
    }

    /// The link to an object that is not pending, with whatever hint there is.
    fn placed(&self, link: &Link) -> Link {
        match link.locator.get() {
            Some(_) => *link,
            None => Link { hash: link.hash, locator: self.pending.placed(&link.hash) },
        }
    }

    /// Writes an object, everything that it links to being written.
    fn write_object(&mut self, open: Open) -> Result<Stored> {
        let Open { object, stored: links, .. } = open;
        match object {
            Object::Node(node) => {
                let locators = links.iter().map(|link| locator(&link.id)).collect();
                let stored = self.write(node.hash(), node.bytes(), links)?;
                // Should this commit fail, these are hints to nowhere, and hints are checked.
                node.set_locators(locator(&stored.id), locators);
                self.objects.cache.insert(node);
                Ok(stored)
            }
            Object::Record(hash, encoded) => self.write(&hash, &encoded, links),
        }
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

/// An object that is to be written, after what it links to.
struct Open {
    object: Object,
    links: Vec<ObjectLink>,
    /// Where the first of them are.
    stored: Vec<Stored>,
}

enum Object {
    Node(Arc<Node>),
    Record(Hash, Arc<[u8]>),
}

/// Where an object is.
enum Found {
    Written(Stored),
    Pending(Open),
}

impl Open {
    fn node(node: Arc<Node>) -> Self {
        let links: Vec<_> = node.object_links().collect();
        Self { stored: Vec::with_capacity(links.len()), links, object: Object::Node(node) }
    }

    fn record(hash: Hash, encoded: Arc<[u8]>) -> Result<Self> {
        let links: Vec<_> = blob_links(&encoded)
            .map_err(|error| match error {
                TreeError::Malformed { reason } => TreeError::Corrupt { hash, reason },
                other => other,
            })?
            .collect();
        Ok(Self { stored: Vec::with_capacity(links.len()), links, object: Object::Record(hash, encoded) })
    }
}
