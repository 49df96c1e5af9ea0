//! A store in memory, for tests and for trees that need not outlive the process.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use prolly_core::Hash;

use crate::{
    Backend, HashPrefix, RefEdit, RefStore, Result, Stats, SweepReport, Transaction,
    backend::check_object,
    refs::{apply_edits, check_edits, with_prefix},
};

/// Objects and refs in memory. As durable as the process.
#[derive(Default)]
pub struct MemoryStore {
    /// Held by the transaction under way. Readers do not take it.
    writer: Mutex<()>,
    contents: RwLock<Contents>,
}

#[derive(Default)]
struct Contents {
    objects: BTreeMap<Hash, Box<[u8]>>,
    refs: BTreeMap<String, Vec<u8>>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn read<T>(&self, read: impl FnOnce(&Contents) -> T) -> T {
        read(&self.contents.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Contents) -> T) -> T {
        write(&mut self.contents.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Contents {
    fn stats(&self) -> Stats {
        let bytes = self.objects.values().map(|bytes| (Hash::LEN + bytes.len()) as u64).sum();
        Stats { objects: self.objects.len() as u64, bytes }
    }
}

impl RefStore for MemoryStore {
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(|contents| contents.refs.get(name).cloned()))
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.read(|contents| with_prefix(&contents.refs, prefix)))
    }

    fn edit_refs(&self, edits: &[RefEdit]) -> Result<()> {
        self.begin()?.commit(edits)
    }
}

impl Backend for MemoryStore {
    fn get(&self, hash: &Hash) -> Result<Option<Box<[u8]>>> {
        Ok(self.read(|contents| contents.objects.get(hash).cloned()))
    }

    fn contains(&self, hash: &Hash) -> Result<bool> {
        Ok(self.read(|contents| contents.objects.contains_key(hash)))
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(MemoryTransaction { store: self, _writer: writer, objects: BTreeMap::new() }))
    }

    fn objects_by_prefix(&self, prefix: &HashPrefix, limit: usize) -> Result<Vec<Hash>> {
        let range = *prefix.low()..=*prefix.high();
        Ok(self.read(|contents| contents.objects.range(range).map(|(hash, _)| *hash).take(limit).collect()))
    }

    fn stats(&self) -> Result<Stats> {
        Ok(self.read(Contents::stats))
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}

struct MemoryTransaction<'a> {
    store: &'a MemoryStore,
    _writer: MutexGuard<'a, ()>,
    objects: BTreeMap<Hash, Box<[u8]>>,
}

impl Transaction for MemoryTransaction<'_> {
    fn put(&mut self, hash: &Hash, bytes: &[u8]) -> Result<()> {
        check_object(hash, bytes)?;
        self.objects.insert(*hash, bytes.into());
        Ok(())
    }

    fn commit(self: Box<Self>, edits: &[RefEdit]) -> Result<()> {
        check_edits(edits)?;
        let Self { store, objects, _writer } = *self;
        store.write(|contents| {
            apply_edits(&mut contents.refs, edits)?;
            // One by one: `append` would rebuild the whole map, at the cost of everything that is stored.
            contents.objects.extend(objects);
            Ok(())
        })
    }

    fn sweep(self: Box<Self>, keep: &mut dyn FnMut(&Hash) -> bool) -> Result<SweepReport> {
        // `keep` is the caller's code and may read the store, so no lock is held while it runs.
        let all: Vec<Hash> = self.store.read(|contents| contents.objects.keys().copied().collect());
        let dead: Vec<Hash> = all.into_iter().filter(|hash| !keep(hash)).collect();
        Ok(self.store.write(|contents| {
            let before = contents.stats();
            for hash in &dead {
                contents.objects.remove(hash);
            }
            SweepReport {
                objects_before: before.objects,
                objects_removed: dead.len() as u64,
                bytes_before: before.bytes,
                bytes_after: contents.stats().bytes,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance::Place;

    struct Memory(Arc<MemoryStore>);

    impl Place for Memory {
        fn open(&self) -> Arc<dyn Backend> {
            self.0.clone()
        }
    }

    crate::conformance_tests!(conformance, || Memory(Arc::default()));
}
