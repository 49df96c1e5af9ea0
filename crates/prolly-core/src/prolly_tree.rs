//! A tree that can be edited.
//!
//! Edits go to an overlay in memory; reads look there first. What needs the tree itself flushes the overlay as one sorted
//! batch, so edits one at a time cost what an ordered map costs and the tree is rewritten once per batch.
//!
//! **Invariant:** a [`Tree`] taken from it stays readable: nodes that an edit replaced leave the store only when no handle
//! is left that could need them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Error, Hash, HashedMap, Link, Node, NodeReader, NodeStore, NodeWriter, Result, Tree, TreeConfig,
    edit::EditSource,
    overlay::{Edited, Overlay},
};

/// The overlay is flushed at this many edits, or at half the entries of the tree if that is more: a tree that grows
/// is rewritten a logarithmic number of times.
const FLUSH_EDITS_MIN: usize = 64 * 1024;
/// The overlay is flushed at this many bytes whatever its edits.
const FLUSH_BYTES: usize = 64 << 20;

/// A mutable tree: an immutable one, and the edits made since.
pub struct ProllyTree {
    store: Arc<dyn NodeStore>,
    tree: Tree,
    overlay: Overlay,
    flush_bytes: usize,
    /// Nodes that this tree has written and uses.
    own: HashedMap<()>,
    /// Nodes that it has written and no longer uses, but a handle on one of its earlier states may.
    replaced: HashedMap<()>,
}

/// Passes the nodes of one flush on, and collects which are new and which are no longer used.
struct Collector<'a> {
    store: &'a dyn NodeStore,
    own: &'a HashedMap<()>,
    replaced: &'a HashedMap<()>,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    written: HashedMap<()>,
    unused: HashedMap<()>,
}

impl Collector<'_> {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NodeWriter for Collector<'_> {
    fn write_node(&self, node: Arc<Node>) -> Result<()> {
        let hash = *node.hash();
        let mut changes = self.changes();
        changes.unused.remove(&hash);
        let known = self.own.contains_key(&hash) || self.replaced.contains_key(&hash);
        if changes.written.insert(hash, ()).is_some() || known {
            return Ok(());
        }
        drop(changes);
        self.store.write_node(node)
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        self.store.write_record(hash, encoded)
    }

    fn forget_node(&self, hash: &Hash) -> Result<()> {
        self.changes().unused.insert(*hash, ());
        Ok(())
    }
}

impl ProllyTree {
    /// Makes an empty tree whose nodes go to `store`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`].
    pub fn new(store: Arc<dyn NodeStore>, config: TreeConfig) -> Result<Self> {
        let tree = Tree::empty(Arc::clone(&store) as Arc<dyn NodeReader>, config)?;
        Ok(Self::over(store, tree))
    }

