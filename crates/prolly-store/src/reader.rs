//! Reads decoded, verified nodes from a backend through the cache.

use std::sync::Arc;

use prolly_core::{Error, Hash, Link, Node, NodeReader, Record, Result};

use crate::{Backend, NodeCache};

/// A backend seen as a place that trees are read from.
///
/// Every object is checked against its address when it leaves the backend: what is read is what was written, or an
/// error that names the object.
#[derive(Clone)]
pub struct CachedReader {
    backend: Arc<dyn Backend>,
    cache: Arc<NodeCache>,
}

impl CachedReader {
    /// Reads from `backend` through `cache`, which other readers of the same store may share.
    pub fn new(backend: Arc<dyn Backend>, cache: Arc<NodeCache>) -> Self {
        Self { backend, cache }
    }

    /// The backend behind.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The cache in front.
    pub fn cache(&self) -> &Arc<NodeCache> {
        &self.cache
    }

    fn bytes(&self, hash: &Hash) -> Result<Box<[u8]>> {
        self.backend.get(hash)?.ok_or(Error::Missing { hash: *hash })
    }
}

impl NodeReader for CachedReader {
    fn read_node(&self, link: &Link) -> Result<Arc<Node>> {
        let hash = &link.hash;
        self.cache.get_or_read(hash, || Node::decode(hash, self.bytes(hash)?).map(Arc::new))
    }

    fn read_record(&self, link: &Link) -> Result<Arc<[u8]>> {
        let bytes = self.bytes(&link.hash)?;
        verify_record(&link.hash, &bytes)?;
        Ok(bytes.into())
    }
}

/// Checks the encoding of a record against its address.
pub(crate) fn verify_record(hash: &Hash, bytes: &[u8]) -> Result<()> {
    let found = Record::address(bytes);
    if found == *hash {
        return Ok(());
    }
    Err(Error::Corrupt { hash: *hash, reason: format!("its contents have the address {found}") })
}

#[cfg(test)]
mod tests;
