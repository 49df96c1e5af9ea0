//! Writes objects and refs, each step durable before the next depends on it.

use std::{
    io,
    path::{Path, PathBuf},
};

use prolly_core::{Hash, HashedMap};

use super::{FileStore, Lock};
use crate::{
    Error, HashPrefix, RefEdit, Result, SweepReport, Transaction,
    backend::check_object,
    refs::{apply_edits, check_edits},
};

pub(super) struct FileTransaction<'a> {
    store: &'a FileStore,
    lock: Lock<'a>,
    /// Objects put, and the number of the file in `tmp` that holds each.
    objects: HashedMap<usize>,
    cleaned: bool,
    failed: bool,
}

impl<'a> FileTransaction<'a> {
    pub(super) fn new(store: &'a FileStore, lock: Lock<'a>) -> Self {
        Self { store, lock, objects: HashedMap::default(), cleaned: false, failed: false }
    }

    fn temporary(&self, number: usize) -> PathBuf {
        self.store.at("tmp").join(number.to_string())
    }

    /// Removes what an interrupted transaction left. The lock is ours, so nobody is using it.
    fn clean(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.cleaned, true) {
            let dir = self.store.at("tmp");
            for entry in self.store.list(&dir)? {
                let path = dir.join(entry.name);
                self.store.vfs.remove(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, hash: &Hash, bytes: &[u8]) -> Result<()> {
        self.clean()?;
        let next = self.objects.len();
        let number = *self.objects.entry(*hash).or_insert(next);
        let path = self.temporary(number);
        self.store.vfs.write(&path, bytes).map_err(Error::io("write", &path))
    }

    /// Moves the objects to where they are found, contents durable first, then names.
    fn publish_objects(&mut self) -> Result<()> {
        let store = self.store;
        if self.objects.is_empty() {
            return Ok(());
        }
        let at_once = self.objects.len() >= store.sync_everything_from;
        if !(at_once && store.sync_everything()?) {
            for number in 0..self.objects.len() {
                let path = self.temporary(number);
                store.vfs.sync_file(&path).map_err(Error::io("sync", &path))?;
            }
        }
        let shards: Vec<usize> = {
            let mut used = [false; 256];
            self.objects.keys().for_each(|hash| used[usize::from(hash.as_bytes()[0])] = true);
            (0..256).filter(|shard| used[*shard]).collect()
        };
        let dir_of = |shard: &usize| store.at("objects").join(format!("{shard:02x}"));
        let unsure: Vec<usize> =
            shards.iter().filter(|shard| !self.lock.writer.durable_shards[**shard]).copied().collect();
        for dir in unsure.iter().map(dir_of) {
            match store.vfs.create_dir(&dir) {
                // Perhaps made by a transaction that never came to sync it, so that is still to be done.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(Error::io("make directory", &dir))?,
            }
        }
        for (hash, number) in self.objects.drain() {
            let from = store.at("tmp").join(number.to_string());
            let to = store.object_path(&hash);
            store.vfs.rename(&from, &to).map_err(Error::io("make", &to))?;
        }
        if !(at_once && store.sync_everything()?) {
            for dir in shards.iter().map(dir_of) {
                store.sync_dir(&dir)?;
            }
            if !unsure.is_empty() {
                store.sync_dir(&store.at("objects"))?;
            }
        }
        unsure.into_iter().for_each(|shard| self.lock.writer.durable_shards[shard] = true);
        Ok(())
    }
}

impl Transaction for FileTransaction<'_> {
    fn put(&mut self, hash: &Hash, bytes: &[u8]) -> Result<()> {
        check_object(hash, bytes)?;
        if self.failed {
            return Err(Error::TransactionOver);
        }
        let written = self.write(hash, bytes);
        self.failed = written.is_err();
        written
    }

    fn commit(mut self: Box<Self>, edits: &[RefEdit]) -> Result<()> {
        if self.failed {
            return Err(Error::TransactionOver);
        }
        check_edits(edits)?;
        // The lock is held, so what is found now holds until the refs are replaced.
        let mut refs = self.store.read_refs()?;
        apply_edits(&mut refs, edits)?;
        self.publish_objects()?;
        if edits.is_empty() {
            return Ok(());
        }
        self.clean()?;
        self.store.replace("refs", &super::refs::encode(&refs))
    }

    fn sweep(self: Box<Self>, keep: &mut dyn FnMut(&Hash) -> bool) -> Result<SweepReport> {
        let store = self.store;
        let mut report = SweepReport::default();
        let mut dead = Vec::new();
        store.for_each_object(&HashPrefix::ALL, |hash, entry| {
            report.objects_before += 1;
            report.bytes_before += entry.bytes;
            if keep(&hash) {
                report.bytes_after += entry.bytes;
            } else {
                dead.push(hash);
            }
        })?;
        report.objects_removed = dead.len() as u64;
        // Not synced: an object that a power cut brings back is only swept again.
        for path in dead.iter().map(|hash| store.object_path(hash)) {
            store.vfs.remove(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(report)
    }
}

impl Drop for FileTransaction<'_> {
    fn drop(&mut self) {
        for number in 0..self.objects.len() {
            // What cannot be removed now is removed by the next transaction.
            self.store.vfs.remove(&self.temporary(number)).ok();
        }
    }
}

impl FileStore {
    /// Replaces a file of the root, durably and all at once.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (from, to) = (self.at("tmp").join(name), self.at(name));
        self.vfs.write(&from, bytes).map_err(Error::io("write", &from))?;
        self.vfs.sync_file(&from).map_err(Error::io("sync", &from))?;
        self.vfs.rename(&from, &to).map_err(Error::io("make", &to))?;
        self.sync_dir(&self.root)
    }

    pub(super) fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.vfs.sync_dir(dir).map_err(Error::io("sync directory", dir))
    }

    fn sync_everything(&self) -> Result<bool> {
        self.vfs.sync_everything(&self.root).map_err(Error::io("sync the file system of", &self.root))
    }
}
