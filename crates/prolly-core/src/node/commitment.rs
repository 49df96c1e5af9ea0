//! What a node's address commits to: its logical content, laid out so that a proof can show a part of it.
//!
//! The entries are packed whole into zero-padded chunks of 1 KiB, the unit of BLAKE3's own tree, and the address is the
//! keyed BLAKE3 hash of all of them. So BLAKE3's tree is a Merkle tree inside the node: one chunk and a few chaining
//! values prove an entry. A chunk of an internal node holds at most [`CHILDREN_PER_CHUNK`] children, which keeps those
//! parts of a proof small.
//!
//! ```text
//! chunk    level u8 | entries u8 | index u16 | chunks u16 | 0 u16 | entries | zeros up to 1,024
//! entry    field(key) field(tagged value)                       in a leaf
//!          field(last key) hash 32 | entries below u64          in an internal node
//! field    length u16 | bytes                                   up to FIELD_BYTES_MAX
//!          ffff | length u32 | BLAKE3 of the bytes 32           beyond
//! ```
//!
//! **Invariant:** two nodes have equal chunks exactly when they have equal level, keys, values and children.

use std::ops::Range;

use super::Node;
use crate::Hash;

/// The size of a chunk: BLAKE3's.
pub(crate) const CHUNK_BYTES: usize = 1024;
/// The key of the hash; it keeps nodes apart from records.
pub(crate) const NODE_KEY: &[u8; 32] = b"prollytree node hash key v1\0\0\0\0\0";
const HEADER_BYTES: usize = 8;
const CHILDREN_PER_CHUNK: usize = 4;
/// A longer key or tagged value is committed to by length and digest, so that every entry fits a chunk.
pub(crate) const FIELD_BYTES_MAX: usize = 448;
const DIGEST_MARK: u16 = u16::MAX;
const DIGEST_FIELD_BYTES: usize = 2 + 4 + Hash::LEN;

/// The chunks of a node.
pub(crate) struct Commitment {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

/// What a chunk holds.
struct Slot {
    /// The index of its first entry.
    first: usize,
    /// Where its padding begins.
    end: usize,
}

impl Commitment {
    /// Lays out the logical content of a node.
    pub(crate) fn of(node: &Node) -> Self {
        let mut this =
            Self { bytes: Vec::with_capacity(node.bytes.len() * 5 / 4 + CHUNK_BYTES), slots: Vec::new() };
        let level = node.level();
        let prefix = node.prefix();
        this.start_chunk(level, 0);
        if node.is_leaf() {
            let mut slot = crate::node::Slot::default();
            for index in 0..node.count() {
                if index == 0 {
                    slot = node.first_slot();
                } else {
                    node.advance_slot(&mut slot);
                }
                let (suffix, value) = (node.suffix_at(&slot), node.tagged_at(&slot));
                let needed = field_bytes(prefix.len() + suffix.len()) + field_bytes(value.len());
                this.make_room(level, index, needed);
                write_field(&mut this.bytes, prefix, suffix);
                write_field(&mut this.bytes, value, &[]);
            }
        } else {
            for index in 0..node.count() {
                let suffix = node.key_suffix(index);
                if this.slots.last().is_some_and(|slot| index - slot.first == CHILDREN_PER_CHUNK) {
                    this.start_chunk(level, index);
                }
                this.make_room(level, index, field_bytes(prefix.len() + suffix.len()) + Hash::LEN + 8);
                write_field(&mut this.bytes, prefix, suffix);
                this.bytes.extend_from_slice(node.child_hash(index).as_bytes());
                this.bytes.extend_from_slice(&node.child_len(index).to_le_bytes());
            }
        }
        this.finish(node.count());
        this
    }

    /// The address of the node.
    pub(crate) fn root(&self) -> Hash {
        blake3::keyed_hash(NODE_KEY, &self.bytes).into()
    }

    /// Number of chunks, at least one.
    pub(crate) fn chunk_count(&self) -> usize {
        self.slots.len()
    }

    /// The bytes of a run of chunks, padding included.
    pub(crate) fn chunks(&self, run: Range<usize>) -> &[u8] {
        &self.bytes[run.start * CHUNK_BYTES..run.end * CHUNK_BYTES]
    }

    /// The bytes of chunk `index` without its padding.
    pub(crate) fn unpadded(&self, index: usize) -> &[u8] {
        &self.bytes[index * CHUNK_BYTES..self.slots[index].end]
    }

    /// The chunk that holds entry `index`.
    pub(crate) fn chunk_of(&self, index: usize) -> usize {
        self.slots.partition_point(|slot| slot.first <= index) - 1
    }

    /// Begins another chunk with entry `index` when the last has no room for it.
    #[inline]
    fn make_room(&mut self, level: u8, index: usize, needed: usize) {
        if self.bytes.len() + needed > self.slots.len() * CHUNK_BYTES {
            self.start_chunk(level, index);
        }
    }

    fn start_chunk(&mut self, level: u8, first: usize) {
        let index = self.slots.len();
        self.end_chunk();
        self.slots.push(Slot { first, end: 0 });
        let [low, high] = u16::try_from(index).expect("a node has fewer entries than that").to_le_bytes();
        self.bytes.extend_from_slice(&[level, 0, low, high, 0, 0, 0, 0]);
    }

