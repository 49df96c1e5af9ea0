//! Proofs of keys of namespaces.

use prolly_core::Hash;
use prolly_version::{TreeProof, VerifiedTree};

use crate::{Result, name::tree_of};

/// What shows the entries of some keys of a namespace, or their absence, from the root of a commit's catalog alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceProof(TreeProof);

impl NamespaceProof {
    pub(crate) fn new(proof: TreeProof) -> Self {
        Self(proof)
    }

    /// Encodes the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Decodes a proof. It is believed in nothing yet: that takes [`NamespaceProof::verify`].
    ///
    /// # Errors
    /// As [`TreeProof::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Self(TreeProof::from_bytes(bytes)?))
    }

    /// The root of the catalog that it leads up to. It tells which root to look for among trusted ones, and proves nothing.
    ///
    /// # Errors
    /// As [`TreeProof::claimed_root`].
    pub fn claimed_root(&self) -> Result<Hash> {
        Ok(self.0.claimed_root()?)
    }

    /// Checks the proof against the root of a commit's catalog, and returns what it proves of a namespace. Needs no store.
    ///
    /// # Errors
    /// [`Error::InvalidName`](crate::Error::InvalidName); as [`TreeProof::verify`].
    pub fn verify(&self, catalog_root: &Hash, namespace: &str) -> Result<VerifiedTree> {
        Ok(self.0.verify(catalog_root, &tree_of(namespace)?)?)
    }

    /// Whether the proof shows that `key` has exactly the bytes `value`, or for `None` that it does not exist.
    ///
    /// # Errors
    /// As [`NamespaceProof::verify`], and when the proof says nothing about the key.
    pub fn verify_value(
        &self,
        catalog_root: &Hash,
        namespace: &str,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<bool> {
        Ok(self.0.verify_value(catalog_root, &tree_of(namespace)?, key, value)?)
    }
}
