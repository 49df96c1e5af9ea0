//! Objects that are not nodes: parts of blobs, lists of them, commits.
//!
//! ```text
//! 0  kind u8      'B' blob part, 'L' list of blob parts, 'C' commit
//! 1  version u8   1
//! 2  links u16 LE
//! 4  links × hash 32
//!    payload
//! ```
//!
//! **Invariant:** the address of a record is the keyed BLAKE3 hash of all its bytes, and its links can be read without
//! knowing its payload.

use crate::{Error, Hash, Result};

/// The version of every record this build writes.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 4;
const RECORD_KEY: &[u8; 32] = b"prollytree record hash key v1\0\0\0";

/// What a record is; the first byte of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A part of a blob, or all of a short one.
    BlobPart = b'B' as isize,
    /// The list of a long blob's parts.
    BlobList = b'L' as isize,
    /// A commit.
    Commit = b'C' as isize,
}

/// A record, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it is.
    pub kind: RecordKind,
    links: &'a [u8],
    /// What the kind's owner put there.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Encodes a record.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there are more than 65,535 links.
    pub fn encode(kind: RecordKind, links: &[Hash], payload: &[u8]) -> Result<Vec<u8>> {
        let count = u16::try_from(links.len())
            .map_err(|_| Error::malformed(format!("a record cannot have {} links", links.len())))?;
        let mut out = Vec::with_capacity(HEADER_BYTES + links.len() * Hash::LEN + payload.len());
        out.extend_from_slice(&[kind as u8, VERSION]);
        out.extend_from_slice(&count.to_le_bytes());
        for link in links {
            out.extend_from_slice(link.as_bytes());
        }
        out.extend_from_slice(payload);
        Ok(out)
    }

    /// Reads a record in place; the payload is left to the kind's owner.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes do not follow the format, [`Error::NewerFormat`] for a later version.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let (&[kind, version, low, high], rest) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or_else(|| Error::malformed(format!("a record has {} bytes", bytes.len())))?;
        let kind = match kind {
            b'B' => RecordKind::BlobPart,
            b'L' => RecordKind::BlobList,
            b'C' => RecordKind::Commit,
            other => return Err(Error::malformed(format!("unknown kind of object {other:#04x}"))),
        };
        if version != VERSION {
            return Err(Error::NewerFormat { found: version, supported: VERSION });
        }
        let links_bytes = usize::from(u16::from_le_bytes([low, high])) * Hash::LEN;
        let (links, payload) = rest
            .split_at_checked(links_bytes)
            .ok_or_else(|| Error::malformed("a record ends inside its links"))?;
        Ok(Self { kind, links, payload })
    }

    /// The addresses that the record links to, in order.
    pub fn links(&self) -> impl ExactSizeIterator<Item = Hash> + DoubleEndedIterator + use<'a> {
        self.links.as_chunks::<{ Hash::LEN }>().0.iter().map(|bytes| Hash::new(*bytes))
    }

    /// Computes the address of a record from its encoding.
    pub fn address(encoded: &[u8]) -> Hash {
        blake3::keyed_hash(RECORD_KEY, encoded).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_damage_is_refused() {
        let links = [Hash::new([1; 32]), Hash::new([2; 32])];
        let bytes = Record::encode(RecordKind::Commit, &links, b"payload").unwrap();
        let record = Record::decode(&bytes).unwrap();
        assert_eq!(record.kind, RecordKind::Commit);
        assert_eq!(record.links().collect::<Vec<_>>(), links);
        assert_eq!(record.payload, b"payload");
        for bad in [&b""[..], b"B", b"Z\x01\0\0", &bytes[..40]] {
            assert!(matches!(Record::decode(bad), Err(Error::Malformed { .. })), "{bad:?} must be refused");
        }
        assert!(matches!(Record::decode(b"B\x02\0\0"), Err(Error::NewerFormat { found: 2, .. })));
    }
}
