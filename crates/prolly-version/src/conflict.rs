//! What a merge could not decide.

use std::fmt;

use crate::{KeyInTree, TreeKey};

/// A key that both sides of a merge changed, differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeConflict {
    /// The tree.
    pub tree: TreeKey,
    /// The key; `None` when one side dropped the tree that the other changed. The values are `None` then.
    pub key: Option<Vec<u8>>,
    /// What the common ancestor has; `None` when it has no such key.
    pub base: Option<Vec<u8>>,
    /// What the revision that is merged has; `None` when it has no such key.
    pub source: Option<Vec<u8>>,
    /// What the revision has that it is merged into; `None` when it has no such key.
    pub destination: Option<Vec<u8>>,
}

impl fmt::Display for MergeConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KeyInTree { tree: self.tree.clone(), key: self.key.clone() }.fmt(f)
    }
}
