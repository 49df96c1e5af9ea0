//! What can go wrong in a tree, each case with what a caller needs to act on it.

use crate::Hash;

/// The result of a tree operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of a failure below the tree, as the store reported it.
pub type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An error of the tree layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An object that something links to is not in the store: the store has lost data.
    #[error("object {hash} is missing from the store")]
    Missing {
        /// The address that was linked to.
        hash: Hash,
    },
    /// An object was left out when the store was made as a part of another: nothing is damaged.
    #[error("object {hash} was not fetched: this store holds a part of another")]
    NotFetched {
        /// The address that was linked to.
        hash: Hash,
    },
    /// An object's bytes are not those its address names, or do not follow the format.
    #[error("object {hash} is damaged: {reason}")]
    Corrupt {
        /// The address of the object.
        hash: Hash,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes that should be an object, and whose address is not known, do not follow the format.
    #[error("not a valid object: {reason}")]
    Malformed {
        /// What is wrong with them.
        reason: String,
    },
    /// An object was written by a newer version of the format.
    #[error("object has format version {found}, this build reads up to {supported}")]
    NewerFormat {
        /// The version found.
        found: u8,
        /// The newest version this build understands.
        supported: u8,
    },
    /// A key is longer than a tree can hold.
    #[error("key of {len} bytes is longer than the {max} bytes a key may have")]
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest key allowed, in bytes.
        max: usize,
    },
    /// A value is longer than a tree can hold.
    #[error("value of {len} bytes is longer than the {max} bytes a value may have")]
    ValueTooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest value allowed, in bytes.
        max: usize,
    },
    /// Input that has to be sorted by strictly ascending keys is not.
    #[error("keys are not in strictly ascending order: {previous:?} is followed by {key:?}")]
    Unsorted {
        /// The earlier key.
        previous: Vec<u8>,
        /// The key that should be greater.
        key: Vec<u8>,
    },
    /// A key that has to exist does not.
    #[error("key {key:?} does not exist")]
    KeyNotFound {
        /// The key asked for.
        key: Vec<u8>,
    },
    /// The entry links to a tree where a plain value was asked for.
    #[error("key {key:?} links to a tree, it has no plain value")]
    NotAValue {
        /// The key asked for.
        key: Vec<u8>,
    },
    /// A tree configuration is out of bounds.
    #[error("invalid tree configuration: {reason}")]
    InvalidConfig {
        /// Which field, and its bounds.
        reason: String,
    },
    /// Two trees with different configurations were to be compared or merged.
    #[error("trees have different configurations and cannot be compared: {left} and {right}")]
    ConfigMismatch {
        /// One configuration.
        left: String,
        /// The other.
        right: String,
    },
    /// Text that should be a hash is not 64 hex digits.
    #[error("{text:?} is not a hash of 64 hex digits")]
    InvalidHash {
        /// The text.
        text: String,
    },
    /// A proof does not follow its format, or does not belong to the root it was checked against.
    #[error("invalid proof: {reason}")]
    InvalidProof {
        /// What is wrong with it.
        reason: String,
    },
    /// The store below failed.
    #[error("the node store failed: {0}")]
    Store(#[source] Source),
}

impl Error {
    /// Wraps a failure of the store below.
    pub fn store(source: impl Into<Source>) -> Self {
        Self::Store(source.into())
    }

    /// Names the damaged object in an error that was raised before its address was known.
    pub(crate) fn of_object(self, hash: &Hash) -> Self {
        match self {
            Self::Malformed { reason } => Self::Corrupt { hash: *hash, reason },
            other => other,
        }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }
}
