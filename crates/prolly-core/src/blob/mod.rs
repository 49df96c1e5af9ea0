//! Values too long for a node, stored beside the tree.
//!
//! A blob is cut where its contents say so, into parts of 16 to 256 KiB. A blob of one part is that part; a longer one
//! is a tree of lists over its parts, cut where their hashes say so. A change in the middle of a long blob therefore
//! makes a part or two and one list per level, and everything else is shared with the version before.
//!
//! ```text
//! part   record 'B', no links, payload: the bytes
//! list   record 'L', links: 1 to 1,024 children, payload: level u8 (1: children are parts), length of each child u64 LE
//! ```
//!
//! **Invariant:** the address of a blob depends on its bytes only, however they were handed in.

mod cut;
mod list;
mod read;
mod write;

pub use cut::{PART_BYTES_AVERAGE, PART_BYTES_MAX, PART_BYTES_MIN};
pub use list::LIST_LINKS_MAX;
pub use read::{BlobPart, BlobReader};
pub use write::BlobWriter;

use crate::{Hash, Link, NodeReader, NodeWriter, Result, ValueRef};

/// The length and address of a blob: what an entry of a leaf says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blob {
    /// Length in bytes.
    pub len: u64,
    /// Address of the part or list at its top.
    pub hash: Hash,
}

impl Blob {
    /// The value that links to the blob.
    pub fn as_value(&self) -> ValueRef<'static> {
        ValueRef::Blob { len: self.len, hash: self.hash }
    }
}

/// Writes `bytes` as a blob.
///
/// # Errors
/// [`Error::Store`](crate::Error::Store) when the store failed; what was written until then is reachable from nowhere.
pub fn write(writer: &dyn NodeWriter, bytes: &[u8]) -> Result<Blob> {
    let mut blob = BlobWriter::new(writer);
    blob.push(bytes)?;
    blob.finish()
}

/// Computes what [`write()`] would return, without a store.
pub fn address(bytes: &[u8]) -> Blob {
    write::address(bytes)
}

/// Reads the whole blob at `link`, whose length is `len` bytes. Memory grows with what the store delivers, never with
/// what a length claims.
///
/// # Errors
/// As [`BlobReader::open`] and [`BlobReader::next_part`].
pub fn read(reader: &dyn NodeReader, link: &Link, len: u64) -> Result<Vec<u8>> {
    let mut blob = BlobReader::open(reader, link, len)?;
    let mut bytes = Vec::new();
    while let Some(part) = blob.next_part()? {
        if bytes.is_empty() && part.len() as u64 == len {
            bytes.reserve_exact(part.len());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}