    /// Pads the last chunk.
    fn end_chunk(&mut self) {
        if let Some(slot) = self.slots.last_mut() {
            slot.end = self.bytes.len();
        }
        self.bytes.resize(self.slots.len() * CHUNK_BYTES, 0);
    }

    /// Fills in what is known only at the end: the entries of each chunk and the number of chunks.
    fn finish(&mut self, count: usize) {
        self.end_chunk();
        let chunks = self.slots.len();
        let total = u16::try_from(chunks).expect("a node has fewer entries than that").to_le_bytes();
        for index in 0..chunks {
            let end = self.slots.get(index + 1).map_or(count, |slot| slot.first);
            let entries =
                u8::try_from(end - self.slots[index].first).expect("an entry takes at least five bytes");
            let at = index * CHUNK_BYTES;
            self.bytes[at + 1] = entries;
            self.bytes[at + 4..at + 6].copy_from_slice(&total);
        }
    }
}

fn field_bytes(len: usize) -> usize {
    if len <= FIELD_BYTES_MAX { 2 + len } else { DIGEST_FIELD_BYTES }
}

/// Writes a field whose bytes come in two parts.
#[inline]
fn write_field(out: &mut Vec<u8>, first: &[u8], second: &[u8]) {
    let len = first.len() + second.len();
    if len <= FIELD_BYTES_MAX {
        out.extend_from_slice(&(len as u16).to_le_bytes());
        out.extend_from_slice(first);
        out.extend_from_slice(second);
    } else {
        write_digest(out, first, second);
    }
}

fn write_digest(out: &mut Vec<u8>, first: &[u8], second: &[u8]) {
    let len = u32::try_from(first.len() + second.len()).expect("keys and inline values are bounded");
    out.extend_from_slice(&DIGEST_MARK.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    let digest = blake3::Hasher::new().update(first).update(second).finalize();
    out.extend_from_slice(digest.as_bytes());
}

/// Reading a chunk back, as a verifier does that has nothing but the chunk.
pub(crate) mod chunk {
    use super::{CHUNK_BYTES, DIGEST_MARK, FIELD_BYTES_MAX, HEADER_BYTES};
    use crate::{Error, Hash, Result};

    /// A key or tagged value as a chunk commits to it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Field<'a> {
        /// The bytes themselves.
        Bytes(&'a [u8]),
        /// Length and BLAKE3 digest of more than [`FIELD_BYTES_MAX`] bytes.
        Digest { len: u32, digest: Hash },
    }

    /// An entry of a chunk.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Entry<'a> {
        /// Key and tagged value.
        Value(Field<'a>, Field<'a>),
        /// Last key, hash and number of entries below.
        Child(Field<'a>, Hash, u64),
    }

    impl<'a> Entry<'a> {
        pub(crate) fn key(&self) -> Field<'a> {
            match self {
                Self::Value(key, _) | Self::Child(key, ..) => *key,
            }
        }
    }

    /// A chunk, read in place.
    #[derive(Debug)]
    pub(crate) struct Chunk<'a> {
        pub(crate) level: u8,
        pub(crate) index: usize,
        pub(crate) chunks: usize,
        pub(crate) entries: Vec<Entry<'a>>,
    }

    impl<'a> Chunk<'a> {
        /// Reads a chunk without its padding.
        pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
            let bad = || Error::InvalidProof { reason: "a chunk does not follow the format".to_owned() };
            if bytes.len() > CHUNK_BYTES {
                return Err(bad());
            }
            let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(bad)?;
            let [level, entries, i0, i1, c0, c1, 0, 0] = *header else { return Err(bad()) };
            let mut reader = Reader(rest);
            let mut parsed = Vec::with_capacity(usize::from(entries));
            for _ in 0..entries {
                let key = reader.field().ok_or_else(bad)?;
                parsed.push(if level == 0 {
                    Entry::Value(key, reader.field().ok_or_else(bad)?)
                } else {
                    let hash = Hash::new(*reader.array().ok_or_else(bad)?);
                    Entry::Child(key, hash, u64::from_le_bytes(*reader.array().ok_or_else(bad)?))
                });
            }
            if !reader.0.is_empty() {
                return Err(bad());
            }
            Ok(Self {
                level,
                index: usize::from(u16::from_le_bytes([i0, i1])),
                chunks: usize::from(u16::from_le_bytes([c0, c1])),
                entries: parsed,
            })
        }
    }

    struct Reader<'a>(&'a [u8]);

    impl<'a> Reader<'a> {
        fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
            let (array, rest) = self.0.split_first_chunk::<N>()?;
            self.0 = rest;
            Some(array)
        }

        fn field(&mut self) -> Option<Field<'a>> {
            let len = u16::from_le_bytes(*self.array()?);
            if len == DIGEST_MARK {
                let len = u32::from_le_bytes(*self.array()?);
                let digest = Hash::new(*self.array()?);
                return (len as usize > FIELD_BYTES_MAX).then_some(Field::Digest { len, digest });
            }
            if usize::from(len) > FIELD_BYTES_MAX {
                return None;
            }
            let (bytes, rest) = self.0.split_at_checked(usize::from(len))?;
            self.0 = rest;
            Some(Field::Bytes(bytes))
        }
    }
}
