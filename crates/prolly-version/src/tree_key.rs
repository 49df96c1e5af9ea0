//! The name of a tree in the catalog: what kind it is, and what it is called.
//!
//! **Invariant:** the key in the catalog is the kind's number followed by the name, so all trees of a kind lie together,
//! ordered by name.

use std::fmt;

/// The kind of a tree: what its entries mean, and which [`MergeDriver`](crate::MergeDriver) merges it.
///
/// A number below 256; a kind that this build does not know is carried along untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeKind(pub u8);

impl TreeKind {
    /// A plain map of bytes to bytes: a namespace. The default tree is one.
    pub const MAP: Self = Self(0);
    /// The rows of an SQL table.
    pub const TABLE: Self = Self(1);
    /// A secondary index of an SQL table, derived from its rows.
    pub const TABLE_INDEX: Self = Self(2);
    /// The vectors of a text index.
    pub const VECTORS: Self = Self(3);
    /// The search structure of a text index, derived from its vectors.
    pub const PROXIMITY: Self = Self(4);
    /// The functions that SQL users made.
    pub const FUNCTIONS: Self = Self(5);
}

impl fmt::Display for TreeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MAP => f.write_str("map"),
            Self::TABLE => f.write_str("table"),
            Self::TABLE_INDEX => f.write_str("table index"),
            Self::VECTORS => f.write_str("vectors"),
            Self::PROXIMITY => f.write_str("proximity"),
            Self::FUNCTIONS => f.write_str("functions"),
            Self(number) => write!(f, "kind {number}"),
        }
    }
}

/// Names a tree of a store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeKey {
    kind: TreeKind,
    name: Box<[u8]>,
}

impl TreeKey {
    /// The name of the tree that a store has from its first commit on, and that [`Store`](crate::Store)'s plain methods
    /// work on.
    pub const DEFAULT_NAME: &str = "default";

    /// Names a tree.
    pub fn new(kind: TreeKind, name: impl Into<Vec<u8>>) -> Self {
        Self { kind, name: name.into().into_boxed_slice() }
    }

    /// Names a map.
    pub fn map(name: impl Into<Vec<u8>>) -> Self {
        Self::new(TreeKind::MAP, name)
    }

    /// The default tree: the map `default`.
    pub fn default_map() -> Self {
        Self::map(Self::DEFAULT_NAME)
    }

    /// What the entries mean.
    pub fn kind(&self) -> TreeKind {
        self.kind
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The key in the catalog.
    pub(crate) fn to_catalog_key(&self) -> Vec<u8> {
        [&[self.kind.0], &*self.name].concat()
    }

    /// Reads a key of the catalog; `None` when it is empty.
    pub(crate) fn from_catalog_key(key: &[u8]) -> Option<Self> {
        let (kind, name) = key.split_first()?;
        Some(Self { kind: TreeKind(*kind), name: name.into() })
    }
}

impl fmt::Display for TreeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind, self.name.escape_ascii())
    }
}

impl fmt::Debug for TreeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeKey({self})")
    }
}

/// A key of a tree of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyInTree {
    /// The tree.
    pub tree: TreeKey,
    /// The key; `None` when the tree as a whole is meant: that it exists, or what is said of it.
    pub key: Option<Vec<u8>>,
}

impl fmt::Display for KeyInTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) if self.tree == TreeKey::default_map() => write!(f, "\"{}\"", key.escape_ascii()),
            Some(key) => write!(f, "\"{}\" of {}", key.escape_ascii(), self.tree),
            None => write!(f, "the {}", self.tree),
        }
    }
}
