//! New objects in bounded memory, in front of a store of older ones.
//!
//! **Invariant:** the objects held in memory weigh no more than the limit, one object aside; the rest is in a nameless
//! temporary file, and is checked against its address when it comes back.

use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use prolly_core::{Error, Hash, HashedMap, Link, Node, NodeReader, NodeWriter, Result};

use crate::{NodeCache, reader::verify_record, vfs::Scratch};

/// What a buffer holds in memory when nobody configured it: 32 MiB.
pub const DEFAULT_SPILL_BYTES: usize = 32 << 20;
/// What an entry costs beside its object.
const ENTRY_BYTES: usize = 96;
/// How much is written to the temporary file at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Takes the objects that an edit makes and keeps them until they are published or dropped, beyond a limit in a
/// temporary file. Reads ask the buffer first and then the store behind.
///
/// The file's space is reused only once everything in it has been forgotten.
pub struct SpillBuffer {
    base: Option<Arc<dyn NodeReader>>,
    cache: Arc<NodeCache>,
    limit_bytes: usize,
    dir: PathBuf,
    pending: RwLock<Pending>,
}

#[derive(Default)]
struct Pending {
    nodes: HashedMap<Arc<Node>>,
    records: HashedMap<Arc<[u8]>>,
    /// How often more than once a node was written: it has to be forgotten as often.
    repeats: HashedMap<usize>,
    /// What `nodes` and `records` weigh.
    memory_bytes: usize,
    /// Addresses in the order they came, oldest first; forgotten ones may still be in it.
    order: VecDeque<Hash>,
    spilled: HashedMap<Spilled>,
    spilled_bytes: usize,
    scratch: Option<Scratch>,
}

/// Where a spilled object is in the temporary file.
#[derive(Clone, Copy)]
struct Spilled {
    offset: u64,
    len: usize,
    is_node: bool,
}

impl SpillBuffer {
    /// Makes an empty buffer in front of `base`. Nodes that come back from the temporary file go through `cache`,
    /// which is best the one of the store behind.
    pub fn new(base: Option<Arc<dyn NodeReader>>, cache: Arc<NodeCache>) -> Self {
        Self {
            base,
            cache,
            limit_bytes: DEFAULT_SPILL_BYTES,
            dir: std::env::temp_dir(),
            pending: RwLock::default(),
        }
    }

    /// Sets how many bytes of objects stay in memory.
    pub fn with_limit_bytes(self, limit_bytes: usize) -> Self {
        Self { limit_bytes, ..self }
    }

    /// Sets the directory of the temporary file. The default, the system's, may itself be in memory.
    pub fn with_dir(self, dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..self }
    }

    /// The pending node `hash`; `None` when it is not pending here. Does not ask the store behind.
    ///
    /// # Errors
    /// [`Error::Store`] when the temporary file cannot be read, [`Error::Corrupt`] when it was damaged.
    pub fn node(&self, hash: &Hash) -> Result<Option<Arc<Node>>> {
        let bytes = {
            let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(node) = pending.nodes.get(hash) {
                return Ok(Some(node.clone()));
            }
            match pending.spilled.get(hash).filter(|spilled| spilled.is_node) {
                None => return Ok(None),
                Some(spilled) => match self.cache.get(hash) {
                    Some(node) => return Ok(Some(node)),
                    None => pending.read_spilled(spilled)?,
                },
            }
        };
        let node = Arc::new(Node::decode(hash, bytes)?);
        self.cache.insert(node.clone());
        Ok(Some(node))
    }

    /// The encoding of the pending record `hash`; `None` when it is not pending here. Does not ask the store behind.
    ///
    /// # Errors
    /// As [`SpillBuffer::node`].
    pub fn record(&self, hash: &Hash) -> Result<Option<Arc<[u8]>>> {
        let bytes = {
            let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(record) = pending.records.get(hash) {
                return Ok(Some(record.clone()));
            }
            match pending.spilled.get(hash).filter(|spilled| !spilled.is_node) {
                None => return Ok(None),
                Some(spilled) => pending.read_spilled(spilled)?,
            }
        };
        verify_record(hash, &bytes)?;
        Ok(Some(bytes.into()))
    }

    /// Number of pending objects.
    pub fn object_count(&self) -> usize {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        pending.nodes.len() + pending.records.len() + pending.spilled.len()
    }

    /// Bytes of the pending objects, in memory and in the temporary file.
    pub fn pending_bytes(&self) -> usize {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        pending.memory_bytes + pending.spilled_bytes
    }

    /// Bytes of the pending objects that are in memory.
    pub fn memory_bytes(&self) -> usize {
        self.pending.read().unwrap_or_else(PoisonError::into_inner).memory_bytes
    }

    /// Drops every pending object and the temporary file.
    pub fn clear(&self) {
        *self.pending.write().unwrap_or_else(PoisonError::into_inner) = Pending::default();
    }

    /// Adds an object and moves the oldest ones out when that makes too many. A node that is pending already is only
    /// counted.
    fn add(&self, hash: Hash, is_node: bool, add: impl FnOnce(&mut Pending)) -> Result<()> {
        let mut pending = self.pending.write().unwrap_or_else(PoisonError::into_inner);
        if is_node && pending.repeat(&hash) {
            return Ok(());
        }
        pending.remove(&hash);
        add(&mut pending);
        pending.order.push_back(hash);
        pending.trim_order();
        if pending.memory_bytes > self.limit_bytes {
            pending.spill(self.limit_bytes / 2, &self.dir)
        } else {
            Ok(())
        }
    }
}

