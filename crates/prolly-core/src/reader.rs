//! What a tree needs of the place its nodes live in. Stores implement these traits; the tree does no I/O of its own.

use std::{
    collections::hash_map::Entry,
    fmt,
    sync::{Arc, RwLock},
};

use crate::{Error, Hash, Link, Node, Record, Result, hash::HashedMap};

/// Reads objects by address.
pub trait NodeReader: Send + Sync {
    /// Reads a node.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not there, [`Error::Corrupt`] when its bytes are not those the address names,
    /// [`Error::Store`] when the store failed. Never an empty node in place of a lost one.
    fn read_node(&self, link: &Link) -> Result<Arc<Node>>;

    /// Reads the encoding of a record (see [`Record`]), verified against its address.
    ///
    /// # Errors
    /// As [`NodeReader::read_node`].
    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>>;
}

/// Takes the objects that an edit makes.
pub trait NodeWriter: Send + Sync {
    /// Takes a new node. Taking an equal one again counts: it has to be forgotten as often.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed.
    fn write_node(&self, node: Arc<Node>) -> Result<()>;

    /// Takes a new record: its address and its encoding.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed.
    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()>;

    /// Takes back one earlier [`NodeWriter::write_node`] of a node, whose writer no longer needs it. A store that has
    /// made the node durable may keep it.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed.
    fn forget_node(&self, hash: &Hash) -> Result<()>;
}

/// Both directions.
pub trait NodeStore: NodeReader + NodeWriter {}

impl<T: NodeReader + NodeWriter> NodeStore for T {}

/// New objects in memory, in front of an optional store of older ones.
///
/// Without a store behind it, it is the simplest place for a tree to live.
#[derive(Default)]
pub struct NodeBuffer {
    base: Option<Arc<dyn NodeReader>>,
    /// Nodes, and how often each was written.
    nodes: RwLock<HashedMap<(Arc<Node>, usize)>>,
    records: RwLock<HashedMap<Arc<[u8]>>>,
}

impl NodeBuffer {
    /// Makes an empty buffer with nothing behind it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty buffer in front of `base`.
    pub fn over(base: Arc<dyn NodeReader>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// The buffered node `hash`, without asking the store behind.
    pub fn buffered_node(&self, hash: &Hash) -> Option<Arc<Node>> {
        self.nodes
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(hash)
            .map(|(node, _)| Arc::clone(node))
    }

    /// The buffered record `hash`, without asking the store behind.
    pub fn buffered_record(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        self.records.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(hash).cloned()
    }

    /// Number of buffered nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// Number of buffered objects.
    pub fn object_count(&self) -> usize {
        self.node_count() + self.records.read().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// Drops every buffered object.
    pub fn clear(&self) {
        self.nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        self.records.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

impl NodeReader for NodeBuffer {
    fn read_node(&self, link: &Link) -> Result<Arc<Node>> {
        match (self.buffered_node(&link.hash), &self.base) {
            (Some(node), _) => Ok(node),
            (None, Some(base)) => base.read_node(link),
            (None, None) => Err(Error::Missing { hash: link.hash }),
        }
    }

    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>> {
        match (self.buffered_record(&link.hash), &self.base) {
            (Some(record), _) => Ok(record),
            (None, Some(base)) => base.read_record(link),
            (None, None) => Err(Error::Missing { hash: link.hash }),
        }
    }
}

impl NodeWriter for NodeBuffer {
    fn write_node(&self, node: Arc<Node>) -> Result<()> {
        let mut nodes = self.nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        nodes.entry(*node.hash()).or_insert((node, 0)).1 += 1;
        Ok(())
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        debug_assert_eq!(Record::address(&encoded), hash);
        self.records.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(hash, encoded.into());
        Ok(())
    }

    fn forget_node(&self, hash: &Hash) -> Result<()> {
        let mut nodes = self.nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = nodes.entry(*hash) {
            entry.get_mut().1 -= 1;
            if entry.get().1 == 0 {
                entry.remove();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NodeBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeBuffer({} objects)", self.object_count())
    }
}