    /// Opens the tree with the root node `root` in `store`.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn open(store: Arc<dyn NodeStore>, config: TreeConfig, root: &Link) -> Result<Self> {
        let tree = Tree::open(Arc::clone(&store) as Arc<dyn NodeReader>, config, root)?;
        Ok(Self::over(store, tree))
    }

    /// Makes a mutable tree from an immutable one; new nodes go to `store`, which must be able to read the old ones.
    pub fn over(store: Arc<dyn NodeStore>, tree: Tree) -> Self {
        let tree = tree.with_reader(Arc::clone(&store) as Arc<dyn NodeReader>);
        Self {
            store,
            tree,
            overlay: Overlay::default(),
            flush_bytes: FLUSH_BYTES,
            own: HashedMap::default(),
            replaced: HashedMap::default(),
        }
    }

    /// Sets how many bytes of edits are kept before they are flushed (64 MiB unless set).
    pub fn set_flush_bytes(&mut self, bytes: usize) {
        self.flush_bytes = bytes;
    }

    /// The configuration.
    pub fn config(&self) -> &TreeConfig {
        self.tree.config()
    }

    /// Gives a key a value, whether or not it had one.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`] beyond 64 KiB, [`Error::ValueTooLong`] beyond 1 GiB; what a flush reports.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.overlay.set(key, Some(value))?;
        self.flush_if_full()
    }

    /// Gives an existing key another value.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`] when the key does not exist; else as [`ProllyTree::insert`].
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if !self.contains(key)? {
            return Err(Error::KeyNotFound { key: key.to_vec() });
        }
        self.insert(key, value)
    }

    /// Removes a key; says whether it existed.
    ///
    /// # Errors
    /// What reading a node or a flush reports.
    pub fn delete(&mut self, key: &[u8]) -> Result<bool> {
        if !self.contains(key)? {
            return Ok(false);
        }
        self.remove(key)?;
        Ok(true)
    }

    /// Makes sure that a key is absent, without finding out whether it existed.
    ///
    /// # Errors
    /// As [`ProllyTree::insert`].
    pub fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.overlay.set(key, None)?;
        self.flush_if_full()
    }

    /// Reads the value of a key.
    ///
    /// # Errors
    /// What reading a node or a blob reports.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.overlay.get(key) {
            Some(Edited::Put(value)) => Ok(Some(value.to_vec())),
            Some(Edited::Deleted) => Ok(None),
            None => self.tree.get(key),
        }
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        match self.overlay.get(key) {
            Some(edited) => Ok(edited != Edited::Deleted),
            None => self.tree.contains(key),
        }
    }

    /// The tree with all edits in it.
    ///
    /// # Errors
    /// What a flush reports.
    pub fn tree(&mut self) -> Result<&Tree> {
        self.flush()?;
        Ok(&self.tree)
    }

    /// The tree without the edits that are still in the overlay, and how many those are.
    pub fn flushed(&self) -> (&Tree, usize) {
        (&self.tree, self.overlay.len())
    }

    /// The address of the root with all edits in it.
    ///
    /// # Errors
    /// What a flush reports.
    pub fn root_hash(&mut self) -> Result<Hash> {
        Ok(self.tree()?.root_hash())
    }

    /// Number of entries.
    ///
    /// # Errors
    /// What a flush reports.
    #[expect(clippy::len_without_is_empty, reason = "both would flush; callers ask the tree")]
    pub fn len(&mut self) -> Result<u64> {
        Ok(self.tree()?.len())
    }

    /// Applies a batch of edits with strictly ascending keys.
    ///
    /// # Errors
    /// As [`Tree::apply`]; the tree is as before then.
    pub fn apply(&mut self, edits: &mut dyn EditSource) -> Result<()> {
        self.flush()?;
        self.apply_to_tree(edits)
    }

    /// Puts the overlay's edits into the tree.
    ///
    /// # Errors
    /// What reading or writing a node reports; the edits are still in the overlay then.
    pub fn flush(&mut self) -> Result<()> {
        if self.overlay.len() > 0 {
            let overlay = std::mem::take(&mut self.overlay);
            let applied = self.apply_to_tree(&mut overlay.sorted());
            self.overlay = overlay;
            applied?;
            self.overlay.clear();
        }
        Ok(())
    }

    fn apply_to_tree(&mut self, edits: &mut dyn EditSource) -> Result<()> {
        let collector = Collector {
            store: &*self.store,
            own: &self.own,
            replaced: &self.replaced,
            changes: Mutex::default(),
        };
        let applied = self.tree.apply_replacing(&collector, edits);
        let Changes { written, unused } =
            collector.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.tree = match applied {
            Ok(tree) => tree,
            Err(error) => {
                // What the failed batch wrote is of no use; the batch's own error is the one to report.
                let new = written.into_keys().filter(|hash| !self.own.contains_key(hash));
                self.replaced.extend(new.map(|hash| (hash, ())));
                return Err(error);
            }
        };
        for (hash, ()) in written {
            self.replaced.remove(&hash);
            self.own.insert(hash, ());
        }
        for (hash, ()) in unused {
            if self.own.remove(&hash).is_some() {
                self.replaced.insert(hash, ());
            }
        }
        if self.tree.is_only_handle() {
            for (hash, ()) in self.replaced.drain() {
                self.store.forget_node(&hash)?;
            }
        }
        Ok(())
    }

    fn flush_if_full(&mut self) -> Result<()> {
        let edits_max = FLUSH_EDITS_MIN.max(usize::try_from(self.tree.len() / 2).unwrap_or(usize::MAX));
        if self.overlay.len() >= edits_max || self.overlay.bytes() >= self.flush_bytes {
            self.flush()?;
        }
        Ok(())
    }
}