impl Pending {
    fn read_spilled(&self, spilled: &Spilled) -> Result<Box<[u8]>> {
        let scratch = self.scratch.as_ref().expect("what was spilled is in the file");
        Ok(scratch.read(spilled.offset, spilled.len)?)
    }

    /// Counts another writing of a node that is pending already.
    fn repeat(&mut self, hash: &Hash) -> bool {
        let known =
            self.nodes.contains_key(hash) || self.spilled.get(hash).is_some_and(|spilled| spilled.is_node);
        if known {
            *self.repeats.entry(*hash).or_default() += 1;
        }
        known
    }

    fn take_back_repeat(&mut self, hash: &Hash) -> bool {
        let Some(count) = self.repeats.get_mut(hash) else { return false };
        *count -= 1;
        if *count == 0 {
            self.repeats.remove(hash);
        }
        true
    }

    fn remove(&mut self, hash: &Hash) {
        if let Some(node) = self.nodes.remove(hash) {
            self.memory_bytes -= node_bytes(&node);
        }
        if let Some(record) = self.records.remove(hash) {
            self.memory_bytes -= record_bytes(&record);
        }
        if let Some(spilled) = self.spilled.remove(hash) {
            self.spilled_bytes -= spilled.len;
            if self.spilled.is_empty() {
                self.scratch = None;
            }
        }
    }

    /// Keeps the order from growing with what was added and forgotten again.
    fn trim_order(&mut self) {
        if self.order.len() > 1024 + 2 * (self.nodes.len() + self.records.len()) {
            let Self { order, nodes, records, .. } = self;
            order.retain(|hash| nodes.contains_key(hash) || records.contains_key(hash));
        }
    }

    /// Moves the oldest objects to the temporary file until at most `target_bytes` stay. What fails to be written
    /// stays in memory.
    fn spill(&mut self, target_bytes: usize, dir: &std::path::Path) -> Result<()> {
        while self.memory_bytes > target_bytes {
            let mut chunk = Vec::new();
            let mut moved = Vec::new();
            let mut freed_bytes = 0;
            let mut taken = 0;
            for hash in &self.order {
                if chunk.len() >= CHUNK_BYTES || self.memory_bytes - freed_bytes <= target_bytes {
                    break;
                }
                taken += 1;
                let (bytes, is_node) = if let Some(node) = self.nodes.get(hash) {
                    freed_bytes += node_bytes(node);
                    (node.bytes(), true)
                } else if let Some(record) = self.records.get(hash) {
                    freed_bytes += record_bytes(record);
                    (&record[..], false)
                } else {
                    continue;
                };
                moved.push((*hash, Spilled { offset: chunk.len() as u64, len: bytes.len(), is_node }));
                chunk.extend_from_slice(bytes);
            }
            let scratch = match &mut self.scratch {
                Some(scratch) => scratch,
                none => none.insert(Scratch::create(dir)?),
            };
            let start = scratch.append(&chunk)?;
            self.order.drain(..taken);
            for (hash, spilled) in moved {
                self.nodes.remove(&hash);
                self.records.remove(&hash);
                self.spilled_bytes += spilled.len;
                self.spilled.insert(hash, Spilled { offset: start + spilled.offset, ..spilled });
            }
            self.memory_bytes -= freed_bytes;
        }
        Ok(())
    }
}

fn node_bytes(node: &Node) -> usize {
    node.weight_bytes() + ENTRY_BYTES
}

fn record_bytes(record: &[u8]) -> usize {
    record.len() + ENTRY_BYTES
}

impl NodeReader for SpillBuffer {
    fn read_node(&self, link: &Link) -> Result<Arc<Node>> {
        match (self.node(&link.hash)?, &self.base) {
            (Some(node), _) => Ok(node),
            (None, Some(base)) => base.read_node(link),
            (None, None) => Err(Error::Missing { hash: link.hash }),
        }
    }

    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>> {
        match (self.record(&link.hash)?, &self.base) {
            (Some(record), _) => Ok(record),
            (None, Some(base)) => base.read_record(link),
            (None, None) => Err(Error::Missing { hash: link.hash }),
        }
    }
}

impl NodeWriter for SpillBuffer {
    fn write_node(&self, node: Arc<Node>) -> Result<()> {
        self.add(*node.hash(), true, |pending| {
            pending.memory_bytes += node_bytes(&node);
            pending.nodes.insert(*node.hash(), node);
        })
    }

    fn write_record(&self, hash: Hash, encoded: Vec<u8>) -> Result<()> {
        verify_record(&hash, &encoded)?;
        self.add(hash, false, |pending| {
            pending.memory_bytes += record_bytes(&encoded);
            pending.records.insert(hash, encoded.into());
        })
    }

    fn forget_node(&self, hash: &Hash) -> Result<()> {
        let mut pending = self.pending.write().unwrap_or_else(PoisonError::into_inner);
        if !pending.take_back_repeat(hash) {
            pending.remove(hash);
        }
        Ok(())
    }
}

impl fmt::Debug for SpillBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (objects, bytes) = (self.object_count(), self.pending_bytes());
        write!(f, "SpillBuffer({objects} objects, {bytes} bytes, {} in memory)", self.memory_bytes())
    }
}

#[cfg(test)]
mod tests;
