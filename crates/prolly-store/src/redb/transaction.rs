//! Writes objects and refs.

use prolly_core::Hash;
use redb::{ReadableTable as _, WriteTransaction};

use super::{
    codec::{encode, read_base, read_object, slot},
    failure::Failure,
    index::{IndexWriter, Lookup as _, Recent},
    lease::{Use, catch},
    log::{BASES, Encoding, LOG, Location, LogWriter, Tail},
    refs, sweep,
};
use crate::{
    Error, RefEdit, Result, SweepReport, Transaction, backend::check_object, refs::check_edits, vfs,
};

/// How many bytes of objects wait to be written together.
const BATCH_BYTES: usize = 1 << 20;

/// What carries over from one batch of objects to the next.
pub(super) struct Progress {
    tail: Tail,
    recent: Recent,
}

/// One write transaction of redb's. It cannot outlive the use that keeps the database open, so it is dropped first.
pub(super) struct RedbTransaction {
    transaction: Option<WriteTransaction>,
    progress: Option<Progress>,
    batch: Vec<(Hash, Box<[u8]>)>,
    batch_bytes: usize,
    used: Use,
}

impl RedbTransaction {
    pub(super) fn begin(mut used: Use) -> Result<Self> {
        let begun = catch(|| Ok(used.database().begin_write()?));
        let transaction = Some(used.check("begin a transaction in", begun)?);
        Ok(Self { transaction, progress: None, batch: Vec::new(), batch_bytes: 0, used })
    }

    /// Writes the waiting objects. After a failure the transaction is over.
    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let (transaction, progress) = (&self.transaction, &mut self.progress);
        let written = catch(|| match transaction {
            Some(transaction) => write_objects(transaction, progress, &batch),
            None => Err(Failure::Ours(over())),
        });
        if written.is_err() {
            self.transaction = None;
        }
        self.used.check("write to", written)
    }
}

impl Transaction for RedbTransaction {
    fn put(&mut self, hash: &Hash, bytes: &[u8]) -> Result<()> {
        check_object(hash, bytes)?;
        self.batch.push((*hash, bytes.into()));
        self.batch_bytes += bytes.len();
        if self.batch_bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn commit(mut self: Box<Self>, edits: &[RefEdit]) -> Result<()> {
        check_edits(edits)?;
        let changes = !self.batch.is_empty() || self.progress.is_some() || !edits.is_empty();
        self.flush()?;
        let (transaction, progress) = (self.transaction.take(), self.progress.take());
        let path = self.used.lease().path().to_owned();
        let committed = catch(|| {
            let transaction = transaction.ok_or_else(over)?;
            if !changes {
                return Ok(transaction.abort()?);
            }
            if let Some(progress) = progress {
                progress.finish(&transaction)?;
            }
            refs::edit(&transaction, &path, edits)?;
            Ok(transaction.commit()?)
        });
        self.used.check("commit to", committed)
    }

    fn sweep(mut self: Box<Self>, keep: &mut dyn FnMut(&Hash) -> bool) -> Result<SweepReport> {
        let lease = self.used.lease().clone();
        let bytes_before = vfs::occupied_bytes(lease.path())?;
        // A panic of the caller's is not damage, so `keep` runs outside of `catch`.
        let listed = catch(|| sweep::list(self.transaction.as_ref().ok_or_else(over)?));
        let objects = self.used.check("list objects in", listed)?;
        let objects_before = objects.len() as u64;
        let (live, dead): (Vec<_>, Vec<_>) = objects.into_iter().partition(|(hash, _)| keep(hash));
        let objects_removed = dead.len() as u64;
        if !dead.is_empty() {
            let transaction = self.transaction.take();
            let swept = catch(|| {
                let transaction = transaction.ok_or_else(over)?;
                sweep::remove(&transaction, live, dead)?;
                Ok(transaction.commit()?)
            });
            self.used.check("sweep", swept)?;
            drop(self);
            lease.run_alone("compact", |database| Ok(database.compact()?))?;
        }
        let bytes_after = vfs::occupied_bytes(lease.path())?;
        Ok(SweepReport { objects_before, objects_removed, bytes_before, bytes_after })
    }
}

impl Drop for RedbTransaction {
    fn drop(&mut self) {
        let transaction = self.transaction.take();
        let dropped = catch(|| {
            drop(transaction);
            Ok(())
        });
        // Nothing was to come of it anyway; but a database that makes no sense is to be opened anew.
        self.used.check("end a transaction in", dropped).ok();
    }
}

impl Progress {
    pub(super) fn begin(transaction: &WriteTransaction) -> Result<Self, Failure> {
        Ok(Self { tail: Tail::after(&transaction.open_table(LOG)?)?, recent: Recent::load(transaction)? })
    }

    /// Writes what is not in the tables yet.
    pub(super) fn finish(self, transaction: &WriteTransaction) -> Result<(), Failure> {
        LogWriter::new(transaction.open_table(LOG)?, self.tail).flush()?;
        self.recent.finish(transaction)
    }
}

/// Appends objects to the log. What is not in the tables yet stays in `progress`.
pub(super) fn write_objects<B: AsRef<[u8]>>(
    transaction: &WriteTransaction,
    progress: &mut Option<Progress>,
    objects: &[(Hash, B)],
) -> Result<(), Failure> {
    if objects.is_empty() {
        return Ok(());
    }
    let Progress { tail, recent } = match progress.take() {
        Some(progress) => progress,
        None => Progress::begin(transaction)?,
    };
    let mut index = IndexWriter::open(transaction, recent)?;
    let mut bases = transaction.open_table(BASES)?;
    let mut log = LogWriter::new(transaction.open_table(LOG)?, tail);
    for (hash, object) in objects {
        let object = object.as_ref();
        let stored_already = index.find(hash).map(|found| found.is_some()).or_else(only_damage(false))?;
        if stored_already
            && read_object(&index, &log, hash).or_else(only_damage(None))?.as_deref() == Some(object)
        {
            continue;
        }
        let slot = slot(object);
        // What is there but damaged is replaced, and not by a difference: others may differ from it.
        let damaged = index.has_entry(hash)?;
        let base = match slot.filter(|_| !damaged) {
            Some(slot) => bases.get(slot)?.map(|base| Hash::new(*base.value())),
            None => None,
        };
        let base = match base.filter(|base| base != hash) {
            Some(base) => {
                read_base(&index, &log, &base).or_else(only_damage(None))?.map(|bytes| (base, bytes))
            }
            None => None,
        };
        let stored = encode(object, base.as_ref().map(|(hash, bytes)| (hash, &bytes[..])));
        if let Some(slot) = slot.filter(|_| stored.encoding != Encoding::Difference) {
            bases.insert(slot, hash.as_bytes())?;
        }
        let (piece, offset) = log.append(&stored.bytes)?;
        let location = Location {
            piece,
            offset,
            stored_bytes: length(stored.bytes.len()),
            object_bytes: length(object.len()),
            encoding: stored.encoding,
        };
        index.insert(hash, location)?;
    }
    *progress = Some(Progress { tail: log.into_tail(), recent: index.into_recent() });
    Ok(())
}

/// Passes failures on, except that of one object's damage.
fn only_damage<T>(instead: T) -> impl FnOnce(Failure) -> Result<T, Failure> {
    |failure| match failure {
        Failure::Ours(Error::DamagedObject { .. }) => Ok(instead),
        other => Err(other),
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("objects are bounded, and stored no longer than they are")
}

fn over() -> Error {
    Error::TransactionOver
}
