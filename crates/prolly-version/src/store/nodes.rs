//! New objects of staged trees, in bounded memory, until they are committed or dropped.
//!
//! **Invariant:** a node is kept as long as one tree uses it. Trees that came to hold equal contents share their nodes, so
//! each writes a node once and forgets it once, and the buffer counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prolly_core::{Hash, HashedMap, Link, Node, NodeReader, NodeWriter, ObjectLink, blob_links};
use prolly_store::{NodeCache, SpillBuffer};

use super::Options;
use crate::{PendingObjects, Result};

/// The objects of all staged trees.
pub(crate) struct StagedNodes {
    buffer: SpillBuffer,
    flush_bytes: usize,
}

impl StagedNodes {
    pub(crate) fn new(base: Arc<dyn NodeReader>, cache: Arc<NodeCache>, options: &Options) -> Arc<Self> {
        let buffer = SpillBuffer::new(Some(base), cache).with_limit_bytes(options.spill_bytes);
        Arc::new(Self { buffer, flush_bytes: options.flush_bytes })
    }

    /// A place for one tree's nodes.
    pub(crate) fn for_tree(self: &Arc<Self>) -> Arc<TreeNodes> {
        Arc::new(TreeNodes { shared: Arc::clone(self), written: Mutex::default() })
    }
}

impl PendingObjects for StagedNodes {
    fn node(&self, link: &Link) -> Result<Option<Arc<Node>>> {
        Ok(self.buffer.node(&link.hash)?)
    }

    fn record(&self, link: &Link) -> Result<Option<Arc<[u8]>>> {
        Ok(self.buffer.record(&link.hash)?)
    }
}

/// Reads and writes the nodes of one staged tree.
pub(crate) struct TreeNodes {
    shared: Arc<StagedNodes>,
    /// The nodes that this tree has written and still needs.
    written: Mutex<HashedMap<()>>,
}

impl TreeNodes {
    /// How many bytes of edits the tree gathers before it is rewritten.
    pub(crate) fn flush_bytes(&self) -> usize {
        self.shared.flush_bytes
    }

    /// Copies a stored object in with everything below it: for what nothing may keep from being swept.
    pub(crate) fn take_in(&self, object: ObjectLink) -> Result<()> {
        let mut open = vec![object];
        while let Some(object) = open.pop() {
            match object {
                ObjectLink::Node(link) => {
                    let node = self.read_node(&link)?;
                    open.extend(node.object_links());
                    self.write_node(node)?;
                }
                ObjectLink::Record(link) => {
                    let encoded = self.read_record(&link)?;
                    open.extend(blob_links(&encoded)?);
                    self.write_record(link.hash, encoded.to_vec())?;
                }
            }
        }
        Ok(())
    }
}

impl TreeNodes {
    /// Whether what it has written is among these.
    pub(crate) fn is_beside(&self, shared: &Arc<StagedNodes>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    /// A place for the nodes of another tree, beside those of this one.
    pub(crate) fn of_another_tree(&self) -> Arc<Self> {
        self.shared.for_tree()
    }

    /// Uses the new nodes below a link for this tree too.
    pub(crate) fn take_in_pending(&self, root: Link) -> Result<()> {
        let mut open = vec![root];
        while let Some(link) = open.pop() {
            if let Some(node) = self.shared.buffer.node(&link.hash)? {
                open.extend(node.object_links().filter_map(|object| match object {
                    ObjectLink::Node(link) => Some(link),
                    ObjectLink::Record(_) => None,
                }));
                self.write_node(node)?;
            }
        }
        Ok(())
    }
}

impl NodeReader for TreeNodes {
    fn read_node(&self, link: &Link) -> prolly_core::Result<Arc<Node>> {
        self.shared.buffer.read_node(link)
    }

    fn read_record(&self, link: &Link) -> prolly_core::Result<Arc<[u8]>> {
        self.shared.buffer.read_record(link)
    }
}

impl NodeWriter for TreeNodes {
    fn write_node(&self, node: Arc<Node>) -> prolly_core::Result<()> {
        let hash = *node.hash();
        if lock(&self.written).insert(hash, ()).is_some() {
            return Ok(());
        }
        self.shared.buffer.write_node(node)
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> prolly_core::Result<()> {
        self.shared.buffer.write_record(hash, encoded)
    }

    fn forget_node(&self, hash: &Hash) -> prolly_core::Result<()> {
        match lock(&self.written).remove(hash) {
            Some(()) => self.shared.buffer.forget_node(hash),
            None => Ok(()),
        }
    }
}

impl Drop for TreeNodes {
    fn drop(&mut self) {
        for (hash, ()) in lock(&self.written).drain() {
            self.shared
                .buffer
                .forget_node(&hash)
                .expect("forgetting what is in memory or in a temporary file cannot fail");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use prolly_core::{NodeBuffer, ProllyTree, TreeConfig};

    use super::*;

    #[test]
    fn a_node_stays_while_one_tree_uses_it() {
        let cache = Arc::new(NodeCache::new(0));
        let nodes = StagedNodes::new(Arc::new(NodeBuffer::new()), cache, &Options::default());
        let tree = || ProllyTree::new(nodes.for_tree(), TreeConfig::default()).unwrap();
        let (mut one, mut other) = (tree(), tree());
        for number in 0..1000_u32 {
            one.insert(&number.to_be_bytes(), b"same").unwrap();
            other.insert(&number.to_be_bytes(), b"same").unwrap();
        }
        let shared = other.tree().unwrap().root().link();
        assert_eq!(one.root_hash().unwrap(), shared.hash);
        one.insert(&5_u32.to_be_bytes(), b"changed").unwrap();
        assert_ne!(one.root_hash().unwrap(), shared.hash);
        assert!(nodes.node(&shared).unwrap().is_some(), "the other tree still has it");
        assert_eq!(other.tree().unwrap().range::<&[u8]>(..).unwrap().count(), 1000);
        drop(other);
        assert!(nodes.node(&shared).unwrap().is_none(), "nobody has it any more");
        assert_eq!(one.tree().unwrap().range::<&[u8]>(..).unwrap().count(), 1000);
        drop(one);
        assert_eq!(nodes.buffer.object_count(), 0);
    }
}
