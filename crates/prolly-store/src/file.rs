//! A store in a directory of plain files.
//!
//! ```text
//! PATH/format              "prollytree file store", newline, the version, newline
//! PATH/objects/ab/cdef…    the bytes of object abcdef…
//! PATH/refs                all refs, with a checksum
//! PATH/tmp/                what a transaction has not published yet
//! PATH/lock                locked by the transaction under way
//! ```
//!
//! A publish makes the contents of the objects durable, then their names, then replaces `refs` by renaming. All refs
//! are in one file, so several move at once without a journal, and a name need not be one that a file system takes.
//!
//! **Invariants:** a file in `objects` that `refs` leads to is complete and durable, name and contents; only the holder
//! of the lock changes anything.

mod open;
mod refs;
mod transaction;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use prolly_core::Hash;

use crate::{
    Backend, Error, HashPrefix, RefEdit, RefStore, Result, Stats, Transaction,
    refs::with_prefix,
    vfs::{Disk, Entry, Vfs},
};
use transaction::FileTransaction;

const KIND: &str = "file";
/// From how many objects on a publish syncs everything at once, where the system can. One by one they cost a sync each
/// for contents and, up to 256, for names; all at once, whatever else the system has to write.
const SYNC_EVERYTHING_FROM: usize = 64;

/// How a [`FileStore`] behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// How long to wait for the transaction of another handle to end.
    pub busy_timeout: Duration,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(30) }
    }
}

/// Objects and refs as plain files.
///
/// Easy to look at and to copy, and safe for any number of processes; each object costs a file, so a publish takes
/// longer than with the other stores, and reading a ref reads all refs.
pub struct FileStore {
    root: PathBuf,
    vfs: Arc<dyn Vfs>,
    options: FileOptions,
    /// From how many objects on everything is synced at once.
    sync_everything_from: usize,
    /// Taken by the transaction of this handle; `lock` excludes other handles, here and in other processes.
    writer: Mutex<Writer>,
    /// `None` when the files are not real ones.
    lock: Option<File>,
}

/// What the holder of the lock knows.
struct Writer {
    /// Which directories of `objects` this handle knows to be durable.
    durable_shards: [bool; 256],
}

impl Default for Writer {
    fn default() -> Self {
        Self { durable_shards: [false; 256] }
    }
}

impl FileStore {
    /// Opens the store in directory `path` with default options, making it if there is none.
    ///
    /// # Errors
    /// [`Error::NotAStore`] when the path is a file or a directory of other things, [`Error::NewerStore`] when a newer
    /// version wrote it, [`Error::Damaged`] when it is damaged; [`Error::Io`] names the path that cannot be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, FileOptions::default())
    }

    /// Opens the store in directory `path`, making it if there is none.
    ///
    /// # Errors
    /// As [`FileStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        open::open_disk(path.as_ref(), options)
    }

    /// Waits for the right to change the store.
    fn lock(&self) -> Result<Lock<'_>> {
        let start = Instant::now();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pause = Duration::from_micros(200);
        while let Some(file) = &self.lock {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", self.at("lock"))(error)),
                Err(TryLockError::WouldBlock) => {
                    let waited = start.elapsed();
                    if waited >= self.options.busy_timeout {
                        return Err(Error::Busy { path: self.root.clone(), waited });
                    }
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                }
            }
        }
        Ok(Lock { writer, file: self.lock.as_ref() })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn object_path(&self, hash: &Hash) -> PathBuf {
        let hex = hash.to_string();
        let (shard, rest) = hex.split_at(2);
        [self.root.as_path(), Path::new("objects"), Path::new(shard), Path::new(rest)].iter().collect()
    }

    /// Reads a file; `None` when there is none.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.vfs.read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(Error::io("read", path)),
        }
    }

    fn read_refs(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let path = self.at("refs");
        self.read(&path)?.map_or_else(|| Ok(BTreeMap::new()), |bytes| refs::decode(&path, &bytes))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        match self.vfs.list(dir) {
            // A shard that nothing was put in yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(Error::io("list", dir)),
        }
    }

    /// Calls `each` for every object whose address begins with `prefix`.
    fn for_each_object(&self, prefix: &HashPrefix, mut each: impl FnMut(Hash, &Entry)) -> Result<()> {
        let (low, high) = (prefix.low().as_bytes()[0], prefix.high().as_bytes()[0]);
        for shard in low..=high {
            let shard = format!("{shard:02x}");
            for entry in self.list(&self.at("objects").join(&shard))? {
                // Other names are not ours: perhaps a system's own, such as `.DS_Store`.
                let hash = format!("{shard}{}", entry.name).parse::<Hash>().ok();
                if let Some(hash) = hash.filter(|hash| prefix.matches(hash)) {
                    each(hash, &entry);
                }
            }
        }
        Ok(())
    }
}

/// The right to change the store.
struct Lock<'a> {
    writer: MutexGuard<'a, Writer>,
    file: Option<&'a File>,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // Should it fail, the lock is still ours, and taking it again succeeds.
        self.file.map(File::unlock);
    }
}

impl RefStore for FileStore {
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read_refs()?.remove(name))
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(with_prefix(&self.read_refs()?, prefix))
    }

    fn edit_refs(&self, edits: &[RefEdit]) -> Result<()> {
        self.begin()?.commit(edits)
    }
}

impl Backend for FileStore {
    fn get(&self, hash: &Hash) -> Result<Option<Box<[u8]>>> {
        Ok(self.read(&self.object_path(hash))?.map(Vec::into_boxed_slice))
    }

    fn contains(&self, hash: &Hash) -> Result<bool> {
        let path = self.object_path(hash);
        self.vfs.exists(&path).map_err(Error::io("examine", &path))
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(FileTransaction::new(self, self.lock()?)))
    }

    fn objects_by_prefix(&self, prefix: &HashPrefix, limit: usize) -> Result<Vec<Hash>> {
        let mut found = Vec::new();
        self.for_each_object(prefix, |hash, _| found.push(hash))?;
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        self.for_each_object(&HashPrefix::ALL, |_, entry| {
            stats.objects += 1;
            stats.bytes += entry.bytes;
        })?;
        Ok(stats)
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.root)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({})", self.root.display())
    }
}

#[cfg(test)]
mod tests;
