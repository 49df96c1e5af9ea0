//! Proofs of what a tree holds and does not hold, checked from the root hash alone.
//!
//! A node's address is a BLAKE3 hash over chunks that hold whole entries (see `node::commitment`), so a node can be shown in
//! part: some chunks, and chaining values in place of the others. A proof is such a part of each node that matters,
//! parents first, and one kind of proof serves one key, several, and a range, which share nodes.
//!
//! **Invariant:** everything a [`Verified`] says follows from bytes that hash up to the root. Nothing else in a proof is
//! believed: not a position, count or level, and not the order of its parts.

mod encoding;
mod partial;
mod prove;
#[cfg(test)]
mod tests;
mod verified;

use std::ops::RangeBounds;

use encoding::Bytes;
use partial::PartialNode;
use serde::{Deserialize, Serialize};

pub use verified::{ProvenValue, Verified};

use crate::{Error, Hash, Result, Tree};

/// The version of the encoding that this build writes, and the only one it reads.
const VERSION: u8 = 1;

/// Shows, to anyone who knows a tree's root hash, what some of its keys hold, or that they do not exist.
///
/// ```
/// # use std::sync::Arc;
/// # use prolly_core::{NodeBuffer, Proof, ProllyTree, TreeConfig};
/// # let mut tree = ProllyTree::new(Arc::new(NodeBuffer::new()), TreeConfig::default())?;
/// tree.insert(b"key", b"value")?;
/// # let tree = tree.tree()?;
/// let proof = Proof::for_keys(&tree, ["key", "another"])?;
///
/// let sent = proof.to_bytes();
/// let proof = Proof::from_bytes(&sent)?;
/// assert!(proof.verify_value(&tree.root_hash(), b"key", Some(b"value"))?);
/// assert!(proof.verify_value(&tree.root_hash(), b"another", None)?);
/// # Ok::<(), prolly_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Parents before children, in the order of their keys.
    nodes: Vec<PartialNode>,
    /// Keys that the chunks have only as a digest, and whose place in the order matters; strictly ascending.
    long_keys: Vec<Bytes>,
}

impl Proof {
    /// Proves what `keys` hold in `tree`, or that they do not exist, in O(log n) for each.
    ///
    /// A key that exists costs one chunk of each node on its path; one that does not may cost a second at one of them.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn for_keys<K: AsRef<[u8]>>(tree: &Tree, keys: impl IntoIterator<Item = K>) -> Result<Self> {
        prove::keys(tree, keys)
    }

    /// Proves which entries `tree` has in `bounds`: every one, and that there are no others.
    ///
    /// # Errors
    /// What reading a node reports.
    pub fn for_range<K: AsRef<[u8]>>(tree: &Tree, bounds: impl RangeBounds<K>) -> Result<Self> {
        prove::range(tree, bounds)
    }

    /// Number of nodes that it shows a part of.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The root hash that it leads up to. It tells which root to look for among trusted ones, and proves nothing.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when it has no first node, or that node is not well formed.
    pub fn claimed_root(&self) -> Result<Hash> {
        Ok(self.nodes.first().ok_or_else(|| invalid("it has no nodes"))?.open()?.hash)
    }

    /// Encodes the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("a vector takes all that is written to it")
    }

    /// Decodes a proof. It is believed in nothing yet: that takes [`Proof::verify`].
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when the bytes are not what [`Proof::to_bytes`] returns, [`Error::NewerFormat`] when they are
    /// of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, encoded) = bytes.split_first().ok_or_else(|| invalid("it is empty"))?;
        if version > VERSION {
            return Err(Error::NewerFormat { found: version, supported: VERSION });
        }
        if version != VERSION {
            return Err(invalid(format!("there is no version {version} of proofs")));
        }
        let proof: Self = postcard::from_bytes(encoded).map_err(|error| invalid(error.to_string()))?;
        // Lengths can be spelled in several ways, and bytes can follow the end: there is only one encoding.
        if proof.to_bytes() != bytes {
            return Err(invalid("it is not in the canonical encoding"));
        }
        Ok(proof)
    }

    /// Checks the proof against the root hash of a tree, in time linear in its size, and returns what it proves.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when it does not belong to that root, or has been tampered with.
    pub fn verify(&self, root: &Hash) -> Result<Verified> {
        verified::verify(self, root)
    }

    /// Whether the proof shows that `key` has exactly the bytes `value`, or for `None` that it does not exist. A value that
    /// lies beside the tree as a blob is recognised by its address.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] when the proof is not valid for `root`, or says nothing about `key`.
    pub fn verify_value(&self, root: &Hash, key: &[u8], value: Option<&[u8]>) -> Result<bool> {
        let verified = self.verify(root)?;
        Ok(match (verified.get(key)?, value) {
            (None, None) => true,
            (Some(proven), Some(value)) => proven.is(value),
            (None, Some(_)) | (Some(_), None) => false,
        })
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InvalidProof { reason: reason.into() }
}
