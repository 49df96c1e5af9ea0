//! Proofs that lead from the root of a catalog to a key of one of its trees.
//!
//! ```text
//! tree proof   01                                     version
//!              catalog      length, proof             of the tree's key, in the catalog
//!              entry        0, or 1, length, bytes    what the catalog has for the tree, where its proof has a digest
//!              tree         0, or 1, length, proof    of the keys, in the tree; 0 when the catalog has no such tree
//! ```
//!
//! **Invariant:** there is one encoding of a proof, and a verifier needs nothing but it and the root of the catalog.

use prolly_core::{Hash, Link, Proof, ProvenValue, ValueRef, Verified};
use serde::{Deserialize, Serialize};

use crate::{
    Catalog, Result, TreeEntry, TreeKey,
    catalog::{encode_entry, read_entry},
};

const VERSION: u8 = 1;

/// What shows the entries of some keys of a tree, or their absence, from the root of a catalog alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeProof {
    catalog: Proof,
    /// The tagged value that the catalog has for the tree, when it is too long for the catalog's proof to show it.
    entry: Option<Vec<u8>>,
    /// `None` when the catalog has no such tree.
    tree: Option<Proof>,
}

/// What a valid [`TreeProof`] says.
#[derive(Clone, Debug)]
pub struct VerifiedTree {
    /// What the catalog says of the tree; `None` when it is proven that there is no such tree.
    pub entry: Option<TreeEntry>,
    entries: Option<Verified>,
}

impl VerifiedTree {
    /// What `key` holds; `None` when it is proven not to exist.
    ///
    /// # Errors
    /// `InvalidProof` when the proof says nothing about the key.
    pub fn get(&self, key: &[u8]) -> Result<Option<&ProvenValue>> {
        match &self.entries {
            Some(entries) => Ok(entries.get(key)?),
            None => Ok(None),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Encoded<'a> {
    #[serde(borrow)]
    catalog: &'a [u8],
    #[serde(borrow)]
    entry: Option<&'a [u8]>,
    #[serde(borrow)]
    tree: Option<&'a [u8]>,
}

impl Catalog {
    /// Proves what some keys of a tree hold, or that they, or the tree, do not exist. Costs O(log n) for each.
    ///
    /// # Errors
    /// What reading reports.
    pub fn prove<K: AsRef<[u8]>>(
        &self,
        tree: &TreeKey,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<TreeProof> {
        let catalog = Proof::for_keys(self.as_tree(), [tree.to_catalog_key()])?;
        let Some(version) = self.version(tree)? else {
            return Ok(TreeProof { catalog, entry: None, tree: None });
        };
        let shown = catalog.verify(&self.root_hash())?;
        let entry = match shown.get(&tree.to_catalog_key())? {
            Some(ProvenValue::Digest { .. }) => {
                let (root, descriptor) = encode_entry(&version)?;
                Some(ValueRef::Tree { root: root.hash, descriptor: &descriptor }.to_tagged())
            }
            _ => None,
        };
        let proof = Proof::for_keys(&version.tree, keys)?;
        Ok(TreeProof { catalog, entry, tree: Some(proof) })
    }
}

impl TreeProof {
    /// Encodes the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (catalog, tree) = (self.catalog.to_bytes(), self.tree.as_ref().map(Proof::to_bytes));
        let encoded = Encoded { catalog: &catalog, entry: self.entry.as_deref(), tree: tree.as_deref() };
        postcard::to_extend(&encoded, vec![VERSION]).expect("a vector takes all that is written to it")
    }

    /// Decodes a proof. It is believed in nothing yet: that takes [`TreeProof::verify`].
    ///
    /// # Errors
    /// `InvalidProof` when the bytes are not what [`TreeProof::to_bytes`] returns, `NewerFormat` when they are of a later
    /// version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (&version, encoded) = bytes.split_first().ok_or_else(|| invalid("it is empty"))?;
        if version > VERSION {
            return Err(prolly_core::Error::NewerFormat { found: version, supported: VERSION }.into());
        }
        if version != VERSION {
            return Err(invalid(format!("there is no version {version} of proofs of trees")));
        }
        let Encoded { catalog, entry, tree } =
            postcard::from_bytes(encoded).map_err(|error| invalid(error.to_string()))?;
        let proof = Self {
            catalog: Proof::from_bytes(catalog)?,
            entry: entry.map(<[u8]>::to_vec),
            tree: tree.map(Proof::from_bytes).transpose()?,
        };
        if proof.to_bytes() != bytes {
            return Err(invalid("it is not in the canonical encoding"));
        }
        Ok(proof)
    }

    /// The root of the catalog that it leads up to. It tells which root to look for among trusted ones, and proves nothing.
    ///
    /// # Errors
    /// `InvalidProof` when it is not well formed.
    pub fn claimed_root(&self) -> Result<Hash> {
        Ok(self.catalog.claimed_root()?)
    }

    /// Checks the proof against the root of a catalog (`root.hash` of a [`Commit`](crate::Commit)), and returns what it
    /// proves of a tree. Needs no store.
    ///
    /// # Errors
    /// `InvalidProof` when it does not belong to that root or that tree, or has been tampered with.
    pub fn verify(&self, catalog_root: &Hash, tree: &TreeKey) -> Result<VerifiedTree> {
        let catalog = self.catalog.verify(catalog_root)?;
        let tagged = match (catalog.get(&tree.to_catalog_key())?, &self.entry) {
            (None, None) if self.tree.is_none() => return Ok(VerifiedTree { entry: None, entries: None }),
            (Some(ProvenValue::Whole(value)), None) => value.as_ref().to_tagged(),
            (Some(ProvenValue::Digest { tagged_len, digest }), Some(tagged)) => {
                if *tagged_len as usize != tagged.len() || *digest != blake3::hash(tagged).into() {
                    return Err(invalid("what it gives for the tree is not what the catalog has"));
                }
                tagged.clone()
            }
            _ => return Err(invalid("it gives more for the tree than the catalog has, or less")),
        };
        let value = ValueRef::from_tagged(&tagged)?;
        let link = match value {
            ValueRef::Tree { root, .. } => Some(Link::from(root)),
            _ => None,
        };
        let entry = read_entry(tree.clone(), value, link)?;
        let proof = self.tree.as_ref().ok_or_else(|| invalid("it shows nothing of the tree"))?;
        let entries = Some(proof.verify(&entry.root.hash)?);
        Ok(VerifiedTree { entry: Some(entry), entries })
    }

    /// Whether the proof shows that `key` of a tree has exactly the bytes `value`, or for `None` that there is no such key.
    ///
    /// # Errors
    /// As [`TreeProof::verify`]; `InvalidProof` when it says nothing about the key.
    pub fn verify_value(
        &self,
        catalog_root: &Hash,
        tree: &TreeKey,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<bool> {
        let verified = self.verify(catalog_root, tree)?;
        Ok(match (verified.get(key)?, value) {
            (None, None) => true,
            (Some(proven), Some(value)) => proven.is(value),
            (None, Some(_)) | (Some(_), None) => false,
        })
    }
}

fn invalid(reason: impl Into<String>) -> crate::Error {
    prolly_core::Error::InvalidProof { reason: reason.into() }.into()
}
