//! The list record of a long blob: its children in order, and the length of each.
//!
//! **Invariant:** a decoded [`List`] has as many lengths as links, none of them zero, and their sum fits 64 bits.

use crate::{Error, Hash, Record, RecordKind, Result};

use super::PART_BYTES_MAX;

/// The most children a list has.
pub const LIST_LINKS_MAX: usize = 1024;
/// A list ends nowhere before this many children, so that every level is that many times shorter than the one below.
const LIST_LINKS_MIN: usize = 64;
/// More levels than a blob of 2⁶⁴ bytes needs.
const LEVEL_MAX: u8 = 16;

/// Whether a list of `count` children ends with the child `last`: at the maximum, or where the hash of a child begins
/// with a zero byte.
pub(super) fn ends_at(count: usize, last: &Hash) -> bool {
    count >= LIST_LINKS_MAX || (count >= LIST_LINKS_MIN && last.as_bytes()[0] == 0)
}

/// Encodes a list.
pub(super) fn encode(level: u8, links: &[Hash], lens: &[u64]) -> Result<Vec<u8>> {
    let mut payload = Vec::with_capacity(1 + lens.len() * 8);
    payload.push(level);
    for len in lens {
        payload.extend_from_slice(&len.to_le_bytes());
    }
    Record::encode(RecordKind::BlobList, links, &payload)
}

/// A list, read in place.
pub(super) struct List<'a> {
    record: Record<'a>,
    pub(super) level: u8,
    lens: &'a [[u8; 8]],
    /// Length of all children together.
    pub(super) len: u64,
}

impl<'a> List<'a> {
    /// Reads a list, [`Error::Malformed`] when the record does not follow the format.
    pub(super) fn decode(record: Record<'a>) -> Result<Self> {
        let (&level, lens) =
            record.payload.split_first().ok_or_else(|| Error::malformed("a list of parts has no level"))?;
        let (lens, odd) = lens.as_chunks::<8>();
        let count = record.links().len();
        if record.kind != RecordKind::BlobList || !odd.is_empty() || lens.len() != count {
            return Err(Error::malformed("a list of parts has not one length for every link"));
        }
        if !(1..=LEVEL_MAX).contains(&level) || !(1..=LIST_LINKS_MAX).contains(&count) {
            return Err(Error::malformed(format!("a list of parts has level {level} and {count} children")));
        }
        let mut sum = 0u64;
        for len in lens.iter().map(|len| u64::from_le_bytes(*len)) {
            if len == 0 || (level == 1 && len > PART_BYTES_MAX as u64) {
                return Err(Error::malformed(format!("a child of a list of level {level} has {len} bytes")));
            }
            sum = sum
                .checked_add(len)
                .ok_or_else(|| Error::malformed("the lengths in a list add up to over 64 bits"))?;
        }
        Ok(Self { record, level, lens, len: sum })
    }

    /// Number of children.
    pub(super) fn count(&self) -> usize {
        self.lens.len()
    }

    /// The child that holds byte `offset` of the list: its hash, where it starts, and its length; `None` beyond the end.
    pub(super) fn child_at(&self, offset: u64) -> Option<(Hash, u64, u64)> {
        let mut start = 0;
        for (link, len) in self.record.links().zip(self.lens) {
            let len = u64::from_le_bytes(*len);
            if offset - start < len {
                return Some((link, start, len));
            }
            start += len;
        }
        None
    }
}
