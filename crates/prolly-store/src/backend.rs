//! What every store offers: objects by address, named refs, and one way to write both.
//!
//! **Invariant:** a ref changes only in [`Transaction::commit`], by compare-and-swap, after every object put in that
//! transaction is durable; and nothing else can be swept or published between a transaction's begin and its end.

use std::{fmt, path::Path};

use prolly_core::Hash;

use crate::{Error, HashPrefix, Result, error::Shown};

/// The longest object that a store keeps, in bytes. Longer values are cut into parts before they get here.
pub const MAX_OBJECT_BYTES: usize = 256 << 20;

/// What a ref must hold for an edit to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it holds, or nothing.
    Any,
    /// The ref must not exist.
    Absent,
    /// The ref must hold exactly these bytes.
    Value(Vec<u8>),
}

impl Expected {
    /// Whether what a ref holds is what was expected.
    pub fn admits(&self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Value(bytes) => found == Some(bytes.as_slice()),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Absent => f.write_str("nothing"),
            Self::Value(bytes) => Shown(Some(bytes)).fmt(f),
        }
    }
}

/// An edit of one ref by compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// Name: 1 to [`MAX_REF_NAME_BYTES`](crate::MAX_REF_NAME_BYTES) bytes without control characters.
    pub name: String,
    /// What it must hold now.
    pub expected: Expected,
    /// What it shall hold, at most [`MAX_REF_VALUE_BYTES`](crate::MAX_REF_VALUE_BYTES) opaque bytes; `None` deletes it.
    pub new: Option<Vec<u8>>,
}

/// Named refs: the only mutable state of a store.
pub trait RefStore: Send + Sync {
    /// Reads a ref; `None` when there is none of this name.
    ///
    /// # Errors
    /// When the refs are damaged or the store fails.
    fn read_ref(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// All refs whose name begins with `prefix`, in ascending byte order of their names, as of one moment.
    ///
    /// # Errors
    /// As [`RefStore::read_ref`].
    fn refs(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>>;

    /// Edits refs, durably: all of them or, when one does not hold what was expected, none.
    ///
    /// # Errors
    /// [`Error::RefMoved`](crate::Error::RefMoved) for the first ref that does not hold what was expected,
    /// [`Error::InvalidRef`](crate::Error::InvalidRef); nothing is changed then.
    fn edit_refs(&self, edits: &[RefEdit]) -> Result<()>;
}

/// A store of immutable objects and refs. Any number of threads may use it, and several handles of one path, in one
/// process or in several, see the same contents.
///
/// Objects are opaque here: a backend does not check that bytes fit their address. Whoever reads them does
/// ([`CachedReader`](crate::CachedReader)).
pub trait Backend: RefStore {
    /// Reads the bytes of an object; `None` when it is not stored. Sees every transaction committed before the call,
    /// in any process. Never waits for a transaction of another thread.
    ///
    /// # Errors
    /// [`Error::DamagedObject`](crate::Error::DamagedObject) when what is stored cannot be turned into bytes; other
    /// errors when the store fails.
    fn get(&self, hash: &Hash) -> Result<Option<Box<[u8]>>>;

    /// Whether an object is stored. It may be unreachable and be swept at any time: existence is not safety.
    ///
    /// # Errors
    /// When the store fails.
    fn contains(&self, hash: &Hash) -> Result<bool>;

    /// Begins the one transaction that a store has at a time, waiting for the one under way, in any process, to end.
    /// A thread that already has a transaction of the same store open must not begin another: it would wait for ever.
    ///
    /// # Errors
    /// [`Error::Busy`](crate::Error::Busy) when another process did not end its own in time; others when the store
    /// fails.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>>;

    /// Addresses of stored objects that begin with `prefix`, ascending, up to `limit` of them.
    ///
    /// # Errors
    /// When the store fails.
    fn objects_by_prefix(&self, prefix: &HashPrefix, limit: usize) -> Result<Vec<Hash>>;

    /// Counts objects and the bytes they occupy. May read the whole index.
    ///
    /// # Errors
    /// When the store fails.
    fn stats(&self) -> Result<Stats>;

    /// Where the store is; `None` in memory.
    fn path(&self) -> Option<&Path>;
}

/// A transaction: objects on their way in, and the right to publish or to sweep. Dropping it publishes nothing.
///
/// Refs and objects can be read from the store while a transaction is open; they read as before it.
pub trait Transaction {
    /// Takes an object to be published. An object that is stored already, perhaps unreachable, is safe from then on
    /// as if it had been new.
    ///
    /// # Errors
    /// [`Error::ObjectTooLong`](crate::Error::ObjectTooLong); others when the store fails. The transaction can only be
    /// dropped then.
    fn put(&mut self, hash: &Hash, bytes: &[u8]) -> Result<()>;

    /// Publishes the objects and edits the refs: all or nothing, and durable when it returns.
    ///
    /// # Errors
    /// [`Error::RefMoved`](crate::Error::RefMoved) for the first ref that does not hold what its edit expected,
    /// [`Error::InvalidRef`](crate::Error::InvalidRef), or a failure of the store. After [`Error::RefMoved`] and
    /// [`Error::InvalidRef`] nothing has changed. After a failure of the store either nothing or everything has, and
    /// reading the refs tells which.
    fn commit(self: Box<Self>, edits: &[RefEdit]) -> Result<()>;

    /// Removes every stored object that `keep` does not want, and gives the space back where that is cheap. Objects
    /// put in this transaction are not published.
    ///
    /// Refs cannot move while the transaction is open, so marking what they reach belongs between begin and sweep.
    ///
    /// # Errors
    /// When the store fails; some objects may have been removed then, none that `keep` wants.
    fn sweep(self: Box<Self>, keep: &mut dyn FnMut(&Hash) -> bool) -> Result<SweepReport>;
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Objects before.
    pub objects_before: u64,
    /// Objects removed.
    pub objects_removed: u64,
    /// Bytes occupied before.
    pub bytes_before: u64,
    /// Bytes occupied after.
    pub bytes_after: u64,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Objects stored, reachable or not.
    pub objects: u64,
    /// Bytes they occupy: on disk, as the file system counts them, or in memory.
    pub bytes: u64,
}

/// Checks what is to be put.
pub(crate) fn check_object(hash: &Hash, bytes: &[u8]) -> Result<()> {
    if bytes.len() <= MAX_OBJECT_BYTES {
        return Ok(());
    }
    Err(Error::ObjectTooLong { hash: *hash, len: bytes.len(), max: MAX_OBJECT_BYTES })
}
