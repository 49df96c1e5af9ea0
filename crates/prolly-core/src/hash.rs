//! The address of an object, and maps keyed by it.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Names an object by the BLAKE3 hash of its logical content: 32 bytes, written as 64 lowercase hex digits.
///
/// Aligned, so that it is copied in whole words: enums that hold one are otherwise moved in overlapping pieces, which
/// costs a scan more than its work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(align(8))]
pub struct Hash([u8; Hash::LEN]);

impl Hash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Wraps the bytes of a hash.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Reads a hash from a slice that must be exactly 32 bytes long; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl From<blake3::Hash> for Hash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Parses 64 hex digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        blake3::Hash::from_hex(text).map(Self::from).map_err(|_| Error::InvalidHash { text: text.to_owned() })
    }
}

/// Where a store keeps an object: a hint that only the store which issued it can read.
///
/// It travels beside a hash so that a store whose own addresses differ from ours (Git's object ids) finds the object
/// without a map. It never takes part in hashing or comparison, and an object found through it is still verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Locator([u8; Locator::LEN]);

impl Locator {
    /// Length in bytes: that of a SHA-1 object id.
    pub const LEN: usize = 20;
    /// No hint: the store has to find the object by its hash.
    pub const NONE: Self = Self([0; Self::LEN]);

    /// Wraps the store's own address.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the store's own address, `None` when there is no hint.
    pub fn get(&self) -> Option<&[u8; Self::LEN]> {
        (*self != Self::NONE).then_some(&self.0)
    }
}

/// A reference to an object: its hash, and perhaps a hint where its store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The address of the object.
    pub hash: Hash,
    /// The store's hint, or [`Locator::NONE`].
    pub locator: Locator,
}

impl From<Hash> for Link {
    fn from(hash: Hash) -> Self {
        Self { hash, locator: Locator::NONE }
    }
}

/// A map keyed by [`struct@Hash`], which needs no further hashing.
pub type HashedMap<V> = HashMap<Hash, V, BuildHasherDefault<TakeFirstEight>>;

/// Uses the first eight bytes of a [`struct@Hash`], uniform already, as its hash code.
#[derive(Clone, Copy, Default)]
pub struct TakeFirstEight(u64);

impl Hasher for TakeFirstEight {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_rejects_others() {
        let hash = Hash::from(blake3::hash(b"x"));
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        for bad in ["", "00", "zz", &"0".repeat(63), &"g".repeat(64)] {
            assert!(bad.parse::<Hash>().is_err(), "{bad:?} must be refused");
        }
    }
}
