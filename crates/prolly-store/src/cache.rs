//! A bounded cache of decoded nodes.
//!
//! **Invariant:** the nodes in the cache weigh no more than its capacity, whatever the store's size.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use prolly_core::{Hash, Node};
use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

/// The capacity of a cache that nobody configured: 64 MiB.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;
/// What an entry costs beside its node: the key twice, list links, the reference counts.
const ENTRY_BYTES: u64 = 128;
/// What a node is expected to weigh; sizes the index of the cache, nothing depends on it.
const EXPECTED_NODE_BYTES: usize = 8 << 10;

/// A cache of decoded nodes, bounded in bytes and shared by all readers of a store.
///
/// Internal nodes have a quarter of the capacity to themselves. A descent finds most of them through the pointers
/// between decoded nodes without asking the cache, so to the cache they would look cold, and a scan's leaves would push
/// them out; yet one lost internal node is read again for each of the many leaves below it.
pub struct NodeCache {
    /// `None` when the capacity is 0: then nothing is kept.
    shelves: Option<Shelves>,
    capacity_bytes: usize,
}

struct Shelves {
    internal: Shelf,
    leaves: Shelf,
}

type Shelf = Cache<Hash, Arc<Node>, ByWeight, BuildHasherDefault<Spread>, DefaultLifecycle<Hash, Arc<Node>>>;

/// What a cache holds and how often it was of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Nodes held.
    pub nodes: usize,
    /// Bytes they weigh.
    pub bytes: u64,
    /// The most they may weigh.
    pub capacity_bytes: usize,
}

impl NodeCache {
    /// Makes a cache that holds at most `capacity_bytes` of nodes; with 0 it holds none.
    pub fn new(capacity_bytes: usize) -> Self {
        let shelves = (capacity_bytes > 0).then(|| {
            let internal = capacity_bytes / 4;
            Shelves { internal: shelf(internal), leaves: shelf(capacity_bytes - internal) }
        });
        Self { shelves, capacity_bytes }
    }

    /// Returns a node if it is in the cache.
    pub fn get(&self, hash: &Hash) -> Option<Arc<Node>> {
        let shelves = self.shelves.as_ref()?;
        shelves.leaves.get(hash).or_else(|| shelves.internal.get(hash))
    }

    /// Puts a node into the cache, perhaps in place of others. A node too heavy for it is not kept.
    pub fn insert(&self, node: Arc<Node>) {
        if let Some(shelves) = &self.shelves {
            let shelf = if node.is_leaf() { &shelves.leaves } else { &shelves.internal };
            shelf.insert(*node.hash(), node);
        }
    }

    /// Takes a node out of the cache.
    pub fn remove(&self, hash: &Hash) {
        if let Some(shelves) = &self.shelves {
            shelves.leaves.remove(hash);
            shelves.internal.remove(hash);
        }
    }

    /// Returns a node from the cache, or else calls `read` and keeps what it returns. Threads that miss the same node
    /// at once may each call `read`.
    ///
    /// # Errors
    /// Those of `read`; nothing is kept then.
    pub fn get_or_read<E>(
        &self,
        hash: &Hash,
        read: impl FnOnce() -> Result<Arc<Node>, E>,
    ) -> Result<Arc<Node>, E> {
        if let Some(node) = self.get(hash) {
            return Ok(node);
        }
        let node = read()?;
        self.insert(node.clone());
        Ok(node)
    }

    /// Forgets every node.
    pub fn clear(&self) {
        if let Some(shelves) = &self.shelves {
            shelves.leaves.clear();
            shelves.internal.clear();
        }
    }

    /// Counts what the cache holds.
    pub fn stats(&self) -> CacheStats {
        let shelves = self.shelves.iter().flat_map(|shelves| [&shelves.internal, &shelves.leaves]);
        let empty = CacheStats { capacity_bytes: self.capacity_bytes, ..CacheStats::default() };
        shelves.fold(empty, |stats, shelf| CacheStats {
            nodes: stats.nodes + shelf.len(),
            bytes: stats.bytes + shelf.weight(),
            ..stats
        })
    }
}

impl Default for NodeCache {
    fn default() -> Self {
        Self::new(DEFAULT_CACHE_BYTES)
    }
}

impl fmt::Debug for NodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

fn shelf(capacity_bytes: usize) -> Shelf {
    let options = OptionsBuilder::new()
        .estimated_items_capacity((capacity_bytes / EXPECTED_NODE_BYTES).max(1))
        .weight_capacity(capacity_bytes as u64)
        .build()
        .expect("both required options are set");
    Cache::with_options(options, ByWeight, BuildHasherDefault::default(), DefaultLifecycle::default())
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Hash, Arc<Node>> for ByWeight {
    fn weight(&self, _: &Hash, node: &Arc<Node>) -> u64 {
        node.weight_bytes() as u64 + ENTRY_BYTES
    }
}

/// Uses bytes of a [`Hash`], uniform already, as its hash code.
#[derive(Clone, Copy, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}
}

#[cfg(test)]
mod tests;
