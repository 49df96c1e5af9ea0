//! A store in one redb database file.
//!
//! ```text
//! PATH/prolly.redb      the database: objects and refs, one write transaction publishes both
//! PATH/prolly.demand    locked by a process that waits for the database
//! ```
//!
//! Objects are packed into pieces that fill redb's pages exactly, because redb rounds every page up to a power of two
//! and a node of 8 KB on its own would occupy 16. A new version of a node is stored as its difference from an older one.
//!
//! **Invariant:** what a transaction wrote and the refs it moved become durable in the same redb commit.

mod codec;
mod failure;
mod index;
mod lease;
mod log;
mod open;
mod refs;
#[cfg(test)]
mod sim;
mod sweep;
mod transaction;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use prolly_core::Hash;
use redb::{ReadTransaction, ReadableDatabase as _};

use crate::{
    Backend, Error, HashPrefix, RefEdit, RefStore, Result, Stats, Transaction, refs::MAX_REF_NAME_BYTES, vfs,
};
use codec::read_object;
use failure::Failure;
use index::{Lookup as _, Snapshot};
use lease::Lease;
use log::{KIND, LOG, REFS};
use refs::unseal;
use transaction::RedbTransaction;

const DATABASE_FILE: &str = "prolly.redb";
const DEMAND_FILE: &str = "prolly.demand";

/// How a [`RedbStore`] behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedbOptions {
    /// Bytes of database pages that redb keeps in memory. Nodes are cached decoded elsewhere, so little is enough.
    pub page_cache_bytes: usize,
    /// How long to wait for another process to let go of the database.
    pub busy_timeout: Duration,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { page_cache_bytes: 24 << 20, busy_timeout: Duration::from_secs(30) }
    }
}

/// Objects and refs in a redb database.
///
/// redb lets one process at a time have the database open. All handles of a path in this process share it, and it
/// passes between processes on demand: a process that needs it says so, the one that has it lets go within some
/// 20 ms, once no transaction is open, and reopens it when it next needs it. (redb's own modes for several processes
/// cost a second fsync per commit and five system calls per read; letting go costs a millisecond, and only when two
/// processes really alternate.) An idle process also lets go after a second, so that a crash finds the file closed.
///
/// While another process has a transaction open, reading waits too, and is [`Error::Busy`] after the time in
/// [`RedbOptions`].
///
/// After a crash with the database open, redb verifies it when it is next opened: about 4 s per GB.
pub struct RedbStore {
    lease: Arc<Lease>,
    dir: PathBuf,
}

impl RedbStore {
    /// Opens the store in directory `path` with default options, making it if there is none.
    ///
    /// # Errors
    /// [`Error::NotAStore`] when the path is a file or the database is not one of ours, [`Error::NewerStore`] when a
    /// newer version wrote it, [`Error::Damaged`] when it is truncated or damaged, [`Error::Busy`] when another process
    /// does not let go of it; [`Error::Io`] names the path that cannot be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, RedbOptions::default())
    }

    /// Opens the store in directory `path`, making it if there is none. When the process has it open already, the
    /// options of then stay.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: RedbOptions) -> Result<Self> {
        let path = path.as_ref();
        if path.is_file() {
            let reason = "it is a file, not a directory".to_owned();
            return Err(Error::NotAStore { path: path.to_owned(), kind: KIND, reason });
        }
        let dir = vfs::create_dir(path)?;
        let (file, demand) = (dir.join(DATABASE_FILE), dir.join(DEMAND_FILE));
        let lease = Lease::shared(&file, &demand, open::file_opener(&file, &options), &options)?;
        // Opening the database now finds what is wrong with it now.
        drop(lease.enter(false)?);
        Ok(Self { lease, dir })
    }

    /// Closes the database unless a transaction or another thread is using it, so that another process finds it free
    /// at once. The next use of any handle opens it again.
    ///
    /// # Errors
    /// When the database cannot be closed cleanly. Nothing that was committed is lost by that.
    pub fn release(&self) -> Result<()> {
        self.lease.release()
    }

    /// Gives unused space of the file back to the file system, in time proportional to the size of the store. Does
    /// nothing while the database is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub fn compact(&self) -> Result<()> {
        self.lease.run_alone("compact", |database| Ok(database.compact()?)).map(|_| ())
    }

    /// A store whose database is whatever `opener` opens, for tests.
    #[cfg(test)]
    fn with_opener(path: &Path, opener: lease::Opener) -> Result<Self> {
        let lease = Arc::new(Lease::new(path, opener, &RedbOptions::default()));
        drop(lease.enter(false)?);
        Ok(Self { lease, dir: path.to_owned() })
    }

    /// Runs a function over a snapshot of the database.
    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Failure>) -> Result<T> {
        self.lease.run("read", |database| read(&database.begin_read()?))
    }
}

impl RefStore for RedbStore {
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>> {
        // Longer names would still be compared byte by byte.
        if name.len() > MAX_REF_NAME_BYTES {
            return Ok(None);
        }
        self.read(|snapshot| {
            let stored = snapshot.open_table(REFS)?.get(name)?;
            let value = stored.as_ref().map(|stored| unseal(self.lease.path(), name, stored.value()));
            Ok(value.transpose()?.map(<[u8]>::to_vec))
        })
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        self.read(|snapshot| {
            let mut refs = Vec::new();
            for entry in snapshot.open_table(REFS)?.range(prefix..)? {
                let (name, stored) = entry?;
                let name = name.value();
                if !name.starts_with(prefix) {
                    break;
                }
                refs.push((name.to_owned(), unseal(self.lease.path(), name, stored.value())?.to_vec()));
            }
            Ok(refs)
        })
    }

    fn edit_refs(&self, edits: &[RefEdit]) -> Result<()> {
        self.begin()?.commit(edits)
    }
}

impl Backend for RedbStore {
    fn get(&self, hash: &Hash) -> Result<Option<Box<[u8]>>> {
        self.read(|snapshot| {
            let object = read_object(&Snapshot::open(snapshot)?, &snapshot.open_table(LOG)?, hash)?;
            Ok(object.map(Vec::into_boxed_slice))
        })
    }

    fn contains(&self, hash: &Hash) -> Result<bool> {
        self.read(|snapshot| Ok(Snapshot::open(snapshot)?.find(hash)?.is_some()))
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>> {
        Ok(Box::new(RedbTransaction::begin(self.lease.enter(true)?)?))
    }

    fn objects_by_prefix(&self, prefix: &HashPrefix, limit: usize) -> Result<Vec<Hash>> {
        self.read(|snapshot| Snapshot::open(snapshot)?.addresses(prefix, limit))
    }

    fn stats(&self) -> Result<Stats> {
        let objects = self.read(|snapshot| Snapshot::open(snapshot)?.count())?;
        Ok(Stats { objects, bytes: vfs::occupied_bytes(self.lease.path())? })
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.dir)
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbStore({})", self.dir.display())
    }
}

#[cfg(test)]
mod tests;
