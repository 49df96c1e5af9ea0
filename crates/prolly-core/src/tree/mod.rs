//! An immutable tree: a root, and where to read the nodes below it.
//!
//! **Invariant:** a handle never changes what it shows. A node that cannot be read is an error, never an empty subtree.

mod cursor;
mod level_cursor;
mod range;
mod stats;

use std::{fmt, sync::Arc};

pub use cursor::Cursor;
pub(crate) use level_cursor::LevelCursor;
pub use range::{Range, prefix_end};
pub use stats::TreeStats;

use crate::{Error, Hash, Link, Node, NodeReader, Result, TreeConfig, ValueRef, blob, edit::empty_root};

/// A handle on an immutable tree. Cloning it is cheap.
#[derive(Clone)]
pub struct Tree {
    reader: Arc<dyn NodeReader>,
    config: TreeConfig,
    root: Arc<Node>,
    /// Shared by all handles on states of one tree, so that its owner knows whether it is alone.
    handles: Arc<()>,
}

/// An entry that was found: it keeps its leaf in memory.
#[derive(Clone, Debug)]
pub struct Found {
    leaf: Arc<Node>,
    index: usize,
}

impl Found {
    pub(crate) fn new(leaf: Arc<Node>, index: usize) -> Self {
        Self { leaf, index }
    }

    /// The key, in two parts.
    pub(crate) fn key_parts(&self) -> (&[u8], &[u8]) {
        (self.leaf.prefix(), self.leaf.key_suffix(self.index))
    }

    pub(crate) fn read_key(&self, key: &mut Vec<u8>) {
        self.leaf.read_key(self.index, key);
    }

    /// The value.
    pub fn value(&self) -> ValueRef<'_> {
        self.leaf.value(self.index)
    }

    /// The object that the value links to, `None` for inline bytes.
    pub fn link(&self) -> Option<Link> {
        self.leaf.value_link(self.index)
    }

    /// The tagged form of the value: equal forms mean equal values.
    pub fn tagged(&self) -> &[u8] {
        self.leaf.tagged_value(self.index)
    }
}

impl Tree {
    /// Makes the empty tree.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] when the configuration is out of bounds.
    pub fn empty(reader: Arc<dyn NodeReader>, config: TreeConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { reader, config, root: empty_root(), handles: Arc::new(()) })
    }

    /// Opens the tree with the root node `root`, which has to have been built with `config`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`], or what reading the root node reports.
    pub fn open(reader: Arc<dyn NodeReader>, config: TreeConfig, root: &Link) -> Result<Self> {
        let empty = Self::empty(reader, config)?;
        if root.hash == *empty.root.hash() {
            return Ok(empty);
        }
        let root = empty.reader.read_node(root)?;
        Ok(empty.with_root(root))
    }

    /// The root node.
    pub fn root(&self) -> &Arc<Node> {
        &self.root
    }

    /// The address of the root: equal for equal contents under equal configurations.
    pub fn root_hash(&self) -> Hash {
        *self.root.hash()
    }

    /// Number of entries, in O(1).
    pub fn len(&self) -> u64 {
        self.root.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of levels: 1 for a tree that is a single leaf.
    pub fn height(&self) -> usize {
        usize::from(self.root.level()) + 1
    }

    /// The configuration.
    pub fn config(&self) -> &TreeConfig {
        &self.config
    }

    /// Where the nodes are read from.
    pub fn reader(&self) -> &Arc<dyn NodeReader> {
        &self.reader
    }

    /// The same tree, its nodes read from elsewhere.
    pub fn with_reader(&self, reader: Arc<dyn NodeReader>) -> Self {
        Self { reader, handles: Arc::new(()), ..self.clone() }
    }

    /// Looks a key up, in O(log n).
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn find(&self, key: &[u8]) -> Result<Option<Found>> {
        let mut below: Option<Arc<Node>> = None;
        loop {
            let node = below.as_ref().unwrap_or(&self.root);
            if node.is_leaf() {
                let Ok(index) = node.search(key) else { return Ok(None) };
                return Ok(Some(Found { leaf: Arc::clone(node), index }));
            }
            let index = node.lower_bound(key);
            if index == node.count() {
                return Ok(None);
            }
            below = Some(self.load_child(node, index)?);
        }
    }

    /// Reads the bytes of a plain value, a blob's included.
    ///
    /// # Errors
    /// [`Error::NotAValue`] when the entry links to a tree; what reading a node reports.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(found) = self.find(key)? else { return Ok(None) };
        read_value(&*self.reader, key, found.value(), found.link()).map(Some)
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.find(key)?.is_some())
    }

    /// Number of keys less than `key`, in O(log n).
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn rank(&self, key: &[u8]) -> Result<u64> {
        let mut node = Arc::clone(&self.root);
        let mut before = 0;
        while !node.is_leaf() {
            let index = node.lower_bound(key);
            before += (0..index).map(|index| node.child_len(index)).sum::<u64>();
            if index == node.count() {
                return Ok(before);
            }
            node = self.load_child(&node, index)?;
        }
        Ok(before + node.lower_bound(key) as u64)
    }

    /// A cursor on no entry yet.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.clone())
    }

    /// Whether no other handle was cloned or derived from this one, or this one from it.
    pub(crate) fn is_only_handle(&self) -> bool {
        Arc::strong_count(&self.handles) == 1
    }

    pub(crate) fn with_root(&self, root: Arc<Node>) -> Self {
        Self { root, ..self.clone() }
    }

    /// Child `index` of an internal node, from memory if it is there.
    pub(crate) fn load_child(&self, parent: &Node, index: usize) -> Result<Arc<Node>> {
        if let Some(child) = parent.cached_child(index) {
            return Ok(child);
        }
        let child = self.reader.read_node(&parent.child(index))?;
        if child.level() != parent.level() - 1 || child.len() != parent.child_len(index) {
            let reason = format!("it does not fit its place below {}", parent.hash());
            return Err(Error::Corrupt { hash: *child.hash(), reason });
        }
        parent.remember_child(index, &child);
        Ok(child)
    }
}

/// Reads the bytes of a plain value; `key` is for the error.
pub(crate) fn read_value(
    reader: &dyn NodeReader,
    key: &[u8],
    value: ValueRef<'_>,
    link: Option<Link>,
) -> Result<Vec<u8>> {
    match value {
        ValueRef::Inline(bytes) => Ok(bytes.to_vec()),
        ValueRef::Blob { len, hash } => blob::read(reader, &link.unwrap_or_else(|| hash.into()), len),
        ValueRef::Tree { .. } => Err(Error::NotAValue { key: key.to_vec() }),
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({}, {} entries)", self.root_hash(), self.len())
    }
}
