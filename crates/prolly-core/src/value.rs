//! What an entry of a leaf holds: bytes, a blob beside the tree, or another tree.
//!
//! Inside a node a value is its *tagged* form, so no bytes of a user can be mistaken for a link:
//!
//! ```text
//! inline   00 | bytes
//! blob     01 01 00 00 | length u64 LE | hash 32          (the 44-byte envelope)
//! tree     02 | root hash 32 | descriptor
//! ```
//!
//! **Invariant:** equal values have equal tagged forms.

use crate::{Error, Hash, Result};

const TAG_INLINE: u8 = 0;
const TAG_BLOB: u8 = 1;
const TAG_TREE: u8 = 2;
const BLOB_HEADER: [u8; 4] = [TAG_BLOB, 1, 0, 0];

/// Length of a blob's tagged form in bytes.
pub const ENVELOPE_BYTES: usize = 44;

/// A value, borrowed from a node or from its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// Bytes kept in the node.
    Inline(&'a [u8]),
    /// Bytes kept beside the tree.
    Blob {
        /// Length in bytes.
        len: u64,
        /// Address of the blob.
        hash: Hash,
    },
    /// Another tree.
    Tree {
        /// Its root.
        root: Hash,
        /// What the layer above says of it; opaque here.
        descriptor: &'a [u8],
    },
}

/// A value that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes kept in the node.
    Inline(Vec<u8>),
    /// Bytes kept beside the tree.
    Blob {
        /// Length in bytes.
        len: u64,
        /// Address of the blob.
        hash: Hash,
    },
    /// Another tree.
    Tree {
        /// Its root.
        root: Hash,
        /// What the layer above says of it; opaque here.
        descriptor: Vec<u8>,
    },
}

impl Value {
    /// Borrows the value.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Inline(bytes) => ValueRef::Inline(bytes),
            Self::Blob { len, hash } => ValueRef::Blob { len: *len, hash: *hash },
            Self::Tree { root, descriptor } => ValueRef::Tree { root: *root, descriptor },
        }
    }
}

impl<'a> ValueRef<'a> {
    /// Reads a tagged form.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tag is unknown or the length does not fit it.
    #[inline]
    pub fn from_tagged(tagged: &'a [u8]) -> Result<Self> {
        match tagged {
            [TAG_INLINE, bytes @ ..] => Ok(Self::Inline(bytes)),
            _ => Self::from_tagged_link(tagged),
        }
    }

    fn from_tagged_link(tagged: &'a [u8]) -> Result<Self> {
        match tagged {
            [TAG_BLOB, ..] if tagged.len() == ENVELOPE_BYTES && tagged.starts_with(&BLOB_HEADER) => {
                let (len, hash) = tagged[4..].split_at(8);
                Ok(Self::Blob { len: u64::from_le_bytes(array(len)), hash: Hash::new(array(hash)) })
            }
            [TAG_TREE, rest @ ..] if rest.len() >= Hash::LEN => {
                let (root, descriptor) = rest.split_at(Hash::LEN);
                Ok(Self::Tree { root: Hash::new(array(root)), descriptor })
            }
            [] => Err(Error::malformed("a value has no tag")),
            [tag, ..] => Err(Error::malformed(format!("value of {} bytes has tag {tag}", tagged.len()))),
        }
    }

    /// Appends the tagged form.
    pub fn write_tagged(&self, out: &mut Vec<u8>) {
        match self {
            Self::Inline(bytes) => {
                out.push(TAG_INLINE);
                out.extend_from_slice(bytes);
            }
            Self::Blob { len, hash } => {
                out.extend_from_slice(&BLOB_HEADER);
                out.extend_from_slice(&len.to_le_bytes());
                out.extend_from_slice(hash.as_bytes());
            }
            Self::Tree { root, descriptor } => {
                out.push(TAG_TREE);
                out.extend_from_slice(root.as_bytes());
                out.extend_from_slice(descriptor);
            }
        }
    }

    /// Returns the tagged form.
    pub fn to_tagged(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_tagged(&mut out);
        out
    }

    /// Copies the value out of its node.
    pub fn to_owned(&self) -> Value {
        match *self {
            Self::Inline(bytes) => Value::Inline(bytes.to_vec()),
            Self::Blob { len, hash } => Value::Blob { len, hash },
            Self::Tree { root, descriptor } => Value::Tree { root, descriptor: descriptor.to_vec() },
        }
    }

    /// The object that the value links to, `None` for inline bytes.
    pub fn link(&self) -> Option<Hash> {
        match self {
            Self::Inline(_) => None,
            Self::Blob { hash, .. } => Some(*hash),
            Self::Tree { root, .. } => Some(*root),
        }
    }
}

/// Whether a tagged form links to another object.
pub(crate) fn is_link(tagged: &[u8]) -> bool {
    tagged.first().is_some_and(|tag| *tag != TAG_INLINE)
}

/// Copies a slice whose length is known from the split that made it.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was split off at this length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_forms_round_trip() {
        let hash = Hash::from(blake3::hash(b"x"));
        for value in [
            ValueRef::Inline(b""),
            ValueRef::Inline(b"\x01\x01\0\0 looks like an envelope"),
            ValueRef::Blob { len: 1 << 40, hash },
            ValueRef::Tree { root: hash, descriptor: b"" },
            ValueRef::Tree { root: hash, descriptor: b"kind" },
        ] {
            let tagged = value.to_tagged();
            assert_eq!(ValueRef::from_tagged(&tagged).unwrap(), value);
            assert_eq!(is_link(&tagged), value.link().is_some());
            assert_eq!(value.to_owned().as_ref(), value);
        }
        assert_eq!(ValueRef::Blob { len: 1, hash }.to_tagged().len(), ENVELOPE_BYTES);
    }

    #[test]
    fn malformed_forms_are_refused() {
        let blob = ValueRef::Blob { len: 9, hash: Hash::new([7; 32]) }.to_tagged();
        let mut newer = blob.clone();
        newer[1] = 2;
        for bad in [&[][..], &[3], &[TAG_TREE; 20], &blob[..43], &newer] {
            assert!(ValueRef::from_tagged(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
