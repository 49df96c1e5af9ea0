//! What a tree needs of the place its nodes live in. Stores implement these traits; the tree does no I/O of its own.

use std::{
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
    /// Takes a new node. Writing an equal one again changes nothing.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed.
    fn write_node(&self, node: Arc<Node>) -> Result<()>;

    /// Takes a new record: its address and its encoding.
    ///
    /// # Errors
    /// [`Error::Store`] when the store failed.
    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()>;

    /// Says that the tree being edited no longer uses a node. A writer that has not passed the node on drops it; the
    /// hash may also be unknown to it, or belong to an older tree that keeps it.
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
    nodes: RwLock<HashedMap<Arc<Node>>>,
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
        self.nodes.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(hash).cloned()
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
        self.nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(*node.hash(), node);
        Ok(())
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        debug_assert_eq!(Record::address(&encoded), hash);
        self.records.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(hash, encoded.into());
        Ok(())
    }

    fn forget_node(&self, hash: &Hash) -> Result<()> {
        self.nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(hash);
        Ok(())
    }
}

impl fmt::Debug for NodeBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeBuffer({} objects)", self.object_count())
    }
}
