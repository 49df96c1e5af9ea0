//! The change feed: what differs between two revisions, in all namespaces.
//!
//! **Invariant:** what it holds does not grow with the number of changes; subtrees and namespaces that both revisions share
//! are never read.

use prolly_core::Diff;
use prolly_version::{Catalog, Change, ChangeKind, Changes, TreeKey, TreeKind};

use crate::{
    Result,
    name::{name_of, tree_of},
};

/// A key of a namespace that differs between two revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceChange {
    /// The namespace.
    pub namespace: String,
    /// The key.
    pub key: Vec<u8>,
    /// What the first revision holds; `None` when it has no such key.
    pub old: Option<Vec<u8>>,
    /// What the second revision holds; `None` when it has no such key.
    pub new: Option<Vec<u8>>,
}

impl NamespaceChange {
    /// What happened between the two.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Deleted,
            (Some(_), Some(_)) => ChangeKind::Modified,
        }
    }
}

/// What changed between two revisions, in the order of namespaces and keys: an iterator of `Result<NamespaceChange>` that
/// compares as it goes. After an error it ends. A namespace that was made or dropped shows as its keys.
pub struct ChangeFeed {
    old: Catalog,
    new: Catalog,
    /// What differs in the catalogs; `None` where one namespace was asked for.
    trees: Option<Diff>,
    current: Option<(String, Changes)>,
}

impl ChangeFeed {
    pub(crate) fn new(old: &Catalog, new: &Catalog, namespace: Option<&str>) -> Result<Self> {
        let mut current = None;
        let trees = match namespace {
            Some(name) => {
                current = Some((name.to_owned(), old.diff_range::<&[u8]>(new, &tree_of(name)?, ..)?));
                None
            }
            None => {
                let maps = [TreeKind::MAP.0]..[TreeKind::MAP.0 + 1];
                Some(old.as_tree().diff_range(new.as_tree(), maps)?)
            }
        };
        Ok(Self { old: old.clone(), new: new.clone(), trees, current })
    }

    fn advance(&mut self) -> Result<Option<NamespaceChange>> {
        loop {
            if let Some((namespace, changes)) = &mut self.current
                && let Some(Change { key, old, new }) = changes.next().transpose()?
            {
                return Ok(Some(NamespaceChange { namespace: namespace.clone(), key, old, new }));
            }
            self.current = None;
            let next = match &mut self.trees {
                Some(diff) => diff.next_difference()?,
                None => None,
            };
            let Some(tree) = next.map(|change| read_key(change.key)) else { return Ok(None) };
            let changes = self.old.diff_range::<&[u8]>(&self.new, &tree, ..)?;
            self.current = Some((name_of(&tree)?.to_owned(), changes));
        }
    }
}

impl Iterator for ChangeFeed {
    type Item = Result<NamespaceChange>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.advance().transpose();
        if matches!(change, Some(Err(_))) {
            (self.trees, self.current) = (None, None);
        }
        change
    }
}

/// The tree of a key of the catalog: that of a map, whose kind is one byte.
fn read_key(key: &[u8]) -> TreeKey {
    TreeKey::map(key.get(1..).unwrap_or_default())
}
