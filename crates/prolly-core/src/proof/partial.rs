//! A node shown in part: some of its chunks, and the chaining values of BLAKE3's tree in place of the others.
//!
//! **Invariant:** an [`Opened`] node's hash was computed from the chunks shown, each at the index and in the tree of the
//! size that the chunk's own bytes state.

use std::{collections::BTreeSet, iter::Peekable, slice};

use blake3::{
    Hasher,
    hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root},
};
use serde::{Deserialize, Serialize};

use super::{
    encoding::{Bytes, ChainingValues},
    invalid,
};
use crate::{
    Hash, Result,
    node::{CHUNK_BYTES, Commitment, NODE_KEY, chunk::Chunk},
};

/// Some chunks of a node, and what it takes to compute the node's hash from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartialNode {
    /// The chunks shown, ascending, without their padding. Which they are is written in them.
    pub(super) chunks: Vec<Bytes>,
    /// The chaining values of the largest subtrees without a chunk shown, ascending.
    pub(super) hidden: ChainingValues,
}

/// A partial node, its chunks read and its hash computed.
pub(super) struct Opened<'a> {
    pub(super) hash: Hash,
    pub(super) level: u8,
    /// Number of chunks of the node.
    pub(super) total: usize,
    /// The chunks shown: at least one, ascending.
    pub(super) chunks: Vec<Chunk<'a>>,
}

impl PartialNode {
    /// Shows the chunks `shown` of a node, which have to be some.
    pub(super) fn show(commitment: &Commitment, shown: &BTreeSet<usize>) -> Self {
        assert!(!shown.is_empty(), "a proof shows something of every node");
        let mut this = Self { chunks: Vec::new(), hidden: ChainingValues(Vec::new()) };
        this.show_subtree(commitment, shown, 0, commitment.chunk_count());
        this
    }

    fn show_subtree(&mut self, commitment: &Commitment, shown: &BTreeSet<usize>, start: usize, count: usize) {
        if shown.range(start..start + count).next().is_none() {
            self.hidden.0.push(chaining_value(start, commitment.chunks(start..start + count)));
        } else if count == 1 {
            self.chunks.push(Bytes(commitment.unpadded(start).to_vec()));
        } else {
            let left = left_count(count);
            self.show_subtree(commitment, shown, start, left);
            self.show_subtree(commitment, shown, start + left, count - left);
        }
    }

    /// Reads the chunks and computes the hash of the node.
    pub(super) fn open(&self) -> Result<Opened<'_>> {
        let chunks = self.chunks.iter().map(|bytes| Chunk::parse(bytes)).collect::<Result<Vec<_>>>()?;
        let first = chunks.first().ok_or_else(|| invalid("it shows nothing of a node"))?;
        let (level, total) = (first.level, first.chunks);
        if chunks.iter().any(|chunk| chunk.level != level || chunk.chunks != total || chunk.index >= total) {
            return Err(invalid("it shows chunks of different nodes as one"));
        }
        if !chunks.is_sorted_by(|a, b| a.index < b.index) {
            return Err(invalid("the chunks of a node are out of order"));
        }
        let mut subtrees = Subtrees {
            shown: chunks.iter().zip(&self.chunks).map(|(chunk, bytes)| (chunk.index, &bytes[..])).peekable(),
            hidden: self.hidden.0.iter(),
        };
        let hash = subtrees.root(total)?;
        if subtrees.hidden.next().is_some() {
            return Err(invalid("it has more chaining values than a node has hidden parts"));
        }
        Ok(Opened { hash, level, total, chunks })
    }
}

/// Computes the hash of a node from the left to the right.
struct Subtrees<'a, I: Iterator<Item = (usize, &'a [u8])>> {
    /// Index and bytes of the chunks still to be used.
    shown: Peekable<I>,
    hidden: slice::Iter<'a, ChainingValue>,
}

impl<'a, I: Iterator<Item = (usize, &'a [u8])>> Subtrees<'a, I> {
    fn root(&mut self, total: usize) -> Result<Hash> {
        if total == 1 {
            let (_, bytes) = self.shown.next().expect("the chunk shown is the only one");
            return Ok(blake3::keyed_hash(NODE_KEY, &padded(bytes)).into());
        }
        let left = left_count(total);
        let (left, right) = (self.subtree(0, left)?, self.subtree(left, total - left)?);
        Ok(merge_subtrees_root(&left, &right, Mode::KeyedHash(NODE_KEY)).into())
    }

    fn subtree(&mut self, start: usize, count: usize) -> Result<ChainingValue> {
        if self.shown.peek().is_none_or(|(index, _)| *index >= start + count) {
            let hidden = self.hidden.next().copied();
            return hidden.ok_or_else(|| invalid("a chaining value of a node is missing"));
        }
        if count == 1 {
            let (_, bytes) = self.shown.next().expect("it was just seen");
            return Ok(chaining_value(start, &padded(bytes)));
        }
        let left = left_count(count);
        let (left, right) = (self.subtree(start, left)?, self.subtree(start + left, count - left)?);
        Ok(merge_subtrees_non_root(&left, &right, Mode::KeyedHash(NODE_KEY)))
    }
}

/// Of `count` chunks, over one, those in the left subtree: the largest power of two that leaves some for the right.
fn left_count(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// The chaining value of the subtree whose chunks, from index `start` on, are `bytes`.
fn chaining_value(start: usize, bytes: &[u8]) -> ChainingValue {
    let mut hasher = Hasher::new_keyed(NODE_KEY);
    hasher.set_input_offset(start as u64 * CHUNK_BYTES as u64).update(bytes);
    hasher.finalize_non_root()
}

fn padded(bytes: &[u8]) -> [u8; CHUNK_BYTES] {
    let mut chunk = [0; CHUNK_BYTES];
    chunk[..bytes.len()].copy_from_slice(bytes);
    chunk
}
