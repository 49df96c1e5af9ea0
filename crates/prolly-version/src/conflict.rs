//! What a merge could not decide.

use std::fmt;

use crate::{KeyInTree, TreeKey};

/// A key that both sides of a merge changed differently, or whose merged value breaks a rule.
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
    /// What is wrong, where it is not that both sides changed the key or one dropped the tree: which constraint the merge
    /// would break, or what the sides contradict each other in.
    pub reason: Option<String>,
}

impl fmt::Display for MergeConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KeyInTree { tree: self.tree.clone(), key: self.key.clone() }.fmt(f)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}
